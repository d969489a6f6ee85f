"""The form that inspects one badge."""

import pytest

from b24nb import Client, OAuthToken, SandboxPortal, as_code, connect, forms
from b24nb.display.snippets import FLAVOURS
from tests.servers import gate_of
from tests.widgets import click, confirm, inspect_badge, release, shown, tree, waiting


def test_the_badge_from_all_sides(b24: Client, portal: SandboxPortal) -> None:
    form = forms.inspect_form(b24)
    click(form, form.load_button)
    assert "documentSigned" in form.code.options
    inspect_badge(form, "documentSigned")
    text = shown(form)
    for words in ("Vertrag", "German (de)", "any other", "The time block", "date_start", "The raw answer"):
        assert words in text
    for flavour in FLAVOURS:
        code = str(as_code("crm.activity.badge.get", {"code": "documentSigned"}, flavour))
        assert " ".join(code.split()) in text
    assert portal.webhook.rstrip("/").rpartition("/")[2] not in text
    inspect_badge(form, "DOCUMENTsigned")
    assert list(form.df["code"]) == ["documentSigned"]


def test_trouble_with_the_holders_leaves_the_badge(b24: Client, portal: SandboxPortal) -> None:
    portal.faults.next("insufficient_scope", method="crm.activity.list")
    form = forms.inspect_form(b24, b24.badges.get("missedCall"), run=True)
    assert (form.state.phase, form.result.code) == ("done", "missedCall")
    assert form.state.unknown.code == "insufficient_scope"
    assert "The activities that hold it could not be read." in shown(form)
    assert "insufficient_scope" in shown(form)


def test_cancel_ends_between_two_steps(portal: SandboxPortal) -> None:
    with gate_of(portal, "crm.activity.badge.get") as gate, connect(gate.webhook) as b24:
        form = forms.inspect_form(b24, "missedCall")
        with waiting(gate, form, form.inspect_button):
            form.cancel_button.click()
    assert "Cancelled between two steps" in shown(form)
    assert list(form.timings["method"]) == ["crm.activity.badge.get"]
    assert form.result.code == "missedCall"


def test_no_badge_is_released_whose_code_the_field_does_not_show(b24: Client, portal: SandboxPortal) -> None:
    explorer = forms.explorer(b24, run=True)
    form = explorer.forms["Inspect"]
    for choose in (
        lambda: setattr(form.code, "value", "missedCall"),
        lambda: setattr(explorer.forms["List"].table, "selected", ["newsletter"]),
    ):
        inspect_badge(form, "waitingPayment")
        assert form.release_button in tree(form)
        assert form.word.value == "", "what was typed for other holders is forgotten"
        form.word.value = "2 activities"
        choose()
        assert form.result is None
        assert form.release_button not in tree(form)


def test_a_code_typed_while_another_badge_is_read_is_not_taken_for_it(portal: SandboxPortal) -> None:
    with gate_of(portal, "crm.activity.badge.get") as gate, connect(gate.webhook) as b24:
        form = forms.inspect_form(b24, "waitingPayment")
        with waiting(gate, form, form.inspect_button):
            form.code.value = "newsletter"
        assert form.result is None
        assert form.release_button not in tree(form)


def test_a_code_that_was_pasted_with_a_blank_is_shown_with_it(b24: Client) -> None:
    form = forms.inspect_form(b24, "newsletter\u200b ", run=True)
    assert "It was typed as newsletter⟨U+200B⟩␣." in shown(form)


def test_holders_are_shown_with_their_deal_and_released_one_by_one_then_all(b24: Client, portal: SandboxPortal) -> None:
    form = forms.inspect_form(b24, "waitingPayment", run=True)
    text = shown(form)
    told = ('deal 3 Licences "Small team"', "Delivery contract Haas", "this can't be undone", "clear its badgeCode")
    assert [words for words in told if words not in text] == []
    assert f'href="{portal.url}/crm/deal/details/4/"' in form.side_view.value
    assert portal.url not in form._repr_mimebundle_()["text/html"], "it ends with the notebook"
    assert form.release_button not in tree(forms.inspect_form(b24, "missedCall", run=True))
    assert form.which.options[0][0] == "all 2 activities"
    release(form, "2")  # the id of an activity, and how many there are
    assert "Type exactly 2 activities to confirm." in shown(form)
    other, third = (forms.delete_form(b24, code, run=True) for code in ("waitingPayment", "onHold"))
    assert other.release_button in tree(other)
    form.word.value = "3"
    form.which.value = ("3",)
    assert "to confirm." not in shown(form)
    assert "To delete activity 3 for good, type: 3" in shown(form)
    click(form, form.release_button)
    click(form, form.release_button)  # a double click
    assert form.state.message.text == "Activities released: 1 of 1. The portal has the badge 'waitingPayment'."
    assert "activity 3 of deal 4" in shown(form)
    assert [label for label, _ in form.which.options] == ['activity 2: deal 3 Licences "Small team"']
    assert list(b24.badges.holders("waitingPayment")["activity_id"]) == ["2"]
    assert list(form.df["code"]) == ["waitingPayment"]
    assert [label for label, _ in other.which.options] == [label for label, _ in form.which.options], "of another form"
    assert third.release_button in tree(third), "it is about another badge"


