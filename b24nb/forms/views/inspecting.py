"""The form that inspects one badge."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import ipywidgets as widgets  # type: ignore[import-untyped]
from markupsafe import Markup

from b24nb.badges import wire
from b24nb.badges.badge import Badge
from b24nb.display import html
from b24nb.display.language import pick
from b24nb.display.snippets import FLAVOURS, as_code
from b24nb.forms.presenters.inspecting import InspectBadge, InspectState
from b24nb.forms.views import parts
from b24nb.forms.views.form import Form, Step

if TYPE_CHECKING:
    from b24nb.forms.presenters.desk import Change


class InspectForm(Form):
    """Shows one badge from all sides."""

    title = "Inspect a badge"
    presenter: InspectBadge

    def __init__(self, presenter: InspectBadge, code: str = "", *, alone: bool = True) -> None:
        self.code = parts.field(widgets.Combobox, "Badge code", code, options=presenter.desk.codes)
        self._code = parts.Beside(self.code)
        self.inspect_button = parts.button("Inspect badge", style="primary", icon="search")
        self.load_button = parts.button("Load codes", icon="list")
        self.flavour = parts.field(
            widgets.Dropdown, "Code in", "curl", options=[(title, name) for name, title in FLAVOURS.items()]
        )
        super().__init__(presenter, alone=alone)
        self.on_click(self.inspect_button, lambda: self.work(self.steps()))
        self.on_click(self.load_button, lambda: self.work([self.presenter.load]))
        self.on_change(self.flavour, lambda: self.render(self.presenter.state))

    def arranged(self) -> Sequence[Any]:
        buttons = parts.row(self.inspect_button, self.load_button)
        return [self._code, buttons, self.told, self.shown, self.flavour, self.beside]

    def steps(self) -> Sequence[Step]:
        code = self.code.value
        return [lambda: self.presenter.inspect(code), self.presenter.find_holders]

    def follow(self, change: Change) -> None:
        desk = self.presenter.desk
        if change == "badges":
            self.code.options = desk.codes
        elif desk.selection:
            self.code.value = desk.selection[0]

    def draw(self, state: InspectState) -> None:
        self._code.say(state.field_errors.get("code", ""))
        self.flavour.layout.display = None if state.result else "none"

    def aside(self, state: InspectState) -> Iterable[Markup]:
        if state.result:
            code = as_code(wire.GET, {"code": state.result.code}, self.flavour.value)
            yield Markup(code._repr_html_())  # noqa: S704 - display made it

    def picture(self, state: InspectState) -> Iterable[Markup]:
        if not state.result or not state.answer:
            return
        yield html.badge_card(state.result)
        yield _languages(state.result)
        if state.answer.time:
            block = parts.table("The time block of the answer", ("key", "value"), state.answer.time.items())
            yield html.folded("The time block", block)
        yield html.folded("The raw answer", html.answer(wire.GET, state.answer.raw))
        yield from parts.holders(state.holding)


def _languages(badge: Badge) -> Markup:
    """What the portal shows to viewers of each language that the badge has, and to all others."""
    maps = [text for text in (badge.title, badge.value) if not isinstance(text, str)]
    codes = list(dict.fromkeys(code for text in maps for code in text))
    rows = [
        (parts.language_name(code), pick(badge.title, code)[0], html.pill(badge.value, badge.type, code))
        for code in codes
    ]
    others = "any other" if codes else "any"
    rows.append((others, pick(badge.title)[0], html.pill(badge.value, badge.type)))
    return parts.table("What the portal shows", ("viewer's language", "title", "pill"), rows)
