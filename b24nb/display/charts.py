"""Pictures of a call log: where the time of each call went, and how it varies per method.

Nothing is told by colour alone: the portal's part is the inner, lower bar, retries are hatched, errors
are crossed and named, figures stand beside the bars. A picture has a light ground of its own, so that
dark themes and paper show the same. The same frame gives the same bytes.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from b24nb.display import html

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    Row = Mapping[Hashable, Any]

#: Of a picture, in inches.
_WIDTH = 9
#: Rows that a picture can hold and still be read.
_ATTEMPTS, _METHODS = 40, 20
#: Characters of a method or an error.
_LONG = 40
#: Methods that the description names.
_NAMED = 5
#: Dots per method; more are drawn as evenly chosen ones of the sorted values.
_DOTS = 300
#: Times that a box needs to mean something.
_BOX = 5
#: Longest to shortest: above that, a linear scale would hide the short ones.
_WIDE = 15

# Blue and vermilion differ for every common kind of colour blindness, and as grey on paper.
_GROUND, _INK, _SOFT = "#ffffff", "#1a1a1a", "#5f6670"
_WAIT, _SERVER, _WRONG, _WRONG_INK = "#b7d3ea", "#0b5394", "#f6c9a8", "#a33a00"


_LOST = {"lost": ["answer lost"], "seen": ["answer lost, effect seen"]}


class Chart:
    """A picture with its description in words; a notebook shows it once, as an image with that text.

    Attributes
    ----------
    figure : matplotlib.figure.Figure
        To change or to save in another format.
    alt : str
        What the picture shows, for those who don't see it.
    png : bytes
        As drawn.
    """

    def __init__(self, figure: Figure, alt: str, png: bytes) -> None:
        self.figure = figure
        self.alt = alt
        self.png = png

    def __repr__(self) -> str:
        return f"<Chart: {self.alt}>"

    def _repr_html_(self) -> str:
        data = base64.b64encode(self.png).decode()
        image = Markup('<img src="data:image/png;base64,{}" alt="{}" width="{}" style="max-width:100%">')
        return html.page(image.format(data, self.alt, 96 * _WIDTH))


def timeline(df: pd.DataFrame) -> Chart:
    """A bar per HTTP attempt, oldest on top: what the caller waited, and the portal's part of it.

    Parameters
    ----------
    df : DataFrame
        ``CallLog.df``; commands of a batch are part of their request. The last 40 attempts are drawn.

    Returns
    -------
    Chart
        Milliseconds to the right. Retries are hatched, errors crossed and named; attempts without a
        measured time have a name and no bar.

    Examples
    --------
    >>> import b24nb
    >>> with b24nb.connect(b24nb.SandboxPortal()) as b24:
    ...     _ = b24.badges.list()
    ...     timeline(b24.calls.df).alt[:29]
    'Timeline of 2 HTTP attempts, '
    """
    http = df[df["kind"] == "http"]
    if http.empty:
        return _nothing()
    shown = http.tail(_ATTEMPTS)

    rows = shown.to_dict("records")
    names = [_plain(row["method"]) for row in rows]
    labels = [
        f"{row['at']:%H:%M:%S}  {name:<{max(map(len, names))}}" for row, name in zip(rows, names, strict=True)
    ]
    words = [_attempt_words(row) for row in rows]

    def draw(axes: Axes) -> None:
        _label(axes, labels)
        for place, row in enumerate(rows):
            _attempt(axes, place, row, words[place])
        # Behind the longest bar there is room for its words.
        room = 72 * _WIDTH - 5.3 * max(map(len, labels)) - 12
        shares = [1 - min(0.85, (14 + 5 * len(text)) / room) for text in words]
        axes.set_xlim(0, max(1.0, *(_waited(row) / share for row, share in zip(rows, shares, strict=True))))
        axes.set_xlabel("milliseconds")
        which = "" if len(shown) == len(http) else f"the last {len(shown)} of "
        axes.set_title(f"Time of {which}{_count(len(http), 'HTTP attempt')}, times of day in UTC")
        _legend(axes, shown)

    return _drawn(draw, len(shown), _timeline_words(http, shown))


def distribution(df: pd.DataFrame) -> Chart:
    """How the times of each method spread: a dot per HTTP attempt, a box for the middle half of them.

    Parameters
    ----------
    df : DataFrame
        ``CallLog.df``; commands of a batch are part of their request. The 20 methods that took most of
        the time are drawn.

    Returns
    -------
    Chart
        Milliseconds that the caller waited to the right, on a logarithmic scale where they differ
        widely. The line in a box is the median, the thin lines reach from 5 to 95 %; a box needs 5
        values. Errors are crosses.
    """
    http = df[(df["kind"] == "http") & df["client_ms"].notna()]
    if http.empty:
        return _nothing()
    http = http.assign(client_ms=http["client_ms"].astype(float).clip(lower=0.01))
    order = http.groupby("method")["client_ms"].sum().sort_values(ascending=False, kind="stable").index
    groups = [http[http["method"] == method] for method in order[:_METHODS]]

    def draw(axes: Axes) -> None:
        _label(axes, [f"{_name(group)}  (n = {len(group):,})" for group in groups])
        for place, group in enumerate(groups):
            _spread(axes, place, group)
        axes.set_xlabel("milliseconds waited")
        shortest, longest = http["client_ms"].min(), http["client_ms"].max()
        if longest > _WIDE * shortest:
            _logarithmic(axes, (1, 2, 5) if longest < 1000 * shortest else (1,))
        else:
            axes.set_xlim(0, 1.05 * longest)
        axes.set_title("How long the calls of each method took")
        if http["error"].notna().any():
            _dot_legend(axes)

    return _drawn(draw, 1.3 * len(groups), _distribution_words(groups, len(order)))


def _label(axes: Axes, labels: Sequence[str]) -> None:
    """A row per label, from the top."""
    axes.set_yticks(range(len(labels)), labels, parse_math=False, family="monospace")
    axes.set_ylim(len(labels) - 0.4, -0.6)


def _attempt(axes: Axes, place: int, row: Row, words: str) -> None:
    """One bar of the timeline, with its figures and what went wrong."""
    wrong, waited = _known(row["error"]), _waited(row)
    axes.barh(
        place,
        waited,
        0.74,
        facecolor=_WRONG if wrong else _WAIT,
        edgecolor=_WRONG_INK if wrong else _SERVER,
        hatch="////" if row["attempt"] > 1 else None,
        linewidth=0.8,
    )
    if _known(row["server_ms"]):
        axes.barh(place + 0.17, float(row["server_ms"]), 0.4, color=_SERVER)
    if wrong:
        axes.plot(waited, place, "X", color=_WRONG_INK, markersize=7, clip_on=False, zorder=3)
    text = axes.annotate(
        words,
        (waited, place),
        (9, 0),
        textcoords="offset points",
        va="center",
        color=_WRONG_INK if wrong else _INK,
        fontsize=8,
        parse_math=False,
    )
    text.set_in_layout(False)


def _attempt_words(row: Row) -> str:
    figures = _ms(row["client_ms"])
    if _known(row["server_ms"]):
        figures += f" (portal {_ms(row['server_ms'])})"
    words = [figures]
    if row["attempt"] > 1:
        words.append(f"attempt {row['attempt']}")
    if _known(row["error"]):
        words.append(_plain(row["error"]) or "(empty code)")
    return ", ".join([*words, *_LOST.get(row["outcome"], [])])


def _waited(row: Row) -> float:
    return float(row["client_ms"]) if _known(row["client_ms"]) else 0.0


def _known(value: Any) -> bool:
    import pandas as pd

    return not pd.isna(value)


def _legend(axes: Axes, shown: pd.DataFrame) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    signs: list[Patch | Line2D] = [Patch(facecolor=_WAIT, edgecolor=_SERVER, label="waited")]
    if shown["server_ms"].notna().any():
        signs.append(Patch(facecolor=_SERVER, label="of it in the portal"))
    if (shown["attempt"] > 1).any():
        signs.append(Patch(facecolor=_WAIT, edgecolor=_SERVER, hatch="////", label="repeated"))
    if shown["error"].notna().any():
        signs.append(Line2D([], [], color=_WRONG_INK, marker="X", linestyle="none", label="error"))
    _below(axes, signs)


def _dot_legend(axes: Axes) -> None:
    from matplotlib.lines import Line2D

    ok = Line2D([], [], color=_SERVER, marker="o", markersize=4, linestyle="none", label="answered")
    wrong = Line2D([], [], color=_WRONG_INK, marker="X", markersize=6, linestyle="none", label="error")
    _below(axes, [ok, wrong])


def _below(axes: Axes, signs: Sequence[Patch | Line2D]) -> None:
    axes.figure.legend(
        handles=list(signs), loc="outside lower right", ncols=len(signs), fontsize=8, frameon=False
    )


def _spread(axes: Axes, place: int, group: pd.DataFrame) -> None:
    """The dots of one method, apart from each other, and a box for the middle half."""
    for wrong, marker, size, colour in ((False, "o", 14, _SERVER), (True, "X", 36, _WRONG_INK)):
        times = group.loc[group["error"].notna() == wrong, "client_ms"].sort_values().to_numpy()
        times = times[:: max(1, len(times) // _DOTS)]
        # Multiples of the golden ratio spread evenly, and the same way every time.
        heights = [place + 0.5 * ((0.618 * number + 0.5) % 1 - 0.5) for number in range(len(times))]
        axes.scatter(times, heights, size, colour, marker=marker, alpha=0.65, linewidths=0, zorder=3)
    if len(group) >= _BOX:
        low, left, median, right, high = group["client_ms"].quantile([0.05, 0.25, 0.5, 0.75, 0.95])
        axes.barh(place, right - left, 0.7, left, facecolor=_WAIT, edgecolor=_SERVER, alpha=0.55)
        axes.hlines([place, place], [low, right], [left, high], color=_SERVER, linewidth=1)
        axes.vlines(median, place - 0.35, place + 0.35, color=_INK, linewidth=2, zorder=4)


def _logarithmic(axes: Axes, steps: Sequence[float]) -> None:
    """With a plain number at these steps of each power of ten."""
    from matplotlib.ticker import LogLocator, NullLocator

    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=steps))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.10g}")
    axes.set_xlabel("milliseconds waited (logarithmic)")


def _drawn(draw: Callable[[Axes], None], rows: float, alt: str) -> Chart:
    """Draw on a figure of its own, in the default style whatever the notebook has set."""
    import matplotlib.style
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with matplotlib.style.context("default", after_reset=True):
        figure = Figure(figsize=(_WIDTH, 1.15 + 0.3 * rows), dpi=144, facecolor=_GROUND, layout="constrained")
        FigureCanvasAgg(figure)
        axes = figure.add_subplot()
        draw(axes)
        axes.set_axisbelow(True)
        axes.grid(axis="x", color="#e3e6ea", linewidth=0.8)
        axes.tick_params(length=0, labelsize=8.5, labelcolor=_INK)
        axes.title.set(fontsize=10, fontweight="bold", color=_INK)
        axes.xaxis.label.set(fontsize=8.5, color=_SOFT)
        axes.spines[["top", "right", "left"]].set_visible(False)
        axes.spines["bottom"].set_color("#c4c9d0")
        return Chart(figure, alt, _png(figure))


def _png(figure: Figure) -> bytes:
    """The picture in few colours: a third of the size, which a saved notebook carries around."""
    from PIL import Image  # comes with matplotlib

    drawn, stream = io.BytesIO(), io.BytesIO()
    figure.savefig(drawn, format="png", metadata={"Software": None})
    with Image.open(drawn) as picture:
        picture.convert("RGB").quantize(64, dither=Image.Dither.NONE).save(stream, "png", optimize=True)
    return stream.getvalue()


def _nothing() -> Chart:
    def draw(axes: Axes) -> None:
        axes.set_axis_off()
        axes.text(0.5, 0.5, "No calls yet", ha="center", va="center", color=_SOFT, transform=axes.transAxes)

    return _drawn(draw, 0, "No calls yet.")


def _timeline_words(http: pd.DataFrame, shown: pd.DataFrame) -> str:
    which = "" if len(shown) == len(http) else f"the last {len(shown)} of "
    span = f"{shown['at'].iloc[0]:%Y-%m-%d %H:%M:%S} to {shown['at'].iloc[-1]:%H:%M:%S} UTC"
    counts = shown["method"].value_counts()
    methods = [f"{_plain(str(name))} {number}" for name, number in counts.head(_NAMED).items()]
    longest = shown.sort_values("client_ms", ascending=False).iloc[0]
    wrong = shown["error"].dropna()
    codes = ", ".join(dict.fromkeys(_plain(code) or "(empty code)" for code in wrong))
    return (
        f"Timeline of {which}{_count(len(http), 'HTTP attempt')}, {span}. "
        f"{', '.join(methods)}{_more(len(counts))}. "
        f"The longest: {_plain(longest['method'])}, {_ms(longest['client_ms'])}. "
        f"{_count(int((shown['attempt'] > 1).sum()), 'repeat')}. "
        f"{_count(len(wrong), 'error')}{f' ({codes})' if codes else ''}."
    )


def _distribution_words(groups: Sequence[pd.DataFrame], methods: int) -> str:
    words = []
    for group in groups[:_NAMED]:
        times, wrong = group["client_ms"], int(group["error"].notna().sum())
        words.append(
            f"{_name(group)}: {_count(len(group), 'time')}, median {_ms(times.median())}, "
            f"{_ms(times.min())} to {_ms(times.max())}" + (f", {_count(wrong, 'error')}" if wrong else "")
        )
    return f"Times of {_count(methods, 'method')}. {'. '.join(words)}{_more(methods)}."


def _more(number: int) -> str:
    return f" and {number - _NAMED} more methods" if number > _NAMED else ""


def _name(group: pd.DataFrame) -> str:
    return _plain(str(group["method"].iloc[0]))


def _ms(value: Any) -> str:
    if not _known(value):
        return "no time"
    return f"{value:.1f} ms" if value < 100 else f"{value:,.0f} ms"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _plain(text: str) -> str:
    """What the font of the picture has, in the room that there is; other characters as escapes."""
    text = text.encode("ascii", "backslashreplace").decode()
    return text if len(text) <= _LONG else f"{text[: _LONG - 3]}..."
