"""Small pieces that the forms are made of."""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Sized
from functools import lru_cache
from importlib import resources
from typing import Any, Self

import ipywidgets as widgets  # type: ignore[import-untyped]
from markupsafe import Markup

from b24nb import spec
from b24nb.display import html
from b24nb.display.language import language_name
from b24nb.display.visible import visible

LABEL_WIDTH = "8em"


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


def fragment(*pieces: Any) -> str:
    """HTML for a part of a form; the style sheet stands in its head."""
    return str(Markup('<div class="b24nb">{}</div>').format(html.join(pieces))) if any(pieces) else ""


def languages(*others: str) -> list[tuple[str, str]]:
    """Options of a language field: those of a cloud portal, and others that were met."""
    return [(language_name(code), code) for code in dict.fromkeys([*spec.LANGUAGES, *filter(None, others)])]


def named(codes: Iterable[str]) -> str:
    """Codes in a sentence, with what deceives made visible."""
    return ", ".join(visible(code, code=True) for code in codes)


def counted(badges: Sized) -> str:
    """``1 badge``, ``2 badges``, ``10,000 badges``."""
    return f"{len(badges):,} badge{'s' * (len(badges) != 1)}"
