"""The whole flow without a mouse.

JupyterLab keeps plain arrows and letters for its cells while a list or a drop-down has the focus, so the
keys there are Control and an arrow to move, the space bar to select, Alt and an arrow to open.
"""

from __future__ import annotations

import b24nb
from tests.browser.conftest import OpenNotebook
from tests.layers import require_package

require_package("playwright")
from playwright.sync_api import Locator, expect  # noqa: E402

START = "import b24nb\nfrom b24nb import forms\nb24 = b24nb.connect()"


def test_list_inspect_add_delete_undo(notebook: OpenNotebook, b24: b24nb.Client) -> None:
    opened = notebook(START, "explorer = forms.explorer(b24)\nexplorer")
    explorer, keys = opened.shown, opened.page.keyboard

    def field(label: str) -> Locator:
        return explorer.get_by_label(label, exact=True).filter(visible=True)

    def press(button: str) -> None:
        opened.tab_to(explorer.get_by_role("button", name=button).filter(visible=True))
        keys.press("Enter")

    def fill(label: str, text: str) -> None:
        opened.tab_to(field(label))
        keys.type(text)

    def turn_to(tab: str) -> None:
        opened.tab_to(explorer.get_by_role("tab", selected=True))
        keys.press("ArrowRight")
        expect(explorer.get_by_role("tab", name=tab)).to_be_focused()
        keys.press("Enter")

    press("List badges")
    expect(explorer.get_by_role("table", name="Badges: 12")).to_be_visible()
    opened.tab_to(field("Filter"))
    keys.type("contract")
    expect(explorer.get_by_role("table", name="Badges: 1 matching of 12")).to_be_visible()
    opened.tab_to(field("Language"))
    for key in ("Alt+ArrowDown", "ArrowDown", "Enter"):
        keys.press(key)
    expect(explorer.get_by_role("cell", name="Unterschrieben")).to_be_visible()
    opened.tab_to(field("Select"))
    for key in ("Control+ArrowDown", "Space"):
        keys.press(key)
    expect(explorer.get_by_text("1 selected")).to_be_visible()

    turn_to("Inspect")
    expect(field("Badge code")).to_have_value("documentSigned")
    press("Inspect badge")
    expect(explorer.get_by_role("row", name="German")).to_contain_text("Unterschrieben")

    turn_to("Add")
    fill("Badge code", "byKeyboard")
    opened.tab_to(explorer.get_by_role("button", name="warning"))
    keys.press("Space")
    fill("Title", "Typed")
    fill("Pill text", "No mouse")
    press("Add badge")
    expect(explorer.get_by_text("The badge 'byKeyboard' was added.")).to_be_visible()
    added = b24nb.Badge("byKeyboard", "Typed", "No mouse", "warning")
    assert b24.badges.get("byKeyboard") == added

    turn_to("Delete")
    opened.tab_to(field("Badge code"))
    keys.press("Control+A")
    keys.type("byKeyboard")
    press("Preview deletion")
    expect(explorer.get_by_role("table", name="This will be deleted: 1")).to_contain_text("No mouse")
    fill("Confirm", "byKeyboard")
    press("Delete badge")
    expect(explorer.get_by_text("The badge 'byKeyboard' was deleted.")).to_be_visible()
    assert "byKeyboard" not in [badge.code for badge in b24.badges.list()]
    press("Undo")
    expect(explorer.get_by_role("button", name="Undo")).to_be_hidden()
    assert b24.badges.get("byKeyboard") == added
    assert opened.evaluate("explorer.last_error") == "None"
