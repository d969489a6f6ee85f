"""The forms as a reader uses them, without a browser: set values, click, read what they show."""

from __future__ import annotations

import html
import re
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import ipywidgets as widgets
import pytest

import b24nb
from b24nb import forms
from b24nb.badges.badge import Badge
from b24nb.display.snippets import FLAVOURS
from b24nb.forms.views.form import Form

MAKERS: dict[str, Callable[..., Any]] = {name: getattr(forms, name) for name in forms.__all__}
EVIL = "<img src=x onerror=window.pwned=1>"


def tree(widget: Any) -> Iterator[Any]:
    """A widget and everything in it that is not hidden."""
    if widget.layout is not None and widget.layout.display == "none":
        return
    yield widget
    for child in getattr(widget, "children", ()):
        yield from tree(child)


def shown(form: Any) -> str:
    """All that the HTML of a form says, without its tags."""
    parts = [widget.value for widget in tree(form) if isinstance(widget, widgets.HTML)]
    text = re.sub(r"<style>.*?</style>|<[^>]*>", " ", " ".join(parts), flags=re.DOTALL)
    return " ".join(html.unescape(text).split())


def asked(portal: b24nb.SandboxPortal, method: str) -> int:
    return sum(request.method == f"crm.activity.badge.{method}" for request in portal.requests)


def click(form: Form, button: Any) -> None:
    """Click, and wait until the work is done; a fault of ours would be in ``last_error``."""
    button.click()
    assert form.wait(10)
    assert form.last_error is None


# -- list ---------------------------------------------------------------------------------------------


def test_list_filter_and_sort(b24: b24nb.Client) -> None:
    form = forms.list_form(b24)
    assert form.result is None
    assert len(form.df) == 0
    click(form, form.list_button)
    assert "Badges: 12" in shown(form)
    form.words.value = "call"
    assert "Badges: 2 matching of 12" in shown(form)
    assert list(form.df["code"]) == ["missedCall", "callAnswered"]
    form.order.value = "code"
    assert list(form.df["code"]) == ["callAnswered", "missedCall"]
    form.words.value, form.language.value = "contract", "de"
    assert "Vertrag" in shown(form)
    assert form.last_error is None
    assert list(form.timings["method"]) == ["crm.activity.badge.list"]


def test_pages_turn_and_a_selection_stays() -> None:
    rows = [Badge(f"c{n:03}", f"Title {n}", "v", "primary").to_wire() for n in range(60)]
    with b24nb.SandboxPortal(badges=rows) as portal, b24nb.connect(portal) as b24:
        form = forms.list_form(b24, run=True)
        assert form.back_button.disabled
        form.selected.value = ("c003", "c001")
        form.next_button.click()
        assert "Page 2 of 3" in shown(form)
        assert form.selected.value == ()
        assert form.selected.options[0][1] == "c025"
        form.selected.value = ("c025",)
        form.next_button.click()
        assert form.next_button.disabled
        form.back_button.click()
        form.back_button.click()
        assert form.selected.value == ("c001", "c003") or set(form.selected.value) == {"c001", "c003"}
        assert set(form.selection) == {"c001", "c003", "c025"}
        assert forms.delete_form(b24, form.selection).several.value == form.selection
        assert form.last_error is None


def test_ten_thousand_badges_are_filtered_while_one_types() -> None:
    rows = [Badge(f"c{n}", {"en": f"Client {n}"}, "v", "primary").to_wire() for n in range(10_000)]
    with b24nb.SandboxPortal(badges=rows) as portal, b24nb.connect(portal) as b24:
        form = forms.list_form(b24, run=True)
        taken = []
        for words in ("c", "cl", "client 99", "primary 12", ""):
            started = time.process_time()  # other work on this machine does not count
            form.words.value = words
            taken.append(time.process_time() - started)
        assert statistics.median(taken) < 0.1
        assert len(form.df) == 10_000
        assert asked(portal, "list") == 1


# -- inspect ------------------------------------------------------------------------------------------


