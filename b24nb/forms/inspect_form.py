"""The form that inspects one badge: the badge, the raw answer, and the activities that hold it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from b24nb.badges.badge import Badge, Badges
from b24nb.badges.changes import GET, check_code
from b24nb.badges.evidence import badge_of
from b24nb.client import Client
from b24nb.display import html
from b24nb.display.snippets import call_as_code
from b24nb.forms.release_part import HoldersState, ReleaseForm
from b24nb.forms.state import Change, SharedState
from b24nb.rest.response import Response


@dataclass(frozen=True, slots=True, kw_only=True)
class InspectState(HoldersState):
    """``result`` is the badge, ``answer`` what the portal sent, with its ``time`` block."""

    answer: Response | None = None

    def updated(self, **more: Any) -> Any:
        """This state with new attributes and its message."""
        text = f"The portal has the badge {self.result.code!r}."
        return self.saying("done", text, phase="done", field_errors={}, **more)


class InspectForm(ReleaseForm):
    """Shows everything about one badge, in two steps: first the badge, then the activities that hold it."""

    title = "Inspect a badge"
    state = InspectState()

    def make_widgets(self, code: str = "") -> Sequence[Any]:
        self.inspect_button = self.main_button("Inspect badge", "search", self.inspect, self.find_holders)
        choosing = self.choosing(self.inspect_button, code, self._typed)
        return [choosing, self.messages, self.result_view, self.releasing()]

    def inspect(self) -> Any:
        """Read the badge of this code; most portals ignore letter case."""
        code = self.code.value
        self.state = state = InspectState()
        if not code:
            return state.refused(code="Type a code, or choose one of the list.")
        check_code(code)
        answer = self.b24.call(GET, {"code": code})
        if self.state is not state:  # another code was typed meanwhile
            return self.state
        badge = badge_of(answer, code)
        self.shared.see_changed(added=[badge])
        return InspectState(result=badge, badges=Badges([badge]), answer=answer).updated()

    def _typed(self) -> None:
        """Drop what is shown, and select this badge in the other forms of an explorer, too."""
        self.render(InspectState())
        if code := self.code.value:
            known = self.shared.shown.find(code)
            self.shared.selection = (known.code if known else code,)

    def shared_changed(self, change: Change) -> None:
        super().shared_changed(change)
        shown, here = self.state.result, self.shared.badges
        if change == "badges" and shown and here.find(shown.code) != shown:
            self.render(InspectState().saying("note", "The badge it showed was changed or deleted meanwhile."))
        if change == "selection" and self.shared.selection and self.code.value != self.shared.selection[0]:
            with self.drawing():
                self.code.value = self.shared.selection[0]
            self.render(InspectState())

    def result_html(self, state: InspectState) -> Iterable[Any]:
        if state.result:
            card = html.badge_card(state.result, self.shared.language, state.result.note)
            yield Markup('<div class="b24nb-side">{}{}</div>').format(card, html.viewers_table(state.result))

    def frames_html(self, state: InspectState) -> Iterable[Any]:
        if state.result and state.answer:
            block = html.table(("key", "value"), ((key, str(said)) for key, said in (state.answer.time or {}).items()))
            yield html.collapsed("The time block", block)
            yield html.collapsed("The raw answer", html.answer(GET, state.answer.raw))
            yield call_as_code(GET, {"code": state.result.code})
        yield from super().frames_html(state)


def inspect_form(b24: Client, code: str | Badge | None = None, *, run: bool = False) -> InspectForm:
    """A form that shows everything about one badge: texts, holders, raw answer, the call as code.

    Parameters
    ----------
    b24 : Client
        The portal.
    code : str or Badge, optional
        Of the badge to show; most portals ignore letter case.
    run : bool
        Inspect it at once.

    Returns
    -------
    InspectForm
        ``.result`` is the :class:`~b24nb.Badge`, ``.df`` the same as one row.

    Raises
    ------
    InvalidInput
        ``code`` is no text, or ``b24`` is no client. Errors of the portal are shown in the form.

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
    given = code.code if isinstance(code, Badge) else "" if code is None else code
    if not isinstance(given, str):
        check_code(given)
    return InspectForm(SharedState(b24), given).run_if(run)
