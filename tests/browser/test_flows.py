"""Whole flows: without a mouse, and on many portals."""

import json
from pathlib import Path

import b24nb
from b24nb.sandbox import SandboxFleet
from tests.browser.conftest import START, OpenNotebook
from tests.fleets import holding
from tests.layers import require_package

require_package("playwright")
from playwright.sync_api import Locator, Page, expect  # noqa: E402

from tests.browser.lab import tab_to  # noqa: E402
from tests.browser.looks import faint, unfold  # noqa: E402

#: In JupyterLab's command mode these delete, insert, cut and change cells, and restart the kernel.
SHORTCUTS = "ddbaxmz00"
FOCUSABLE = "button, input, select, textarea, summary, [tabindex]"
CELLS = """() => window.jupyterapp.shell.currentWidget.content.widgets
  .map((cell) => [cell.model.type, cell.model.sharedModel.getSource()])"""
FORMS = (
    "forms.list_form(b24, run=True)",
    "forms.inspect_form(b24, 'waitingPayment', run=True)",
    "forms.add_form(b24, 'vip', {'en': 'Client', 'de': 'Kunde'}, 'VIP')",
    "forms.delete_form(b24, ['waitingPayment', 'newsletter'], run=True)",
    "forms.calls_form(b24, run=True)",
    "forms.explorer(b24, run=True)",
)


def press_shortcuts_in(form: Locator, page: Page) -> int:
    """Press the notebook's shortcuts at every place of a form that can have the focus, folded parts opened."""
    unfold(form)
    pressed = 0
    for place in form.locator(FOCUSABLE).all():
        if place.count() and place.is_visible() and place.is_enabled():
            place.evaluate("place => place.focus()")
            page.keyboard.type(SHORTCUTS)
            pressed += 1
    return pressed


def test_no_key_typed_in_a_form_reaches_the_cells(notebook: OpenNotebook) -> None:
    opened = notebook(START, *FORMS)
    opened.page.set_viewport_size({"width": 1280, "height": 6000})  # JupyterLab keeps cells apart that are not in sight
    cells = opened.page.evaluate(CELLS)
    for place in range(1, len(FORMS) + 1):
        assert press_shortcuts_in(opened.output(place), opened.page) > 1
    assert opened.page.evaluate(CELLS) == cells
    expect(opened.page.get_by_role("dialog")).to_have_count(0)
    # The same key on a cell is a shortcut: what was asserted above could have failed.
    opened.page.locator(".jp-Notebook .jp-Cell .jp-InputPrompt").first.click()
    opened.page.keyboard.press("b")
    assert len(opened.page.evaluate(CELLS)) == len(cells) + 1


