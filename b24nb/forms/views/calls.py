"""The form that shows the call log as it grows."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import ipywidgets as widgets  # type: ignore[import-untyped]
import pandas as pd
from markupsafe import Markup

from b24nb.display import html
from b24nb.forms.presenters.calls import CallsState, WatchCalls
from b24nb.forms.presenters.state import Message
from b24nb.forms.views import parts
from b24nb.forms.views.form import Form, Step

if TYPE_CHECKING:
    from b24nb.rest.limits import Limits

#: Seconds between two looks at the log while the form is on a screen.
PACE = 1.0
#: A look may take this share of the time, so that a long log does not slow the kernel down.
SHARE = 0.1
ROWS = 15
COLUMNS = ("at", "method", "attempt", "http_status", "error", "client_ms", "server_ms")
STATISTICS = ("n", "errors", "retries", "client_p50", "client_p95", "client_max", "server_max")


class CallsForm(Form):
    """Shows every call of the client, statistics, a chart and the limits."""

    title = "Calls"
    presenter: WatchCalls

    def __init__(self, presenter: WatchCalls, *, alone: bool = True) -> None:
        self.chart_button = parts.button("Draw chart", icon="bar-chart")
        self.clear_button = parts.button("Clear log", icon="eraser")
        self.name = parts.field(widgets.Text, "File", "calls.csv")
        self.export_button = parts.button("Export CSV", icon="download")
        self._name = parts.Beside(self.name, self.export_button)
        self._chart = widgets.HTML()
        self._poll: threading.Thread | None = None
        super().__init__(presenter, alone=alone)
        self.on_click(self.chart_button, lambda: self.work([self._draw_chart]))
        self.on_click(self.clear_button, lambda: self.render(presenter.clear()))
        self.on_click(self.export_button, lambda: self.render(presenter.export(self.name.value)))
        self._view_count = 0  # ipywidgets counts views from now on
        self.observe(lambda _: self._guarded(self._follow), "_view_count")

    def arranged(self) -> Sequence[Any]:
        buttons = parts.row(self.chart_button, self.clear_button)
        return [buttons, self._name, self.told, self._chart, self.shown]

    def steps(self) -> Sequence[Step]:
        return [self.presenter.look]

    def draw(self, state: CallsState) -> None:
        self._name.say(state.field_errors.get("name", ""))

    def picture(self, state: CallsState) -> Iterable[Markup]:
        yield from _gauges(self.presenter.calls.limits)
        if state.result is None or state.summary is None or not len(state.result):
            yield parts.told(Message("note", "No calls yet."))
            return
        yield html.frame(state.summary[list(STATISTICS)], caption="Statistics per method, times in ms")
        for reason in self.presenter.calls.missing("server_ms"):
            yield parts.told(Message("note", reason))
        requests = state.result[state.result["kind"] == "http"]
        newest = requests[list(COLUMNS)].iloc[::-1].reset_index(drop=True)
        yield html.frame(newest, caption=f"Requests, newest first: {len(newest)}", limit=ROWS)

    def numbers(self, state: Any) -> Iterable[Markup]:
        return ()  # the picture is made of them

    def _draw_chart(self) -> CallsState:
        from b24nb.display import charts  # matplotlib takes a second to load

        state = self.presenter.look()
        if len(state.result):
            chart = charts.timeline(state.result)
            self._chart.value = parts.fragment(Markup(chart._repr_html_()))  # noqa: S704 - display made it
        return state

    def _follow(self) -> None:
        """While somebody sees the form, follow the log."""
        if self._view_count and not (self._poll and self._poll.is_alive()):
            self._poll = threading.Thread(target=self._keep_looking, daemon=True)
            self._poll.start()

    def _keep_looking(self) -> None:
        pause, seen, bucket = PACE, -1, self.presenter.calls.limits.bucket
        filled = True  # a gauge that is not empty falls by itself
        while self._view_count:
            if filled or self.presenter.count != seen:
                seen, filled = self.presenter.count, bucket.level > 0
                started = time.monotonic()
                self._guarded(lambda: self.render(self.presenter.look()))
                pause = max(PACE, (time.monotonic() - started) / SHARE)
            time.sleep(pause)


def _gauges(limits: Limits) -> Iterable[Markup]:
    """How near the limits are; a method that has cost nothing needs no gauge."""
    bucket, rate = limits.bucket, limits.rate
    burst, wait = int(rate["burst"].iloc[-1]), float(rate["seconds_until_safe"].iloc[-1])
    unit = f"requests; {burst} at once are safe {f'in {wait:.0f} s' if wait else 'now'}"
    yield html.gauge("Request rate, as this client sees it", bucket.level, bucket.tariff.burst, unit)
    spent = limits.df[limits.df["operating_s"] > 0]
    for method, seconds, limit, left in spent[["method", "operating_s", "limit_s", "calls_left"]].to_numpy():
        forecast = "" if pd.isna(left) else f"; {left} calls left"
        yield html.gauge(method, seconds, limit, f"s operating time{forecast}")
