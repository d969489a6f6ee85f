"""What holds for every form."""

import dataclasses
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import ipywidgets as widgets
import pytest

from b24nb import Client, Fleet, SandboxPortal, connect, forms
from b24nb.badges.badge import Badge, Badges
from b24nb.badges.changes import DELETE
from b24nb.errors import InvalidInput, NotRestorable
from b24nb.forms.form import Form
from tests.fakes import eventually
from tests.programs import python, sandbox_process
from tests.servers import Envelope, gate_of, in_front_of
from tests.widgets import click, confirm, inspect_badge, pieces, release, shown, times_asked, tree, waiting

MAKERS: dict[str, Callable[..., Any]] = {name: getattr(forms, name) for name in forms.__all__}
MAKERS["fleet"] = lambda _: forms.fleet(Fleet(["acme"], vault={}.get))


@pytest.mark.parametrize("name", MAKERS)
def test_making_and_showing_a_form_sends_nothing_and_every_field_has_a_label_and_every_button_a_verb(
    name: str, b24: Client, portal: SandboxPortal
) -> None:
    before = len(portal.requests)
    form = MAKERS[name](b24)
    bundle = form._repr_mimebundle_()
    assert len(portal.requests) == before
    assert bundle["application/vnd.jupyter.widget-view+json"]["model_id"] == form.model_id
    assert bundle["text/plain"] == repr(form)
    assert "\n" not in repr(form)
    assert len(repr(form)) < 200
    kind = "NOT VISITED YET" if name == "fleet" else "SANDBOX"
    assert all(kind in text for text in (repr(form), bundle["text/html"]))
    assert len(form.df) == 0
    assert form.last_error is None
    fields = [widget for widget in tree(form) if hasattr(widget, "description")]
    assert all(widget.description or isinstance(widget, widgets.HTML) for widget in fields)
    labels = {widget.description for widget in fields if isinstance(widget, widgets.Button)}
    verbs = "List Inspect Load Add Remove Preview Draw Clear Export Compare Plan Apply Undo Cancel"
    assert all(label.startswith(tuple(verbs.split())) for label in labels), labels


