"""The first minute of somebody new: `b24nb lab` in an empty home, then a notebook of their own."""

import sys
from collections.abc import Iterator
from contextlib import closing
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image  # comes with matplotlib

from b24nb import spec
from tests.browser.conftest import EXPLORER, START
from tests.layers import require_package
from tests.notebooks.runner import WALKTHROUGHS

require_package("playwright")
from playwright.sync_api import Browser, Locator, expect  # noqa: E402

from tests.browser.lab import IDLE, Lab, NotebookPage, jupyterlab, write_notebook  # noqa: E402
from tests.browser.looks import faint  # noqa: E402

GROUNDS = {"rgb({}, {}, {})".format(*bytes.fromhex(colour.background[1:])) for colour in spec.BADGE_COLOURS.values()}

#: Opens a JupyterLab and many pages: minutes.
pytestmark = pytest.mark.slow


class NewHome(Lab):
    """What `b24nb lab` starts for a user whose home is empty."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.copies = directory / "copies"

    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in super().environment().items() if not name.startswith(("JUPY", "IPY"))}
        kept.pop("XDG_DATA_HOME")
        home = self.directory / "home"
        home.mkdir()
        return kept | {"HOME": str(home), "JUPYTER_RUNTIME_DIR": str(self.runtime)}

    def command(self) -> list[str]:
        options = [option for option in super().command()[3:] if not option.startswith("--ServerApp.root_dir")]
        return [sys.executable, "-m", "b24nb", "lab", str(self.copies), *options]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NewHome]:
    with jupyterlab(tmp_path_factory.mktemp("new"), NewHome) as lab:
        lab.directory = lab.copies
        yield lab


@pytest.fixture
def opened(browser: Browser, home: NewHome) -> Iterator[NotebookPage]:
    page = NotebookPage(browser, home)
    yield page
    page.close()


def painted(pills: Locator) -> list[str]:
    """The texts of pills, of which each has to be seen in a colour of the kanban."""
    found: list[list[str]] = pills.evaluate_all(
        """pills => pills.filter((pill) => pill.checkVisibility()).map((pill) =>
             [pill.innerText, getComputedStyle(pill).backgroundColor, getComputedStyle(pill).borderRadius])"""
    )
    assert [look for _, *look in found if look[0] not in GROUNDS or look[1] != "11px"] == []
    return [text for text, *_ in found]


def test_it_opens_the_walkthrough_to_begin_with(opened: NotebookPage, home: NewHome) -> None:
    opened.page.goto(f"{home.url}/?token={home.token}")
    opened.page.wait_for_function(IDLE)
    assert "/lab/tree/00-quickstart.ipynb" in opened.page.url
    expect(opened.page.get_by_role("tab", name="00-quickstart.ipynb")).to_be_visible()


@pytest.mark.parametrize("name", [path.name for path in WALKTHROUGHS])
def test_a_walkthrough_just_opened_looks_as_it_was_made(opened: NotebookPage, home: NewHome, name: str) -> None:
    opened.open(home.copies / name)
    assert opened.evaluate("'b24nb' in __import__('sys').modules") == "False", "nothing has run"
    assert not opened.page.evaluate("() => jupyterapp.shell.currentWidget.context.model.dirty"), "nor wants to be saved"
    pills = opened.page.locator(".jp-Notebook .b24nb-pill")
    expect(pills.first).to_be_attached()
    texts = painted(pills)
    assert texts
    assert all(not text.startswith("[") for text in texts)
    assert opened.page.get_by_text("Error displaying widget").count() == 0
    banner = opened.page.locator(".b24nb-banner").first
    expect(banner).to_contain_text("SANDBOX Fleet of 20" if name.startswith("08") else "SANDBOX (this notebook): ")
    if name == "03-delete.ipynb":
        opened.run_all()
        opened.page.get_by_label("Confirm").fill("missedCall")
        opened.page.get_by_role("button", name="Delete badge").click()
        expect(opened.page.get_by_text("The badge 'missedCall' was deleted.")).to_be_visible()


def test_a_chart_has_the_ground_of_the_theme(opened: NotebookPage, home: NewHome) -> None:
    code = "import b24nb\nb24 = b24nb.connect(b24nb.SandboxPortal())\nb24.badges.list()\nb24.calls.plot()"
    write_notebook(home.copies / "chart.ipynb", [code])
    opened.open(home.copies / "chart.ipynb")
    opened.run_all()
    chart = opened.shown.get_by_role("img")
    for theme, darkest, lightest in (("light", 251, 255), ("dark", 0, 29)):
        opened.use_theme(theme)
        expect(chart).to_be_visible()
        with Image.open(BytesIO(chart.screenshot())) as seen:
            corner = seen.convert("RGB").getpixel((3, 3))
        assert darkest <= min(corner) <= max(corner) <= lightest


def test_every_text_of_our_outputs_is_readable(opened: NotebookPage, home: NewHome) -> None:
    opened.open(home.copies / "00-quickstart.ipynb")
    outputs = opened.page.locator(".jp-Notebook .jp-OutputArea-output:has(.b24nb)")
    assert [text for place in range(outputs.count()) for text in faint(opened, outputs.nth(place))] == []


def test_a_notebook_saved_with_its_forms_reopens_with_them_readable(
    opened: NotebookPage, browser: Browser, home: NewHome
) -> None:
    path = home.copies / "mine.ipynb"
    write_notebook(path, [START.replace("connect()", "connect(b24nb.SandboxPortal())"), EXPLORER])
    opened.open(path)
    opened.run_all()
    opened.page.evaluate("() => window.jupyterapp.commands.execute('docmanager:save')")
    opened.page.wait_for_function("() => !window.jupyterapp.shell.currentWidget.context.model.dirty")
    assert opened.leave()
    again = NotebookPage(browser, home)
    with closing(again):
        again.open(path)
        expect(again.shown.get_by_text("missedCall").first).to_be_visible()
        expect(again.page.get_by_text("Error displaying widget")).to_have_count(0)
        assert again.evaluate("'b24nb' in __import__('sys').modules") == "False", "a new session"
