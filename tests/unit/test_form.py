"""What holds for every form."""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ipywidgets as widgets
import pytest

from b24nb import Client, Fleet, SandboxPortal, connect, forms
from b24nb.badges.badge import Badge
from b24nb.badges.changes import DELETE, NotRestorable
from b24nb.forms.form import Form
from tests.fakes import FakeClock, eventually, together
from tests.programs import python
from tests.servers import Envelope, gate_of, in_front_of
from tests.widgets import asked, click, pieces, shown, tree

MAKERS: dict[str, Callable[..., Any]] = {name: getattr(forms, name) for name in forms.__all__}
MAKERS["fleet"] = lambda _: forms.fleet(Fleet(["acme"], vault={}.get))
EVIL = "<img src=x onerror=window.pwned=1>"


@pytest.mark.parametrize("name", MAKERS)
def test_making_and_showing_a_form_sends_nothing(name: str, b24: Client, portal: SandboxPortal) -> None:
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
    assert form.timings is not None
    assert form.last_error is None


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


@pytest.mark.parametrize("name", MAKERS)
def test_every_field_has_a_label_and_every_button_a_verb(name: str, b24: Client) -> None:
    fields = [widget for widget in tree(MAKERS[name](b24)) if hasattr(widget, "description")]
    assert all(widget.description or isinstance(widget, widgets.HTML) for widget in fields)
    labels = {widget.description for widget in fields if isinstance(widget, widgets.Button)}
    verbs = "List Inspect Load Add Remove Preview Draw Clear Export Compare Plan Apply Undo Cancel"
    assert all(label.startswith(tuple(verbs.split())) for label in labels), labels
    assert not any(getattr(widget, "button_style", "") == "danger" for widget in fields)


@pytest.mark.parametrize("name", ["list_form", "inspect_form", "delete_form", "explorer"])
def test_what_a_portal_says_stays_text(name: str) -> None:
    rows = [Badge(EVIL, {"en": EVIL, EVIL: EVIL}, EVIL, "primary").to_wire()]
    with SandboxPortal(badges=rows) as portal, connect(portal) as b24:
        code = [EVIL] if name in ("inspect_form", "delete_form") else []
        form = MAKERS[name](b24, *code, run=True)
        static = form._repr_mimebundle_()["text/html"]
        assert EVIL.replace("<", "&lt;").replace(">", "&gt;") in static
        assert not any("<img" in piece for piece in [*pieces(form), static])


def test_the_same_state_looks_the_same_on_a_used_form(b24: Client) -> None:
    used = forms.inspect_form(b24, "documentSigned", run=True)
    used.code.value = "nonsense"
    click(used, used.inspect_button)
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
        assert "Still at work" in shown(form)
        gate.opened.set()
        assert form.wait(10)
    assert form.cancel_button not in tree(form)
    assert len(form.df) == 12
    assert asked(portal, "list") == 1


