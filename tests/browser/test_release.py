"""Hold, inspect, release, delete: with the mouse or the keyboard alone, without one line of code."""

from b24nb import Client, OAuthToken, SandboxPortal, connect
from tests.browser.conftest import OpenNotebook
from tests.hostile import HOSTILE
from tests.layers import require_package

require_package("playwright")
from playwright.sync_api import Locator, expect  # noqa: E402

START = "import b24nb\nfrom b24nb import forms\n\nb24 = b24nb.connect()"
EXPLORER = "explorer = forms.explorer(b24)\nexplorer"


def visible(form: Locator, role: str, name: str) -> Locator:
    return form.get_by_role(role, name=name).filter(visible=True)  # type: ignore[arg-type]


def test_hold_inspect_release_delete(notebook: OpenNotebook, portal: SandboxPortal, b24: Client) -> None:
    portal.attach("birthday", deal=2)
    portal.attach("birthday", deal=5)
    opened = notebook(START, EXPLORER)
    form = opened.shown
    visible(form, "tab", "Inspect").click()
    form.get_by_label("Badge code").filter(visible=True).fill("birthday")
    visible(form, "button", "Inspect badge").click()
    expect(form.get_by_text("will refuse to delete birthday").filter(visible=True)).to_be_visible()
    link = visible(form, "link", "deal 2")
    expect(link).to_have_attribute("href", f"{portal.url}/crm/deal/details/2/")
    expect(form.get_by_text("Server room, Feld & Co.").filter(visible=True).first).to_be_visible()

    # one of them with the mouse
    form.get_by_label("Release").filter(visible=True).select_option(index=2)
    (first, second) = (row["activity_id"] for row in b24.badges.holders("birthday").to_dict("records"))
    form.get_by_label(f"Type {second}").filter(visible=True).fill(second)
    visible(form, "button", "Release: delete activity (1)").click()
    expect(form.get_by_text("1 of 1 released.").filter(visible=True)).to_be_visible()
    assert list(b24.badges.holders("birthday")["activity_id"]) == [first]

    # the other one where it shall go, with the keyboard alone
    visible(form, "tab", "Delete").click()
    visible(form, "button", "Preview deletion").focus()
    opened.page.keyboard.press("Enter")
    expect(form.get_by_text("Held, so they would be refused: 1 badge.").filter(visible=True)).to_be_visible()
    word = form.get_by_label(f"Type {first}").filter(visible=True)
    opened.tab_to(word)
    opened.page.keyboard.type(first)
    opened.tab_to(visible(form, "button", "Release: delete activity (1)"))
    opened.page.keyboard.press("Enter")
    said = form.get_by_text("1 of 1 released. 1 badge would be deleted.").filter(visible=True)
    expect(said).to_be_visible()
    expect(form.get_by_text("would be refused").filter(visible=True)).to_have_count(0)
    form.get_by_label("Confirm", exact=True).filter(visible=True).fill("birthday")
    visible(form, "button", "Delete badge").click()
    expect(form.get_by_text("The badge 'birthday' was deleted.").filter(visible=True)).to_be_visible()
    assert "birthday" not in b24.badges.list()

    opened.page.goto(link_of(portal, 2))
    expect(opened.page.get_by_text("Deal 2", exact=True)).to_be_visible()
    assert opened.page.url == f"{portal.url}/#deal-2"


def link_of(portal: SandboxPortal, deal: int) -> str:
    return f"{portal.url}/crm/deal/details/{deal}/"


def test_hostile_titles_and_subjects_stay_texts(notebook: OpenNotebook, portal: SandboxPortal, b24: Client) -> None:
    with connect(OAuthToken(**portal.issue_token())) as app:
        for text in HOSTILE:
            deal = b24.call("crm.deal.add", {"fields": {"TITLE": text}}).result
            layout = {"icon": {"code": "info"}, "header": {"title": text}, "body": {"blocks": {}}}
            params = {"ownerTypeId": 2, "ownerId": deal, "fields": {"badgeCode": "paid"}, "layout": layout}
            app.call("crm.activity.configurable.add", params)
    opened = notebook(START, "form = forms.delete_form(b24, 'paid', run=True)\nform")
    form = opened.shown
    expect(form.get_by_text(HOSTILE[0]).first).to_be_visible()
    form.locator("details").evaluate_all("all => all.forEach(one => one.open = true)")
    assert form.get_by_label("Release", exact=True).locator("option").count() == len(HOSTILE) + 1
    for tag in ("img", "svg", "script", "u", "b"):
        assert form.locator(f".widget-html {tag}").count() == 0
    assert opened.page.evaluate("window.pwned") is None
    assert form.get_by_role("link").count() == len(HOSTILE)
    form.get_by_label(f"Type {len(HOSTILE)}").fill(str(len(HOSTILE)))
    form.get_by_role("button", name="Release: delete activity").click()
    expect(form.get_by_text(f"{len(HOSTILE)} of {len(HOSTILE)} released.")).to_be_visible()
    assert opened.page.evaluate("window.pwned") is None
