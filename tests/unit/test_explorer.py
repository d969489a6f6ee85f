"""All forms in one widget: one list, one selection, one language."""

from typing import Any

import ipywidgets as widgets

from b24nb import Client, forms
from tests.widgets import click, shown, tree


def tabs_of(explorer: Any) -> widgets.Tab:
    return next(widget for widget in tree(explorer) if isinstance(widget, widgets.Tab))


def test_what_is_selected_in_the_list_is_what_the_others_speak_of(b24: Client) -> None:
    tabs = forms.explorer(b24, run=True).forms
    tabs["Delete"].code.value = tabs["Inspect"].code.value = "missedCall"
    tabs["List"].table.selected = ["paid", "newsletter"]
    assert tabs["Inspect"].code.value == "paid"
    assert set(tabs["Delete"].table.selected) == {"paid", "newsletter"}
    assert tabs["Delete"].code.value == ""
    tabs["List"].table.selected = []
    assert set(tabs["Delete"].table.selected) == {"paid", "newsletter"}, "nothing chosen is no other choice"


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


def test_a_choice_of_ones_own_outlives_a_refreshed_list(b24: Client) -> None:
    explorer = forms.explorer(b24, run=True)
    lists, delete = explorer.forms["List"], explorer.forms["Delete"]
    lists.table.selected = ["paid"]
    delete.table.selected = ["newsletter", "missedCall"]
    click(delete, delete.preview_button)
    click(lists, lists.list_button)
    assert set(delete.table.selected) == {"newsletter", "missedCall"}
    assert delete.state.word == "2"
    lists.table.selected = ["paid", "onHold"]
    assert set(delete.table.selected) == {"paid", "onHold"}
    assert not delete.state.badges


def test_its_tabs_have_titles_and_it_answers_for_the_open_one(b24: Client) -> None:
    explorer = forms.explorer(b24, run=True)
    titles = [tabs_of(explorer).get_title(place) for place in range(5)]
    assert titles == ["List", "Inspect", "Add", "Delete", "Calls"]
    assert shown(explorer).count("SANDBOX") == 1
    assert len(explorer.result) == len(explorer.df) == 12
    assert list(explorer.timings["method"]) == ["crm.activity.badge.list"]
    tabs_of(explorer).selected_index = 1
    assert explorer.result is None
    assert explorer.wait()
    assert repr(explorer).startswith(f"<Explorer of {', '.join(titles)}: <InspectForm on SANDBOX")