def test_inspect_shows_the_badge_from_all_sides(b24: b24nb.Client, portal: b24nb.SandboxPortal) -> None:
    form = forms.inspect_form(b24)
    click(form, form.load_button)
    assert "documentSigned" in form.code.options
    form.code.value = "documentSigned"
    click(form, form.inspect_button)
    text = shown(form)
    for words in ("Vertrag", "German (de)", "any other", "The time block", "date_start", "The raw answer"):
        assert words in text
    for flavour in (name for _, name in form.flavour.options):
        form.flavour.value = flavour
        assert "crm.activity.badge.get" in shown(form) or "documentSigned" in shown(form)
        assert portal.webhook.rstrip("/").rpartition("/")[2] not in shown(form)
    assert list(form.df["code"]) == ["documentSigned"]
    assert form.last_error is None


def test_inspect_names_who_holds_the_badge(b24: b24nb.Client, portal: b24nb.SandboxPortal) -> None:
    activity = portal.attach("missedCall")
    text = shown(forms.inspect_form(b24, "missedCall", run=True))
    assert "ENTITY_WITH_BADGE_EXISTS" in text
    assert str(activity) in text


# -- add ----------------------------------------------------------------------------------------------


def test_add_with_one_text(b24: b24nb.Client) -> None:
    form = forms.add_form(b24)
    click(form, form.add_button)
    assert "The code is empty." in shown(form)
    form.code.value = "vip"
    (row,) = form.rows
    row.title.value, row.value.value = "Client", "Very important"
    form.type.value = "success"
    assert "Very important" in shown(form)  # the preview
    click(form, form.add_button)
    assert b24.badges.get("vip") == form.result == Badge("vip", "Client", "Very important", "success")


def test_add_with_two_languages(b24: b24nb.Client) -> None:
    form = forms.add_form(b24)
    form.code.value, form.rows[0].title.value, form.rows[0].value.value = "vip", "Client", "VIP"
    form.mode.value = form.mode.options[1]
    assert [row.language.value for row in form.rows] == ["en"]
    form.add_language_button.click()
    form.add_language_button.click()
    form.rows[1].remove_button.click()
    form.rows[1].language.value = "ru"
    form.rows[1].title.value, form.rows[1].value.value = "Клиент", "ВИП"
    click(form, form.add_button)
    assert form.result.title == {"en": "Client", "ru": "Клиент"}
    assert form.result.value == {"en": "VIP", "ru": "ВИП"}
    form.mode.value = form.mode.options[0]
    assert form.fields.badge.title == "Client"


def test_a_message_stands_beside_its_field(b24: b24nb.Client) -> None:
    form = forms.add_form(b24, "vip", {"en": "Client", "de": ""}, {"en": "VIP", "de": "VIP"}, run=True)
    assert form.presenter.state.field_errors.keys() == {"title.1"}
    assert "The title is empty." in shown(form.rows[1])
    assert "The title is empty." not in shown(form.rows[0])
    form.rows[1].title.value = "Kunde"
    assert "The title is empty." not in shown(form)


def test_a_duplicate_shows_the_existing_badge(b24: b24nb.Client) -> None:
    form = forms.add_form(b24, "missedCall", "t", "v", run=True)
    text = shown(form)
    assert "BX_INVALID_VALUE" in text
    assert "Missed call" in text
    assert form.result is None


# -- delete -------------------------------------------------------------------------------------------


def test_delete_one_and_undo(b24: b24nb.Client, portal: b24nb.SandboxPortal) -> None:
    before = portal.badges
    form = forms.delete_form(b24)
    click(form, form.load_button)
    form.code.value = "missedCall"
    assert form.delete_button not in tree(form)
    click(form, form.preview_button)
    assert asked(portal, "delete") == 0
    assert "type its code: missedCall" in shown(form)
    click(form, form.delete_button)
    assert "Type missedCall to confirm." in shown(form)
    assert asked(portal, "delete") == 0
    form.confirm.value = "missedCall"
    form.delete_button.click()
    form.delete_button.click()
    assert form.wait(10)
    assert asked(portal, "delete") == 1
    assert "was deleted. Already sent" in shown(form)
    assert form.delete_button not in tree(form)
    assert form.undo_button in tree(form)
    click(form, form.undo_button)
    assert portal.badges == [*before[1:], before[0]]
    assert form.undo_button not in tree(form)
    assert form.last_error is None


