"""The examples in the docstrings run, and say what they say."""

import doctest
import re
from importlib import import_module
from inspect import getsource
from pathlib import Path
from typing import Any

import pytest

import b24nb

PACKAGE = Path(b24nb.__file__).parent
MODULES = [
    ".".join(part for part in path.relative_to(PACKAGE.parent).with_suffix("").parts if part != "__init__")
    for path in sorted(PACKAGE.rglob("*.py"))
    if ">>> " in path.read_text(encoding="utf-8")
]


class Finder(doctest.DocTestFinder):
    """Finds what reports another module than it is written in, too: the public names."""

    def _from_module(self, module: Any, object: Any) -> bool:
        if getattr(object, "__module__", "") == "b24nb":
            return bool(re.search(rf"^(class|def) {object.__name__}\b", getsource(module), re.MULTILINE))
        return super()._from_module(module, object)  # type: ignore[misc]


@pytest.mark.parametrize("name", MODULES)
def test_examples_run(name: str) -> None:
    runner = doctest.DocTestRunner()
    for example in Finder().find(import_module(name)):
        runner.run(example)
    assert runner.tries
    assert runner.failures == 0
