"""The walkthroughs run, show what is committed, and keep secrets and other portals out of it."""

import json
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

import b24nb
from tests.notebooks.runner import ROOT, WALKTHROUGHS, differences, outputs_of, run, tidy
from tests.servers import serving

#: These two show the reader's own portal; the others change things and open a sandbox of their own.
OPEN_TO_REAL_PORTALS = {"01-list", "02-inspect"}

each = pytest.mark.parametrize("path", WALKTHROUGHS, ids=lambda path: path.stem)


@each
def test_it_runs_and_shows_what_is_committed(path: Path) -> None:
    committed = nbformat.read(path, as_version=4)
    own_portal = path.stem not in OPEN_TO_REAL_PORTALS
    with serving(b"") as trap:
        webhook = trap.webhook
        fresh = run(path, {"B24_WEBHOOK": webhook} if own_portal else None)
    assert trap.requests == [], "a notebook that changes things contacted the portal in B24_WEBHOOK"

    for index, output in outputs_of(fresh):
        assert output["output_type"] != "error", f"cell {index}: {output.get('ename')}"
        assert output.get("name") != "stderr", f"cell {index}: {output.get('text')}"
    everything = json.dumps(fresh)
    assert "Traceback" not in everything
    assert urlsplit(webhook).path.split("/")[3] not in everything
    found = differences(committed, tidy(fresh))
    assert not found, "\n".join(found)


@each
def test_committed_notebooks_hold_nothing_of_the_machine_and_end_with_the_line_for_a_real_portal(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    sources = "\n".join(cell.source for cell in notebook.cells)
    assert not re.search(r"\bb24\.close\(", sources), "every form is alive when all has run"
    assert not re.search(r"!\[|<img", sources), "no picture can be taken for a form"
    assert "b24nb.connect(b24nb.Webhook.ask()" in notebook.cells[-1].source
    assert "](https://apidocs.bitrix24.com/" in sources, "the vendor's page"
    assert re.search(r"\bforms\.\w+\(", sources), "a form"
    assert "widgets" not in notebook.metadata
    assert all(cell.get("execution_count") for cell in notebook.cells if cell.cell_type == "code")
    outputs = "".join(json.dumps(output) for _, output in outputs_of(notebook))
    assert not re.search(r"127\.0\.0\.1:\d+|localhost:\d+", outputs), "a port"
    assert not re.search(r"/(home|root|work|Users|tmp)/", outputs), "a path of a machine"
    assert not re.search(r"rest/\d+/[A-Za-z0-9]{12,}", outputs), "a webhook's code"


def test_all_walkthroughs_together_are_small_enough_to_mail() -> None:
    assert sum(path.stat().st_size for path in WALKTHROUGHS) < 450_000


def test_a_notebook_saved_with_its_forms_becomes_a_page_that_shows_them_without_a_network(tmp_path: Path) -> None:
    path = tmp_path / "mine.ipynb"
    code = "import b24nb\nfrom b24nb import forms\nforms.list_form(b24nb.connect(), run=True)"
    nbformat.write(new_notebook(cells=[new_code_cell(code)]), path)
    nbformat.write(run(path), path)
    assert "widgets" in nbformat.read(path, as_version=4).metadata
    documented = re.search("`jupyter (nbconvert .+) NOTEBOOK.ipynb`", (ROOT / "docs/walkthroughs.md").read_text())
    assert documented
    subprocess.run([sys.executable, "-m", *documented[1].split(), path], check=True, capture_output=True)
    page = path.with_suffix(".html").read_text()
    assert "<code>missedCall</code>" in page
    assert "application/vnd.jupyter.widget-view+json" not in page


@pytest.mark.parametrize("name", sorted(OPEN_TO_REAL_PORTALS))
def test_a_notebook_run_with_a_webhook_holds_no_secret(name: str) -> None:
    path = next(path for path in WALKTHROUGHS if path.stem == name)
    with b24nb.SandboxPortal() as portal:
        secret = portal.webhook.rstrip("/").rsplit("/", 1)[1]
        fresh = run(path, {"B24_WEBHOOK": portal.webhook})
        assert portal.requests, "the notebook did not use the webhook"
    assert len(secret) >= 16
    assert secret not in json.dumps(fresh)