def test_an_activity_that_is_released_once_more_is_not_offered_by_another_form(
    portal: SandboxPortal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("b24nb.forms.form.DOUBLE_CLICK_SECONDS", 0)
    with connect(OAuthToken(**portal.oauth)) as app:
        form, other = (forms.inspect_form(app, "waitingPayment", run=True) for _ in range(2))
        for _ in range(2):
            form.which.value = ("2",)
            release(form, "2")
            assert "activity 2" not in str(other.which.options)
            app.journal.plan_undo().apply(progress=False)
            form.run()
            other.run()
            assert "activity 2" in str(other.which.options)


def test_before_the_list_two_codes_that_differ_in_letter_case_are_two_badges() -> None:
    badges = [{"code": code, "title": code, "value": "V", "type": "primary"} for code in ("vip", "VIP")]
    with SandboxPortal(badges=badges, case_sensitive=True) as portal, connect(portal) as b24:
        form = forms.inspect_form(b24, "vip", run=True)
        inspect_badge(form, "VIP")
        assert form.result.title == "VIP"


def test_the_first_badge_of_an_empty_portal_can_be_chosen_in_the_delete_tab() -> None:
    with SandboxPortal(badges=[]) as portal, connect(portal) as b24:
        explorer = forms.explorer(b24)
        listing, adding, deleting = (explorer.forms[name] for name in ("List", "Add", "Delete"))
        adding.code.value, adding.rows[0].title.value, adding.rows[0].value.value = "ours", "T", "V"
        click(adding, adding.add_button)
        assert deleting.table not in tree(deleting)
        click(listing, listing.list_button)
        assert deleting.table in tree(deleting)
        assert [badge.code for badge in listing.result] == ["ours"]


@pytest.mark.parametrize("listed", [True, False])
def test_a_badge_that_another_form_deletes_is_not_shown_any_more(b24: Client, listed: bool) -> None:
    explorer = forms.explorer(b24, run=listed)
    other = forms.delete_form(b24, "newsletter", run=True)
    inspecting, deleting = explorer.forms["Inspect"], explorer.forms["Delete"]
    inspect_badge(inspecting, "newsletter")
    deleting.code.value = "newsletter"
    click(deleting, deleting.preview_button)
    confirm(deleting, "newsletter")
    assert "The portal has the badge" not in shown(inspecting)
    assert inspecting.result is None
    assert "would be deleted" not in shown(other)
    assert "changed or deleted meanwhile" in shown(other)
    assert "changed or deleted meanwhile" in shown(inspecting)


def test_an_address_that_is_pasted_into_a_field_is_neither_saved_nor_sent(b24: Client, portal: SandboxPortal) -> None:
    explorer, code = forms.explorer(b24), portal.webhook.split("/")[-2]
    tabs = explorer.forms
    tabs["List"].table.words = tabs["Add"].rows[0].title.value = portal.webhook
    for form in (tabs["Inspect"], tabs["Delete"], tabs["Add"]):
        form.code.value = portal.webhook
    assert code not in str([widget.get_state() for form in tabs.values() for widget in tree(form)])
    tabs["Add"].code.value, tabs["Add"].rows[0].value.value = "x", "see https://example.com/rest/of/the/day"
    click(tabs["Add"], tabs["Add"].add_button)
    assert "The secret of an address was masked here" in shown(tabs["Add"])
    assert tabs["Add"].rows[0].value.value == "see https://example.com/rest/of/the/day"
    form = forms.inspect_form(b24, portal.webhook, run=True)
    assert "The code is an address that holds a secret." in shown(form)
    assert not form.calls


def test_what_inspect_has_read_is_newer_than_the_list(b24: Client, portal: SandboxPortal) -> None:
    explorer = forms.explorer(b24, run=True)
    inspecting, adding = explorer.forms["Inspect"], explorer.forms["Add"]
    with connect(portal) as somebody:
        somebody.badges.add("theirs", "T", "V", "primary")
    inspect_badge(inspecting, "theirs")
    adding.code.value, adding.rows[0].title.value, adding.rows[0].value.value = "ours", "T", "V"
    click(adding, adding.add_button)
    assert inspecting.result.code == "theirs"
    assert "theirs" in explorer.forms["List"].result
    assert explorer.forms["List"].table.selected == ["theirs"]


def test_the_application_clears_and_what_it_did_can_be_undone(portal: SandboxPortal) -> None:
    with connect(OAuthToken(**portal.issue_token())) as app:
        form = forms.inspect_form(app, "onHold", run=True)
        assert form.release_button.description == "Clear badgeCode of activity 5"
        assert "can't be restored" not in shown(form)
        release(form, "5")
        assert app.badges.holders("onHold").empty
        assert form.release_button not in tree(form)
        assert "No open activity that this user may read holds it" in shown(form)
        assert app.journal.plan_undo().apply(progress=False).ok
        assert list(app.badges.holders("onHold")["activity_id"]) == ["5"]
