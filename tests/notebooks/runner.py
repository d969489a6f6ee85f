"""Run a walkthrough as a reader would, and compare it with what is committed.

nbclient passes where a widget callback failed and where an error was printed, so the checks look at
outputs and widget states, not at whether the run ended.
"""

import json
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode

ROOT = Path(__file__).parents[2]
NOTEBOOKS = ROOT / "notebooks"
WALKTHROUGHS = sorted(NOTEBOOKS.glob("*.ipynb"))
WIDGET = "application/vnd.jupyter.widget-view+json"


def run(path: Path, settings: Mapping[str, str] | None = None) -> NotebookNode:
    """Execute a notebook in an empty directory, with these ``B24_*`` settings and no others."""
    notebook = nbformat.read(path, as_version=4)
    clean = {name: value for name, value in os.environ.items() if not name.startswith("B24_")}
    with TemporaryDirectory() as work:
        (Path(work) / "images").symlink_to(NOTEBOOKS / "images")
        environment = clean | {"XDG_DATA_HOME": str(Path(work) / "data")} | dict(settings or {})
        client = NotebookClient(
            notebook,
            timeout=120,
            kernel_name="python3",
            store_widget_state=True,
            record_timing=False,
            resources={"metadata": {"path": work}},
        )
        client.execute(env=environment)
    return notebook


def tidy(notebook: NotebookNode) -> NotebookNode:
    """A run notebook as it is committed: outputs without widget states and ids.

    A saved widget view without its state would show an error where the static HTML beside it shows
    the result.
    """
    for key in ("widgets", "signature"):
        notebook.metadata.pop(key, None)
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3 (ipykernel)", "language": "python"}
    notebook.metadata["language_info"] = {"name": "python", "file_extension": ".py"}
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        if cell.cell_type != "code":
            continue
        cell.outputs = [output for output in cell.outputs if not _is_cleared(output)]
        for output in cell.outputs:
            data = output.get("data", {})
            if "text/html" in data:
                data.pop(WIDGET, None)
    return notebook


def save(notebook: NotebookNode, path: Path) -> None:
    """Write sources line by line, for whoever compares versions, and outputs in one piece, to save room."""
    written = json.loads(nbformat.writes(notebook))
    for cell in written["cells"]:
        for output in cell.get("outputs", []):
            pieces = output.get("data", output)
            pieces.update({kind: "".join(it) for kind, it in pieces.items() if isinstance(it, list)})
    path.write_text(json.dumps(written, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _is_cleared(output: NotebookNode) -> bool:
    """A tqdm bar in a notebook leaves an empty widget view behind; its text says all."""
    data = output.get("data", {})
    return WIDGET in data and set(data) <= {WIDGET, "text/plain"} and "it/s" in data.get("text/plain", "")


def differences(committed: NotebookNode, fresh: NotebookNode) -> list[str]:
    """Cells whose outputs differ, but for those tagged ``volatile``."""
    found = []
    for index, (old, new) in enumerate(zip(committed.cells, fresh.cells, strict=True)):
        if old.cell_type == "code" and "volatile" not in old.metadata.get("tags", []):
            before, after = _comparable(old.outputs), _comparable(new.outputs)
            if before != after:
                found.append(f"cell {index}: {old.source.splitlines()[0]!r}\n{before}\n---\n{after}")
    return found


def _comparable(outputs: list[NotebookNode]) -> str:
    kept = [{name: value for name, value in output.items() if name != "execution_count"} for output in outputs]
    text = json.dumps(kept, indent=1, sort_keys=True, ensure_ascii=False)
    return re.sub(r'"model_id": "\w+"', '"model_id": ""', text)


def outputs_of(notebook: NotebookNode) -> Iterator[tuple[int, Mapping[str, Any]]]:
    for index, cell in enumerate(notebook.cells):
        for output in cell.get("outputs", []):
            yield index, output
