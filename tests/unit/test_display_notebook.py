"""What a notebook really shows of an error: a kernel runs these cells, and their tracebacks are looked at."""

import re

import nbformat
import pytest
from nbclient import NotebookClient

from b24nb import errors

#: Name of an output -> the cell that makes it.
CELLS = {
    "start": "import b24nb\nportal = b24nb.SandboxPortal().start()\nb24 = b24nb.connect(portal)",
    "not found": "b24.badges.get('nosuch')",
    "refused": "b24nb.connect(b24nb.Webhook.parse(portal.webhook.replace('/rest/1/', '/rest/9/')))",
    "unreachable": "import socket\nnobody = socket.socket()\nnobody.bind(('127.0.0.1', 0))\n"
    "webhook = portal.webhook.replace(portal.webhook.split('/')[2], '%s:%d' % nobody.getsockname())\n"
    "b24nb.connect(webhook)",
    "wrong input": "b24.badges.add('x', title='t', value='v', type='shiny')",
}


@pytest.fixture(scope="module")
def cells() -> dict[str, nbformat.NotebookNode]:
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in CELLS.values()])
    NotebookClient(notebook, timeout=60, kernel_name="python3", allow_errors=True).execute()
    return dict(zip(CELLS, notebook.cells, strict=True))


def traceback(cell: nbformat.NotebookNode) -> str:
    (output,) = cell.outputs
    return re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(output.traceback))


def test_a_traceback_ends_with_what_it_means_and_keeps_the_failing_line(cells: dict) -> None:
    text = traceback(cells["not found"])
    fact = errors.find_fact("NOT_FOUND", method="crm.activity.badge.get")
    assert fact is not None
    sentences = [fact.remedy, fact.meaning, fact.cause, f"Safe to repeat: {fact.repeat}."]
    places = [text.index(words) for words in ("b24.badges.get('nosuch')", *sentences)]
    assert places == sorted(places)


@pytest.mark.parametrize(
    ("cell", "name", "next_step"),
    [
        ("refused", "BadCredentials", "webhook"),
        ("unreachable", "ConnectionFailed", "Check the address"),
        ("wrong input", "InvalidInput", "primary"),
    ],
)
def test_each_traceback_names_the_trouble_and_the_next_step(cells: dict, cell: str, name: str, next_step: str) -> None:
    (output,) = cells[cell].outputs
    assert output.ename == name
    assert next_step in output.evalue
    assert "urllib3" not in traceback(cells[cell]), "what the client's libraries do inside is not the reader's"
