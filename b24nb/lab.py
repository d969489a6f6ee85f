"""``b24nb lab``: opens copies of the walkthroughs in JupyterLab.

JupyterLab shows the HTML outputs of a notebook only if it was signed on this machine. So the copies made here, whose
content is the package's, are signed. A file of the user is never signed.
"""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterable, Sequence
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path

from b24nb.errors import B24Error

DIRECTORY = "b24nb-walkthroughs"
FIRST = "00-quickstart.ipynb"
_PACKAGE = Path(__file__).parent


def run(arguments: Sequence[str]) -> int:
    """Copy the walkthroughs that are missing, and replace this process by JupyterLab.

    Parameters
    ----------
    arguments : sequence of str
        The first one is the directory of the copies, unless it is an option; all others are passed to JupyterLab
        unchanged.

    Raises
    ------
    B24Error
        JupyterLab is not installed, or the copies can't be written.
    """
    if find_spec("jupyterlab") is None:
        raise B24Error('JupyterLab is not installed: pip install "b24nb[lab,fleet]"')
    named = bool(arguments) and not arguments[0].startswith("-")
    directory = Path(arguments[0] if named else DIRECTORY).expanduser()
    try:
        sign(_shipped().glob("*.ipynb"))
    except (OSError, sqlite3.Error) as error:  # JupyterLab runs all the same
        print(f"The copies can't be signed ({error}): JupyterLab may hide parts of their outputs until you run them.")
    try:
        copied = copy_walkthroughs(directory)
    except OSError as error:
        raise B24Error(f"The walkthroughs can't be copied to {directory}: {error}.") from None
    print(f"Begin with {directory / FIRST} (new copies: {len(copied)}; all are yours to edit).", flush=True)
    command = [sys.executable, "-m", "jupyterlab", str(directory)]
    if not any(one.startswith("--LabApp.default_url") for one in arguments):
        command.append(f"--LabApp.default_url=/lab/tree/{FIRST}")
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        # As root, for example in containers, JupyterLab needs this option; it listens on this machine only.
        command.append("--allow-root")
    # Defaults for this run: widgets are saved with a notebook, and a file .env can be made for the webhook. Options,
    # JupyterLab's Settings Editor and the user's own JUPYTER_CONFIG_PATH override them, files in ~/.jupyter don't.
    paths = [os.environ.get("JUPYTER_CONFIG_PATH", ""), str(_PACKAGE / "lab_settings")]
    os.environ["JUPYTER_CONFIG_PATH"] = os.pathsep.join(filter(None, paths))
    command += arguments[1:] if named else arguments
    # This process becomes JupyterLab, so that it receives the signals. On Windows, exec would split arguments with
    # blanks and not wait.
    return subprocess.call(command) if os.name == "nt" else os.execv(sys.executable, command)  # noqa: S603, S606


def copy_walkthroughs(directory: Path) -> list[Path]:
    """Copy the walkthroughs that are missing, so that the shipped ones are never edited.

    Parameters
    ----------
    directory : Path
        Created if necessary. Existing files are left alone.

    Returns
    -------
    list of Path
        The notebooks that were copied.
    """
    copied, shipped = [], _shipped()
    for source in sorted(shipped.rglob("*")):
        target = directory / source.relative_to(shipped)
        # A `.env` beside them, and what Jupyter keeps of its own, stay where they are.
        if source.suffix not in (".ipynb", ".png") or ".ipynb_checkpoints" in source.parts:
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            with target.open("xb") as file:
                file.write(_content(source))
        except FileExistsError:
            continue
        except OSError:
            target.unlink(missing_ok=True)  # a part of a walkthrough would be kept as if it were the user's
            raise
        if target.suffix == ".ipynb":
            copied.append(target)
    return copied


def _content(shipped: Path) -> bytes:
    """A shipped file as it is copied: a notebook says of its language what JupyterLab would else add when it opens it,
    and would want to save."""
    if shipped.suffix != ".ipynb":
        return shipped.read_bytes()
    from ipykernel.ipkernel import IPythonKernel

    notebook = json.loads(shipped.read_bytes())
    notebook["metadata"]["language_info"] = IPythonKernel.language_info
    return json.dumps(notebook, ensure_ascii=False, indent=1).encode()


def _shipped() -> Path:
    inside = _PACKAGE / "walkthroughs"  # in the wheel; in a checkout they are beside the package
    return inside if inside.is_dir() else _PACKAGE.parent / "notebooks"


def sign(notebooks: Iterable[Path]) -> None:
    """Sign the copies of these notebooks, so that this user's Jupyter trusts them as long as they are unchanged."""
    import nbformat
    from jupyter_core.paths import jupyter_data_dir
    from nbformat.sign import NotebookNotary

    Path(jupyter_data_dir()).mkdir(parents=True, exist_ok=True)  # missing if Jupyter has never run
    notary = NotebookNotary()
    with closing(notary.store):
        for path in notebooks:
            notary.sign(nbformat.reads(_content(path).decode(), as_version=4))
