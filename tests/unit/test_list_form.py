"""The form that lists badges."""

import pytest

from b24nb import Client, SandboxPortal, connect, forms
from b24nb.badges.badge import Badge
from b24nb.errors import InvalidInput
from tests.widgets import asked, click, confirm, shown, tree


def test_one_request_then_filter_and_sort(b24: Client, portal: SandboxPortal) -> None:
    form = forms.list_form(b24)
    assert form.table not in tree(form)
    click(form, form.list_button)
    assert "12 badges by one request" in shown(form)
    assert [badge.to_wire() for badge in form.result] == portal.badges
    form.table.words = "call"  # as the browser reports it
    assert list(form.df["code"]) == ["missedCall", "callAnswered"]
    form.table.order = "code"
    assert list(form.df["code"]) == ["callAnswered", "missedCall"]
    assert asked(portal, "list") == 1
    assert list(form.timings["method"]) == ["crm.activity.badge.list"]
    assert form.last_error is None


def test_start_values(b24: Client) -> None:
    form = forms.list_form(b24, filter="call", sort="code", language="de", run=True)
    assert list(form.df["code"]) == ["callAnswered", "missedCall"]
    assert (form.table.words, form.table.order, form.table.language) == ("call", "code", "de")
    with pytest.raises(InvalidInput, match="Can't sort by 'colour'"):
        forms.list_form(b24, sort="colour")


def test_selected_rows_are_what_code_and_other_forms_take(b24: Client) -> None:
    form = forms.list_form(b24, run=True)
    form.table.selected = ["paid", "newsletter"]
    assert form.selection == ("paid", "newsletter")
    delete = forms.delete_form(b24, form.selection, run=True)
    assert {badge.code for badge in delete.state.badges} == {"paid", "newsletter"}
    b24.badges.delete("paid")
    click(form, form.list_button)
    assert form.selection == ("newsletter",)


def test_a_language_that_no_portal_has_can_be_given() -> None:
    rows = [Badge("odd", {"en": "Plain", "xx": "Strange"}, "v", "primary").to_wire()]
    with SandboxPortal(badges=rows) as portal, connect(portal) as b24:
        form = forms.list_form(b24, language="xx", run=True)
        assert form.table.language == "xx"
        assert "Strange" in form._repr_mimebundle_()["text/html"]
        assert form.last_error is None


def test_a_failed_refresh_leaves_the_old_list_on_show(b24: Client, portal: SandboxPortal) -> None:
    form = forms.list_form(b24, run=True)
    before = form.result
    portal.faults.next("ACCESS_DENIED", description="REST is available only by subscription.")
    click(form, form.list_button)
    assert form.result == before
    assert (form.state.phase, form.state.message.code) == ("failed", "ACCESS_DENIED")
    assert form.table in tree(form)


def test_what_one_form_changes_the_other_forms_of_the_client_show_and_none_of_another_portal(b24: Client) -> None:
    with SandboxPortal() as other, connect(other) as there:
        elsewhere = forms.list_form(there, run=True)
    listed, untouched = forms.list_form(b24, run=True), forms.list_form(b24)
    confirm(forms.delete_form(b24, "newsletter", run=True), "newsletter")
    assert "newsletter" not in [badge.code for badge in listed.table.badges]
    add = forms.add_form(b24, "vip", "Client", "VIP", run=True)
    assert len(elsewhere.result) == 12
    assert listed.result[-1] == add.result
    forms.add_form(b24, "missedCall", "t", "v", run=True)  # refused: it is there, where it was
    assert listed.result == b24.badges.list()
    assert untouched.result is None
