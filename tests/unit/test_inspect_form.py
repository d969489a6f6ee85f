"""The form that inspects one badge."""

from __future__ import annotations

import b24nb
from b24nb import forms
from b24nb.display.snippets import FLAVOURS
from tests.widgets import asked, click, shown


def test_the_badge_from_all_sides(b24: b24nb.Client, portal: b24nb.SandboxPortal) -> None:
    form = forms.inspect_form(b24)
    click(form, form.load_button)
    assert "documentSigned" in form.code.options
    form.code.value = "documentSigned"
    click(form, form.inspect_button)
    text = shown(form)
    for words in ("Vertrag", "German (de)", "any other", "The time block", "date_start", "The raw answer"):
        assert words in text
    for flavour in FLAVOURS:
        code = str(b24nb.as_code("crm.activity.badge.get", {"code": "documentSigned"}, flavour))
        assert " ".join(code.split()) in text
    assert portal.webhook.rstrip("/").rpartition("/")[2] not in text
    assert list(form.df["code"]) == ["documentSigned"]


def test_letter_case_does_not_matter_and_the_answer_is_kept(b24: b24nb.Client) -> None:
    form = forms.inspect_form(b24, "MISSEDcall", run=True)
    assert form.result.code == "missedCall"
    assert form.state.answer.raw["result"]["badge"]["code"] == "missedCall"
    assert list(form.timings["method"]) == ["crm.activity.badge.get", "crm.activity.list"]


def test_who_holds_the_badge_is_named(b24: b24nb.Client, portal: b24nb.SandboxPortal) -> None:
    activity = portal.attach("missedCall")
    form = forms.inspect_form(b24, "missedCall", run=True)
    assert "ENTITY_WITH_BADGE_EXISTS" in shown(form)
    assert list(form.state.holders.df["activity_id"]) == [str(activity)]
    assert form.state.held == {"missedCall"}


def test_nothing_is_sent_for_an_empty_code(b24: b24nb.Client, portal: b24nb.SandboxPortal) -> None:
    before = len(portal.requests)
    form = forms.inspect_form(b24, run=True)
    assert (form.state.phase, list(form.state.field_errors)) == ("invalid", ["code"])
    assert "Type a code" in shown(form)
    assert len(portal.requests) == before


def test_trouble_with_the_holders_leaves_the_badge(b24: b24nb.Client, portal: b24nb.SandboxPortal) -> None:
    portal.faults.next("insufficient_scope", method="crm.activity.list")
    form = forms.inspect_form(b24, "missedCall", run=True)
    assert (form.state.phase, form.result.code) == ("done", "missedCall")
    assert form.state.unknown.code == "insufficient_scope"
    assert "insufficient_scope" in shown(form)


def test_another_badge_is_not_left_on_show_after_an_error(b24: b24nb.Client) -> None:
    form = forms.inspect_form(b24, "missedCall", run=True)
    form.code.value = "nonsense"
    click(form, form.inspect_button)
    assert (form.state.phase, form.result, form.state.message.code) == ("failed", None, "NOT_FOUND")
    assert "Missed call" not in shown(form)


def test_cancel_ends_between_two_steps(portal: b24nb.SandboxPortal, b24: b24nb.Client) -> None:
    portal.switches.latency_ms = 700
    form = forms.inspect_form(b24, "missedCall")
    form.inspect_button.click()
    form.cancel_button.click()
    assert form.wait(10)
    assert "Cancelled between two steps" in shown(form)
    assert form.result.code == "missedCall"
    assert asked(portal, "get") == 1
    assert all(request.method != "crm.activity.list" for request in portal.requests)
    assert form.last_error is None
