"""The one write path: steps in, outcomes out.

Every change goes this way. What is known to be wrong is refused; the portal is looked at, and a step whose
badge is not any more what it was made for is left alone; the intent is committed to the journal right
before the request leaves; the answer is believed only where it proves something, else the portal is looked
at; the verdict is written.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace

from b24nb import errors
from b24nb.badges.badge import Badge, ByCode
from b24nb.badges.changes import Command, Outcome, Step, Verdict
from b24nb.badges.evidence import Answer, Doubt, judge_answers, judge_failure, reconcile
from b24nb.badges.journal_store import ChangeSet, JournalStore
from b24nb.badges.wire import LIST, badges_of
from b24nb.rest.calls import Call
from b24nb.rest.connection import Connection, Response

Found = Sequence[Badge | None]
#: Key of the look that rides in a batch.
_LOOK = "look"


class JournalNotWritten(UserWarning):
    """A change was made, and its verdict could not be written to the journal; its intent is there."""


class ChangeApplier:
    """Makes changes on one portal and writes them in its journal.

    ``settle_after``: seconds after sending until an effect that is not visible will not come any more.
    """

    def __init__(self, connection: Connection, store: JournalStore, settle_after: float) -> None:
        self.connection = connection
        self.store = store
        self.settle_after = settle_after

    def refuse_if_read_only(self) -> None:
        """Raise :class:`ReadOnly` before anything is written or sent."""
        if self.connection.read_only:
            hint = "Connect without read_only to change badges."
            raise errors.ReadOnly("This client is read-only.", hint=hint)

    def apply_one(self, kind: str, step: Step, found: Badge | None = None) -> Outcome:
        """One step as a change set, by calls of its own; raises if it was not made or is not known.

        ``found``: what a look just before showed, where that is not ``step.before``.
        """
        (outcome,) = self.send(ChangeSet(kind), [step], [found])
        self.flush()
        if outcome.error:
            raise outcome.error
        return outcome

    def flush(self) -> str:
        """Write the verdicts; where that fails, warn and return what happened: the changes are made."""
        try:
            self.store.flush()
        except errors.JournalError as error:
            text = f"The change was made; its verdict could not be written to the journal: {error.message}"
            warnings.warn(f"{text} b24.journal.settle() completes it.", JournalNotWritten, stacklevel=5)
            return text
        return ""

    def send(
        self,
        change_set: ChangeSet,
        steps: Sequence[Step],
        found: Found,
        *,
        batch: bool = False,
        **options: bool,
    ) -> list[Outcome]:
        """Send steps by one ``batch`` (at most 50 commands), or one step by a call per command.

        ``halt`` leaves out what comes after a failure; ``look`` lists the badges first, in the same
        request. The outcomes are in the order of ``steps``; errors are in there, not raised.
        """
        intent = _Intent(self, change_set, steps, found)
        outcomes = self._attempt(intent, steps, found, batch=batch, **options)
        outcomes = [self._completed(outcome, intent) for outcome in outcomes]
        self.store.conclude(zip(intent.ids, outcomes, strict=False))
        return outcomes

    def _attempt(
        self,
        intent: _Intent,
        steps: Sequence[Step],
        found: Found,
        *,
        batch: bool = False,
        halt: bool = False,
        look: bool = False,
    ) -> list[Outcome]:
        """Send, and find out what happened in any case."""
        commands: list[Command] = [(_LOOK, LIST, {})] if look else []
        commands += [command for place, step in enumerate(steps) for command in step.commands(f"s{place}")]
        answers: Mapping[str, Answer] = {}
        failure: errors.ApiError | errors.TransportError | None = None
        try:
            if batch:
                answers = self.connection.send_chunk(commands, halt=halt, before_send=intent)
            else:
                answers = self._calls(commands, intent)
        except errors.JournalError as error:
            return [Outcome(step, Verdict.NOT_SENT, error=error) for step in steps]
        except (errors.ApiError, errors.TransportError) as error:
            failure = error
        looked = answers.get(_LOOK)
        if isinstance(looked, errors.ApiError):  # refused, where it was not before: go on without
            return self._attempt(intent, steps, found, batch=batch, halt=halt)
        found = _found_by(looked, steps) if looked else found
        return self._judged(steps, found, answers, failure, intent.sent_at)

    def _judged(
        self,
        steps: Sequence[Step],
        found: Found,
        answers: Mapping[str, Answer],
        failure: errors.ApiError | errors.TransportError | None,
        sent_at: float,
    ) -> list[Outcome]:
        """What the answers prove, and a look where they prove nothing."""
        outcomes: dict[int, Outcome] = {}
        doubts: dict[int, Doubt] = {}
        for place, (step, before) in enumerate(zip(steps, found, strict=True)):
            pair = answers.get(f"s{place}-delete"), answers.get(f"s{place}-add")
            outcome = judge_failure(step, failure) if failure else judge_answers(step, *pair)
            if outcome:
                detail = outcome.detail or _edited(outcome, before)
                outcomes[place] = replace(outcome, found=before, detail=detail)
            else:
                refusal = next((one for one in pair if isinstance(one, errors.ApiError)), None)
                doubts[place] = Doubt(step, before, failure or refusal)
        outcomes |= zip(doubts, self._reconciled([*doubts.values()], failure, sent_at), strict=True)
        return [outcomes[place] for place in range(len(steps))]

    def _reconciled(
        self, doubts: Sequence[Doubt], failure: errors.B24Error | None, sent_at: float
    ) -> list[Outcome]:
        """Look, as long as the effect can still come: not after somebody has answered."""
        if not doubts:
            return []
        answered = 300 <= (getattr(failure, "http_status", 0) or 0) < 500
        lost = isinstance(failure, errors.TransportError) and not answered
        outcomes = reconcile(self.connection, doubts, sent_at + self.settle_after if lost else 0)
        call = getattr(failure, "call", None)
        if isinstance(call, Call) and all(outcome.done for outcome in outcomes):
            call.outcome = "seen"
        return outcomes

    def _calls(self, commands: Sequence[Command], intent: _Intent) -> Mapping[str, Answer]:
        """A call per command, until one fails."""
        answers: dict[str, Answer] = {}
        for key, method, params in commands:
            try:
                answers[key] = self.connection.call(method, params, write=True, before_send=intent)
            except errors.ApiError as error:
                answers[key] = error
                break
            except errors.TransportError as error:
                error.sent = error.sent or bool(answers)  # the part before it was carried out
                raise
        return answers

    def _completed(self, outcome: Outcome, intent: _Intent) -> Outcome:
        """The rest of a replace of which one half was made, by a call of its own."""
        step = outcome.step
        if outcome.half_done:
            (again,) = self._attempt(intent, [Step(step.code, None, step.before)], [None])
            if again.verdict is Verdict.ADDED:
                detail = "the old badge was put back, as the last of the list"
                return replace(outcome, changed=False, detail=detail)
            detail = f"deleted, but not added, and putting the old badge back failed: {again.error}"
            verdict = Verdict.UNKNOWN if again.open else outcome.verdict
            return replace(outcome, verdict=verdict, open=again.open, detail=detail)
        if outcome.nothing_to_replace and step.before:
            (again,) = self._attempt(intent, [Step(step.code, None, step.after)], [None])
            respelt = f"beside {step.before.code!r}: this portal tells letter case apart"
            detail = respelt if step.before.code != step.code else "somebody else had deleted it"
            return replace(
                again, step=step, detail=detail if again.verdict is Verdict.ADDED else again.detail
            )
        return outcome


class _Intent:
    """Commits steps to the journal right before their first request leaves; notes when later ones do."""

    def __init__(
        self, applier: ChangeApplier, change_set: ChangeSet, steps: Sequence[Step], found: Found
    ) -> None:
        self._clock, self._store = applier.connection.clock, applier.store
        self._what, self._found = (change_set, steps), found
        self.ids: list[int] = []
        self.sent_at = 0.0

    def __call__(self) -> None:
        self.sent_at = self._clock.monotonic()
        if self.ids:
            self._store.note_attempt(self.ids, self._clock.time())
        else:
            self.ids = self._store.intend(*self._what, self._clock.time(), self._found)


def _found_by(look: Response, steps: Sequence[Step]) -> list[Badge | None]:
    """What the look of the same request showed in place of what the steps were made for."""
    try:
        here = ByCode(badges_of(look))
    except errors.BadResponse:
        return [None] * len(steps)
    return [None if (badge := here.find(step.code)) == step.before else badge for step in steps]


def _edited(outcome: Outcome, found: Badge | None) -> str:
    if not found or not outcome.changed or outcome.step.before is None:
        return ""
    return f"somebody had changed it just before; the journal keeps it as it was last: {found!r}"