def test_delete_several_by_their_number(b24: b24nb.Client, portal: b24nb.SandboxPortal) -> None:
    portal.attach("paid")
    form = forms.delete_form(b24, ["missedCall", "paid"], run=True)
    assert form.delete_button.description == "Delete 2 badges"
    assert "paid" in shown(form)
    assert "ENTITY_WITH_BADGE_EXISTS" in shown(form)
    form.confirm.value = "2"
    click(form, form.delete_button)
    assert list(form.df["verdict"]) == ["deleted", "refused"]
    assert "1 badge of 2 deleted" in shown(form)
    assert form.undo_button.description == "Undo: bring back missedCall"


def test_what_a_button_would_send_is_shown_as_code(b24: b24nb.Client) -> None:
    def code(method: str, params: dict[str, Any], flavour: str) -> str:
        return " ".join(b24nb.as_code(method, params, flavour).split())

    one = forms.delete_form(b24, "missedCall", run=True)
    for flavour in FLAVOURS:
        assert code("crm.activity.badge.delete", {"code": "missedCall"}, flavour) in shown(one)
    several = forms.delete_form(b24, ["paid", "newsletter"], run=True)
    assert "crm.activity.badge.delete?code=paid" in shown(several)
    assert "crm.activity.badge.delete?code=newsletter" in shown(several)

    texts = {"title": {"en": "Client", "de": "Kunde"}, "value": {"en": "VIP", "de": "Wichtig"}}
    wanted = {"code": "vip", **texts, "type": "primary"}
    form = forms.add_form(b24, **wanted)
    assert code("crm.activity.badge.add", wanted, "curl") in shown(form)


def test_choosing_anew_drops_the_preview(b24: b24nb.Client) -> None:
    form = forms.delete_form(b24, "missedCall", run=True)
    click(form, form.load_button)
    form.several.value = ("paid", "newsletter")
    assert form.code.value == ""
    assert form.delete_button not in tree(form)
    click(form, form.preview_button)
    assert form.presenter.state.word == "2"
    form.code.value = "paid"
    assert form.several.value == ()
    assert form.delete_button not in tree(form)


def test_an_employee_is_told_before_anything_is_sent(portal: b24nb.SandboxPortal) -> None:
    with b24nb.connect(portal.webhooks["employee"]) as b24:
        before = len(portal.requests)
        for make in (forms.delete_form, forms.add_form):
            assert "takes an administrator" in shown(make(b24))
        assert len(portal.requests) == before
        form = forms.delete_form(b24, "newsletter", run=True)
        form.confirm.value = "newsletter"
        click(form, form.delete_button)
        assert "ACCESS_DENIED" in shown(form)
        assert form.result is None


# -- calls and explorer -------------------------------------------------------------------------------


def test_calls_log_chart_export_and_clear(b24: b24nb.Client) -> None:
    form = forms.calls_form(b24, run=True)
    assert "Statistics per method" in shown(form)
    assert "of 50 requests" in shown(form)
    click(form, form.chart_button)
    assert any(
        "<img" in widget.value or "<svg" in widget.value
        for widget in tree(form)
        if isinstance(widget, widgets.HTML)
    )
    click(form, form.export_button)
    form.run()  # as the next look at the log does
    assert "calls were written to calls.csv." in shown(form)
    click(form, form.clear_button)
    assert len(b24.calls) == 0
    assert "No calls yet." in shown(form)
    assert form.last_error is None


def test_calls_say_why_a_time_of_the_portal_is_missing() -> None:
    with b24nb.SandboxPortal(cloud_headers=False) as portal, b24nb.connect(portal) as b24:
        form = forms.calls_form(b24, run=True)
    assert "No server time for 1 call: the portal counts in whole seconds" in shown(form)


