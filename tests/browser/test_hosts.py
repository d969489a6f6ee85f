"""All that the forms do, where people run notebooks: with ipywidgets 7, in Notebook 7, in Voilà; and beside Colab."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest

from tests.browser.conftest import EXPLORER, START, OpenNotebook, kept_pages
from tests.layers import require, require_package
from tests.notebooks.runner import NOTEBOOKS

require_package("playwright")
from playwright.sync_api import Browser, Locator, Page, expect  # noqa: E402

from tests.browser.lab import PATIENCE_MS, START_SECONDS, Lab, Notebook7, NotebookPage, Voila, jupyterlab  # noqa: E402
from tests.browser.test_forms import *  # noqa: E402, F403 - its tests, run here once more

ROOT = Path(__file__).parents[2]
#: This package as it is here, with JupyterLab.
OURS = ("--editable", f"{ROOT}[lab]")
#: What Google Colab brings, as far as it concerns us.
COLAB = (
    *("ipywidgets==7.7.1", "notebook==6.5.7", "ipython==7.34.0", "ipykernel==6.17.1", "traitlets==5.7.1"),
    *("pandas==2.2.2", "requests==2.32.4", "tornado==6.5.1", "jinja2==3.1.6", "tqdm==4.67.1"),
    *("platformdirs==4.3.8", "python-dotenv==1.1.1", "typing_extensions==4.14.1", "hatchling>=1.26"),
)
#: What both Notebook 7 and Voilà run in.
HOSTS = ("hosts", *OURS, "notebook>=7,<8", "voila>=0.5,<0.6")


def python_with(name: str, *packages: str) -> str:
    """The Python of ``.venv-NAME`` beside `.venv`, which has these packages; a second run finds it made.

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


def test_installing_changes_nothing_in_colab_and_adds_at_most_four_packages() -> None:
    python = python_with("colab", *COLAB)
    install = [python, "-m", "pip", "install", "--dry-run", "--quiet", "--no-build-isolation", "--report", "-", ROOT]
    report = json.loads(subprocess.run(install, capture_output=True, text=True, check=True).stdout)
    listing = subprocess.run([python, "-m", "pip", "list", "--format", "json"], capture_output=True, check=True).stdout
    present = {package["name"].lower() for package in json.loads(listing)}
    added = {package["metadata"]["name"].lower() for package in report["install"]}
    assert "b24nb" in added
    assert added & present == set()
    assert len(added) <= 4, added


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


def test_it_is_the_host_that_is_meant_and_tabs_have_titles_and_readers_without_a_kernel_see_the_rows(
    notebook: OpenNotebook, lab: Lab
) -> None:
    opened = notebook(START, EXPLORER)
    version = opened.evaluate("__import__('ipywidgets').__version__")
    assert version == "'7.7.1'" if isinstance(lab, WithIpywidgets7) else version.startswith("'8")
    assert ("/notebooks/" in opened.page.url) == isinstance(lab, InNotebook7)
    tabs = opened.shown.get_by_role("tab")
    expect(tabs.first).to_be_visible()
    assert tabs.all_inner_texts() == ["List", "Inspect", "Add", "Delete", "Calls"]
    data = opened.page.evaluate(
        "() => window.jupyterapp.shell.currentWidget.content.widgets.at(-1).model.sharedModel.getOutputs().at(-1).data"
    )
    assert {"text/plain", "text/html", "application/vnd.jupyter.widget-view+json"} <= {*data}
    assert "missedCall" in "".join(data["text/html"])
    assert opened.evaluate("explorer.last_error") == "None"


@pytest.fixture
def voila(tmp_path: Path) -> Iterator[Voila]:
    Voila.python = python_with(*HOSTS)
    for name in ("01-list", "03-delete"):
        shutil.copy(NOTEBOOKS / f"{name}.ipynb", tmp_path)
    with jupyterlab(tmp_path, Voila) as voila:
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


def test_voila_shows_the_walkthroughs_on_lists_and_on_deleting(voila: Voila, page: Page) -> None:
    form = form_of(page, voila.address("01-list.ipynb"))
    form.get_by_role("row", name="callAnswered").click()
    expect(form.get_by_text("12 badges, 1 selected")).to_be_visible()
    form.get_by_label("Language").select_option("German (de)")
    expect(form.get_by_role("gridcell", name="Unterschrieben")).to_be_visible()
    form.get_by_role("button", name="List badges").click()
    expect(form.get_by_text("12 badges in one answer.")).to_be_visible()

    form = form_of(page, voila.address("03-delete.ipynb"))
    form.get_by_label("Confirm").fill("missedCall")
    form.get_by_role("button", name="Delete badge").click()
    expect(form.get_by_text("The badge 'missedCall' was deleted.")).to_be_visible()
    form.get_by_role("button", name="Undo").click()
    expect(form.get_by_role("button", name="Undo")).to_be_hidden()
    expect(form.get_by_text("1 of 1 badge restored")).to_be_visible()
