"""The form that adds a badge."""

from typing import Any

import pytest
from ipywidgets import Widget

from b24nb import Client, SandboxPortal, as_code, forms
from b24nb.badges.badge import Badge
from tests.fakes import together
from tests.widgets import click, shown, times_asked, tree


def fill(form: Any, code: str, *texts: tuple[str, str]) -> None:
    form.code.value = code
    for row, (title, value) in zip(form.rows, texts, strict=True):
        row.title.value, row.value.value = title, value


def test_one_text(b24: Client) -> None:
    form = forms.add_form(b24)
    click(form, form.add_button)
    assert "The badge code is empty." in shown(form)
    assert "The value is empty." in shown(form.rows[0])
    fill(form, "vip", ("Client", "Very important"))
    assert not any(gone in shown(form) for gone in ("is empty", "Nothing has been sent"))
    form.type.value = "success"
    assert "Very important" in shown(form)  # how it will look
    click(form, form.add_button)
    assert b24.badges.get("vip") == form.result == Badge("vip", "Client", "Very important", "success")
    assert "was added" in shown(form)
    assert "The portal has this badge" not in shown(form)
    assert form.add_language_button not in tree(form)
    form.rows[0].title.value = "Customer"
    assert "was added" not in shown(form)
    assert "Very important" not in form.result_view.value
    assert form.result.title == "Client"


def test_a_text_per_language(b24: Client) -> None:
    form = forms.add_form(b24)
    fill(form, "vip", ("Client", "VIP"))
    form.mode.value = form.mode.options[1]
    assert [row.language.value for row in form.rows] == ["en"]
    assert form.add_language_button in tree(form)
    form.add_language_button.click()
    form.add_language_button.click()
    form.rows[1].title.value = "Geheim"
    form.rows[1].remove_button.click()
    assert "Geheim" not in str(Widget.get_manager_state())
    form.rows[1].language.value = "en"
    assert "This language has a row already." in shown(form.rows[1])
    for row in form.rows:  # as two quick clicks do, before the buttons are drawn anew
        form.remove(row)
    assert len(form.rows) == 1
    form.add_language_button.click()
    form.rows[1].language.value = "ru"
    fill(form, "vip", ("Client", "VIP"), ("Клиент", "ВИП"))
    wanted = Badge("vip", {"en": "Client", "ru": "Клиент"}, {"en": "VIP", "ru": "ВИП"}, "primary")
    assert " ".join(str(as_code("crm.activity.badge.add", wanted.to_wire())).split()) in shown(form)
    click(form, form.add_button)
    assert form.result == wanted


def test_switching_between_one_text_and_several_loses_nothing(b24: Client) -> None:
    form = forms.add_form(b24, "vip", {"en": "Client", "de": "Kunde"}, {"en": "VIP", "de": "Wichtig"})
    several = form.badge
    form.mode.value = form.mode.options[0]
    assert form.badge == Badge("vip", "Client", "VIP", "primary")
    form.mode.value = form.mode.options[1]
    assert form.badge == several
    form.mode.value = form.mode.options[0]
    form.rows[0].title.value = "Customer"
    form.mode.value = form.mode.options[1]
    assert form.badge.title == {"en": "Customer", "de": "Kunde"}
    assert form.last_error is None


@pytest.mark.parametrize(
    ("code", "title", "value", "wrong"),
    [
        ("", "", "", {"code", "texts.0"}),
        ("c" * 256, "t", "v", {"code"}),
        (" c", "t", "v", {"code"}),
        ("c", "ж" * 700, "v", {"texts.0"}),
        ("c", dict.fromkeys(("en", "de", "ru"), "ж" * 300), "v", {"texts.0"}),
        ("c", {"en": "t", "de": ""}, {"en": "v", "de": ""}, {"texts.1"}),
    ],
)
def test_every_wrong_field_is_named_before_anything_is_sent(
    code: str, title: Any, value: Any, wrong: set[str], b24: Client, portal: SandboxPortal
) -> None:
    form = forms.add_form(b24, code, title, value, run=True)
    assert form.state.phase == "invalid"
    assert form.state.field_errors.keys() == wrong
    assert all(message.endswith((".", "]")) for message in form.state.field_errors.values())
    assert times_asked(portal, "add") == 0


def test_what_is_too_long_or_there_already_is_said_while_one_types(b24: Client) -> None:
    explorer = forms.explorer(b24, run=True)
    form = explorer.forms["Add"]
    form.code.value = "MISSEDCALL"
    assert "The portal has a badge 'missedCall'" in shown(form)
    form.code.value = "c" * 256
    assert "characters" in shown(form)
    form.code.value = "vip"
    assert "Check:" not in shown(form)


def test_a_second_click_is_not_sent_and_one_after_a_second_is(
    b24: Client, portal: SandboxPortal, monkeypatch: pytest.MonkeyPatch
) -> None:
    form = forms.add_form(b24, "vip", "t", "v")
    together(form.run, form.run)
    click(form, form.add_button)
    assert "was added" in shown(form)
    assert form.result.code == "vip"
    assert times_asked(portal, "add") == 1
    monkeypatch.setattr("b24nb.forms.form.DOUBLE_CLICK_SECONDS", 0)
    click(form, form.add_button)
    assert (form.state.phase, form.state.message.code) == ("failed", "BX_INVALID_VALUE")
    assert times_asked(portal, "add") == 2


def test_a_duplicate_shows_the_badge_that_has_the_code_until_a_field_changes(b24: Client) -> None:
    form = forms.add_form(b24, "missedcall", "t", "v", run=True)
    assert form.state.existing.code == "missedCall"
    assert "Missed call" in shown(form)
    assert form.result is None
    form.code.value = "vip"
    assert "Missed call" not in shown(form)
    assert "Error code" not in shown(form)
