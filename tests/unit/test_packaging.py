"""`environment.yml`, the Makefile and the workflows say the same as `pyproject.toml`."""

import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest

from tests.layers import require_package, require_program
from tests.lowest import declared, lowest

ROOT = Path(__file__).parents[2]
PYTHON = "Programming Language :: Python :: "


@pytest.fixture(scope="module")
def project() -> dict[str, Any]:
    project: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return project


def yaml_of(path: Path) -> dict[Any, Any]:
    require_package("yaml")
    import yaml

    content: dict[Any, Any] = yaml.safe_load(path.read_text())
    return content


def test_an_environment_of_conda_is_the_project_with_its_extras(project: dict[str, Any]) -> None:
    environment = yaml_of(ROOT / "environment.yml")
    assert (environment["name"], environment["channels"]) == ("b24nb", ["conda-forge"])
    python, pip, requirements = environment["dependencies"]
    assert (python, pip) == (f"python{project['requires-python']}", "pip")
    (found,) = requirements["pip"]
    extras = re.fullmatch(r"-e \.\[(.+)]", found)
    assert extras is not None
    assert set(extras[1].split(",")) == {"lab", "test"} <= set(project["optional-dependencies"])


def test_a_plain_install_brings_no_jupyterlab(project: dict[str, Any]) -> None:
    names = {re.split(r"[\[>=<]", requirement)[0] for requirement in project["dependencies"]}
    assert not names & {"jupyterlab", "matplotlib", "nbformat", "notebook", "qs-codec"}


def test_each_requirement_says_from_which_version_on_it_works() -> None:
    assert lowest("requests>=2.32,<3") == "requests==2.32"
    assert lowest("b24nb[lab,tls]") is None
    with pytest.raises(ValueError, match="requests<3: say"):
        lowest("requests<3")
    for requirement in declared():
        lowest(requirement)


@pytest.mark.parametrize("name", ["ci", "release"])
def test_workflows_and_the_full_check_call_targets_that_exist(name: str) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))
    called = set(re.findall(r"\bmake ([a-z-]+)", (ROOT / ".ci/run").read_text()))
    for job in yaml_of(ROOT / f".github/workflows/{name}.yml")["jobs"].values():
        for step in job["steps"]:
            called |= set(re.findall(r"\bmake ([a-z-]+)", step.get("run", "")))
    assert called <= targets


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
