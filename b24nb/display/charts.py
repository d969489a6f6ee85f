"""A chart of a call log: how long each call took, and how much of that in the portal.

Colour is never the only sign: the portal's share is the inner, lower bar, retries are hatched, errors have a cross
and their code, figures are beside the bars. The image has a light background, so that it is readable in any place;
the style sheet inverts it in dark themes. The same DataFrame gives the same bytes.
"""

from __future__ import annotations

import base64
import io
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from b24nb.display import html

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: The width of the image in inches, and its dots per inch.
_WIDTH, _DPI = 9, 120
#: How many rows are drawn; with more, the chart would not be readable.
_ATTEMPTS = 40
#: How many characters of a method or an error are shown.
_LONG = 40

# Blue and vermilion can be distinguished with every common kind of colour blindness, and in a grey print.
GROUND, INK, SOFT = "#ffffff", "#1a1a1a", "#5f6670"
WAIT, SERVER, WRONG, WRONG_INK = "#b7d3ea", "#0b5394", "#f6c9a8", "#a33a00"

_LOST = {"lost": ["answer lost"], "seen": ["answer lost, effect seen"]}


class Chart:
    """A chart with a description; a notebook shows it as an image with the description as alternative text.

    Attributes
    ----------
    figure : matplotlib.figure.Figure
        To change or to save in another format.
    alt : str
        The description, for readers who can't see the image.
    png : bytes
        The image.
    """

    def __init__(self, figure: Figure, alt: str, png: bytes) -> None:
        self.figure = figure
        self.alt = alt
        self.png = png

    def __repr__(self) -> str:
        return f"<Chart: {self.alt}>"

    def _repr_html_(self) -> str:
        image = Markup('<img class="b24nb-chart" src="data:image/png;base64,{}" alt="{}" width="{}">')
        return html.page(image.format(base64.b64encode(self.png).decode(), self.alt, 96 * _WIDTH))


def timeline(df: pd.DataFrame) -> Chart:
    """The chart of ``CallLog.df`` that :meth:`CallLog.plot` describes."""
    try:
        import matplotlib.style
    except ImportError:
        raise ImportError('A chart needs matplotlib: pip install "b24nb[lab]"') from None
    from matplotlib.figure import Figure

    http = df[df["kind"] == "http"].sort_values("at", kind="stable")  # the log has them by the time of their end
    shown = http.tail(_ATTEMPTS).astype(object)
    rows = shown.where(shown.notna(), None).to_dict("records")
    with matplotlib.style.context("default", after_reset=True):  # independent of the notebook's settings
        size = (_WIDTH, 1.15 + 0.3 * len(rows))
        figure = Figure(figsize=size, dpi=_DPI, facecolor=GROUND, layout="constrained")
        if rows:
            _draw(figure.add_subplot(), rows, len(http))
        else:
            figure.text(0.5, 0.5, "No calls yet", ha="center", va="center", color=SOFT)
        return Chart(figure, _description(rows, len(http)) if rows else "No calls yet.", _png(figure))


def _draw(axes: Axes, rows: Sequence[Any], total: int) -> None:
    names = [_plain(row["method"]) for row in rows]
    wide = max(map(len, names))
    times = html.clock_times([row["at"] for row in rows])
    labels = [f"{at}  {name:<{wide}}" for at, name in zip(times, names, strict=True)]
    axes.set_yticks(range(len(labels)), labels, parse_math=False, family="monospace")
    axes.set_ylim(len(labels) - 0.4, -0.6)
    words = [_attempt_words(row) for row in rows]
    for place, row in enumerate(rows):
        _draw_attempt(axes, place, row, words[place])
    # Leave room for the text after the longest bar.
    room = 72 * _WIDTH - 5.3 * max(map(len, labels)) - 12
    shares = [1 - min(0.85, (14 + 5 * len(text)) / room) for text in words]
    axes.set_xlim(0, max(1.0, *((row["client_ms"] or 0.0) / share for row, share in zip(rows, shares, strict=True))))
    axes.set_xlabel("milliseconds", fontsize=8.5, color=SOFT)
    title = f"Time of {_which(len(rows), total)}, times of day in UTC"
    axes.set_title(title, fontsize=10, fontweight="bold", color=INK)
    axes.set_axisbelow(True)
    axes.grid(axis="x", color="#e3e6ea", linewidth=0.8)
    axes.tick_params(length=0, labelsize=8.5, labelcolor=INK, pad=6)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_color("#c4c9d0")
    # The legend has each sign once, and only those that the chart uses.
    signs = dict(zip(*reversed(axes.get_legend_handles_labels()), strict=True))
    axes.figure.legend(
        [*signs.values()], [*signs], loc="outside lower right", ncols=len(signs), fontsize=8, frameon=False
    )


