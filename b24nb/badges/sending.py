"""How a change is sent: intent on disk, request, verdict on disk, so that nothing is lost at any moment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from b24nb.badges.changes import DONE, Command, Outcome, Step, Verdict
from b24nb.badges.journal import ChangeSet, Journal
from b24nb.badges.lost import settle
from b24nb.badges.wire import badge_of
from b24nb.errors import (
    ApiError,
    B24Error,
    BadgeInUse,
    BadResponse,
    NotFound,
    ReadOnly,
    TransportError,
    find_fact,
)
from b24nb.rest.calls import Call
from b24nb.rest.connection import Connection, Response

Answer = Response | ApiError


class Sender:
    """Sends changes to one portal and writes them in its journal.

    ``settle_after``: seconds after sending until an effect that is not visible will not come any more.
    """

    def __init__(self, connection: Connection, journal: Journal, settle_after: float) -> None:
        self.connection = connection
        self.journal = journal
        self.settle_after = settle_after

    def refuse_if_read_only(self) -> None:
        """Raise :class:`ReadOnly` before anything is written or sent."""
        if self.connection.read_only:
            raise ReadOnly("This client is read-only.", hint="Connect without read_only to change badges.")

    def send(
        self, change_set: ChangeSet, steps: Sequence[Step], *, batch: bool = True, halt: bool = False
    ) -> list[Outcome]:
        """Send steps by one ``batch`` (at most 50 commands), or one step by a call per command.

        ``halt`` leaves out what comes after a failure. The outcomes are in the order of ``steps``; errors
        are in there, not raised.
        """
        leaves_at = self.connection.clock.time() + self.connection.bucket.seconds_until(1)
        ids = self.journal.intend(change_set, steps, leaves_at)
        outcomes = self._attempt(steps, batch=batch, halt=halt)
        outcomes = [self._put_back(outcome) if outcome.half_done else outcome for outcome in outcomes]
        self.journal.conclude(zip(ids, outcomes, strict=True))
        return outcomes

    def send_one(self, kind: str, step: Step) -> Outcome:
        """One step as a change set, by calls of its own; raises if it was not made or is not known."""
        (outcome,) = self.send(ChangeSet(kind), [step], batch=False)
        self.journal.flush()
        if outcome.error:
            raise outcome.error
        return outcome

    def _attempt(self, steps: Sequence[Step], *, batch: bool, halt: bool) -> list[Outcome]:
        """Send, and find out what happened in any case."""
        commands = [command for place, step in enumerate(steps) for command in step.commands(f"s{place}")]
        started = self.connection.clock.time()
        try:
            answers = self.connection.send_chunk(commands, halt=halt) if batch else self._calls(commands)
        except ApiError as error:
            return self._checked([Outcome(step, Verdict.FAILED, error=error) for step in steps])
        except TransportError as error:
            if not error.sent:
                return [Outcome(step, Verdict.NOT_SENT, error=error) for step in steps]
            sent_at = error.call.at if isinstance(error.call, Call) else started
            outcomes = settle(self.connection, steps, sent_at + self.settle_after)
            if isinstance(error.call, Call) and all(outcome.done for outcome in outcomes):
                error.call.outcome = "seen"
            return outcomes
        return self._checked(
            [
                _verdict(step, answers.get(f"s{place}-delete"), answers.get(f"s{place}-add"))
                for place, step in enumerate(steps)
            ]
        )

    def _checked(self, outcomes: list[Outcome]) -> list[Outcome]:
        """Look where an error does not tell whether the call was carried out before it."""
        doubtful = [place for place, outcome in enumerate(outcomes) if _leaves_doubt(outcome.error)]
        if doubtful:
            # The portal has answered, so that nothing will come any more: one look is enough.
            looked = settle(self.connection, [outcomes[place].step for place in doubtful], deadline=0)
            for place, seen in zip(doubtful, looked, strict=True):
                if seen.done or seen.changed is not False:
                    outcomes[place] = replace(seen, error=None if seen.done else outcomes[place].error)
        return outcomes

    def _calls(self, commands: Sequence[Command]) -> Mapping[str, Answer]:
        """A call per command, until one fails."""
        answers: dict[str, Answer] = {}
        for key, method, params in commands:
            try:
                answers[key] = self.connection.call(method, params, write=True)
            except ApiError as error:
                answers[key] = error
                break
            except TransportError as error:
                error.sent = error.sent or bool(answers)  # the part before it was carried out
                raise
        return answers

    def _put_back(self, outcome: Outcome) -> Outcome:
        """After a delete whose add failed: add the old badge again."""
        old = outcome.step.before
        (again,) = self._attempt([Step(outcome.step.code, None, old)], batch=False, halt=True)
        if again.verdict is Verdict.ADDED:
            return replace(
                outcome, changed=False, detail="the old badge was put back, as the last of the list"
            )
        detail = f"deleted, but not added, and putting the old badge back failed: {again.error}"
        verdict = Verdict.UNKNOWN if again.open else outcome.verdict
        return replace(outcome, verdict=verdict, open=again.open, detail=detail)


def _leaves_doubt(error: B24Error | None) -> bool:
    """Whether the portal may have failed after it had made the change."""
    if not isinstance(error, ApiError):
        return False
    fact = find_fact(error.code, error.description, error.method)
    return fact.repeat == "look first" if fact else (error.http_status or 0) >= 500


def _verdict(step: Step, deleted: Answer | None, added: Answer | None) -> Outcome:
    """What the answers to the commands of a step mean."""
    if step.before:
        if not isinstance(deleted, Response):
            return _not_deleted(step, deleted, added)
        if step.after is None:
            return Outcome(step, Verdict.DELETED, changed=True)
    if isinstance(added, Response):
        try:
            return Outcome(step, DONE[step.action], changed=True, badge=badge_of(added))
        except BadResponse:
            # Seen where a text is longer than the portal's column: stored cut off, not found again.
            error = BadResponse(
                f"The portal reports success for {step.code!r}, but not the badge; it may have cut its code.",
                hint="Look for it in badges.list().",
                method=added.call.method,
            )
            return Outcome(step, Verdict.UNKNOWN, changed=None, error=error)
    if added is None and not step.before:
        return Outcome(step, Verdict.NOT_SENT)
    return Outcome(step, Verdict.FAILED, changed=bool(step.before), error=added)


def _not_deleted(step: Step, deleted: ApiError | None, added: Answer | None) -> Outcome:
    if deleted is None:
        return Outcome(step, Verdict.NOT_SENT)
    if isinstance(deleted, BadgeInUse):
        return Outcome(step, Verdict.REFUSED, error=deleted)
    if not isinstance(deleted, NotFound):
        return Outcome(step, Verdict.FAILED, error=deleted)
    if step.after is None:
        return Outcome(step, Verdict.GONE, error=deleted, detail="somebody else deleted it")
    if isinstance(added, Response):
        return Outcome(step, Verdict.ADDED, changed=True, detail="somebody else had deleted it")
    return Outcome(step, Verdict.FAILED, error=added or deleted, detail="somebody else had deleted it")
