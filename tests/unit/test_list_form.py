"""The form that lists badges, the explorer with all forms, and the table in them as Python sees it."""

import base64
import json
import zlib
from typing import Any

import ipywidgets as widgets
import pytest

from b24nb import Client, SandboxPortal, connect, forms
from b24nb.badges.badge import Badge, Badges
from b24nb.forms.table import Table
from tests.widgets import click, confirm, shown, times_asked, tree


def test_one_request_then_filter_and_sort(b24: Client, portal: SandboxPortal) -> None:
    form = forms.list_form(b24)
    assert form.table not in tree(form)
    click(form, form.list_button)
    assert "12 badges in one answer" in shown(form)
    assert [badge.to_wire() for badge in form.result] == portal.badges
    form.table.words = "call"  # as the browser reports it
    assert list(form.df["code"]) == ["missedCall", "callAnswered"]
    form.table.order = "code"
    assert list(form.df["code"]) == ["callAnswered", "missedCall"]
    assert times_asked(portal, "list") == 1


def test_selected_rows_are_what_code_and_other_forms_take(b24: Client) -> None:
    form = forms.list_form(b24, run=True)
    form.table.selected = ["paid", "newsletter"]
    assert form.selection == ("paid", "newsletter")
    delete = forms.delete_form(b24, form.selection, run=True)
    assert {badge.code for badge in delete.state.badges} == {"paid", "newsletter"}
    b24.badges.delete("paid")
    click(form, form.list_button)
    assert form.selection == ("newsletter",)


def test_start_values_may_name_a_language_that_no_portal_has() -> None:
    rows = [Badge("odd", {"en": "Plain", "xx": "Strange"}, "v", "primary").to_wire()]
    with SandboxPortal(badges=rows) as portal, connect(portal) as b24:
        form = forms.list_form(b24, filter="odd", sort="code", language="xx", run=True)
        assert (form.table.words, form.table.order, form.table.language) == ("odd", "code", "xx")
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


def test_what_is_selected_in_the_list_is_what_the_others_speak_of(b24: Client) -> None:
    tabs = forms.explorer(b24, run=True).forms
    lists, inspect, delete = tabs["List"], tabs["Inspect"], tabs["Delete"]
    delete.code.value = inspect.code.value = "missedCall"
    lists.table.selected = ["paid", "newsletter"]
    assert (inspect.code.value, delete.code.value) == ("paid", "")
    assert set(delete.table.selected) == {"paid", "newsletter"}
    lists.table.selected = []
    assert set(delete.table.selected) == {"paid", "newsletter"}, "nothing chosen is no other choice"
    delete.table.selected = ["newsletter", "missedCall"]
    click(delete, delete.preview_button)
    click(lists, lists.list_button)
    assert set(delete.table.selected) == {"newsletter", "missedCall"}, "it outlives a refreshed list"
    assert delete.state.word == "2"
    lists.table.selected = ["paid", "onHold"]
    assert set(delete.table.selected) == {"paid", "onHold"}
    assert not delete.state.badges


def test_a_code_typed_in_inspect_is_the_one_to_delete(b24: Client) -> None:
    explorer = forms.explorer(b24)
    explorer.forms["Inspect"].code.value = "newsletter"
    assert explorer.forms["Delete"].code.value == "newsletter"
    explorer.run()
    explorer.forms["Inspect"].code.value = "MISSEDcall"
    assert explorer.forms["Delete"].table.selected == ["missedCall"]
    assert explorer.forms["List"].selection == ("missedCall",)


def test_all_speak_the_language_of_the_list(b24: Client) -> None:
    explorer = forms.explorer(b24, run=True)
    tabs = explorer.forms
    for name in ("Inspect", "Delete"):
        tabs[name].code.value = "documentSigned"
        tabs[name].run()
    tabs["List"].language.value = "de"
    assert tabs["Delete"].table.language == "de"
    for name in ("Inspect", "Delete"):
        assert "Vertrag" in shown(tabs[name])
        assert "Unterschrieben" in shown(tabs[name])