def _draw_attempt(axes: Axes, place: int, row: Any, words: str) -> None:
    """Draw one bar with its figures and its error; the labels of its parts become the legend."""
    wrong, waited, again = row["error"] is not None, row["client_ms"] or 0.0, row["attempt"] > 1
    fill, edge, ink = (WRONG, WRONG_INK, WRONG_INK) if wrong else (WAIT, SERVER, INK)
    hatch, label = ("////", "repeated") if again else (None, "_" if wrong else "waited")
    axes.barh(place, waited, 0.74, facecolor=fill, edgecolor=edge, hatch=hatch, linewidth=0.8, label=label)
    if row["server_ms"]:
        axes.barh(place + 0.17, row["server_ms"], 0.4, color=SERVER, label="of which in the portal")
    if wrong:
        axes.plot(waited, place, "X", color=WRONG_INK, markersize=7, clip_on=False, zorder=3, label="error")
    axes.annotate(
        words, (waited, place), (9, 0), textcoords="offset points", va="center",
        color=ink, fontsize=8, parse_math=False, in_layout=False,
    )  # fmt: skip


def _attempt_words(row: Any) -> str:
    figures = _ms(row["client_ms"])
    if row["server_ms"] is not None:
        figures += f" (portal {_ms(row['server_ms'])})"
    repeat = [f"attempt {row['attempt']}"] if row["attempt"] > 1 else []
    error = [] if row["error"] is None else [_plain(row["error"])]
    return ", ".join([figures, *repeat, *error, *_LOST.get(row["outcome"], [])])


def _description(rows: Sequence[Any], total: int) -> str:
    first, last = rows[0]["at"], rows[-1]["at"]
    span = f"{first:%Y-%m-%d %H:%M:%S} to {html.clock_times([first, last])[1]} UTC"
    methods = [f"{name} {number}" for name, number in Counter(_plain(row["method"]) for row in rows).most_common(5)]
    longest = max(rows, key=lambda row: row["client_ms"] or 0.0)
    wrong = [_plain(row["error"]) for row in rows if row["error"] is not None]
    errors = html.counted(len(wrong), "error") + (f" ({', '.join(dict.fromkeys(wrong))})" if wrong else "")
    return (
        f"Timeline of {_which(len(rows), total)}, {span}. Most often {', '.join(methods)}. "
        f"The longest: {_plain(longest['method'])}, {_ms(longest['client_ms'])}. "
        f"{html.counted(sum(row['attempt'] > 1 for row in rows), 'repeat')}. {errors}."
    )


def _png(figure: Figure) -> bytes:
    """The image in few colours: a third of the size, so that a saved notebook stays small."""
    from PIL import Image  # comes with matplotlib

    drawn, stream = io.BytesIO(), io.BytesIO()
    figure.savefig(drawn, format="png", metadata={"Software": None})
    with Image.open(drawn) as picture:
        # By this method rare colours stay, such as those of errors.
        few = picture.convert("RGB").quantize(24, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    few.save(stream, "png", optimize=True)
    return stream.getvalue()


def _ms(value: float | None) -> str:
    if value is None:
        return "no time"
    return f"{value:.1f} ms" if value < 100 else f"{value:,.0f} ms"


def _which(shown: int, total: int) -> str:
    return f"{f'the last {shown} of ' if shown < total else ''}{html.counted(total, 'HTTP attempt')}"


def _plain(text: str) -> str:
    """A text shortened to fit, in ASCII, which the font of the chart has; other characters become escapes."""
    text = text.encode("ascii", "backslashreplace").decode() or "(empty code)"
    return text if len(text) <= _LONG else f"{text[: _LONG - 3]}..."
