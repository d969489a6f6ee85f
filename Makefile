# Two commands do all the set-up: `make lab` and `make test`.
PYTHON ?= python3
ARGS ?=
# Another Python in an environment of its own: make test-quick PYTHON=python3.13 VENV=.venv-3.13
VENV := .venv
BIN := $(VENV)/bin
LOWEST := .venv-lowest
# What JupyterLab opens: copies, so that the shipped walkthroughs are never edited.
LAB_DIR ?= walkthroughs
PIP_INSTALL := -m pip install --quiet --disable-pip-version-check
# The layers that need neither a browser nor another language.
QUICK := tests/unit tests/contract tests/cases tests/foreign
# As many tests at a time as there are cores; who is done first takes over from the others.
PYTEST := -m pytest -n auto --dist worksteal
SLOW := tests/docs $(addprefix tests/browser/test_, first_contact.py hosts.py looks.py safety.py) \
  $(addprefix tests/contract/test_, badges_killed.py fleet_killed.py wheel.py)

.DEFAULT_GOAL := help
.PHONY: help lab test test-slow test-full test-quick test-lowest check notebooks screenshots docs docs-serve dist clean

help:                      ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*##/\t/'

# Makes an environment, also in place of one that is not whole or whose Python is older than 3.11, where tomllib begins.
environment = $(1)/bin/python -c "import pip, tomllib" 2>/dev/null || \
  $(PYTHON) -m venv $(if $(wildcard $(1)/pyvenv.cfg),--clear) $(1)

# The stamps make a second call start at once; a changed pyproject.toml or a moved checkout installs again.
ifneq ($(wildcard $(VENV)/installed),)
  $(if $(shell $(BIN)/b24nb --version 2>/dev/null),,$(shell rm -f $(VENV)/installed*))
endif
$(VENV)/installed: pyproject.toml
	$(call environment,$(VENV))
	$(BIN)/python $(PIP_INSTALL) -e '.[lab,fleet]'
	touch $@

$(VENV)/installed-test: $(VENV)/installed
	$(BIN)/python $(PIP_INSTALL) -e '.[test]'
	touch $@

$(VENV)/installed-docs: $(VENV)/installed
	$(BIN)/python $(PIP_INSTALL) -e '.[docs]'
	touch $@

$(VENV)/installed-check: $(VENV)/installed-test
	$(BIN)/python $(PIP_INSTALL) -e '.[check]'
	touch $@

$(LOWEST)/installed-test: pyproject.toml tests/lowest.py
	$(call environment,$(LOWEST))
	$(LOWEST)/bin/python tests/lowest.py > $(LOWEST)/constraints.txt
	$(LOWEST)/bin/python $(PIP_INSTALL) --constraint $(LOWEST)/constraints.txt -e '.[test]'
	touch $@

lab: $(VENV)/installed     ## open JupyterLab on the walkthroughs, against the sandbox portal
	$(BIN)/b24nb lab $(if $(LAB_DIR),'$(LAB_DIR)') $(ARGS)

test: $(VENV)/installed-test       ## everything but the slow tests
	$(BIN)/python $(PYTEST) -m "not slow" $(ARGS)

test-slow: $(VENV)/installed-test  ## slow tests that end within minutes
	$(BIN)/python $(PYTEST) -m slow $(SLOW) $(ARGS)

test-full: $(VENV)/installed-test  ## all of them: every state by chance, too
	$(BIN)/python $(PYTEST) $(ARGS)

test-quick: $(VENV)/installed-test ## what needs neither a browser nor another language; ARGS=--cov measures coverage
	$(BIN)/python $(PYTEST) -m "not slow" $(QUICK) $(ARGS)

# Old libraries use what newer ones below them have deprecated: not for us to mend.
test-lowest: $(LOWEST)/installed-test  ## the same with the lowest versions that pyproject.toml declares
	$(LOWEST)/bin/python $(PYTEST) -W ignore::DeprecationWarning -m "not slow" $(QUICK) $(ARGS)

check: $(VENV)/installed-check     ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check b24nb tests docs
	$(BIN)/mypy

notebooks: $(VENV)/installed-test  ## run the walkthroughs and keep their outputs
	$(BIN)/python -m tests.notebooks $(ARGS)

screenshots: $(VENV)/installed-test  ## pictures of the forms in both themes (needs chromium)
	$(BIN)/python -m tests.browser.screenshots $(ARGS)

docs: $(VENV)/installed-docs       ## the site, in docs/_build/html
	$(BIN)/python docs/build.py

docs-serve: docs           ## build the site and show it on http://127.0.0.1:8000/
	$(BIN)/python -m http.server --bind 127.0.0.1 --directory docs/_build/html 8000

dist: $(VENV)/installed            ## the wheel and the source archive, checked
	$(BIN)/python $(PIP_INSTALL) build twine
	rm -rf dist
	$(BIN)/python -m build --quiet
	$(BIN)/python -m twine check --strict dist/*

clean:                     ## remove what the other commands made
	rm -rf .venv .venv-* .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage build dist test-artifacts \
	  docs/_build docs/errors.md docs/reference.md docs/methods docs/reference docs/walkthroughs
