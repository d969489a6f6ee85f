"""Deleting badges: look at what will go, type its name, delete, and go back if it was a mistake."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from b24nb import spec
from b24nb.badges.badge import Badge, Badges, ByCode
from b24nb.badges.changes import Action, Verdict
from b24nb.badges.checks import NotRestorable, not_restorable
from b24nb.errors import B24Error
from b24nb.forms.presenters.base import Presenter, counted
from b24nb.forms.presenters.state import NOTHING_SENT, FormState, Message, told

if TYPE_CHECKING:
    import pandas as pd

#: Badges whose holders are looked for, a call each; for more, the report tells afterwards.
SOUGHT = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteState(FormState):
    """``result`` is the badge that was deleted, or for several the report.

    Attributes
    ----------
    doomed : Badges
        What the confirm button deletes: exactly what the preview shows.
    missing : tuple of str
        Chosen codes that no badge has.
    holders : DataFrame or None
        Open activities that may hold them; ``None`` before that was looked up.
    holders_message : Message or None
        Why that could not be looked up.
    removed : Badges
        What was deleted and can be brought back.
    """

    doomed: Badges = field(default_factory=Badges)
    missing: tuple[str, ...] = ()
    holders: pd.DataFrame | None = None
    holders_message: Message | None = None
    removed: Badges = field(default_factory=Badges)

    @property
    def word(self) -> str:
        """What has to be typed to confirm: the code, or for several their number."""
        return self.doomed[0].code if len(self.doomed) == 1 else str(len(self.doomed))

    @property
    def lost_for_good(self) -> tuple[str, ...]:
        """Doomed codes that ``add`` would refuse to bring back."""
        return tuple(badge.code for badge in self.doomed if not_restorable(badge))


class DeleteBadges(Presenter[DeleteState]):
    """Previews, deletes what was previewed, and brings back what was deleted."""

    changes = True
    blank = DeleteState()
    _target = Badges()

    def preview(self, codes: Sequence[str]) -> DeleteState:
        """Read the badges that would go. Deletes nothing.

        Parameters
        ----------
        codes : sequence of str
            One or several.
        """
        return self.send(lambda: self._preview(codes))

    def _preview(self, codes: Sequence[str]) -> DeleteState:
        if not codes:
            wrong = {"codes": "Type a code, or choose badges of the list."}
            return replace(self.forget(), phase="invalid", message=NOTHING_SENT, field_errors=wrong)
        state = self.forget()
        if len(codes) == 1:
            doomed = Badges([self.b24.badges.get(codes[0])])
            missing: tuple[str, ...] = ()
        else:
            badges = self.b24.badges.list()
            self.desk.see(badges)
            found = {code: ByCode(badges).find(code) for code in codes}
            doomed = Badges(dict.fromkeys(badge for badge in found.values() if badge))
            missing = tuple(code for code, badge in found.items() if badge is None)
        text = f"{counted(doomed)} would be deleted. Nothing has been deleted yet."
        return replace(state, phase="confirm", message=Message("note", text), doomed=doomed, missing=missing)

    def find_holders(self) -> DeleteState:
        """Look who may hold the badges of the preview; a trouble here leaves the preview there."""
        if self.state.phase != "confirm":
            return self.state
        return self.send(self._find_holders)

    def _find_holders(self) -> DeleteState:
        import pandas as pd

        if len(self.state.doomed) > SOUGHT:
            text = f"That takes a call for each badge, and they are more than {SOUGHT}."
            hint = "The report will name who holds those that the portal refuses to delete."
            return replace(self.state, holders_message=Message("note", text, hint=hint))
        found = []
        for done, badge in enumerate(self.state.doomed):
            self.progress("Looking which activities hold them", done, len(self.state.doomed))
            if self.cancel.is_set():
                return replace(self.state, holders_message=Message("note", "The search was cancelled."))
            try:
                found.append(self.b24.badges.holders(badge.code))
            except B24Error as error:
                return replace(self.state, holders_message=told(error))
        return replace(self.state, holders=pd.concat(found, ignore_index=True))

    def forget(self) -> DeleteState:
        """Drop the preview, because another badge was chosen. What was deleted can still be brought back."""
        return self.settle(DeleteState(removed=self.state.removed))

    def delete(self, typed: str) -> DeleteState:
        """Delete what the preview shows, if its word was typed.

        Parameters
        ----------
        typed : str
            What stands in the confirm field.
        """
        return self.send(lambda: self._delete(typed), change=("delete", self._target))

    def _delete(self, typed: str) -> DeleteState:
        state = self.state
        if not state.doomed:
            message = Message(
                "check", "Nothing is previewed, so nothing has been sent.", hint="Preview first."
            )
            return replace(state, phase="invalid", message=message)
        if typed.strip() != state.word.strip():
            wrong = {"confirm": f"Type {state.word} to confirm."}
            return replace(state, phase="invalid", message=NOTHING_SENT, field_errors=wrong)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NotRestorable)  # the preview has said so
            return (
                self._delete_one(state.doomed[0])
                if len(state.doomed) == 1
                else self._delete_many(state.doomed)
            )

    def _delete_one(self, badge: Badge) -> DeleteState:
        removed = self.b24.badges.delete(badge.code)
        self.desk.see_deleted([badge.code])
        message = Message("done", f"The badge {removed.code!r} was deleted.", hint="Undo brings it back.")
        return DeleteState(phase="done", message=message, result=removed, removed=Badges([removed]))

    def _delete_many(self, doomed: Badges) -> DeleteState:
        codes = [badge.code for badge in doomed]
        report = self.b24.badges.delete_many(
            codes, keep_going=True, progress=False, cancel=self._asked_before_each_request(len(codes))
        )
        removed = Badges(
            outcome.step.before
            for outcome in report
            if outcome.verdict is Verdict.DELETED and outcome.step.before
        )
        self.desk.see_deleted(
            outcome.step.code for outcome in report if outcome.verdict in (Verdict.DELETED, Verdict.GONE)
        )
        message = Message(
            "done" if report.ok else "check",
            f"{counted(removed)} of {len(codes)} deleted.",
            hint="Undo brings them back." if removed else "The report says why.",
        )
        return DeleteState(
            phase="done" if report.ok else "failed", message=message, result=report, removed=removed
        )

    def undo(self) -> DeleteState:
        """Bring back exactly what the last delete of this form took, whatever happened elsewhere since."""
        return self.send(self._undo, change=("undo", self._target))

    def _undo(self) -> DeleteState:
        removed = self.state.removed
        if not removed:
            return replace(self.state, phase="invalid", message=Message("check", "There is nothing to undo."))
        plan = self.b24.badges.plan(removed)
        clashes = [step.code for step in plan.steps if step.action is Action.REPLACE]
        if clashes:
            text = f"Somebody has made {', '.join(clashes)} anew, with other texts. Nothing has been sent."
            hint = "Undo would overwrite that. b24.journal.plan_undo() shows what it would change."
            return replace(self.state, phase="failed", message=Message("check", text, hint=hint))
        report = plan.apply(
            keep_going=True, progress=False, cancel=self._asked_before_each_request(len(removed))
        )
        self.desk.see_added(outcome.badge for outcome in report if outcome.badge)
        left = Badges(outcome.step.after for outcome in report if outcome.trouble and outcome.step.after)
        message = Message(
            "check" if left else "done",
            f"{len(removed) - len(left)} of {counted(removed)} brought back, as the last of the list.",
        )
        return DeleteState(phase="failed" if left else "done", message=message, result=report, removed=left)

    def failed(self, error: B24Error) -> DeleteState:
        """What was previewed, or deleted, is still what it was."""
        lost = super().failed(error)
        return replace(self.state, phase="failed", message=lost.message, field_errors=lost.field_errors)

    def settle(self, state: DeleteState) -> DeleteState:
        if state.doomed:
            self._target = state.doomed
        return super().settle(state)

    def _asked_before_each_request(self, total: int) -> Callable[[], bool]:
        """For ``cancel``: it is asked before each request of 50, which is also how far the work is."""
        sent = itertools.count(0, spec.BATCH_SIZE)

        def ask() -> bool:
            self.progress("At work", min(next(sent), total), total)
            return self.cancel.is_set()

        return ask
