"""Small pieces that the forms are made of."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence, Sized
from functools import lru_cache
from importlib import resources
from typing import Any, Self

import ipywidgets as widgets  # type: ignore[import-untyped]
import pandas as pd
from markupsafe import Markup
from pandas.api.types import is_numeric_dtype

from b24nb import spec
from b24nb.display import html
from b24nb.display.snippets import FLAVOURS, as_code
from b24nb.display.visible import visible
from b24nb.forms.messages import Message

LABEL_WIDTH = "8em"
#: What says nothing in a column of this name; elsewhere 0.
USUAL: dict[Any, Any] = {"attempt": 1, "error": "", "at": "", "method": ""}


class Panel(widgets.VBox):  # type: ignore[misc]
    """A widget that a notebook can show, and keep as HTML for readers without a kernel.

    ``run()`` does what its main button does; ``static()`` gives what it shows without fields and buttons.
    """

    _ipython_display_ = None  # older ipywidgets have one that would hide the HTML

    def started(self, run: bool) -> Self:
        """Itself, and its result at once if that is wanted."""
        if run:
            self.run()
        return self

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        view = {"version_major": 2, "version_minor": 0, "model_id": self.model_id}
        static = html.page(*self.static())
        return {"text/plain": repr(self), "text/html": static, "application/vnd.jupyter.widget-view+json": view}


@lru_cache(maxsize=1)
def style() -> Markup:
    """The style of fields and buttons; the five types have the colours of their pills."""
    css = resources.files(__package__).joinpath("form.css").read_text(encoding="utf-8")
    for place, colour in enumerate(spec.BADGE_COLOURS.values(), start=1):
        paint = f"background:{colour.background};color:{colour.readable}"
        css += f".b24nb-types button:nth-of-type({place}){{{paint}}}"
    return Markup("{}<style>{}</style>").format(html.css(), Markup(css))  # noqa: S704 - our own file


def field(kind: str, label: str, value: Any, *, width: str = "26em", **options: Any) -> Any:
    """A labelled field: ``kind`` is a widget with a description, which becomes its ``<label>``."""
    # Letter by letter, a browser holds a text back while the kernel works on the one before, but not a
    # click: the button would read a text without its end. So the text goes once, when its field is left.
    if kind in ("Text", "Combobox"):
        options = {"continuous_update": False} | options
    style = {"description_width": LABEL_WIDTH}
    layout = {"width": width}
    return getattr(widgets, kind)(description=label, value=value, style=style, layout=layout, **options)


def choice(label: str, options: Sequence[str], value: str) -> Any:
    """One of a few, as buttons side by side."""
    style = {"description_width": LABEL_WIDTH, "button_width": "auto"}
    return widgets.ToggleButtons(description=label, options=options, value=value, style=style)


def row(*pieces: Any, indented: bool = False) -> Any:
    """Widgets side by side, as far as there is room; ``indented``: they begin where fields do."""
    pieces_row = widgets.HBox(pieces, layout={"flex_flow": "row wrap", "grid_gap": "0 12px"})
    if indented:
        pieces_row.add_class("b24nb-actions")
    return pieces_row


class FieldRow(widgets.HBox):  # type: ignore[misc]
    """A field with room beside it for what is wrong with its value."""

    def __init__(self, *fields: Any) -> None:
        self._text = widgets.HTML()
        super().__init__([*fields, self._text], layout={"flex_flow": "row wrap", "grid_gap": "0 12px"})

    def say(self, problem: str = "", *, advice: str = "") -> None:
        """Show what is wrong, else what is advised, else nothing."""
        kind, text = ("problem", problem) if problem else ("advice", advice)
        beside = Markup('<span class="b24nb-{}" role="status">Check: {}</span>').format(kind, text)
        self._text.value = fragment(beside) if text else ""


def show(widget: Any, visible: object) -> None:
    """Show a widget, or take it out of the form."""
    widget.layout.display = None if visible else "none"


def fragment(*pieces: Markup) -> str:
    """HTML for a part of a form; the style sheet stands in its head."""
    return str(Markup('<div class="b24nb">{}</div>').format(html.join(pieces))) if pieces else ""


def message_html(message: Message) -> Markup:
    """A message as the display of the house shows it."""
    details = Markup("<p>{}</p>").format(message.details) if message.details else None
    return html.message(message.kind, message.text, message.code, message.hint, details)


def figures(frame: pd.DataFrame, caption: str, limit: int = 50) -> Markup:
    """A DataFrame with its decimals aligned; columns that say nothing anywhere are left out."""
    told = [name for name in frame if not frame[name].fillna(USUAL.get(name, 0)).eq(USUAL.get(name, 0)).all()]
    columns = [[_figure(value) for value in frame[name].head(limit)] for name in told]
    right = [place for place, name in enumerate(told) if is_numeric_dtype(frame[name])]
    hidden = len(frame) - min(limit, len(frame))
    return html.table(told, zip(*columns, strict=True), caption, hidden=hidden, right=right)


def _figure(value: Any) -> str:
    if value is pd.NA or value is None:
        return "NA"
    return f"{value:,.1f}" if isinstance(value, float) else visible(value)


def calls_table(calls: pd.DataFrame, caption: str, limit: int) -> Markup:
    """Calls, newest first."""
    columns = ["at", "method", "attempt", "error", "client_ms", "server_ms", "network_ms"]
    newest = calls.iloc[::-1][columns].fillna({"error": ""})
    return figures(newest.assign(at=newest["at"].dt.strftime("%H:%M:%S")), f"{caption}, times in ms", limit)


def folded_after(count: int, rows: Any, make: Callable[[Any], Markup]) -> Iterable[Markup]:
    """A table of the first rows, made by ``make``, and one of the others to open."""
    yield make(rows[:count])
    if len(rows) > count:
        yield html.folded(f"{len(rows) - count} more", make(rows[count:]))


def call_as_code(method: str, params: Mapping[str, Any]) -> Markup:
    """A call in each language; host and secret are placeholders."""
    codes = ((title, html.code(as_code(method, params, name), title)) for name, title in FLAVOURS.items())
    return html.folded("The call as code", html.join(html.folded(title, code) for title, code in codes))


def progress(text: str, done: int, total: int) -> Markup:
    """A bar; without a known total it only shows that work goes on."""
    known = Markup(' value="{}" max="{}"').format(done, total) if total else Markup("")
    count = f" {done} of {total}" if total else ""
    return Markup("<label>{}{} <progress{}></progress></label>").format(text, count, known)


def languages(*others: str) -> list[tuple[str, str]]:
    """Options of a language field: those of a cloud portal, and others that were met."""
    return [(language_name(code), code) for code in dict.fromkeys([*spec.LANGUAGES, *filter(None, others)])]


def language_name(code: str) -> str:
    """``German (de)``; a code that is not known stands for itself."""
    known = spec.LANGUAGES.get(code)
    return f"{known.name} ({code})" if known else code


def counted(badges: Sized) -> str:
    """``1 badge``, ``2 badges``."""
    return f"{len(badges)} badge{'s' * (len(badges) != 1)}"
