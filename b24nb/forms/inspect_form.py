"""The form that inspects one badge: the badge, the raw answer, and then who holds it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from markupsafe import Markup

from b24nb.badges.badge import Badge
from b24nb.badges.changes import GET
from b24nb.badges.evidence import badge_of
from b24nb.client import Client
from b24nb.display import html
from b24nb.display.language import pick
from b24nb.display.visible import visible
from b24nb.forms import parts
from b24nb.forms.form import Form, Step, sends
from b24nb.forms.holders_lookup import HoldersLookup
from b24nb.forms.messages import NOTHING_SENT, Message
from b24nb.forms.state import Change, FormState, SharedState
from b24nb.rest.connection import Response


@dataclass(frozen=True, slots=True, kw_only=True)
class InspectState(FormState):
    """``result`` is the badge.

    Attributes
    ----------
    answer : Response or None
        What the portal sent, with its ``time`` block.
    holders : HoldersLookup
        Who holds the badge.
    """

    answer: Response | None = None
    holders: HoldersLookup = field(default_factory=HoldersLookup)


class InspectForm(Form):
    """Shows one badge from all sides, in two steps: the badge is on show before its holders are found."""

    title = "Inspect a badge"
    blank = InspectState()

    def arranged(self, code: str = "") -> Sequence[Any]:
        self.code = parts.field("Combobox", "Badge code", code, options=self.shared.codes)
        self.on_change(self.code, self._typed)
        self.inspect_button = self.button("Inspect badge", "search", self.start, style="primary")
        self.load_button = self.button("Load codes", "list", lambda: self.work([self.load]))
        buttons = parts.row(self.inspect_button, self.load_button, indented=True)
        return [self.field_row("code", self.code), buttons, self.messages, self.shown, self.beside]

    def steps(self) -> Sequence[Step]:
        code = self.code.value
        return [lambda: self.inspect(code), self.find_holders]

    @sends
    def inspect(self, code: str) -> InspectState:
        """Read the badge of this code; most portals ignore letter case."""
        if not code:
            wrong = {"code": "Type a code, or choose one of the list."}
            return InspectState(phase="invalid", message=NOTHING_SENT, field_errors=wrong)
        answer = self.b24.call(GET, {"code": code})
        badge = badge_of(answer, code)
        message = Message("done", f"The portal has the badge {badge.code!r}.")
        return InspectState(phase="done", message=message, result=badge, answer=answer)

    @sends
    def find_holders(self) -> InspectState:
        """Look which open activities may hold the badge on show; a trouble here leaves the badge there."""
        state: InspectState = self.state
        return replace(state, holders=HoldersLookup.of(self, [state.result])) if state.result else state

    def _typed(self) -> None:
        """The other forms of an explorer speak about this badge, too."""
        if code := self.code.value:
            known = self.shared.find_all([code])
            self.shared.select([badge.code for badge in known.values()] or [code])

    def follow(self, change: Change) -> None:
        with self.drawing():
            if change == "badges":
                self.code.options = self.shared.codes
            elif change == "selection" and self.shared.selection:
                self.code.value = self.shared.selection[0]
        if change == "language":
            self.redraw()

    def picture(self, state: InspectState) -> Iterable[Markup]:
        if state.result:
            card = html.badge_card(state.result, self.shared.language)
            yield Markup('<div class="b24nb-side">{}{}</div>').format(card, _languages(state.result))

    def aside(self, state: InspectState) -> Iterable[Markup]:
        return state.holders.pieces

    def numbers(self, state: InspectState) -> Iterable[Markup]:
        if state.result and state.answer:
            block = html.table(("key", "value"), (state.answer.time or {}).items())
            yield html.folded("The time block", block)
            yield html.folded("The raw answer", html.answer(GET, state.answer.raw))
            yield parts.call_as_code(GET, {"code": state.result.code})
        yield from super().numbers(state)


def _languages(badge: Badge) -> Markup:
    """What the portal shows to viewers of each language that the badge has, and to all others."""
    maps = [text for text in (badge.title, badge.value) if not isinstance(text, str)]
    codes = list(dict.fromkeys(code for text in maps for code in text))
    viewers = [(parts.language_name(code), code) for code in codes]
    viewers.append(("any other" if codes else "any", ""))
    rows = (
        (name, visible(pick(badge.title, code)[0]), html.pill(badge.value, badge.type, code)) for name, code in viewers
    )
    return html.table(("viewer's language", "title", "pill"), rows, "What the portal shows")


def inspect_form(b24: Client, code: str | None = None, *, run: bool = False) -> InspectForm:
    """A form that shows one badge from all sides: texts, holders, raw answer, the call as code.

    Parameters
    ----------
    b24 : Client
        The portal.
    code : str, optional
        Of the badge; most portals ignore letter case.
    run : bool
        Inspect it at once.

    Returns
    -------
    InspectForm
        ``.result`` is the :class:`~b24nb.Badge`, ``.df`` the same as one row.

    Examples
    --------
    >>> import b24nb
    >>> from b24nb import forms
    >>> with b24nb.connect(b24nb.SandboxPortal()) as b24:
    ...     form = forms.inspect_form(b24, "missedCall", run=True)
    >>> form.result.type
    'failure'
    >>> list(form.timings["method"])
    ['crm.activity.badge.get', 'crm.activity.list']
    """
    return InspectForm(SharedState(b24), code or "").started(run)
