"""The layers: which way imports run, how large a module may be, what an import costs, what is declared and shown."""

import ast
import doctest
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib import import_module
from importlib.metadata import packages_distributions
from inspect import getsource
from pathlib import Path
from typing import Any

import pytest
import yaml

import b24nb
from tests.layers import require_program
from tests.lowest import declared, lowest
from tests.programs import python

PACKAGE = Path(b24nb.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))

#: Layers from left to right, with what is in each; an import points to the left or stays inside its layer.
LAYERS = {
    "spec": ["spec"],
    "errors": ["secret", "error_codes", "errors", "checks", "credential_checks"],
    "credentials": ["credentials", "_settings"],
    "display": ["display"],
    "rest": ["rest"],
    "badges": ["badges"],
    "client": ["client"],
    "fleet": ["fleet"],
    "forms": ["forms"],
    "entrance": ["_connect", "lab", "cli"],
}
ORDER = [name for names in LAYERS.values() for name in names]
LAYER_OF = {name: layer for layer, names in LAYERS.items() for name in names} | {"sandbox": "sandbox"}
#: They name what is public and start the command; a version is no knowledge.
FACE, ALWAYS = {"__init__", "__main__", "_version"}, {"_version"}


def part(dotted: str) -> str:
    """The module or package right under b24nb: b24nb.rest.calls is of `rest`."""
    return dotted.split(".")[1] if "." in dotted else "__init__"


def dotted(path: Path) -> str:
    parts = ("b24nb", *path.relative_to(PACKAGE).with_suffix("").parts)
    return ".".join(part for part in parts if part != "__init__")


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def imported_parts(path: Path) -> set[str]:
    return {part(name) for name in imports(path) if name.startswith("b24nb.")} - ALWAYS


@pytest.mark.parametrize("path", MODULES, ids=dotted)
def test_imports_point_to_the_left(path: Path) -> None:
    here = part(dotted(path))
    if here in FACE:
        return
    allowed = {"spec", "sandbox"} if here == "sandbox" else set(ORDER[: ORDER.index(here) + 1])
    if LAYER_OF[here] == "entrance":
        allowed.add("sandbox")
    assert imported_parts(path) <= allowed


def test_few_imports_join_the_layers() -> None:
    inside = [path for path in MODULES if part(dotted(path)) not in FACE]
    arrows = {
        (LAYER_OF[part(dotted(path))], LAYER_OF[imported]) for path in inside for imported in imported_parts(path)
    }
    between = sorted(f"{here} -> {there}" for here, there in arrows if here != there)
    assert len(between) <= 36, between


