"""The form that follows the call log: the calls, their times, and how near the limits are.

It sends nothing.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import ipywidgets as widgets  # type: ignore[import-untyped]
from markupsafe import Markup

from b24nb.badges.files import FORMULA
from b24nb.client import Client
from b24nb.display import html
from b24nb.forms import parts
from b24nb.forms.form import Form, sends_changes
from b24nb.forms.state import FormState, SharedState

#: Updates may take this share of the time, so that a long log does not slow the kernel down.
SHARE = 0.1
SHOWN = 15
_STATISTICS = "Statistics per method, times in ms; p50 from 5 calls on, p95 from 20"


class CallsForm(Form):
    """Shows every call of the client, not only those of one form; ``result`` is its log."""

    title = "Calls"
    #: Seconds between two updates while the form is visible.
    pace = 1.0
    df = timings = property(lambda self: self.call_log.df, doc="The whole log of the client, as ``b24.calls.df``.")

    def make_widgets(self) -> Sequence[Any]:
        self.call_log, self.steps = self.b24.calls, [self.look]
        self.chart_button = self.step_button("Draw chart", "bar-chart", self._draw_chart)
        self.clear_button = self.step_button("Clear log", "eraser", self.clear)
        self.export_button = self.step_button("Export CSV", "download", self.export)
        self._chart = widgets.HTML()
        self._poll: threading.Thread | None = None
        self._view_count = 0  # a number here makes ipywidgets count the views of this widget
        self.observe(lambda _: self._guarded(self._follow_log), "_view_count")
        buttons = parts.row(self.chart_button, self.clear_button, self.export_button)
        return [buttons, self.messages, self._chart, self.side_view, self.result_view]

    def look(self) -> Any:
        """Show the log as it is now; the last message stays."""
        return replace(self.state, phase="done", result=self.call_log)

    def clear(self) -> Any:
        """Delete the calls; the limits stay, since the portal still counts these calls."""
        self.call_log.clear()
        self._chart.value = ""
        return self.look().saying("done", "The log was cleared. The limits stay: the portal still counts these calls.")

    @sends_changes
    def export(self) -> Any:
        """Write the log as CSV to a new file, named by the time. An existing file is never replaced."""
        path, log = Path(f"calls-{datetime.now():%Y%m%d-%H%M%S}.csv"), self.call_log.df
        for name in ("key", "error"):  # what others have named must be no formula in a spreadsheet
            log[name] = [f"'{cell}" if str(cell).startswith(FORMULA) else cell for cell in log[name]]
        try:
            with path.open("x", encoding="utf-8-sig", newline="") as file:
                log.to_csv(file, index=False)
        except OSError as error:
            return self.look().saying("check", f"{path} can't be written: {error.strerror}.")
        text = f"{self.call_log.counted}, commands of batches included, were written to {path}."
        return self.look().saying("done", text)

    def side_html(self, state: FormState, *, live: bool = True) -> Iterable[Any]:
        yield from self.call_log.limits.gauges()  # apart: while they drain, a text that is marked below stays so

    def result_html(self, state: FormState) -> Iterable[Any]:
        if not state.result:
            yield html.Message("note", "No calls in the log.")
            return
        summary = self.call_log.summary().rename(columns={"network_share": "network_share, %"})
        summary["network_share, %"] *= 100
        yield html.figures(*html.values_of(summary), _STATISTICS)
        if self.call_log.dropped:
            yield html.Message("note", f"The log has {self.call_log.counted}.")
        yield from (html.Message("note", reason) for reason in self.call_log.missing("server_ms"))
        requests = [call for call in self.call_log[:] if call.kind == "http"]
        yield html.calls_table(requests, f"Requests, newest first: {len(requests)}", SHOWN)

    def saved_html(self, state: FormState) -> Iterable[Any]:
        return [*self.side_html(state), *self.result_html(self.look())]  # the newest, as the visible form has them

    def frames_html(self, state: Any) -> Iterable[Any]:
        return ()  # the picture already shows them

    def _draw_chart(self) -> Any:
        try:
            chart = self.call_log.plot()._repr_html_()
        except ImportError as error:
            return self.look().saying("check", str(error))
        self._chart.value = parts.fragment(Markup(chart))  # noqa: S704 - display made it
        return self.look()

    def _follow_log(self) -> None:
        """Update the form in a thread while it is visible."""
        if self._view_count and not (self._poll and self._poll.is_alive()):
            self._poll = threading.Thread(target=self._poll_log, daemon=True)
            self._poll.start()

    def _poll_log(self) -> None:
        pause, shown, log = self.pace, None, self.call_log
        while self._view_count:
            now = log.dropped + len(log), log[-1:], log.limits.bucket.level  # also after clear(), and while it drains
            if now != shown:
                shown, started = now, time.monotonic()
                self._guarded(lambda: self.render(self.look()))
                pause = max(self.pace, (time.monotonic() - started) / SHARE)
            time.sleep(pause)


def calls_form(b24: Client, *, run: bool = False) -> CallsForm:
    """A form that shows the call log of the client and follows it, with statistics, a chart and the limits.

    Parameters
    ----------
    b24 : Client
        The portal.
    run : bool
        Read the log at once; a form that is displayed follows it anyway.

    Returns
    -------
    CallsForm
        ``.df`` and ``.timings`` are the whole log of the client.

    Raises
    ------
    InvalidInput
        ``b24`` is no client.

    Examples
    --------
    >>> import b24nb
    >>> from b24nb import forms
    >>> with b24nb.connect(b24nb.SandboxPortal()) as b24:
    ...     badges = b24.badges.list()
    ...     form = forms.calls_form(b24, run=True)
    >>> form.df["method"].iloc[-1]
    'crm.activity.badge.list'
    """
    return CallsForm(SharedState(b24)).run_if(run)
