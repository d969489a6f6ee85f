"""The examples in the docstrings run, and say what they say."""

from __future__ import annotations

import doctest
from importlib import import_module
from pathlib import Path

import pytest

import b24nb

PACKAGE = Path(b24nb.__file__).parent
MODULES = [
    ".".join(part for part in path.relative_to(PACKAGE.parent).with_suffix("").parts if part != "__init__")
    for path in sorted(PACKAGE.rglob("*.py"))
    if ">>> " in path.read_text(encoding="utf-8")
]


@pytest.mark.parametrize("name", MODULES)
def test_examples_run(name: str) -> None:
    result = doctest.testmod(import_module(name))
    assert result.attempted
    assert result.failed == 0
