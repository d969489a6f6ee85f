"""The site, built once as from a clean clone: warnings are errors, and there is no network."""

import functools
import http.server
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browser.conftest import browser  # noqa: F401 - the one chromium
from tests.layers import require_package

ROOT = Path(__file__).parents[2]
BUILD = """
import runpy, socket
def refuse(*args): raise OSError("the site is built without a network")
socket.socket.connect = socket.create_connection = socket.getaddrinfo = refuse
runpy.run_path("docs/build.py", run_name="__main__")
"""


def copy_sources(to: Path) -> None:
    """What a clean clone has, as far as the site needs it: nothing that an earlier build has left."""
    skip = shutil.ignore_patterns("__pycache__", ".ipynb_checkpoints", "node_modules", "_build")
    for folder in ("b24nb", "notebooks"):
        shutil.copytree(ROOT / folder, to / folder, ignore=skip)
    (to / "docs").mkdir()
    for name in ("_static", "templates"):
        shutil.copytree(ROOT / "docs" / name, to / "docs" / name)
    generated = {"errors.md", "reference.md"}
    for path in [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.*")]:
        if path.is_file() and path.name not in generated:
            shutil.copy2(path, to / path.relative_to(ROOT))


def build(root: Path) -> subprocess.CompletedProcess[str]:
    """Do what `make docs` does."""
    there: dict[str, Any] = {"cwd": root, "env": os.environ | {"PYTHONPATH": str(root)}}
    return subprocess.run([sys.executable, "-c", BUILD], capture_output=True, text=True, timeout=300, **there)


@pytest.fixture(scope="session")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the sources with its site built."""
    for package in ("sphinx", "myst_nb", "numpydoc", "pydata_sphinx_theme"):
        require_package(package)
    root = tmp_path_factory.mktemp("clone")
    copy_sources(root)
    result = build(root)
    assert result.returncode == 0, result.stdout + result.stderr
    return root


@pytest.fixture(scope="session")
def site(clone: Path) -> Path:
    """Folder of the built site."""
    return clone / "docs" / "_build" / "html"


@pytest.fixture(scope="session")
def address(site: Path) -> Iterator[str]:
    """Where the site is served, as on its host."""
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(site))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()