def test_colab_gets_what_it_shows_a_widget_of_another_package_by(b24: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    colab = mock.Mock(_widgets=mock.Mock(_installed_url="https://colab.example/manager.js"))
    for name in ("google", "google.colab", "google.colab.output"):
        monkeypatch.setitem(sys.modules, name, colab)
    data, metadata = forms.explorer(b24)._repr_mimebundle_()
    assert "Run the cell to use it." in data["text/html"]
    assert "https://colab.example/manager.js" in json.dumps(metadata)


def test_a_saved_notebook_shows_what_the_form_showed(b24: Client) -> None:
    for form, words in (
        (forms.list_form(b24, filter="call", run=True), ["Missed call", "Badges: 2 matching of 12"]),
        (forms.inspect_form(b24, "missedCall", run=True), ["Missed call", "curl", "The time block"]),
        (forms.add_form(b24, "vip", "Client", "Very important"), ["Add a badge", "Very important"]),
        (forms.delete_form(b24, "missedCall", run=True), ["To delete, type its code", "Missed call"]),
        (forms.calls_form(b24, run=True), ["Statistics per method", "newest first"]),
        (forms.explorer(b24, run=True), ["reviewRequested", "Run the cell to use it."]),
    ):
        static = form._repr_mimebundle_()["text/html"]
        assert [word for word in words if word not in static] == []
        assert "<script" not in static
        assert len(static) < 64_000


def test_the_same_state_looks_the_same_on_a_used_form(b24: Client) -> None:
    used = forms.inspect_form(b24, "documentSigned", run=True)
    inspect_badge(used, "nonsense")
    fresh = forms.inspect_form(b24, "nonsense", run=True)
    said = [[piece for piece in pieces(form) if "Last calls" not in piece] for form in (used, fresh)]
    assert said[0] == said[1]


def test_the_kernel_answers_while_a_form_waits(portal: SandboxPortal) -> None:
    with gate_of(portal, "crm.activity.badge.list") as gate, connect(gate.webhook) as b24:
        form = forms.list_form(b24)
        form.list_button.click()
        assert form.result is None  # the click came back before the answer
        eventually(lambda: form.cancel_button in tree(form))
        assert any("<progress" in piece for piece in pieces(form))
        form.list_button.click()
        assert "still being processed" in shown(form)
        gate.opened.set()
        assert form.wait(10)
    assert form.cancel_button not in tree(form)
    assert len(form.df) == 12
    assert times_asked(portal, "list") == 1


def test_after_ctrl_c_and_an_unexpected_error_which_is_shown_and_kept_the_form_goes_on(b24: Client) -> None:
    form = forms.list_form(b24)
    secret = RuntimeError("https://x.bitrix24.com/rest/1/s3cr3t/")
    with mock.patch.object(b24.badges, "list", side_effect=[KeyboardInterrupt, secret]):
        with pytest.raises(KeyboardInterrupt):
            form.run()
        form.list_button.click()
        assert form.wait(10)
    assert "Unexpected error: RuntimeError" in shown(form)
    assert "s3cr3t" not in shown(form)
    assert form.last_error is secret
    form.run()
    assert len(form.df) == 12


def test_live_looks_different(b24: Client) -> None:
    sandbox = forms.list_form(b24)
    b24.portal = dataclasses.replace(b24.portal, kind="LIVE", host="example.bitrix24.com", own_sandbox=False)
    live = forms.list_form(b24)
    assert "LIVE example.bitrix24.com" in shown(live)
    assert "SANDBOX (this notebook)" in shown(sandbox)
    assert "b24nb-live-form" in live._dom_classes
    assert "b24nb-live-form" not in sandbox._dom_classes


@pytest.mark.parametrize("own", [True, False], ids=["of this notebook", "of another program"])
def test_a_sandbox_that_was_stopped_says_so_and_how_to_go_on(own: bool, tmp_path: Path) -> None:
    with SandboxPortal(db=tmp_path / "portal.db") if own else sandbox_process() as started:
        b24 = connect(started.webhook if own else started)
    with b24:
        form = forms.list_form(b24, run=True)
        said = shown(form)
        assert ("it was stopped" if own else "could not be reached") in said
        assert own or f"SANDBOX {started.split('/')[2]}" in said
        assert ("Run the cell with connect() again" in said) is own, "this notebook makes none of another program"
        assert form.last_error is None


@pytest.mark.parametrize(("who", "told"), [("noscope", "insufficient_scope"), ("employee", "Only an administrator")])
def test_what_the_portal_will_refuse_is_told_before_it_is_sent(portal: SandboxPortal, who: str, told: str) -> None:
    with connect(portal.webhooks[who]) as b24:
        before = len(portal.requests)
        notices = [told in shown(make(b24)) for make in (forms.list_form, forms.add_form, forms.delete_form)]
        assert notices == [who == "noscope", True, True]
        assert len(portal.requests) == before


def test_a_read_only_client_says_so_and_changes_nothing(portal: SandboxPortal) -> None:
    with connect(portal, read_only=True) as b24:
        before = portal.badges
        delete, inspect = forms.delete_form(b24, "newsletter", run=True), forms.inspect_form(b24, "onHold", run=True)
        assert "This client is read-only: every change is refused" in shown(delete)
        assert "1 of 1 badge would be deleted" in shown(delete)
        confirm(delete, "newsletter")
        assert (delete.state.message.kind, portal.badges) == ("check", before)
        release(inspect, "5")
        assert "This client is read-only." in shown(inspect)
        assert inspect.result.code == "onHold"
        assert not b24.badges.holders("onHold").empty


def test_a_start_value_that_a_form_has_no_place_for_is_refused_at_once(b24: Client) -> None:
    for make, start, says in (
        (forms.list_form, {"sort": "colour"}, "Can't sort by 'colour'"),
        (forms.list_form, {"filter": 5}, "must be a text"),
        (forms.add_form, {"type": "pink"}, "pink"),
        (forms.add_form, {"title": {"en": 5}}, "is not a text"),
        *((forms.inspect_form, {"code": several}, "is not a text") for several in (["vip"], Badges().df, 7)),
    ):
        with pytest.raises(InvalidInput, match=says):
            make(b24, **start)


@pytest.mark.parametrize("make", [forms.inspect_form, forms.delete_form])
def test_nothing_is_sent_for_an_empty_code(make: Callable[..., Any], b24: Client, portal: SandboxPortal) -> None:
    before = len(portal.requests)
    form = make(b24, run=True)
    assert (form.state.phase, list(form.state.field_errors)) == ("invalid", ["code"])
    assert "Type a code" in shown(form)
    assert len(portal.requests) == before


def test_a_result_is_on_show_before_pandas_is_loaded() -> None:
    form = "b24nb.forms.explorer(b24nb.connect(b24nb.SandboxPortal()), run=True)"
    shown = python(f"import sys, b24nb; print({form}._repr_mimebundle_()['text/html'], 'pandas' in sys.modules)")
    assert "First rows" in shown
    assert "Last calls" in shown
    assert shown.endswith(" False")


# -- two forms, and other cells ----------------------------------------------------------------------


def test_a_form_at_work_hinders_no_other_form_and_hides_no_warning_of_a_cell() -> None:
    broken = Badge("broken", "", "v", "primary")
    with (
        SandboxPortal() as portal,
        SandboxPortal(badges=[broken.to_wire()]) as other,
        gate_of(portal, DELETE) as gate,
        connect(gate.webhook) as b24,
        connect(other) as elsewhere,
    ):
        form, add = forms.delete_form(b24, "newsletter", run=True), forms.add_form(elsewhere, "vip", "Client", "VIP")
        form.confirm.value = "newsletter"
        with waiting(gate, form, form.delete_button):
            click(add, add.add_button)
            with pytest.warns(NotRestorable):
                elsewhere.badges.delete("broken")
            assert not form.wait(0)
        assert form.state.phase == add.state.phase == "done"


def test_timings_are_the_calls_of_this_form_alone(portal: SandboxPortal) -> None:
    with gate_of(portal, "crm.activity.badge.list") as gate, connect(gate.webhook) as b24:
        listed, inspect = forms.list_form(b24), forms.inspect_form(b24, "missedCall")
        with waiting(gate, listed, listed.list_button):
            click(inspect, inspect.inspect_button)
            b24.call("server.time")
        assert list(listed.timings["method"]) == ["crm.activity.badge.list"]
        assert list(listed.timings.columns) == list(b24.calls.df.columns)
        assert list(inspect.timings["method"]) == ["crm.activity.badge.get", "crm.activity.list"]
        delete = forms.delete_form(b24, ["missedCall", "newsletter"], run=True)
        confirm(delete, "2")
        sent = ["batch", *["crm.activity.badge.list", *["crm.activity.badge.delete"] * 2]]
        assert sorted(delete.timings["method"][-4:]) == sorted(sent)  # by another thread


def test_a_code_with_half_a_character_takes_no_form_away(portal: SandboxPortal) -> None:
    odd = {"code": "half\ud83d", "title": {"xx\ud83d": "t\ud83d"}, "value": [7], "type": "primary"}

    def answer(method: str, pass_on: Callable[[], Envelope]) -> Envelope:
        if method != "crm.activity.badge.list":
            return pass_on()
        return 200, {"result": {"badges": [odd, *portal.badges]}, "total": len(portal.badges) + 1}

    with in_front_of(portal, answer) as webhook, connect(webhook) as b24:
        explorer = forms.explorer(b24, run=True)
        explorer.forms["List"].table.order = "value"
        assert explorer.last_error is None
        for form in explorer.forms.values():
            for widget in tree(form):
                json.dumps(widget.get_state(), ensure_ascii=False, default=repr).encode()  # as a kernel sends it


def test_a_bar_that_is_shown_late_does_not_take_the_message(b24: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    render = Form.render

    def render_and_show_bar(form: Form, state: object) -> None:
        render(form, state)
        form._show_busy()

    monkeypatch.setattr(Form, "render", render_and_show_bar)
    form = forms.list_form(b24)
    click(form, form.list_button)
    assert "in one answer" in form._message.value