def test_an_unexpected_error_is_shown_and_kept_and_the_form_goes_on(
    b24: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    form = forms.list_form(b24)

    def broken() -> None:
        raise RuntimeError("https://x.bitrix24.com/rest/1/s3cr3t/")

    with monkeypatch.context() as patch:
        patch.setattr(b24.badges, "list", broken)
        form.list_button.click()
        assert form.wait(10)
    assert "Unexpected error: RuntimeError" in shown(form)
    assert "s3cr3t" not in shown(form)
    assert isinstance(form.last_error, RuntimeError)
    form.list_button.click()
    assert form.wait(10)
    assert len(form.df) == 12


def test_ctrl_c_during_a_run_leaves_a_form_that_can_be_used(b24: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    form = forms.list_form(b24)

    def interrupted() -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(b24.badges, "list", interrupted)
        with pytest.raises(KeyboardInterrupt):
            form.run()
    click(form, form.list_button)
    assert len(form.df) == 12


def test_live_looks_different(b24: Client) -> None:
    sandbox = forms.list_form(b24)
    b24.portal = dataclasses.replace(b24.portal, kind="LIVE", host="example.bitrix24.com", own_sandbox=False)
    live = forms.list_form(b24)
    assert "LIVE example.bitrix24.com" in shown(live)
    assert "SANDBOX (this notebook)" in shown(sandbox)
    assert "b24nb-live-form" in live._dom_classes
    assert "b24nb-live-form" not in sandbox._dom_classes


def test_a_sandbox_that_was_stopped_says_so_and_how_to_go_on(tmp_path: Path) -> None:
    with SandboxPortal(db=tmp_path / "portal.db") as portal:
        b24 = connect(portal.webhook)
    with b24:
        form = forms.list_form(b24, run=True)
        assert "it was stopped" in shown(form)
        assert "Run the cell with connect() again" in shown(form)
        assert form.last_error is None


@pytest.mark.parametrize(("who", "told"), [("noscope", "insufficient_scope"), ("employee", "takes an administrator")])
def test_what_the_portal_will_refuse_is_told_before_anything_is_sent(
    portal: SandboxPortal, who: str, told: str
) -> None:
    with connect(portal.webhooks[who]) as b24:
        before = len(portal.requests)
        notices = [told in shown(make(b24)) for make in (forms.list_form, forms.add_form, forms.delete_form)]
        assert notices == [who == "noscope", True, True]
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
        form.delete_button.click()
        assert gate.reached.wait(10)
        click(add, add.add_button)
        with pytest.warns(NotRestorable):
            elsewhere.badges.delete("broken")
        assert not form.wait(0)
        gate.opened.set()
        assert form.wait(10)
        assert form.state.phase == add.state.phase == "done"


def test_timings_are_the_calls_of_this_form_alone(portal: SandboxPortal) -> None:
    with gate_of(portal, "crm.activity.badge.list") as gate, connect(gate.webhook) as b24:
        listed, inspect = forms.list_form(b24), forms.inspect_form(b24, "missedCall")
        listed.list_button.click()
        assert gate.reached.wait(10)
        click(inspect, inspect.inspect_button)
        b24.call("server.time")
        gate.opened.set()
        assert listed.wait(10)
        assert list(listed.timings["method"]) == ["crm.activity.badge.list"]
        assert list(listed.timings.columns) == list(b24.calls.df.columns)
        assert list(inspect.timings["method"]) == ["crm.activity.badge.get", "crm.activity.list"]
        delete = forms.delete_form(b24, ["missedCall", "newsletter"], run=True)
        delete.confirm.value = "2"
        click(delete, delete.delete_button)
        sent = ["batch", *["crm.activity.badge.list", *["crm.activity.badge.delete"] * 2]]
        assert sorted(delete.timings["method"][-4:]) == sorted(sent)  # by another thread


def test_a_form_that_ends_does_not_set_back_the_operating_time(clock: FakeClock) -> None:
    cost = {"crm.activity.badge.get": 10.0}
    with (
        SandboxPortal(clock=clock, cost=cost) as portal,
        gate_of(portal, DELETE) as gate,
        connect(gate.webhook, clock=clock) as b24,
    ):
        form = forms.delete_form(b24, "newsletter", run=True)
        form.confirm.value = "newsletter"
        form.delete_button.click()
        assert gate.reached.wait(10)
        b24.badges.get("missedCall")  # in a cell
        used = b24.calls.limits.df.set_index("method")["operating_s"]
        gate.opened.set()
        assert form.wait(10)
        assert b24.calls.limits.df.set_index("method")["operating_s"]["crm.activity.badge.get"] == used.max() > 10


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


# -- one click is one request -------------------------------------------------------------------------


def test_two_threads_with_the_same_change_send_it_once(b24: Client, portal: SandboxPortal) -> None:
    form = forms.add_form(b24, "vip", "Client", "VIP")
    together(form.run, form.run)
    assert asked(portal, "add") == 1
    assert form.state.phase == "done"


def test_a_bar_that_is_shown_late_does_not_take_the_message(b24: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    render = Form.render

    def render_and_show_bar(form: Form, state: object) -> None:
        render(form, state)
        form._show_busy()

    monkeypatch.setattr(Form, "render", render_and_show_bar)
    form = forms.list_form(b24)
    click(form, form.list_button)
    assert "by one request" in form._message.value
