"""Pictures of the call log: complete, described in words, the same every time, safe for any input."""

import io
from typing import Any

import matplotlib
import matplotlib.image
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb

from b24nb.display import charts, html
from b24nb.rest.calls import Call
from tests.contrast import contrast
from tests.fakes import log_of
from tests.programs import python

NOON = 1_764_072_000.0  # 2025-11-25 12:00:00 UTC


def call(number: int = 0, method: str = "crm.activity.badge.get", **fields: Any) -> Call:
    fields = {"kind": "http", "key": "", "params": {}, "client_ms": 20.0, "server_ms": 5.0} | fields
    return Call(NOON + number, method=method, **fields)


TROUBLE = log_of(
    call(0, "batch", client_ms=50.0),
    call(0, kind="command", key="a", client_ms=None, server_ms=None),
    call(1, client_ms=30.0, server_ms=None, error="QUERY_LIMIT_EXCEEDED", outcome="error"),
    call(2, attempt=2),
    call(3, "crm.activity.badge.add", client_ms=None, server_ms=None, error="Timeout", outcome="lost"),
    call(4, "crm.activity.badge.delete", server_ms=None, error="", outcome="seen"),
)


def words(axes: Axes) -> list[str]:
    legends = [text for legend in axes.figure.legends for text in legend.get_texts()]
    texts = [*axes.texts, *axes.get_yticklabels(), axes.title, axes.xaxis.label, *legends]
    return [text.get_text().strip() for text in texts]


def test_timeline_has_a_bar_per_attempt_and_says_in_words_what_colour_and_hatching_say() -> None:
    (axes,) = charts.timeline(TROUBLE.df).figure.axes
    bars = [(bar.get_width(), bool(bar.get_hatch())) for bar in axes.patches]
    assert bars == [(50, False), (5, False), (30, False), (20, True), (5, False), (0, False), (20, False)]
    rows = {round(bar.get_y() + bar.get_height() / 2) for bar in axes.patches}
    assert rows == {0, 1, 2, 3, 4}, "commands of a batch have no bar of their own"
    said = words(axes)
    assert "50.0 ms (portal 5.0 ms)" in said
    assert "30.0 ms, QUERY_LIMIT_EXCEEDED" in said
    assert "20.0 ms (portal 5.0 ms), attempt 2" in said
    assert "no time, Timeout, answer lost" in said
    assert "20.0 ms, (empty code), answer lost, effect seen" in said
    assert "12:00:02  crm.activity.badge.get" in said
    assert {"waited", "of which in the portal", "repeated", "error"} <= set(said)
    assert [line.get_marker() for line in axes.lines] == ["X", "X", "X"]


def test_only_the_last_attempts_are_drawn_and_it_says_so() -> None:
    chart = charts.timeline(log_of(*(call(number, server_ms=None) for number in range(90))).df)
    (axes,) = chart.figure.axes
    assert "waited" in words(axes)
    assert not {"of which in the portal", "repeated", "error"} & set(words(axes)), "they are not drawn"
    assert "Time of the last 40 of 90 HTTP attempts, times of day in UTC" in words(axes)
    assert "the last 40 of 90 HTTP attempts, 2025-11-25 12:00:50 to 12:01:29 UTC" in chart.alt


def test_calls_of_several_days_have_their_date_and_stand_in_order_of_time() -> None:
    days = log_of(call(86_400), call(0, "profile"))  # the older one ended later
    chart = charts.timeline(days.df)
    (axes,) = chart.figure.axes
    labels = ["2025-11-25 12:00:00  profile", "2025-11-26 12:00:00  crm.activity.badge.get"]
    assert [text.get_text().strip() for text in axes.get_yticklabels()] == labels
    assert "2025-11-25 12:00:00 to 2025-11-26 12:00:00 UTC" in chart.alt
    table = str(html.calls_table(days, "Calls", 10))
    assert table.index("2025-11-26 12:00:00") < table.index("2025-11-25 12:00:00")


def test_no_calls_yet() -> None:
    for rows in ([], [call(kind="command", client_ms=None, server_ms=None)]):
        chart = charts.timeline(log_of(*rows).df)
        assert chart.alt == "No calls yet."
        assert [text.get_text() for text in chart.figure.texts] == ["No calls yet"]


def test_alternative_text_tells_what_is_seen() -> None:
    chart = charts.timeline(TROUBLE.df)
    assert chart.alt == (
        "Timeline of 5 HTTP attempts, 2025-11-25 12:00:00 to 12:00:04 UTC. Most often crm.activity.badge.get 2, "
        "batch 1, crm.activity.badge.add 1, crm.activity.badge.delete 1. The longest: batch, 50.0 ms. "
        "1 repeat. 3 errors (QUERY_LIMIT_EXCEEDED, Timeout, (empty code))."
    )
    assert repr(chart) == f"<Chart: {chart.alt}>"
    assert f'alt="{chart.alt}"' in chart._repr_html_()


@pytest.mark.parametrize(
    "nasty", ['"><img src=x onerror=alert(1)>', "$\\frac{", "бейдж \U0001f525", "x" * 300, "W" * 40, "a\nb", "% {0} {}"]
)
def test_any_text_can_be_drawn_and_none_gets_out(nasty: str) -> None:
    chart = charts.timeline(log_of(call(0, nasty, error=nasty), call(1, nasty)).df)
    assert chart.png.startswith(b"\x89PNG")
    assert "<img src=x" not in chart._repr_html_()
    assert chart._repr_html_().count("<img") == 1


def test_same_calls_same_bytes_whatever_style_the_notebook_has() -> None:
    first = charts.timeline(TROUBLE.df).png
    style = {"figure.facecolor": "black", "text.color": "white", "font.size": 30, "axes.grid": True}
    with matplotlib.rc_context(style):
        assert charts.timeline(TROUBLE.df).png == first
        assert matplotlib.rcParams["font.size"] == 30, "the notebook keeps its style"
    assert b"Software" not in first
    assert b"matplotlib" not in first.lower()


def test_the_ground_is_opaque_and_light_with_readable_inks_and_one_error_among_many_keeps_its_colour() -> None:
    rows = log_of(*map(call, range(12)), call(12, error="NOT_FOUND", client_ms=1.0))
    seen = matplotlib.image.imread(io.BytesIO(charts.timeline(rows.df).png))
    assert (seen[0, 0, :3] == 1).all()
    assert (seen[..., 3:] == 1).all()
    inks = (charts.INK, charts.SOFT, charts.WRONG_INK, charts.SERVER)
    assert all(contrast(ink, charts.GROUND) >= 4.5 for ink in inks)
    assert contrast(charts.SERVER, charts.WAIT) >= 3, "the portal's part stands out, on grey paper too"
    for colour in (charts.WRONG, charts.WRONG_INK):
        assert abs(seen[..., :3] - to_rgb(colour)).max(axis=2).min() < 0.03


def test_drawing_leaves_pyplot_and_the_backend_of_the_notebook_alone() -> None:
    code = (
        "import sys, b24nb; b24 = b24nb.connect(); b24.badges.list(); print('matplotlib' in sys.modules);"
        "b24.calls.plot(); print('matplotlib' in sys.modules, 'matplotlib.pyplot' in sys.modules)"
    )
    assert python(code).split() == ["False", "True", "False"]