@pytest.mark.parametrize("path", MODULES, ids=dotted)
def test_modules_and_functions_stay_readable(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    assert source.count("\n") <= 400
    assert path.name != "utils.py"
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            doc = ast.get_docstring(node, clean=False)
            lines = node.end_lineno - node.lineno + 1 - (len(doc.splitlines()) if doc else 0)
            assert lines <= 40, f"{path.name}: {node.name} has {lines} lines"


def test_exported_names_exist_and_no_others() -> None:
    assert all(getattr(b24nb, name) is not None for name in b24nb.__all__)
    with pytest.raises(AttributeError, match="has no attribute 'nonsense'"):
        _ = b24nb.nonsense


def test_import_is_light() -> None:
    heavy = ["pandas", "ipywidgets", "anywidget", "matplotlib", "tornado", "jinja2", "tqdm", "dotenv"]
    heavy += ["requests", "sqlite3", "distributed"]
    code = f"import sys, b24nb; print([m for m in {heavy} if m in sys.modules])"
    assert python(code) == "[]"


ROOT = Path(__file__).parents[2]
PYTHON = "Programming Language :: Python :: "


@pytest.fixture(scope="module")
def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def yaml_of(path: Path) -> dict[Any, Any]:
    return yaml.safe_load(path.read_text())


def test_an_environment_of_conda_is_the_project_with_its_extras(project: dict[str, Any]) -> None:
    environment = yaml_of(ROOT / "environment.yml")
    assert (environment["name"], environment["channels"]) == ("b24nb", ["conda-forge"])
    python, pip, requirements = environment["dependencies"]
    assert (python, pip) == (f"python{project['requires-python']}", "pip")
    (found,) = requirements["pip"]
    assert set(re.fullmatch(r"-e \.\[(.+)]", found)[1].split(",")) == {"lab", "test"}
    assert {"lab", "test"} <= set(project["optional-dependencies"])


def test_a_plain_install_brings_no_jupyterlab(project: dict[str, Any]) -> None:
    names = {re.split(r"[\[>=<]", requirement)[0] for requirement in project["dependencies"]}
    assert not names & {"jupyterlab", "matplotlib", "nbformat", "notebook", "qs-codec"}


def test_every_library_that_the_package_imports_is_declared() -> None:
    imported = {name.split(".")[0] for path in MODULES for name in imports(path)} - sys.stdlib_module_names - {"b24nb"}
    provided = packages_distributions()
    needed = {distribution.lower().replace("_", "-") for name in imported for distribution in provided[name]}
    assert needed <= {re.split(r"[\[>=<]", requirement)[0] for requirement in declared()}


def test_each_requirement_says_from_which_version_on_it_works() -> None:
    with pytest.raises(ValueError, match="requests<3: say"):
        lowest("requests<3")
    for requirement in declared():
        lowest(requirement)


def test_workflows_and_the_full_check_call_targets_that_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))
    for path in (ROOT / ".ci/run", *(ROOT / ".github/workflows").glob("*.yml")):
        assert set(re.findall(r"^(?! *#).*\bmake ([a-z-]+)", path.read_text(), re.M)) <= targets, path


def test_make_puts_a_new_environment_in_place_of_one_with_an_old_python(tmp_path: Path) -> None:
    old, python = tmp_path / "env" / "bin" / "python", tmp_path / "python"
    old.parent.mkdir(parents=True)
    for program, does in ((old, "exit 1"), (python, 'echo "made: $*"')):
        program.write_text(f"#!/bin/sh\n{does}\n")
        program.chmod(0o755)
    (tmp_path / "pyproject.toml").touch()
    (tmp_path / "env" / "pyvenv.cfg").touch()
    command = [require_program("make"), "-f", str(ROOT / "Makefile"), "VENV=env", f"PYTHON={python}", "env/installed"]
    said = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True).stdout
    assert "made: -m venv --clear env\n" in said


def test_the_workflow_runs_on_each_python_that_is_declared(project: dict[str, Any]) -> None:
    matrix = yaml_of(ROOT / ".github/workflows/ci.yml")["jobs"]["quick"]["strategy"]["matrix"]
    versions = {line.removeprefix(PYTHON) for line in project["classifiers"] if line.startswith(PYTHON)}
    assert set(matrix["python"]) == versions
    oldest = min(versions, key=lambda text: int(text.split(".")[1]))
    assert matrix["include"] == [{"python": oldest, "versions": "lowest"}]


class Finder(doctest.DocTestFinder):
    """Finds what reports another module than it is written in, too: the public names."""

    def _from_module(self, module: Any, object: Any) -> bool:
        if getattr(object, "__module__", "") == "b24nb":
            return bool(re.search(rf"^(class|def) {object.__name__}\b", getsource(module), re.MULTILINE))
        return super()._from_module(module, object)  # type: ignore[misc]


@pytest.mark.parametrize("path", [path for path in MODULES if ">>> " in path.read_text(encoding="utf-8")], ids=dotted)
def test_the_examples_in_docstrings_run(path: Path) -> None:
    runner = doctest.DocTestRunner()
    for example in Finder().find(import_module(dotted(path))):
        runner.run(example)
    assert runner.tries
    assert runner.failures == 0
