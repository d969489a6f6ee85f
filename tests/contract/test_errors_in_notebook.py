"""What a reader of a notebook sees under a failing cell."""

from __future__ import annotations

import re

import nbclient
import nbformat

import b24nb
from tests.layers import require_package

require_package("ipykernel")


def test_an_exception_is_explained_below_the_line_that_raised_it(portal: b24nb.SandboxPortal) -> None:
    lines = [f"import b24nb; b24 = b24nb.connect({portal.webhooks['employee']!r})", "b24.badges.delete('missedCall')"]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(line) for line in lines])
    nbclient.NotebookClient(notebook, allow_errors=True, kernel_name="python3", timeout=60).execute()
    (error,) = (output for output in notebook.cells[1].outputs if output.output_type == "error")
    told = re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(error.traceback))
    assert error.ename == "AccessDenied"
    assert "1 b24.badges.delete('missedCall')" in told
    assert "ACCESS_DENIED: Access denied (crm.activity.badge.delete, HTTP 400)." in told
    assert told.rstrip().endswith("Safe to repeat: after a change.")
    assert "Only the administrator of the portal may add or delete badges." in told
    secret = portal.webhooks["employee"].rstrip("/").rpartition("/")[2]
    assert secret not in told + error.evalue
