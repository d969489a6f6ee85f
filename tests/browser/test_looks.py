"""Everything we show is readable in both themes and makes sense to a screen reader; the meters work."""

import pytest

from tests.browser.conftest import EXPLORER, START, OpenNotebook
from tests.layers import require_package

require_package("playwright")
from playwright.sync_api import Browser, Locator, expect  # noqa: E402

from tests.browser.looks import barriers, faint, sights, unfold  # noqa: E402

TABS = ["List", "Inspect", "Add", "Delete", "Calls"]

#: Opens a JupyterLab and many pages: minutes.
pytestmark = pytest.mark.slow


def visit(explorer: Locator, name: str) -> Locator:
    """Fill a tab of the explorer with all that it can show."""

    def label(text: str) -> Locator:
        return explorer.get_by_label(text, exact=True).filter(visible=True)

    def click(text: str) -> None:
        explorer.get_by_role("button", name=text).filter(visible=True).click()

    explorer.get_by_role("tab", name=name).click()
    if name == "Inspect":
        label("Badge code").fill("waitingPayment")
        click("Inspect badge")
        expect(explorer.get_by_text("will probably refuse to delete")).to_be_visible()
    elif name == "Add":
        click("a text per language")
        expect(label("Language")).to_be_visible()
        label("Badge code").fill("missedCall")
        label("Title").fill("A call that nobody took")
        click("Add badge")
        expect(explorer.get_by_text("The portal has a badge")).to_be_visible()
    elif name == "Delete":
        label("Badge code").fill("waitingPayment")
        click("Preview deletion")
        expect(explorer.get_by_text("will probably refuse to delete").filter(visible=True)).to_be_visible()
        explorer.get_by_label("also try to delete").check()
        click("Delete badge")
        expect(explorer.get_by_text("Type exactly waitingPayment to confirm.")).to_be_visible()
    elif name == "Calls":
        click("Draw chart")
        expect(explorer.get_by_role("img")).to_be_visible()
    unfold(explorer)
    return explorer


#: What is wider than its place on the screen.
CUT_OFF = """form => [...form.querySelectorAll('.b24nb-scroll, .widget-html-content, .b24nb-form')]
  .filter((part) => part.offsetParent && part.scrollWidth > part.clientWidth + 1)
  .map((part) => `${part.className}: ${part.scrollWidth} > ${part.clientWidth}`)"""


def test_every_text_is_readable_and_not_cut_off_and_nothing_is_in_the_way_of_a_screen_reader(
    notebook: OpenNotebook,
) -> None:
    with_an_error = "try:\n    b24.badges.get('missedcal')\nexcept b24nb.errors.NotFound:\n    pass"  # a column more
    opened = notebook(START, with_an_error, EXPLORER)
    opened.page.evaluate("() => window.jupyterapp.shell.collapseLeft()")
    for name in TABS:
        form = visit(opened.shown, name)
        assert (name, faint(opened, form), barriers(form)) == (name, [], [])
        for width in (800, 1280):
            opened.page.set_viewport_size({"width": width, "height": 1200})
            assert (name, width, form.evaluate(CUT_OFF)) == (name, width, [])


SAMPLES = {
    '<p style="color: #767676; background: #fff">text</p>': 4.54,
    '<p style="color: #777; background: #fff">text</p>': 4.48,
    '<p style="color: #fff; background: rgba(0, 0, 0, .5)">text</p>': 3.98,
    '<div style="background: #000"><p style="color: #fff; opacity: .5">text</p></div>': 5.28,
    '<p style="background: linear-gradient(#000, #000); color: #fff">text</p>': 0,
    '<p style="color: #000; background: #fff">text</p><p style="display: none">unseen</p>': 21,
    '<input value="text" style="color: #00f; background: #fff">': 8.59,  # fields are looked at last
}


def test_the_meters_of_barriers_and_of_contrast(browser: Browser) -> None:
    page = browser.new_page()
    page.set_content('<main><div id="widget"><img src="data:,"></div><input></main>')
    found = [barrier["rule"] for barrier in barriers(page.locator("#widget"))]
    assert found == ["image-alt"], "and nothing that stands beside the widget"
    page.set_content(f'<body style="background: #fff"><main>{"".join(SAMPLES)}</main>')
    sighted = sights(page.locator("main"))
    page.close()
    assert {sight["text"] for sight in sighted} == {"text"}
    assert [round(sight["contrast"], 2) for sight in sighted] == [*SAMPLES.values()]
