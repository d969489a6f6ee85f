"""Layers of the suite that need a tool: skipped with one clear line, required under ``CI=true``."""

import os
import shutil
from importlib.util import find_spec

import pytest

IN_CI = os.environ.get("CI", "").lower() == "true"


def require(present: bool, what: str) -> None:
    """Skip the calling test or module where ``what`` is missing; fail under ``CI=true``."""
    if present:
        return
    if IN_CI:
        pytest.fail(f"{what} is missing, and CI=true requires it", pytrace=False)
    pytest.skip(f"{what} is missing", allow_module_level=True)


def require_program(*names: str) -> str:
    """Path of the first of these programs that is installed."""
    for name in names:
        if path := shutil.which(name):
            return path
    require(False, f"the program {' or '.join(names)}")
    raise AssertionError("unreachable")


def require_package(name: str) -> None:
    """The Python package of this name."""
    require(find_spec(name) is not None, f"the Python package {name}")
