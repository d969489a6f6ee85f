"""The one write path: it takes steps and returns their outcomes.

Every change is made in this order: refuse what is known to be wrong; look at the portal and skip each step whose
badge has changed since the step was made; commit the intent to the journal; send the request; accept the answer
only if it proves the result, else look at the portal again; write the verdict to the journal.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from b24nb import errors
from b24nb.badges.badge import Badge, Badges, unrestorable_remarks
from b24nb.badges.changes import DELETE, LIST, Action, Outcome, Step, StepCommand, Verdict, to_restore
from b24nb.badges.evidence import Answer, badges_of, is_whole, judge_answers, look_at, reconcile, why_missing
from b24nb.badges.journal_store import ChangeSet, JournalStore
from b24nb.rest.calls import Call, event_list
from b24nb.rest.connection import Connection
from b24nb.rest.response import Response

Steps = Sequence[Step]
LastSeen = Sequence[Badge | None]
Look = Callable[[Badges], object] | None
#: So many seconds after a look, somebody may have changed what it showed.
STALE = 1.0
#: How the texts begin that say why a run was stopped, if the user did it.
_BY_USER = ("cancelled", "stopped by")
#: Key of the look in a batch.
_LOOK = "look"


@dataclass(eq=False, repr=False)
class ChangeApplier:
    """Makes changes on one portal and writes them to its journal.

    ``settle_after``: so many seconds after a request was sent, the portal has certainly finished it.
    """

    connection: Connection
    store: JournalStore
    settle_after: float
    keeps_alive: object = None  # a reference that keeps a sandbox of this process running while it can be changed

    def refuse_if_read_only(self) -> None:
        """Raise :class:`ReadOnly` before anything is written or sent."""
        if self.connection.read_only:
            raise errors.ReadOnly("This client is read-only.")

    def apply_one(self, kind: str, step: Step, found: Badge | None = None) -> Outcome:
        """Send one step as a change set, by single calls; raise if it was not made or its result is unknown.

        ``found``: what a look just before showed, if that differs from ``step.before``.
        """
        (outcome,) = self.send(ChangeSet(kind), [step], [found])
        warn_if_unwritten(self.store, [outcome])
        if outcome.error:
            raise outcome.error
        return outcome

    def send(
        self, change_set: ChangeSet, steps: Steps, found: LastSeen, *, batch: bool = False, **options: Any
    ) -> list[Outcome]:
        """Send steps by one ``batch`` (at most 50 commands), or one step by a call per command.

        ``halt``: do not run the commands after a failed one. ``look``: a function; the batch then begins with a
        look, and the function is called with its badges. ``stopped``: a function; once it returns a text, nothing is
        sent any more. Returns an outcome per step; errors are not raised.
        """
        intent = _Intent(self, change_set, steps, found, options.pop("stopped", str))
        outcomes = self._attempt(intent, steps, found, batch=batch, **options)
        outcomes = [self._completed(outcome, intent) for outcome in outcomes]
        with suppress(errors.JournalError):  # what became of the changes stays true; the next use writes it
            self.store.conclude(zip(intent.ids, outcomes, strict=False))
        return outcomes

    def _attempt(
        self, intent: _Intent, steps: Steps, found: LastSeen, batch: bool = False, halt: bool = False, look: Look = None
    ) -> list[Outcome]:
        """Send, and find out what became of each step."""
        commands: list[StepCommand] = [(_LOOK, LIST, {})] if look else []
        commands += [command for place, step in enumerate(steps) for command in step.commands(f"s{place}")]
        answers: dict[str, Answer] = {}
        intent.answers.append(answers)
        intent.looks = bool(look)
        failure: errors.B24Error | None = None
        try:
            together = len(commands) if batch else 2 if look else 0  # a look and a delete always fit a batch
            if together:
                answers |= self.connection.send_chunk(commands[:together], halt=halt or not batch, before_send=intent)
            self._call_each(commands[together:], intent, answers)
        except errors.B24Error as error:
            failure = error
        # If a change was seen after a wait, all badges of the batch have to be looked at again.
        if isinstance(failure, _Stopped) or (batch and isinstance(failure, errors.BadgeChanged)):
            return [Outcome(step, Verdict.NOT_SENT) for step in steps]
        looked = answers.get(_LOOK)
        if isinstance(looked, errors.ApiError) and len(answers) == 1:  # the look was refused: send without it
            return self._attempt(intent, steps, found, batch=batch, halt=halt)
        if isinstance(looked, Response) and look:
            with suppress(errors.BadResponse):
                here = badges_of(looked)
                seen = [(step, here.find(step.key)) for step in steps]
                found = [now if now != step.before and is_whole(now) else None for step, now in seen]
                look(here)
        return self._judged(intent, steps, found, answers, failure)

    def _judged(
        self,
        intent: _Intent,
        steps: Steps,
        found: LastSeen,
        answers: Mapping[str, Answer],
        failure: errors.B24Error | None,
    ) -> list[Outcome]:
        """The outcomes that the answers prove; the others by a look at the portal."""
        outcomes: list[Outcome] = []
        for place, (step, before) in enumerate(zip(steps, found, strict=True)):
            answered = failure, answers.get(f"s{place}-delete"), answers.get(f"s{place}-add")
            refusal = next((one for one in answered if isinstance(one, errors.B24Error)), None)
            one = judge_answers(step, *answered) or Outcome(step, Verdict.UNKNOWN, None, refusal)
            edited = f"somebody had changed it just before; the journal keeps it as it was last: {before!r}"
            detail = one.detail or (edited if before and step.before and one.changed else "")
            outcomes.append(one._replace(found=before, detail=detail))
        if undecided := {place: one for place, one in enumerate(outcomes) if one.verdict is Verdict.UNKNOWN}:
            # Wait for the effect only while the portal may be working on it: not after an answer with HTTP 3xx or 4xx.
            end = self.connection.clock.monotonic()
            if isinstance(failure, errors.TransportError) and not 300 <= (failure.http_status or 0) < 500:
                end += self.settle_after - failure.waited
            # A failure of another request is no reason to know less about this one.
            by_user = lambda: intent.stopped().startswith(_BY_USER)  # noqa: E731
            seen = reconcile(self.connection, [*undecided.values()], end, by_user)
            call = getattr(failure, "call", None)
            if isinstance(call, Call) and all(outcome.done for outcome in seen):
                call.outcome = "seen"
            for place, outcome in zip(undecided, seen, strict=True):
                outcomes[place] = outcome
        return outcomes

    def _call_each(self, commands: Sequence[StepCommand], intent: _Intent, answers: dict[str, Answer]) -> None:
        """Send a call per command until one fails, and add their answers to ``answers``."""
        for key, method, params in commands:
            if any(isinstance(one, errors.ApiError) for one in answers.values()):
                break
            try:
                answers[key] = self.connection.call(method, params, before_send=intent)
            except errors.ApiError as error:
                answers[key] = error

    def _completed(self, outcome: Outcome, intent: _Intent) -> Outcome:
        """Finish a replace whose delete and add did not both happen, by one more call."""
        step, error = outcome.step, outcome.error
        if outcome.half_done:
            (again,) = self._attempt(intent, [Step(step.code, None, to_restore(outcome.found, step.before))], [None])
            if again.verdict is Verdict.ADDED:
                return outcome._replace(changed=False, detail=f"the old badge was restored, last in the list: {error}")
            detail = f"deleted, but not added, and restoring the old badge failed: {again.error}"
            verdict = Verdict.UNKNOWN if again.open else outcome.verdict
            return outcome._replace(verdict=verdict, open=again.open, detail=detail)
        nothing_there = isinstance(error, errors.NotFound) and error.method == DELETE
        if nothing_there and step.action is Action.REPLACE and step.before:
            (again,) = self._attempt(intent, [Step(step.code, None, step.after)], [None])
            detail = why_missing(step) if again.verdict is Verdict.ADDED else again.detail
            return again._replace(step=step, detail=detail)
        return outcome


def warn_if_unwritten(store: JournalStore, outcomes: Sequence[Outcome]) -> None:
    """Warn if the journal does not hold the verdict of each change, after one was made."""
    if any(one.changed is not False for one in outcomes) and (why := store.finish()):
        text = f"What became of the change could not be written to the journal: {why} b24.journal.settle() writes it."
        warn(errors.JournalNotWritten(text))


def warn_if_not_restorable(badges: Iterable[Any]) -> None:
    """Warn before these are deleted, if one of them could not be restored."""
    for text in unrestorable_remarks(badges):
        warn(errors.NotRestorable(text))


def warn(warning: UserWarning) -> None:
    """Warn about the line of code that called this package; but if a form did, add it to the events that it shows."""
    if (listener := event_list.get()) is not None:
        listener.append(warning)
        return
    frame, level = sys._getframe(), 1
    while frame.f_back and str(frame.f_globals.get("__name__")).startswith("b24nb."):
        frame, level = frame.f_back, level + 1
    warnings.warn(warning, stacklevel=level)


class _Stopped(errors.B24Error):
    """The run was stopped while its request waited; nothing was sent."""


@dataclass(eq=False, repr=False)
class _Intent:
    """Commits steps to the journal right before their first request is sent; notes the time of later requests.

    Somebody may change the badges while a request waits for the request rate: then it looks at them once more.
    """

    applier: ChangeApplier
    change_set: ChangeSet
    steps: Steps
    found: LastSeen
    stopped: Callable[[], str]  # why nothing may be sent any more; "": it may
    ids: Sequence[int] = ()
    answers: list[Mapping[str, Answer]] = field(default_factory=list)
    looks: bool = False  # whether the request itself looks at the badges

    def __post_init__(self) -> None:
        self.made = self.applier.connection.clock.monotonic()

    def __call__(self) -> None:
        clock, store = self.applier.connection.clock, self.applier.store
        answered = len(self.answers) > 1 or any(self.answers)
        self._refuse_if_stopped()
        waited = self.ids or clock.monotonic() - self.made > (5 * STALE if self.looks else STALE)
        replaced = [step for step in self.steps if step.deletes]
        if waited and replaced and not answered:
            try:
                here = Badges(look_at(self.applier.connection, replaced))
            except errors.B24Error as error:
                vars(error)["sent"] = False  # the change was not
                raise
            for step in replaced:
                if (now := here.find(step.key)) != step.before:
                    raise errors.BadgeChanged(step.code, step.before, now)
            self._refuse_if_stopped()  # the look may have waited, too
        if self.ids:
            self.ids = store.note_attempt(self.ids, clock.time(), answered=answered)
        else:
            self.ids = store.intend(self.change_set, self.steps, clock.time(), self.found)

    def _refuse_if_stopped(self) -> None:
        begun = any(answers.keys() - {_LOOK} for answers in self.answers)  # a change of several calls is finished
        if not begun and self.stopped():
            raise _Stopped("The run was stopped before this was sent.")
