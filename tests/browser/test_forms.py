"""The forms by the mouse, in a real JupyterLab; what they did is asked at the portal."""

import b24nb
from tests.browser.conftest import EXPLORER, START, OpenNotebook
from tests.layers import require_package

require_package("playwright")
from playwright.sync_api import expect  # noqa: E402


def test_list_filter_and_select(notebook: OpenNotebook) -> None:
    opened = notebook(START, "form = forms.list_form(b24)\nform")
    form = opened.shown

    form.get_by_role("button", name="List badges").click()
    expect(form.get_by_text("12 badges", exact=True)).to_be_visible()
    form.get_by_label("Filter").fill("call")
    form.get_by_role("columnheader", name="Code").get_by_role("button").click()
    form.get_by_role("row", name="missedCall").click()
    expect(form.get_by_text("2 of 12 badges, 1 selected")).to_be_visible()
    opened.page.wait_for_timeout(500)  # the filter travels when one stops typing
    assert opened.evaluate("[*form.df['code'], form.selection]") == "['callAnswered', 'missedCall', ('missedCall',)]"


def test_add_with_two_languages(notebook: OpenNotebook, b24: b24nb.Client) -> None:
    form = notebook(START, "form = forms.add_form(b24)\nform").shown

    form.get_by_label("Badge code").fill("vip")
    form.get_by_role("button", name="success").click()
    form.get_by_role("button", name="a text per language").click()
    form.get_by_role("button", name="Add a language").click()
    languages = form.get_by_label("Language", exact=True)
    expect(languages).to_have_count(2)
    languages.nth(1).select_option("German (de)")
    for place, (title, value) in enumerate([("Client", "Important"), ("Kunde", "Wichtig")]):
        form.get_by_label("Title", exact=True).nth(place).fill(title)
        form.get_by_label("Value (pill text)", exact=True).nth(place).fill(value)
    expect(form.get_by_text("Important", exact=True).first).to_be_visible()  # the preview
    form.get_by_role("button", name="Add badge").click()

    expect(form.get_by_text("The badge 'vip' was added.")).to_be_visible()
    assert b24.badges.get("vip") == b24nb.Badge(
        "vip", {"en": "Client", "de": "Kunde"}, {"en": "Important", "de": "Wichtig"}, "success"
    )


def test_rows_are_chosen_with_the_mouse_deleted_and_restored(notebook: OpenNotebook, b24: b24nb.Client) -> None:
    before = {badge.code: badge for badge in b24.badges.list()}
    opened = notebook(START, EXPLORER)
    explorer = opened.shown
    for code in ("missedCall", "newsletter", "birthday"):
        explorer.get_by_role("row", name=code).filter(visible=True).click()
    explorer.get_by_role("tab", name="Delete").click()
    expect(explorer.get_by_text("12 badges, 3 selected").filter(visible=True)).to_be_visible()
    explorer.get_by_role("button", name="Preview deletion").click()
    expect(explorer.get_by_role("table", name="3 of 3 badges will be deleted")).to_be_visible()
    explorer.get_by_label("Confirm").fill("3")
    explorer.get_by_role("button", name="Delete 3 badges").click()
    expect(explorer.get_by_text("3 of 3 badges deleted.")).to_be_visible()
    assert len(b24.badges.list()) == 9
    explorer.get_by_role("button", name="Undo").click()
    expect(explorer.get_by_text("3 of 3 badges restored")).to_be_visible()
    assert {badge.code: badge for badge in b24.badges.list()} == before
    assert opened.evaluate("explorer.last_error") == "None"


def test_what_is_typed_is_checked_while_it_is_typed(notebook: OpenNotebook) -> None:
    opened = notebook(START, EXPLORER)
    opened.shown.get_by_role("tab", name="Add").click()
    code = opened.shown.get_by_label("Badge code").filter(visible=True)
    code.focus()
    opened.page.keyboard.type("missedcall")
    expect(opened.shown.get_by_text("The portal has a badge 'missedCall'")).to_be_visible()
    expect(code).to_be_focused()


def test_a_form_without_its_kernel_says_so(notebook: OpenNotebook) -> None:
    opened = notebook(START, "forms.list_form(b24, run=True)")
    gone = opened.shown.get_by_text("This form has no kernel")
    expect(gone).to_be_hidden()
    opened.page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.restartKernel()")
    expect(gone).to_be_visible()
    expect(opened.shown.get_by_role("row", name="missedCall")).to_be_visible()


def test_work_that_takes_long_can_be_cancelled(notebook: OpenNotebook, portal: b24nb.SandboxPortal) -> None:
    opened = notebook(START, "form = forms.inspect_form(b24)\nform")
    form = opened.shown
    form.get_by_label("Badge code").fill("missedCall")
    portal.switches.latency_ms = 1500
    form.get_by_role("button", name="Inspect badge").click()
    form.get_by_role("button", name="Cancel").click()
    assert opened.evaluate("1 + 1") == "2", "the kernel answers meanwhile"
    expect(form.get_by_text("Cancelled between two steps.")).to_be_visible()
    assert [call.method for call in portal.requests if "activity" in call.method] == ["crm.activity.badge.get"]
