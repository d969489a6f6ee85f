"""Hold, inspect, release, delete: without one line of code, and what is confirmed with the keyboard alone."""

from b24nb import Client, SandboxPortal
from tests.browser.conftest import START, OpenNotebook
from tests.layers import require_package

require_package("playwright")
from playwright.sync_api import Locator, expect  # noqa: E402


def visible(form: Locator, role: str, name: str) -> Locator:
    return form.get_by_role(role, name=name).filter(visible=True)  # type: ignore[arg-type]


def test_hold_inspect_release_delete(notebook: OpenNotebook, portal: SandboxPortal, b24: Client) -> None:
    held = str(portal.attach("birthday", deal=2))
    opened = notebook(START, "forms.explorer(b24)")
    form = opened.shown
    visible(form, "tab", "Inspect").click()
    form.get_by_label("Badge code").filter(visible=True).fill("birthday")
    visible(form, "button", "Inspect badge").click()
    expect(form.get_by_text("will refuse to delete birthday").filter(visible=True)).to_be_visible()
    link = f"{portal.url}/crm/deal/details/2/"
    expect(visible(form, "link", "deal 2")).to_have_attribute("href", link)

    visible(form, "tab", "Delete").click()
    visible(form, "button", "Preview deletion").focus()
    opened.page.keyboard.press("Enter")
    expect(form.get_by_text("Held, so they would be refused: 1 badge.").filter(visible=True)).to_be_visible()
    opened.tab_to(form.get_by_label(f"Type {held}").filter(visible=True))
    opened.page.keyboard.type(held)
    opened.tab_to(visible(form, "button", "Release: delete activity (1)"))
    opened.page.keyboard.press("Enter")
    expect(form.get_by_text("1 of 1 released. 1 badge would be deleted.").filter(visible=True)).to_be_visible()
    form.get_by_label("Confirm", exact=True).filter(visible=True).fill("birthday")
    visible(form, "button", "Delete badge").click()
    expect(form.get_by_text("The badge 'birthday' was deleted.").filter(visible=True)).to_be_visible()
    assert "birthday" not in b24.badges.list()

    opened.page.goto(link)
    expect(opened.page.get_by_text("Deal 2", exact=True)).to_be_visible()
    assert opened.page.url == f"{portal.url}/#deal-2"