def test_calls_follow_the_log_while_they_are_on_a_screen(
    b24: b24nb.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("b24nb.forms.views.calls.PACE", 0.01)
    form = forms.calls_form(b24)
    b24.badges.list()
    assert form.result is None
    form._view_count = 1  # what the front end reports
    deadline = time.monotonic() + 5
    while form.result is None and time.monotonic() < deadline:
        time.sleep(0.01)
    form._view_count = 0
    assert form.df["method"].iloc[-1] == "crm.activity.badge.list"
    assert form.last_error is None


def test_the_forms_of_an_explorer_share_list_and_selection(b24: b24nb.Client) -> None:
    explorer = forms.explorer(b24, run=True)
    tabs = explorer.forms
    tabs["Delete"].code.value = "missedCall"
    tabs["Inspect"].code.value = "missedCall"
    tabs["List"].selected.value = ("paid", "newsletter")
    assert tabs["Inspect"].code.value == "paid"
    assert "vip" not in tabs["Inspect"].code.options
    delete = tabs["Delete"]
    assert set(delete.several.value) == {"paid", "newsletter"}
    assert delete.code.value == ""
    click(delete, delete.preview_button)
    delete.confirm.value = "2"
    click(delete, delete.delete_button)
    assert "paid" not in tabs["Inspect"].code.options
    assert len(tabs["List"].df) == 10
    click(delete, delete.undo_button)
    assert len(tabs["List"].df) == 12
    assert shown(explorer).count("SANDBOX") == 1
    assert explorer.last_error is None


def test_a_choice_of_ones_own_outlives_a_refreshed_list(b24: b24nb.Client) -> None:
    explorer = forms.explorer(b24, run=True)
    lists, delete = explorer.forms["List"], explorer.forms["Delete"]
    lists.selected.value = ("paid",)
    delete.several.value = ("newsletter", "missedCall")
    click(delete, delete.preview_button)
    click(lists, lists.list_button)
    assert set(delete.several.value) == {"newsletter", "missedCall"}
    assert delete.presenter.state.word == "2"
    lists.selected.value = ("paid", "onHold")
    assert set(delete.several.value) == {"paid", "onHold"}
    assert delete.delete_button not in tree(delete)


def test_thousands_of_badges_are_not_all_offered() -> None:
    rows = [Badge(f"c{n:04}", "t", "v", "primary").to_wire() for n in range(1_200)]
    with b24nb.SandboxPortal(badges=rows) as portal, b24nb.connect(portal) as b24:
        form = forms.delete_form(b24, [f"c{n:04}" for n in range(1_100, 1_111)], run=True)
        assert [code for _, code in form.several.options][-1] == "c1110"
        assert len(form.several.options) == 1_011
        assert len(form.several.value) == 11
        assert "more than 10" in shown(form)


# -- every form ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", MAKERS)
def test_making_and_showing_a_form_sends_nothing(
    name: str, b24: b24nb.Client, portal: b24nb.SandboxPortal
) -> None:
    before = len(portal.requests)
    form = MAKERS[name](b24)
    bundle = form._repr_mimebundle_()
    assert len(portal.requests) == before
    assert "application/vnd.jupyter.widget-view+json" in bundle
    assert bundle["text/plain"] == repr(form)
    assert "\n" not in repr(form)
    assert len(repr(form)) < 200
    assert "SANDBOX" in bundle["text/html"]
    assert len(form.df) == 0 or name == "calls_form"
    assert form.timings is not None
    assert form.presenter.state.phase == "idle"


def test_a_saved_notebook_shows_what_the_form_showed(b24: b24nb.Client) -> None:
    for form, words in (
        (forms.list_form(b24, filter="call", run=True), ["Missed call", "Badges: 2 matching of 12"]),
        (forms.inspect_form(b24, "missedCall", run=True), ["Missed call", "curl", "The time block"]),
        (forms.add_form(b24, "vip", "Client", "Very important"), ["Add a badge", "Very important"]),
        (forms.delete_form(b24, "missedCall", run=True), ["To delete, type its code", "Missed call"]),
        (forms.calls_form(b24, run=True), ["Statistics per method", "of 50 requests"]),
        (forms.explorer(b24, run=True), ["reviewRequested", "Run the cell to use it."]),
    ):
        static = form._repr_mimebundle_()["text/html"]
        assert all(word in static for word in words)
        assert "<script" not in static
        assert len(static) < 64_000


@pytest.mark.parametrize("name", MAKERS)
def test_every_field_has_a_label_and_every_button_a_verb(name: str, b24: b24nb.Client) -> None:
    fields = [widget for widget in tree(MAKERS[name](b24)) if hasattr(widget, "description")]
    assert all(widget.description or isinstance(widget, widgets.HTML) for widget in fields)
    labels = {widget.description for widget in fields if isinstance(widget, widgets.Button)}
    verbs = (
        "List",
        "Previous",
        "Next",
        "Inspect",
        "Load",
        "Add",
        "Remove",
        "Preview",
        "Draw",
        "Clear",
        "Export",
    )
    assert all(label.startswith(verbs) for label in labels), labels
    assert not any(getattr(widget, "button_style", "") == "danger" for widget in fields)


@pytest.mark.parametrize("name", ["list_form", "inspect_form", "delete_form", "explorer"])
def test_what_a_portal_says_stays_text(name: str) -> None:
    rows = [Badge(f"{EVIL}", {"en": EVIL, EVIL: EVIL}, EVIL, "primary").to_wire()]
    with b24nb.SandboxPortal(badges=rows) as portal, b24nb.connect(portal) as b24:
        form = (
            MAKERS[name](b24, EVIL, run=True)
            if name in ("inspect_form", "delete_form")
            else MAKERS[name](b24, run=True)
        )
        pieces = [widget.value for widget in tree(form) if isinstance(widget, widgets.HTML)]
        static = form._repr_mimebundle_()["text/html"]
        assert EVIL in shown(form)
        assert not any("<img" in piece for piece in [*pieces, static])


def test_no_secret_is_in_any_widget_or_bundle(b24: b24nb.Client, portal: b24nb.SandboxPortal) -> None:
    secret = portal.webhook.rstrip("/").rpartition("/")[2]
    explorer = forms.explorer(b24, run=True)
    for form in explorer.forms.values():
        form.run()
    every = [*tree(explorer), *(widget for form in explorer.forms.values() for widget in tree(form))]
    states = " ".join(str(widget.get_state()) for widget in every)
    assert "missedCall" in states
    assert secret not in states
    assert secret not in str(explorer._repr_mimebundle_())


def test_the_same_state_looks_the_same_on_a_used_form(b24: b24nb.Client) -> None:
    used = forms.inspect_form(b24, "documentSigned", run=True)
    used.code.value = "nonsense"
    click(used, used.inspect_button)
    fresh = forms.inspect_form(b24, "nonsense", run=True)
    pieces = [
        [widget.value for widget in tree(form) if isinstance(widget, widgets.HTML)][:3]
        for form in (used, fresh)
    ]
    assert pieces[0] == pieces[1]


def test_the_kernel_answers_while_a_form_waits(portal: b24nb.SandboxPortal, b24: b24nb.Client) -> None:
    portal.switches.latency_ms = 1500
    form = forms.list_form(b24)
    started = time.monotonic()
    form.list_button.click()
    assert time.monotonic() - started < 1
    assert form.cancel_button in tree(form)
    assert "<progress" in form._bar.value
    form.list_button.click()
    assert "Still at work" in shown(form)
    assert form.wait(10)
    assert form.cancel_button not in tree(form)
    assert len(form.df) == 12
    assert asked(portal, "list") == 1


def test_cancel_ends_between_two_steps(portal: b24nb.SandboxPortal, b24: b24nb.Client) -> None:
    portal.switches.latency_ms = 700
    form = forms.inspect_form(b24, "missedCall")
    form.inspect_button.click()
    form.cancel_button.click()
    assert form.wait(10)
    assert "Cancelled between two steps" in shown(form)
    assert form.result.code == "missedCall"
    assert all(request.method != "crm.activity.list" for request in portal.requests)
    assert form.last_error is None


def test_an_unexpected_error_is_shown_and_kept_and_the_form_goes_on(
    b24: b24nb.Client, monkeypatch: pytest.MonkeyPatch
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


def test_clicks_on_many_threads_at_once(b24: b24nb.Client, portal: b24nb.SandboxPortal) -> None:
    form = forms.add_form(b24, "vip", "t", "v")
    threads = [threading.Thread(target=form.add_button.click) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert form.wait(10)
    assert asked(portal, "add") == 1
    assert form.last_error is None
    assert form.result.code == "vip"


def test_live_looks_different(portal: b24nb.SandboxPortal, b24: b24nb.Client) -> None:
    import dataclasses

    sandbox = forms.list_form(b24)
    b24.portal = dataclasses.replace(b24.portal, kind="LIVE", host="example.bitrix24.com")
    live = forms.list_form(b24)
    assert "LIVE example.bitrix24.com" in shown(live)
    assert "SANDBOX this notebook" in shown(sandbox)
    assert "b24nb-live-form" in live._dom_classes
    assert "b24nb-live-form" not in sandbox._dom_classes