def test_list_inspect_and_release_add_delete_undo(
    notebook: OpenNotebook, portal: b24nb.SandboxPortal, b24: b24nb.Client
) -> None:
    held, link = str(portal.attach("documentSigned", deal=2)), f"{portal.url}/crm/deal/details/2/"
    opened = notebook(START, "explorer = forms.explorer(b24)\nexplorer")
    explorer, keys = opened.shown, opened.page.keyboard

    def field(label: str) -> Locator:
        return explorer.get_by_label(label, exact=True).filter(visible=True)

    def press(button: str) -> None:
        tab_to(opened.page, explorer.get_by_role("button", name=button).filter(visible=True))
        keys.press("Enter")

    def fill(label: str, text: str) -> None:
        tab_to(opened.page, field(label))
        keys.press("Control+A")
        keys.type(text)

    def turn_to(tab: str) -> None:
        tab_to(opened.page, explorer.get_by_role("tab", selected=True))
        keys.press("ArrowRight")
        expect(explorer.get_by_role("tab", name=tab)).to_be_focused()
        keys.press("Enter")

    press("List badges")
    expect(explorer.get_by_text("12 badges", exact=True).filter(visible=True)).to_be_visible()
    tab_to(opened.page, field("Filter"))
    keys.type("contract")
    expect(explorer.get_by_text("1 of 12 badges", exact=True)).to_be_visible()
    tab_to(opened.page, field("Language"))
    for key in ("Alt+ArrowDown", "ArrowDown", "Enter"):
        keys.press(key)
    expect(explorer.get_by_role("gridcell", name="Unterschrieben").filter(visible=True)).to_be_visible()
    tab_to(opened.page, explorer.get_by_role("row", name="documentSigned").filter(visible=True))
    keys.press("Space")
    expect(explorer.get_by_text("1 of 12 badges, 1 selected")).to_be_visible()

    turn_to("Inspect")
    expect(field("Badge code")).to_have_value("documentSigned")
    press("Inspect badge")
    expect(explorer.get_by_role("row", name="German")).to_contain_text("Unterschrieben")
    expect(explorer.get_by_text("will probably refuse to delete documentSigned").filter(visible=True)).to_be_visible()
    expect(explorer.get_by_role("link", name="deal 2").filter(visible=True)).to_have_attribute("href", link)
    fill("Type it here", held)
    press(f"Delete activity {held} for good")
    expect(explorer.get_by_text("Activities released: 1 of 1").filter(visible=True)).to_be_visible()

    turn_to("Add")
    fill("Badge code", "byKeyboard")
    chosen = explorer.get_by_role("button", name="primary")
    tab_to(opened.page, chosen)
    assert chosen.evaluate("element => getComputedStyle(element).outlineOffset") == "1px", "the focus can be seen"
    tab_to(opened.page, explorer.get_by_role("button", name="warning"))
    keys.press("Space")
    fill("Title", "Typed")
    fill("Value (pill text)", "No mouse")
    press("Add badge")
    expect(explorer.get_by_text("The badge 'byKeyboard' was added.")).to_be_visible()
    added = b24nb.Badge("byKeyboard", "Typed", "No mouse", "warning")
    assert b24.badges.get("byKeyboard") == added

    turn_to("Delete")
    fill("Badge code", "byKeyboard")
    press("Preview deletion")
    expect(explorer.get_by_role("table", name="1 of 1 badge will be deleted")).to_contain_text("No mouse")
    fill("Confirm", "byKeyboard")
    press("Delete badge")
    expect(explorer.get_by_text("The badge 'byKeyboard' was deleted.")).to_be_visible()
    assert "byKeyboard" not in [badge.code for badge in b24.badges.list()]
    press("Undo")
    expect(explorer.get_by_role("button", name="Undo")).to_be_hidden()
    assert b24.badges.get("byKeyboard") == added
    assert opened.evaluate("explorer.last_error") == "None"


FLEET = """import json
import b24nb

webhooks = json.load(open({!r}))
wanted = [b24nb.Badge(code, {{"en": code, "de": "Kunde"}}, "V", "success") for code in ("vip", "paid")]
form = b24nb.forms.fleet(b24nb.Fleet(webhooks, vault=webhooks.get), wanted=wanted, run=True)
form"""


def test_many_portals_are_compared_planned_and_changed(notebook: OpenNotebook, tmp_path: Path) -> None:
    with SandboxFleet(12, revoked=0.08, seed=1) as sandboxes:
        (tmp_path / "webhooks.json").write_text(json.dumps(sandboxes.webhooks))
        opened = notebook(FLEET.format(str(tmp_path / "webhooks.json")))
        opened.page.set_viewport_size({"width": 800, "height": 900})
        form = opened.shown
        expect(form.get_by_text("12 codes on 11 portals")).to_be_visible()
        expect(form.get_by_text("SANDBOX", exact=True)).to_be_visible()
        assert faint(opened, form) == []

        form.get_by_role("button", name="Preview plan").click()
        form.get_by_role("button", name="Apply").click()
        expect(form.get_by_text("Type 22 changes on 11 portals.")).to_be_visible()
        assert (holding(sandboxes), faint(opened, form)) == (0, [])
        form.get_by_label("Confirm", exact=True).fill("22 changes on 11 portals")
        form.get_by_role("button", name="Apply").click()
        expect(form.get_by_text("11 added")).to_be_visible()
        assert (holding(sandboxes), faint(opened, form)) == (11, [])
        assert form.evaluate("form => form.scrollWidth - form.clientWidth") <= 0, "nothing is cut off at 800 px"
