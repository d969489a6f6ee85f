"""The form that shows the call log."""

import errno
import re
import sys
from pathlib import Path

import pandas as pd
import pytest

from b24nb import Client, SandboxPortal, connect, forms
from b24nb.forms.explorer import CallsForm
from tests.fakes import FakeClock, eventually
from tests.widgets import click, pieces, shown


def test_log_chart_and_clear(b24: Client) -> None:
    b24.badges.list()
    form = forms.calls_form(b24)
    assert list(form.df["method"]) == ["crm.activity.badge.list"], "also before it is shown"
    assert "Statistics per method" in form._repr_mimebundle_()["text/html"]
    form.run()
    assert "Statistics per method" in shown(form)
    assert len(form.df) == len(form.timings) == len(b24.calls)
    click(form, form.chart_button)
    assert any("<img" in piece or "<svg" in piece for piece in pieces(form))
    click(form, form.clear_button)
    assert len(b24.calls) == 0
    assert "No calls in the log." in shown(form)
    assert not any("<img" in piece or "<svg" in piece for piece in pieces(form))
    b24.badges.list()
    form.run()
    assert "No calls in the log." not in shown(form)


def test_a_chart_without_matplotlib_says_what_to_install(b24: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.style", None)
    form = forms.calls_form(b24, run=True)
    click(form, form.chart_button)
    assert 'A chart needs matplotlib: pip install "b24nb[lab]"' in shown(form)
    assert form.last_error is None


def test_export_writes_a_new_file(b24: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    b24.batch({"=1+1": ("profile", None), "me": ("profile", None)})
    b24.badges.list()
    form = forms.calls_form(b24)
    click(form, form.export_button)
    click(form, form.export_button)  # a double click
    form.run()  # as the next look at the log does
    (path,) = Path().glob("calls-*.csv")
    assert f"were written to {path}." in shown(form)
    assert pd.read_csv(path)["method"].iloc[-1] == "crm.activity.badge.list"
    assert {"'=1+1", "me"} <= {*pd.read_csv(path)["key"]}, "a formula for spreadsheets is none"

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "open", full)
    monkeypatch.setattr("b24nb.forms.form.DOUBLE_CLICK_SECONDS", 0)
    click(form, form.export_button)
    assert "can't be written: No space left on device." in shown(form)


def test_columns_that_say_the_same_everywhere_are_left_out(b24: Client, portal: SandboxPortal) -> None:
    b24.badges.list()
    form = forms.calls_form(b24, run=True)
    requests = form.result_view.value.partition("newest first")[2]
    assert "client_ms" in requests
    assert not any(name in requests for name in ("attempt", "error"))
    assert "network_ms" in requests
    assert re.search(r">\d+\.\d<", requests)
    portal.faults.next("QUERY_LIMIT_EXCEEDED")
    b24.badges.list()
    form.run()
    requests = form.result_view.value.partition("newest first")[2]
    assert all(name in requests for name in ("attempt", "error", "QUERY_LIMIT_EXCEEDED"))


def test_a_gauge_that_drains_leaves_the_tables_alone(clock: FakeClock) -> None:
    with SandboxPortal(limits=True) as portal, connect(portal, clock=clock) as b24:
        b24.badges.list()
        form = forms.calls_form(b24, run=True)
        tables, gauges = form.result_view.value, form.side_view.value
        clock.advance(20)
        form.run()
        assert form.result_view.value == tables, "the browser would drop what is marked to be copied"
        assert form.side_view.value != gauges


def test_the_log_is_followed_while_the_form_is_on_a_screen(b24: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CallsForm, "pace", 0.2)
    form = forms.calls_form(b24)
    b24.badges.list()
    assert form.result is None
    form._view_count = 1  # what the front end reports
    eventually(lambda: form.result is not None)
    assert form.df["method"].iloc[-1] == "crm.activity.badge.list"
    b24.calls.clear()
    b24.call("server.time")  # as a cell that measures and is run again: as many calls as before
    eventually(lambda: "server.time" in shown(form))
    form._view_count = 0
    assert form.last_error is None


def test_the_form_says_which_calls_and_times_are_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("b24nb.rest.calls.KEPT", 1)
    with SandboxPortal(cloud_headers=False) as portal, connect(portal) as b24:
        for _ in range(3):
            b24.badges.list()
        said = shown(forms.calls_form(b24, run=True))
    assert "The log has 1 call (2 older ones were dropped)." in said
    assert "the portal counts in whole seconds" in said
