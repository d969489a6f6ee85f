"""Deleting badges: look at what will go, type its name, delete, and go back if it was a mistake."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from b24nb import spec
from b24nb.badges.badge import Badge, Badges
from b24nb.badges.changes import Action, Verdict
from b24nb.badges.checks import NotRestorable, not_restorable
from b24nb.display.visible import visible
from b24nb.errors import B24Error
from b24nb.forms.presenters.base import Presenter, counted, unwarned
from b24nb.forms.presenters.holding import Holding, look
from b24nb.forms.presenters.state import NOTHING_SENT, FormState, Message


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteState(FormState):
    """``result`` is the badge that was deleted, or for several the report.

    Attributes
    ----------
    doomed : Badges
        What the confirm button deletes: exactly what the preview shows.
    missing : tuple of str
        Chosen codes that no badge has.
    holding : Holding
        Who holds them.
    removed : Badges
        What was deleted and can be brought back.
    """

    doomed: Badges = field(default_factory=Badges)
    missing: tuple[str, ...] = ()
    holding: Holding = field(default_factory=Holding)
    removed: Badges = field(default_factory=Badges)

    @property
    def word(self) -> str:
        """What has to be typed to confirm: the code as it is shown, or for several their number."""
        return visible(self.doomed[0].code, code=True) if len(self.doomed) == 1 else str(len(self.doomed))

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
        state = self.forget()
        if not codes:
            wrong = {"codes": "Type a code, or choose badges of the list."}
            return replace(state, phase="invalid", message=NOTHING_SENT, field_errors=wrong)
        if len(codes) == 1:
            found = {codes[0]: self.b24.badges.get(codes[0])}
        else:
            self.desk.see(self.b24.badges.list())
            found = self.desk.find_all(codes)
        doomed = Badges(dict.fromkeys(found.values()))
        missing = tuple(code for code in codes if code not in found)
        if not doomed:
            message = Message("check", f"No badge has one of these codes: {', '.join(missing)}.")
            return replace(state, phase="failed", message=message)
        text = f"{counted(doomed)} would be deleted. Nothing has been deleted yet."
        return replace(state, phase="confirm", message=Message("note", text), doomed=doomed, missing=missing)

    def find_holders(self) -> DeleteState:
        """Look who may hold the badges of the preview; a trouble here leaves the preview there."""
        if self.state.phase != "confirm":
            return self.state
        return self.send(self._find_holders)

    def _find_holders(self) -> DeleteState:
        return replace(self.state, holding=look(self, self.state.doomed))

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
        with unwarned(NotRestorable if state.lost_for_good else None):
            if len(state.doomed) == 1:
                return self._delete_one(state.doomed[0])
            return self._delete_many(state.doomed)

    def _delete_one(self, badge: Badge) -> DeleteState:
        removed = self.b24.badges.delete(badge)
        self.desk.see_deleted([badge.code])
        message = Message("done", f"The badge {removed.code!r} was deleted.", hint="Undo brings it back.")
        return DeleteState(phase="done", message=message, result=removed, removed=Badges([removed]))

    def _delete_many(self, doomed: Badges) -> DeleteState:
        codes = [badge.code for badge in doomed]
        report = self.b24.badges.delete_many(
            doomed, keep_going=True, progress=False, cancel=self._asked_before_each_request(len(codes))
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
        left = Badges(outcome.step.after for outcome in report if not outcome.ok and outcome.step.after)
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
