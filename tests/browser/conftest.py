"""One JupyterLab and one chromium for this layer; for each test a notebook of its own."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest

import b24nb
from tests.layers import require_package, require_program

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from tests.browser.lab import Lab, NotebookPage

START = "import b24nb\nfrom b24nb import forms\nb24 = b24nb.connect()"
EXPLORER = "explorer = forms.explorer(b24, run=True)\nexplorer"
OpenNotebook = Callable[..., "NotebookPage"]


# Playwright keeps an event loop running in this thread; the other layers bring loops of their own.
@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    require_package("playwright")
    program = require_program("chromium", "chromium-browser", "google-chrome")
    from tests.browser.lab import chromium

    with chromium(program) as browser:
        yield browser


@pytest.fixture(scope="package")
def lab(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    from tests.browser.lab import jupyterlab

    with jupyterlab(tmp_path_factory.mktemp("lab")) as lab:
        yield lab


def kept_pages() -> Iterator[list[NotebookPage]]:
    """Pages that no test uses now: to load JupyterLab takes longer than most tests do."""
    pages: list[NotebookPage] = []
    yield pages
    for page in pages:
        page.close()


@pytest.fixture(scope="package")
def loaded(lab: Lab) -> Iterator[list[NotebookPage]]:
    yield from kept_pages()


@pytest.fixture
def notebook(
    browser: Browser, lab: Lab, loaded: list[NotebookPage], portal: b24nb.SandboxPortal, request: pytest.FixtureRequest
) -> Iterator[OpenNotebook]:
    """Writes cells to a notebook in a directory of the test's own, opens it there, and runs it.

    ``connect()`` in it finds the test's portal by the ``.env`` beside it, as a reader's own portal
    would be found.
    """
    from tests.browser.lab import NotebookPage, write_notebook

    name = re.sub(r"\W+", "-", request.node.name).strip("-")
    opened, failures = list[NotebookPage](), request.session.testsfailed

    def open_and_run(*cells: str) -> NotebookPage:
        path = lab.directory / name / f"{len(opened)}.ipynb"
        path.parent.mkdir(exist_ok=True)
        write_notebook(path, cells)
        (path.parent / ".env").write_text(f"B24_WEBHOOK={portal.webhook}\n", encoding="utf-8")
        page = loaded.pop() if loaded else NotebookPage(browser, lab)
        opened.append(page)
        page.open(path)
        page.run_all()
        return page

    yield open_and_run
    for page in opened:
        failed = request.session.testsfailed > failures
        if failed:
            page.keep(name)
        if not failed and page.leave():
            loaded.append(page)
        else:
            page.close()
