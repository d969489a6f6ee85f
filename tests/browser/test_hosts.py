"""Everything that the forms do, where people run notebooks: with ipywidgets 7, in Notebook 7 and in Voilà."""

import shutil
from collections.abc import Iterator

import pytest

from tests.browser.conftest import EXPLORER, START, OpenNotebook, kept_pages
from tests.browser.environments import OURS, python_with
from tests.layers import require_package
from tests.notebooks.runner import NOTEBOOKS

require_package("playwright")
from playwright.sync_api import Browser, Locator, Page, expect  # noqa: E402

from tests.browser.lab import PATIENCE_MS, START_SECONDS, Lab, Notebook7, NotebookPage, Voila, jupyterlab  # noqa: E402
from tests.browser.test_forms import *  # noqa: E402, F403 - its tests, run here once more

#: What both Notebook 7 and Voilà run in.
HOSTS = ("hosts", *OURS, "notebook>=7,<8", "voila>=0.5,<0.6")


class WithIpywidgets7(Lab):
    """JupyterLab with the ipywidgets that Colab has."""

    packages = ("ipywidgets7", *OURS, "ipywidgets==7.7.1", "jupyterlab-widgets<3")


class InNotebook7(Notebook7):
    """The application that shows one notebook at a time."""

    packages = HOSTS


#: Makes environments, and opens a page for each test of the forms: minutes.
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", params=[WithIpywidgets7, InNotebook7], ids=["ipywidgets 7.7.1", "Notebook 7"])
def lab(request: pytest.FixtureRequest, browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    kind = request.param
    kind.python = python_with(*kind.packages)
    with jupyterlab(tmp_path_factory.mktemp("host"), kind) as lab:
        yield lab


@pytest.fixture(scope="module")
def loaded(lab: Lab) -> Iterator[list[NotebookPage]]:
    """Pages of this host, not of another one."""
    yield from kept_pages()


def test_it_is_the_host_that_is_meant(notebook: OpenNotebook, lab: Lab) -> None:
    opened = notebook("import ipywidgets")
    version = opened.evaluate("ipywidgets.__version__")
    assert version == "'7.7.1'" if isinstance(lab, WithIpywidgets7) else version.startswith("'8")
    assert ("/notebooks/" in opened.page.url) == isinstance(lab, InNotebook7)


def test_tabs_have_titles_and_readers_without_a_kernel_see_the_rows(notebook: OpenNotebook) -> None:
    opened = notebook(START, EXPLORER)
    tabs = opened.shown.get_by_role("tab")
    expect(tabs.first).to_be_visible()
    assert tabs.all_inner_texts() == ["List", "Inspect", "Add", "Delete", "Calls"]
    data = opened.page.evaluate(
        "() => window.jupyterapp.shell.currentWidget.content.widgets.at(-1).model.sharedModel.getOutputs().at(-1).data"
    )
    assert {"text/plain", "text/html", "application/vnd.jupyter.widget-view+json"} <= {*data}
    assert "missedCall" in "".join(data["text/html"])
    assert opened.evaluate("explorer.last_error") == "None"


@pytest.fixture(scope="module")
def voila(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Voila]:
    Voila.python = python_with(*HOSTS)
    directory = tmp_path_factory.mktemp("voila")
    for name in ("01-list", "03-delete"):
        shutil.copy(NOTEBOOKS / f"{name}.ipynb", directory)
    with jupyterlab(directory, Voila) as voila:
        yield voila


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    page = browser.new_page()
    page.set_default_timeout(PATIENCE_MS)
    yield page
    page.close()


def form_of(page: Page, address: str) -> Locator:
    """The form of a notebook that runs as a page; it is there once all cells have run."""
    page.goto(address, timeout=START_SECONDS * 1000)
    form = page.locator(".b24nb-form")
    expect(form.get_by_role("row", name="callAnswered").or_(form.get_by_label("Confirm")).first).to_be_visible()
    return form


def test_voila_shows_the_walkthrough_on_lists(voila: Voila, page: Page) -> None:
    form = form_of(page, voila.address("01-list.ipynb"))
    form.get_by_role("row", name="callAnswered").click()
    expect(form.get_by_text("12 badges, 1 selected")).to_be_visible()
    form.get_by_label("Language").select_option("German (de)")
    expect(form.get_by_role("gridcell", name="Unterschrieben")).to_be_visible()
    form.get_by_role("button", name="List badges").click()
    expect(form.get_by_text("12 badges by one request.")).to_be_visible()


def test_voila_shows_the_walkthrough_on_deleting(voila: Voila, page: Page) -> None:
    form = form_of(page, voila.address("03-delete.ipynb"))
    form.get_by_label("Confirm").fill("missedCall")
    form.get_by_role("button", name="Delete badge").click()
    expect(form.get_by_text("The badge 'missedCall' was deleted.")).to_be_visible()
    form.get_by_role("button", name="Undo").click()
    expect(form.get_by_role("button", name="Undo")).to_be_hidden()
    expect(form.get_by_text("brought back")).to_be_visible()