def test_its_tabs_have_titles_and_it_answers_for_the_open_one(b24: Client) -> None:
    explorer = forms.explorer(b24, run=True)
    tabs = next(widget for widget in tree(explorer) if isinstance(widget, widgets.Tab))
    titles = [tabs.get_title(place) for place in range(5)]
    assert titles == ["List", "Inspect", "Add", "Delete", "Calls"]
    assert shown(explorer).count("SANDBOX") == 1
    assert len(explorer.result) == len(explorer.df) == 12
    assert list(explorer.timings["method"]) == ["crm.activity.badge.list"]
    tabs.selected_index = 1
    assert explorer.result is None
    assert explorer.wait()
    assert repr(explorer).startswith(f"<Explorer of {', '.join(titles)}: <InspectForm on SANDBOX")


BADGES = Badges(
    [
        Badge("missedCall", "Missed call", {"en": "Call back", "de": "Anrufen"}, "failure"),
        Badge("signed", {"en": "Contract", "ru": "Договор"}, "Signed", "success"),
        Badge("paid", {"en": "zebra", "de": "Ameise", "fr": "Straße\u200b"}, "Paid", "success"),
    ]
)


def unpacked(table: Table) -> Any:
    return json.loads(zlib.decompress(base64.b64decode(table.rows)))


def test_rows_travel_whole_and_small_and_only_what_is_there_stays_selected() -> None:
    table = Table()
    table.show(BADGES, ["paid", "gone", "missedCall"])
    assert table.selected == ["missedCall", "paid"]
    title = {"en": "Contract", "ru": "Договор"}
    assert unpacked(table)["rows"][1] == ["signed", "signed", title, "Signed", "success", ""]
    many = Badges(Badge(f"badge{n}", {"en": f"Client {n}"}, f"Pill {n}", "primary") for n in range(10_000))
    table.show(many)
    assert len(json.dumps(table.get_state(["rows", "selected"]))) < 300_000


def test_what_is_no_text_is_shown_as_one() -> None:
    table = Table(order="title")
    table.show(Badges([Badge("odd", {"en": 7}, {"en": None}, 5), Badge("half \ud83d", "t", "v", "primary")]))  # type: ignore[arg-type, dict-item]
    title, code = "title in 'en' is not a text", "code holds half a character, which can't be sent"
    assert unpacked(table)["rows"] == [
        ["odd", "odd", {"en": "7"}, {"en": "None"}, "5", f"not restorable: The {title}."],
        ["half ?", "half ⟨U+D83D⟩", "t", "v", "primary", f"not restorable: The {code}."],
    ]
    assert len(table.matching) == 2


@pytest.mark.parametrize(
    ("traits", "found"),
    [
        ({}, ["missedCall", "signed", "paid"]),
        ({"words": "MISSED"}, ["missedCall"]),
        ({"words": "anrufen fail"}, ["missedCall"]),
        ({"words": "договор"}, ["signed"]),
        ({"words": "STRASSE"}, []),
        ({"words": "straße"}, ["paid"]),
        ({"words": "u+200b"}, ["paid"]),
        ({"words": "\ufeff"}, ["missedCall", "signed", "paid"]),
        ({"words": "nothing like this"}, []),
        ({"kind": "success"}, ["signed", "paid"]),
        ({"order": "title"}, ["signed", "missedCall", "paid"]),
        ({"order": "title", "language": "de"}, ["paid", "signed", "missedCall"]),
        ({"order": "-code", "kind": "success"}, ["signed", "paid"]),
    ],
)
def test_code_sees_the_rows_that_the_browser_shows(traits: dict[str, str], found: list[str]) -> None:
    table = Table(**traits)
    table.show(BADGES)
    assert [badge.code for badge in table.matching] == found
