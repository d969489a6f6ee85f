"""Small pieces that the forms are made of."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from importlib import resources
from typing import Any, Self

import ipywidgets as widgets  # type: ignore[import-untyped]
from anywidget import AnyWidget
from markupsafe import Markup

from b24nb import spec
from b24nb.badges.badge import listed
from b24nb.checks import check_switch
from b24nb.display import html
from b24nb.display.language import language_name
from b24nb.display.visible import visible
from b24nb.secret import mask_address

LABEL_WIDTH = "10em"


class Panel(widgets.VBox):  # type: ignore[misc]
    """A widget that also has an HTML display, for a saved notebook without a kernel.

    ``run()`` does the same as its main button; ``saved_page()`` returns what it shows, without fields and buttons.
    """

    _ipython_display_ = None  # that of older ipywidgets would prevent the HTML display

    def close(self) -> None:
        """Close all its widgets, too: their callbacks hold the client."""
        close_all(*self.children, self.layout)
        super().close()

    def run_if(self, run: bool) -> Self:
        """Return this form; with ``run``, do first what its main button does."""
        if check_switch(run, "run"):
            self.run()
        return self

    def _repr_mimebundle_(self, **_: Any) -> Any:
        # With the metadata without which Colab does not show the widgets of other packages; elsewhere there is none.
        bundle: Any = AnyWidget._repr_mimebundle_(self)
        data, metadata = bundle
        data |= {"text/plain": repr(self), "text/html": html.page(*self.saved_page())}
        return (data, metadata) if metadata else data


def close_all(*given: Any) -> None:
    """Close widgets and all that they are made of."""
    for widget in given:
        made_of = getattr(widget, "layout", None), getattr(widget, "style", None), *getattr(widget, "children", ())
        close_all(*filter(None, made_of))
        widget.close()


@lru_cache(maxsize=1)
def style() -> Markup:
    """The style of fields and buttons; the five types have the colours of their pills."""
    css = resources.files(__package__).joinpath("form.css").read_text(encoding="utf-8")
    for place, colour in enumerate(spec.BADGE_COLOURS.values(), start=1):
        paint = f"background:{colour.background};color:{colour.readable}"
        css += f".b24nb-types button:nth-of-type({place}){{{paint}}}"
    return Markup("{}<style>{}</style>").format(html.css(), Markup(css))  # noqa: S704 - our own file


def field(kind: str, label: str, value: Any, *, width: str = "28em", **options: Any) -> Any:
    """A labelled field: ``kind`` is a class of widgets with a description, which becomes the ``<label>``."""
    # If a text were sent with each letter, the browser would delay it while the kernel is busy, but not a click:
    # the button would read a text without its end. So a text is sent once, when the user leaves the field.
    if kind in ("Text", "Combobox"):
        options = {"continuous_update": False} | options
    style = {"description_width": LABEL_WIDTH}
    layout = {"width": width}
    return getattr(widgets, kind)(description=label, value=value, style=style, layout=layout, **options)


def hide_secrets(field: Any, mask: Callable[[Any], Any] = mask_address) -> None:
    """Mask secrets in a field, whose text is saved with the notebook: a webhook is soon pasted into the first one."""
    field.value = mask(field.value)
    field.observe(lambda change: setattr(field, "value", mask(change["new"])), "value")


def choice(label: str, options: Sequence[str], value: str) -> Any:
    """A choice of one of a few options, as buttons in a row."""
    style = {"description_width": LABEL_WIDTH, "button_width": "auto"}
    return widgets.ToggleButtons(description=label, options=options, value=value, style=style)


def row(*pieces: Any, indented: bool = False) -> Any:
    """Widgets in a row, which wraps if there is no room; ``indented``: aligned with the fields, not their labels."""
    pieces_row = widgets.HBox(pieces, layout={"flex_flow": "row wrap", "grid_gap": "0 12px"})
    if indented:
        pieces_row.add_class("b24nb-actions")
    return pieces_row


class FieldRow(widgets.HBox):  # type: ignore[misc]
    """A field with room beside it for a message about its value; ``hint`` is shown as long as there is no problem."""

    hint = ""

    def __init__(self, field: Any) -> None:
        self._text = widgets.HTML()
        super().__init__([field, self._text], layout={"flex_flow": "row wrap", "grid_gap": "0 12px"})

    def say(self, problem: str) -> None:
        """Show the problem, if there is one."""
        beside = Markup('<span class="b24nb-{}" role="status">{}{}</span>').format
        said = beside("problem", "Check: ", problem) if problem else beside("hint", "", self.hint)
        self._text.value = fragment(said) if problem or self.hint else ""


def show(widget: Any, visible: object) -> None:
    """Show a widget or hide it."""
    widget.layout.display = None if visible else "none"


def fragment(*pieces: Any) -> str:
    """HTML for a part of a form, without the style sheet, which is in the head of the form."""
    return str(Markup('<div class="b24nb">{}</div>').format(html.join(pieces))) if any(pieces) else ""


def languages(chosen: str) -> list[tuple[str, str]]:
    """Options of a language field: the languages of a cloud portal, and the chosen one."""
    return [(language_name(code), code) for code in dict.fromkeys([*spec.LANGUAGES, chosen])]


def named(codes: Iterable[str]) -> str:
    """The first codes, for a sentence, with deceptive characters made visible."""
    return listed([visible(code, code=True) for code in codes])
