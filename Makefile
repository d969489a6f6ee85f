# Two commands do all the set-up: `make lab` and `make test`.
PYTHON ?= python3
ARGS ?=
VENV := .venv
BIN := $(VENV)/bin
# What JupyterLab opens: copies, so that the shipped walkthroughs are never edited.
LAB_DIR ?= walkthroughs

.DEFAULT_GOAL := help
.PHONY: help lab test test-full check notebooks screenshots docs docs-serve clean

help:                      ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*##/\t/'

# The stamps make a second call start at once; a changed pyproject.toml installs again.
$(VENV)/installed: pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[lab]'
	touch $@

$(VENV)/installed-test: $(VENV)/installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[test]'
	touch $@

$(VENV)/installed-docs: $(VENV)/installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[docs]'
	touch $@

lab: $(VENV)/installed     ## open JupyterLab on the walkthroughs, against the embedded sandbox portal
	$(BIN)/b24nb lab $(LAB_DIR) $(ARGS)

test: $(VENV)/installed-test       ## everything but the slow tests
	$(BIN)/python -m pytest -m "not slow" $(ARGS)

test-full: $(VENV)/installed-test  ## the slow tests too
	$(BIN)/python -m pytest $(ARGS)

check: $(VENV)/installed-test      ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check b24nb tests docs
	$(BIN)/mypy

notebooks: $(VENV)/installed-test  ## run the walkthroughs and keep their outputs
	$(BIN)/python -m tests.notebooks $(ARGS)

screenshots: $(VENV)/installed-test  ## pictures of the forms in both themes (needs chromium)
	$(BIN)/python -m tests.browser.screenshots $(ARGS)

docs: $(VENV)/installed-docs       ## the site, in docs/_build/html
	$(BIN)/python -m sphinx --fail-on-warning --keep-going --quiet docs docs/_build/html
	$(BIN)/python -m sphinx --quiet -b text docs docs/_build/html

docs-serve: docs           ## build the site and show it on http://127.0.0.1:8000/
	$(BIN)/python -m http.server --bind 127.0.0.1 --directory docs/_build/html 8000

clean:                     ## remove what the other commands made
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis build dist docs/_build
