"""Code on the pages and in the docstrings can be copied and run."""

import contextlib
import inspect
import json
import re
from collections.abc import Sequence
from pathlib import Path

import pytest

import b24nb
from b24nb import cli
from tests.docs.conftest import ROOT

#: A fence, the language it names, and what is in it.
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
#: Generated pages: their code comes from `as_code`, whose snippets are run by tests of their own.
WRITTEN = [
    path
    for path in sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / "b24nb").rglob("*.md")])
    if path.name not in ("errors.md", "reference.md")
]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


def text_of(path: Path) -> str:
    """A page, or what is written between the cells of a notebook (its cells have their own tests)."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".md":
        return text
    cells = json.loads(text)["cells"]
    return "\n".join("".join(cell["source"]) + "\n" for cell in cells if cell["cell_type"] == "markdown")


def blocks(language: str) -> Sequence[object]:
    """The fences of a language, page by page."""
    pages = []
    for path in [*WRITTEN, *NOTEBOOKS]:
        found = [code for named, code in FENCE.findall(text_of(path)) if named == language]
        if found:
            pages.append(pytest.param(found, id=path.relative_to(ROOT).as_posix()))
    return pages


@pytest.mark.parametrize("codes", blocks("python"))
def test_python_on_a_page_runs(codes: list[str], portal: b24nb.SandboxPortal, monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks run in the order of the page, as a reader would copy them, where a webhook is at hand."""
    monkeypatch.setattr("getpass.getpass", lambda *args, **kwargs: portal.webhook)
    with contextlib.ExitStack() as stack:
        names: dict[str, object] = {"b24nb": b24nb, "b24": stack.enter_context(b24nb.connect(portal))}
        for code in codes:
            exec(compile(code, "page", "exec"), names)
            for value in names.values():
                if isinstance(value, b24nb.Client):
                    stack.callback(value.close)


@pytest.mark.parametrize("codes", blocks(""))
def test_commands_on_a_page_exist(codes: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with contextlib.suppress(SystemExit):
        cli.main(["--help"])
    known = {
        "make": set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)),
        "b24nb": set(re.findall(r"^ {4}(\w+)", capsys.readouterr().out, re.MULTILINE)),
    }
    used = re.findall(r"^(make|b24nb) ([\w-]+)", "\n".join(codes), re.MULTILINE)
    assert [f"{program} {target}" for program, target in used if target not in known[program]] == []


def test_every_example_in_a_docstring_is_one_that_is_run() -> None:
    """Doctests run what follows ``>>>``, and nothing else."""
    seen = 0
    for path in sorted((ROOT / "b24nb").rglob("*.py")):
        source = path.read_text(encoding="utf-8")
        for example in re.findall(r"^ *Examples\n *-{8}\n(.*?)(?:\n *\"\"\"|\n\n *\w+\n *---)", source, re.M | re.S):
            seen += 1
            assert inspect.cleandoc(example).startswith(">>> "), f"{path.name}: {example}"
    assert seen > 10
