"""Environments with other packages than this one's, beside `.venv`; a second run finds them made."""

import subprocess
import sys
from hashlib import sha256
from pathlib import Path

from tests.layers import require

ROOT = Path(__file__).parents[2]
#: This package as it is here, with JupyterLab.
OURS = ("--editable", f"{ROOT}[lab]")


def python_with(name: str, *packages: str) -> str:
    """The Python of ``.venv-NAME``, which has these packages.

    What needs it is skipped where it can't be made, for example without a network.
    """
    directory = ROOT / f".venv-{name}"
    python, stamp = directory / "bin" / "python", directory / "installed"
    wanted = sha256("\n".join([(ROOT / "pyproject.toml").read_text(encoding="utf-8"), *packages]).encode()).hexdigest()
    if not stamp.exists() or stamp.read_text() != wanted:
        install = [python, "-m", "pip", "install", "--quiet", "--prefer-binary", *packages]
        for command in ([sys.executable, "-m", "venv", directory], install):
            done = subprocess.run(command, capture_output=True, text=True)
            require(done.returncode == 0, f"an environment with {' '.join(packages)} ({done.stderr.strip()[-300:]})")
        stamp.write_text(wanted)
    return str(python)
