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
    pip_requirements = pip["pip"]
    assert pip_requirements[-1] == "-e ."
    wanted = dict(map(parse, project["dependencies"] + project["optional-dependencies"]["test"]))
    assert conda | dict(map(parse, pip_requirements[:-1])) == wanted


def test_the_tls_extra_is_part_of_the_test_extra(project: dict[str, object]) -> None:
    extras = project["optional-dependencies"]
    assert set(extras["tls"]) <= set(extras["test"])
