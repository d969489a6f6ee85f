"""`environment.yml` and `pyproject.toml` ask for the same things."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from tests.layers import require_package

ROOT = Path(__file__).parents[2]
CONDA = {"ipywidgets", "requests", "pandas", "jupyterlab", "pytest"}


def parse(requirement: str) -> tuple[str, str]:
    name, bounds = re.fullmatch(r"([\w-]+)(.*)", requirement).groups()
    return re.sub(r"[-_]+", "-", name).lower(), bounds


@pytest.fixture(scope="module")
def project() -> dict[str, object]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def test_environment_and_project_agree(project: dict[str, object]) -> None:
    require_package("yaml")
    import yaml

    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    assert environment["channels"] == ["conda-forge"]
    *conda, pip = environment["dependencies"]
    conda = dict(map(parse, conda))
    assert set(conda) == CONDA | {"python", "pip"}
    assert conda.pop("python") == project["requires-python"]
    conda.pop("pip")
    assert pip == {"pip": ["-e .[test]"]}, "what conda does not name comes from the project"
    extras = project["optional-dependencies"]
    wanted = dict(map(parse, [*project["dependencies"], *extras["lab"], *extras["test"]]))
    assert conda == {name: wanted[name] for name in CONDA}


def test_a_plain_install_brings_no_jupyterlab(project: dict[str, object]) -> None:
    names = {parse(requirement)[0] for requirement in project["dependencies"]}
    assert not names & {"jupyterlab", "matplotlib", "nbformat", "notebook", "qs-codec"}


def test_the_test_extra_has_the_others(project: dict[str, object]) -> None:
    assert "b24nb[lab,tls]" in project["optional-dependencies"]["test"]
