"""Small pieces that the forms are made of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from importlib import resources
from typing import TYPE_CHECKING, Any

import ipywidgets as widgets  # type: ignore[import-untyped]
from markupsafe import Markup

from b24nb import spec
from b24nb.display import html
from b24nb.display.colour import readable
from b24nb.display.language import pick
from b24nb.display.snippets import FLAVOURS, as_code
from b24nb.forms.presenters.state import Message

if TYPE_CHECKING:
    import pandas as pd

    from b24nb.badges.badge import Badge
    from b24nb.forms.presenters.holding import Holding

LABEL_WIDTH = "8em"
#: Badges that a list to choose from holds; what is chosen already is in it in any case.
OFFERED = 1_000
HOLDER = ("code", "activity_id", "owner_type", "owner_id", "subject", "certainty", "reason")


@lru_cache(maxsize=1)
def style() -> Markup:
    """The style of fields and buttons; the five types have the colours of their pills."""
    css = resources.files(__package__).joinpath("form.css").read_text(encoding="utf-8")
    for place, colour in enumerate(spec.BADGE_COLOURS.values(), start=1):
        text = readable(colour.text, colour.background)
        css += f".b24nb-types button:nth-of-type({place}){{background:{colour.background};color:{text}}}"
    return Markup("<style>{}</style>").format(Markup(css))  # noqa: S704 - our own file


def button(verb: str, *, style: str = "", icon: str = "") -> Any:
    """A button; its face is a verb."""
    return widgets.Button(description=verb, button_style=style, icon=icon, layout={"width": "auto"})


def field(kind: Any, label: str, value: Any, *, width: str = "24em", **options: Any) -> Any:
    """A labelled field: ``kind`` is a widget with a description, which becomes its ``<label>``."""
    return _labelled(kind, label, value, LABEL_WIDTH, width, options)


def narrow(kind: Any, label: str, value: Any, *, width: str, **options: Any) -> Any:
    """A field for a row with others: its label is as wide as its text."""
    return _labelled(kind, label, value, "initial", width, options)


def _labelled(kind: Any, label: str, value: Any, label_width: str, width: str, options: Any) -> Any:
    # Letter by letter, a browser holds a text back while the kernel works on the one before, but not a
    # click: the button would read a text without its end. So the text goes once, when its field is left.
    if issubclass(kind, widgets.Text):
        options = {"continuous_update": False} | options
    style = {"description_width": label_width}
    return kind(description=label, value=value, style=style, layout={"width": width}, **options)


def choice(label: str, options: Sequence[str], value: str) -> Any:
    """One of a few, as buttons side by side."""
    style = {"description_width": LABEL_WIDTH, "button_width": "auto"}
    return widgets.ToggleButtons(description=label, options=options, value=value, style=style)


def row(*pieces: Any) -> Any:
    """Widgets side by side, as far as there is room."""
    return widgets.HBox(pieces, layout={"flex_flow": "row wrap", "grid_gap": "0 12px"})


class Beside(widgets.HBox):  # type: ignore[misc]
    """A field with room beside it for what is wrong with its value."""

    def __init__(self, *fields: Any) -> None:
        self._text = widgets.HTML()
        super().__init__([*fields, self._text], layout={"flex_flow": "row wrap", "grid_gap": "0 12px"})

    def say(self, problem: str = "", *, advice: str = "") -> None:
        """Show what is wrong, else what is advised, else nothing."""
        kind, text = ("problem", problem) if problem else ("advice", advice)
        beside = Markup('<span class="b24nb-{}" role="status">Check: {}</span>').format(kind, text)
        self._text.value = fragment(beside) if text else ""


def fragment(*pieces: Markup) -> str:
    """HTML for a part of a form; the style sheet stands in its head."""
    return str(Markup('<div class="b24nb">{}</div>').format(join(pieces))) if pieces else ""


def told(message: Message) -> Markup:
    """A message as the display of the house shows it."""
    details = Markup("<p>{}</p>").format(message.details) if message.details else None
    return html.message(message.kind, message.text, message.code, message.hint, details)


def table(caption: str, head: Iterable[str], rows: Iterable[Iterable[Any]]) -> Markup:
    """A small table whose cells may be pills."""
    titles = join(Markup('<th scope="col">{}</th>').format(title) for title in head)
    body = join(
        Markup("<tr>{}</tr>").format(join(Markup("<td>{}</td>").format(cell) for cell in row)) for row in rows
    )
    return Markup(
        '<div class="b24nb-scroll"><table class="b24nb-table"><caption>{}</caption>'
        "<thead><tr>{}</tr></thead><tbody>{}</tbody></table></div>"
    ).format(caption, titles, body)


def call_as_code(method: str, params: Mapping[str, Any]) -> Markup:
    """The call that a button sends, in each language; host and secret are placeholders."""
    return html.folded(
        "The call as code",
        join(
            html.folded(title, html.code(as_code(method, params, flavour), title))
            for flavour, title in FLAVOURS.items()
        ),
    )


def join(pieces: Iterable[Markup]) -> Markup:
    """Pieces of HTML, one after the other."""
    return Markup("").join(pieces)


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


def holders(holding: Holding) -> Iterable[Markup]:
    """Who may hold a badge, so that the portal would refuse to delete it."""
    if holding.unknown:
        yield Markup("<p>Who holds it was not found out.</p>")
        yield told(holding.unknown)
    elif holding.found is not None:
        yield told(_verdict(holding.found[holding.found["certainty"] != "no"]))
        if len(holding.found):
            yield html.frame(holding.found[list(HOLDER)], caption="Open activities that name it")


def _verdict(holders: pd.DataFrame) -> Message:
    if not len(holders):
        return Message("note", "No open activity holds it, as far as this user may read.")
    likely = (holders["certainty"] == "likely").any()
    held = ", ".join(dict.fromkeys(holders["code"]))
    return Message(
        "check",
        f"The portal {'will' if likely else 'may'} refuse to delete {held}: open activities hold it.",
        code="ENTITY_WITH_BADGE_EXISTS",
        hint="Complete them in the portal, or delete them: holders(code) has the call for each.",
    )


def offer(select: Any, badges: Iterable[Badge], chosen: Iterable[str], language: str = "en") -> None:
    """Let these badges be chosen from, and choose those of them that are to be."""
    wanted = set(chosen)
    some = [badge for place, badge in enumerate(badges) if place < OFFERED or badge.code in wanted]
    options = [(f"{badge.code}: {pick(badge.title, language)[0]}", badge.code) for badge in some]
    if options != list(select.options):  # new options would scroll the list back
        select.options = options
    select.value = tuple(code for _, code in options if code in wanted)
