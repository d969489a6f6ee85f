"""The shape of the house: which way imports run, how large a room may be, what an import costs."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import b24nb

PACKAGE = Path(b24nb.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))

#: Rooms from left to right; an import may only point to the left, or stay inside its room.
ROOMS = ["spec", "secret", "errors", "address", "credentials", "display", "rest", "badges", "client", "forms"]
ROOMS += ["_settings", "_connect", "lab", "cli"]
ALWAYS = {"_version"}


def room(dotted: str) -> str:
    return dotted.split(".")[1] if "." in dotted else "__init__"


def dotted(path: Path) -> str:
    parts = ("b24nb", *path.relative_to(PACKAGE).with_suffix("").parts)
    return ".".join(part for part in parts if part != "__init__")


def imported_rooms(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            continue
        found |= {room(name) for name in names if name.startswith("b24nb.")}
    return found


@pytest.mark.parametrize("path", MODULES, ids=dotted)
def test_imports_point_to_the_left(path: Path) -> None:
    here = room(dotted(path))
    if here in ("__init__", "__main__", "_version"):
        return
    allowed = {"spec", "sandbox"} if here == "sandbox" else set(ROOMS[: ROOMS.index(here) + 1])
    if here in ("_connect", "cli"):
        allowed.add("sandbox")
    assert imported_rooms(path) <= allowed | ALWAYS


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


def test_exported_names_exist_and_are_sorted() -> None:
    assert b24nb.__all__ == sorted(b24nb.__all__)
    for name in b24nb.__all__:
        assert getattr(b24nb, name) is not None
    with pytest.raises(AttributeError, match="has no attribute 'nonsense'"):
        _ = b24nb.nonsense


def test_import_is_light() -> None:
    heavy = ["pandas", "ipywidgets", "matplotlib", "tornado", "jinja2", "tqdm", "dotenv"]
    code = f"import sys, b24nb; print([m for m in {heavy} if m in sys.modules])"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"


def test_the_connect_function_is_not_shadowed_by_a_module() -> None:
    code = "import b24nb, b24nb.cli, b24nb._connect; print(callable(b24nb.connect))"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "True"
