"""The one write path: it takes steps and returns their outcomes.

Every change is made in this order: refuse what is known to be wrong; look at the portal and skip each step whose
badge has changed since the step was made; commit the intent to the journal; send the request; accept the answer
only if it proves the result, else look at the portal again; write the verdict to the journal.

Many changes are sent in batches of 50 commands, in parallel if wanted; a run ends only between two requests.
Worker threads send and the calling thread only waits, so that Ctrl-C never interrupts a request.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence, Sized
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from b24nb import errors, spec
from b24nb.badges.activities import name_holders
from b24nb.badges.badge import Badge, Badges
from b24nb.badges.changes import DELETE, UNDO, Action, Command, Outcome, Step, Verdict, gone, problems, warn
from b24nb.badges.evidence import Answer, Failure, contradicted, judge_answers, look_at, look_of, reconcile, seen_in
from b24nb.badges.journal_store import ChangeSet, JournalStore
from b24nb.rest.batch import fits_query
from b24nb.rest.calls import Call, event_list
from b24nb.rest.connection import Connection, Response
from b24nb.rest.transport import check_count

Steps = Sequence[Step]
Found = Sequence[Badge | None]
Look = Callable[[Badges], object] | None
Cancel = threading.Event | Callable[[], bool]
#: Key of the look in a batch. The next batch contains a new look if the last one is older than ``_STALE`` seconds.
_LOOK, _STALE = "look", 1.0
INTERRUPTED = "stopped by Ctrl-C"


class JournalNotWritten(UserWarning):
    """What became of a change could not be written to the journal, which holds its intent."""


@dataclass(frozen=True, slots=True)
class RunOptions:
    """How many steps are sent: the options of ``delete_many``, ``apply`` and ``release``."""

    keep_going: bool = False
    parallel: int = 1
    progress: bool = True
    confirm: int | None = None
    cancel: Cancel | None = None

    def __post_init__(self) -> None:
        check_count(self.parallel, "parallel", "a number of threads, 1 or more")

    @property
    def cancelled(self) -> bool:
        """Whether the caller wants the run to end."""
        asked = self.cancel.is_set if isinstance(self.cancel, threading.Event) else self.cancel
        return bool(asked and asked())


@dataclass
class ChangeApplier:
    """Makes changes on one portal and writes them to its journal.

    ``settle_after``: so many seconds after a request was sent, the portal has certainly finished it.
    """

    connection: Connection
    store: JournalStore
    settle_after: float
    portal: object = None  # this reference keeps a sandbox of this process running while it can still be changed

    def refuse_if_read_only(self) -> None:
        """Raise :class:`ReadOnly` before anything is written or sent."""
        if self.connection.read_only:
            raise errors.ReadOnly("This client is read-only.")

    def apply_one(self, kind: str, step: Step, found: Badge | None = None) -> Outcome:
        """Send one step as a change set, by single calls; raise if it was not made or its result is unknown.

        ``found``: what a look just before showed, if that differs from ``step.before``.
        """
        (outcome,) = self.send(ChangeSet(kind), [step], [found])
        self.flush(stacklevel=4)
        if outcome.error:
            raise outcome.error
        return outcome

    def flush(self, stacklevel: int = 5) -> str:
        """Write the verdicts. If that fails, warn and return the message: what became of the changes stays true."""
        try:
            self.store.flush()
        except errors.JournalError as error:
            text = f"What became of the change could not be written to the journal: {error.message}"
            warn(JournalNotWritten(f"{text} b24.journal.settle() completes it."), stacklevel)
            return text
        return ""

    def send(
        self, change_set: ChangeSet, steps: Steps, found: Found, *, batch: bool = False, **options: Any
    ) -> list[Outcome]:
        """Send steps by one ``batch`` (at most 50 commands), or one step by a call per command.

        ``halt``: do not run the commands after a failed one. ``look``: a function; the batch then begins with a
        look, and the function is called with its badges. Returns an outcome per step; errors are not raised.
        """
        intent = _Intent(self, change_set, steps, found)
        outcomes = self._attempt(intent, steps, found, batch=batch, **options)
        outcomes = [self._completed(outcome, intent) for outcome in outcomes]
        self.store.conclude(zip(intent.ids, outcomes, strict=False))
        return outcomes

    def _attempt(
        self, intent: _Intent, steps: Steps, found: Found, batch: bool = False, halt: bool = False, look: Look = None
    ) -> list[Outcome]:
        """Send, and find out what became of each step."""
        commands: list[Command] = [(_LOOK, *look_of(steps))] if look else []
        commands += [command for place, step in enumerate(steps) for command in step.commands(f"s{place}")]
        answers: dict[str, Answer] = {}
        intent.answers.append(answers)
        failure: Failure | None = None
        try:
            together = len(commands) if batch else 2 if look else 0  # a look and a delete always fit a batch
            if together:
                answers |= self.connection.send_chunk(commands[:together], halt=halt or not batch, before_send=intent)
            self._call_each(commands[together:], intent, answers)
        except errors.B24Error as error:
            failure = error
        looked = answers.get(_LOOK)
        if isinstance(looked, errors.ApiError) and len(answers) == 1:  # the look was refused: send without it
            return self._attempt(intent, steps, found, batch=batch, halt=halt)
        if isinstance(looked, Response) and look:
            with suppress(errors.BadResponse):
                here = Badges(seen_in(looked, steps))
                found = [None if (now := here.find(step.key)) == step.before else now for step in steps]
                look(here)
        return self._judged(steps, found, answers, failure, intent.sent_at)

    def _judged(
        self, steps: Steps, found: Found, answers: Mapping[str, Answer], failure: Failure | None, sent_at: float
    ) -> list[Outcome]:
        """The outcomes that the answers prove; the others by a look at the portal."""
        outcomes: list[Outcome] = []
        for place, (step, before) in enumerate(zip(steps, found, strict=True)):
            answered = failure, answers.get(f"s{place}-delete"), answers.get(f"s{place}-add")
            refusal = next((one for one in answered if isinstance(one, Failure)), None)
            one = judge_answers(step, *answered) or Outcome(step, Verdict.UNKNOWN, None, refusal)
            edited = f"somebody had changed it just before; the journal keeps it as it was last: {before!r}"
            detail = one.detail or (edited if before and step.before and one.changed else "")
            outcomes.append(replace(one, found=before, detail=detail))
        if doubts := [one for one in outcomes if one.verdict is Verdict.UNKNOWN]:
            # Wait for the effect only while the portal may be working on it: not after an answer with HTTP 3xx or 4xx.
            refused = 300 <= (getattr(failure, "http_status", 0) or 0) < 500
            lost = isinstance(failure, errors.TransportError) and not refused
            seen = reconcile(self.connection, doubts, sent_at + self.settle_after if lost else 0)
            call = getattr(failure, "call", None)
            if isinstance(call, Call) and all(outcome.done for outcome in seen):
                call.outcome = "seen"
            left = iter(seen)
            outcomes = [next(left) if one.verdict is Verdict.UNKNOWN else one for one in outcomes]
        return outcomes

    def _call_each(self, commands: Sequence[Command], intent: _Intent, answers: dict[str, Answer]) -> None:
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
            (again,) = self._attempt(intent, [Step(step.code, None, outcome.found or step.before)], [None])
            if again.verdict is Verdict.ADDED:
                return replace(outcome, changed=False, detail="the old badge was put back, as the last of the list")
            detail = f"deleted, but not added, and putting the old badge back failed: {again.error}"
            verdict = Verdict.UNKNOWN if again.open else outcome.verdict
            return replace(outcome, verdict=verdict, open=again.open, detail=detail)
        nothing_there = isinstance(error, errors.NotFound) and error.method == DELETE
        if nothing_there and step.action is Action.REPLACE and step.before:
            (again,) = self._attempt(intent, [Step(step.code, None, step.after)], [None])
            respelt = f"beside {step.before.code!r}: this portal tells letter case apart"
            why = respelt if step.before.code != step.code else "it was not there any more"
            return replace(again, step=step, detail=why if again.verdict is Verdict.ADDED else again.detail)
        return outcome


@dataclass
class _Intent:
    """Commits steps to the journal right before their first request is sent; notes the time of later requests."""

    applier: ChangeApplier
    change_set: ChangeSet
    steps: Steps
    found: Found
    ids: list[int] = field(default_factory=list)
    sent_at: float = 0.0
    answers: list[Mapping[str, Answer]] = field(default_factory=list)

    def __call__(self) -> None:
        clock, store = self.applier.connection.clock, self.applier.store
        self.sent_at = clock.monotonic()
        if self.ids:
            store.note_attempt(self.ids, clock.time(), answered=len(self.answers) > 1 or any(self.answers))
        else:
            self.ids = store.intend(self.change_set, self.steps, clock.time(), self.found)


def apply_many(
    applier: ChangeApplier, kind: str, steps: Steps, current: Iterable[Badge], options: RunOptions
) -> tuple[list[Outcome], BaseException | None]:
    """Send many steps as one change set; return their outcomes in order, and what ended the run early.

    That is a KeyboardInterrupt, or an error that no outcome holds. ``current`` is what the portal has now: a step
    that was made for something else is not sent.
    """
    if len({*map(type, steps)}) > 1:  # a badge has to exist before an activity can name it, so keep the order
        options = replace(options, parallel=1)
    run, end = _Run(applier, ChangeSet(kind), options), None
    run.leave_alone(enumerate(steps), current)
    try:
        run.send()
    except Exception as error:  # noqa: BLE001 - raised by the caller's `cancel`, or a bug of this package
        end = error
    not_sent = {place: Outcome(step, Verdict.NOT_SENT, detail=run.stopped) for place, step in enumerate(steps)}
    outcomes = [*(not_sent | run.outcomes).values()]
    try:
        if trouble := applier.flush():
            outcomes = [replace(one, detail=trouble) if one.changed else one for one in outcomes]
        outcomes = name_holders(applier.connection, outcomes)
    except KeyboardInterrupt:
        run.stopped = INTERRUPTED
    # With ReadOnly nothing at all could be written: raise it, since a row in a report is easily overlooked.
    end = end or next((one.error for one in outcomes if isinstance(one.error, errors.ReadOnly)), None)
    return outcomes, KeyboardInterrupt() if run.stopped == INTERRUPTED else end


def in_threads(
    work: Callable[[], object], options: RunOptions, stop: Callable[[str], object], done: Sized, total: int, *bar: str
) -> None:
    """Run ``work`` in ``options.parallel`` threads, with a progress bar, until all of them have returned.

    ``done`` grows by ``total`` meanwhile; ``bar``: its description and unit. Ctrl-C calls ``stop``; the running
    requests are waited for, however often it is pressed.
    """
    from tqdm.auto import tqdm  # type: ignore[import-untyped]

    start_lock, known, workers = threading.Lock(), len(done), list[Future[None]]()

    def begin() -> None:
        with start_lock:
            pass
        work()

    with tqdm(total=total, desc=bar[0], unit=bar[1], disable=not (options.progress and total)) as shown:
        with suppress(KeyboardInterrupt), ThreadPoolExecutor(options.parallel) as pool:
            try:
                with start_lock:  # no thread begins to work before the pool has registered all that it must wait for
                    workers = [pool.submit(begin) for _ in range(min(options.parallel, total))]
                while wait(workers, timeout=0.1).not_done:
                    shown.update(len(done) - known - shown.n)
                for worker in workers:
                    worker.result()
            except KeyboardInterrupt:
                stop(INTERRUPTED)
                while not all(worker.done() for worker in workers):
                    with suppress(KeyboardInterrupt):
                        wait(workers)
        shown.update(len(done) - known - shown.n)


class _Run:
    """One run over many steps: those still to send, and the outcomes of the others."""

    def __init__(self, applier: ChangeApplier, change_set: ChangeSet, options: RunOptions) -> None:
        self._applier, self._change_set, self._options = applier, change_set, options
        self._connection, self._undo, self.stopped = applier.connection, change_set.kind == UNDO, ""
        self._lock = threading.Lock()
        self._todo: deque[tuple[int, Step]] = deque()
        self._commands = 0  # how many commands the steps in _todo have
        self.outcomes: dict[int, Outcome] = {}
        self._looked_at = self._connection.clock.monotonic(), self._connection.clock.time()
        self._event_list = event_list.get()  # a new thread has an empty context, so the workers are given this

    def leave_alone(self, steps: Iterable[tuple[int, Step]], current: Iterable[Badge]) -> None:
        """Set the outcomes of steps that need not or must not be sent; put the others into ``_todo``."""
        here, steps = Badges(current), list(steps)
        done = [one.after for _, one in steps if one.after and one.before != one.after == here.find(one.code)]
        lagging = contradicted(self._connection, done) if self._undo else set()
        for place, step in steps:
            if step.code in lagging:
                text = f"The portal's list shows {step.code!r}, and get does not."
                error = errors.OutcomeUnknown(text, hint="Try again in a moment.", sent=False)
                self.outcomes[place] = Outcome(step, Verdict.UNKNOWN, error=error)
            elif outcome := _beforehand(step, here):
                self.outcomes[place] = outcome
            else:
                self._todo.append((place, step))
                self._commands += len(step.commands())

    def _see(self, here: Badges) -> None:
        """Drop each waiting step whose badge has changed, as the look in the last batch (``here``) shows."""
        with self._lock:
            todo, self._todo = self._todo, deque()
            for place, step in todo:
                if type(step) is Step and (now := here.find(step.code)) not in (step.before, step.after):
                    self.outcomes[place] = step.left_alone(now)
                    self._commands -= len(step.commands())
                else:
                    self._todo.append((place, step))

    def send(self) -> None:
        """Send the steps in ``_todo`` until none is left, or the run is stopped or interrupted."""
        stop = partial(setattr, self, "stopped")
        in_threads(self._work, self._options, stop, self.outcomes, len(self._todo), self._change_set.kind, "badge")

    def _work(self) -> None:
        event_list.set(self._event_list)
        try:
            while chunk := self._take():
                self._send_chunk(*chunk)
        except BaseException as error:
            self.stopped = f"stopped by {type(error).__name__}"
            raise

    def _take(self) -> tuple[dict[int, Step], bool] | None:
        """The steps of the next request, 50 commands at most, and whether one of these commands is a look."""
        with self._lock:
            if not self.stopped and self._options.cancelled:
                self.stopped = "cancelled"
            if self.stopped or not self._todo:
                return None
            if not (step := self._todo[0][1]).fits_batch:
                self._commands -= len(step.commands())
                return dict([self._todo.popleft()]), fits_query(step.commands()[0][2])
            size, now, left = spec.BATCH_SIZE, self._leaves_at(), self._commands
            old = max(abs(one - then) for one, then in zip(now, self._looked_at, strict=True)) > _STALE
            # A request that is refused leaves later; a look that needs no additional request costs nothing.
            look = old or self._connection.bucket.enforced or -(-left // (size - 1)) == -(-left // size)
            self._looked_at = now if look else self._looked_at
            chunk: dict[int, Step] = {}
            room, kind = size - look, type(step)  # one look shows either badges or activities
            while self._todo and type(step := self._todo[0][1]) is kind and step.fits_batch:
                if (count := len(step.commands())) > room:
                    break
                room -= count
                self._commands -= count
                chunk.update([self._todo.popleft()])
            return chunk, look

    def _leaves_at(self) -> tuple[float, float]:
        """When a request leaves that is sent now, by two clocks: one may stand still while the machine sleeps."""
        clock, wait = self._connection.clock, self._connection.bucket.seconds_until()
        return clock.monotonic() + wait, clock.time() + wait

    def _send_chunk(self, chunk: dict[int, Step], look: bool) -> None:
        """Send, and put back the steps that must be sent again: a portal also halts at a badge that is missing."""
        steps, unknown, halt = [*chunk.values()], [None] * len(chunk), not self._options.keep_going
        # A look at activities shows only those of this request: nothing about the waiting steps.
        see: Look = None if not look else self._see if type(steps[0]) is Step else bool
        try:
            made = self._applier.send(self._change_set, steps, unknown, batch=steps[0].fits_batch, halt=halt, look=see)
        except BaseException:
            self.outcomes |= {place: Outcome(step, Verdict.UNKNOWN, None, open=True) for place, step in chunk.items()}
            raise
        self.outcomes |= {place: one for place, one in zip(chunk, made, strict=True) if not one.left_out}
        failed = [one for one in made if one.failed]
        if failed and (halt or isinstance(failed[0].error, errors.JournalError | errors.ClientClosed)):
            self.stopped = self.stopped or "stopped at a failure"
        rest = [item for item in chunk.items() if item[0] not in self.outcomes]
        if not failed and 0 < len(rest) < len(chunk):
            # The portal halted at a badge that somebody else deleted: look at what the other steps find now.
            try:
                current = look_at(self._connection, [step for _, step in rest])
                with self._lock:
                    self.leave_alone(rest, current)
            except errors.B24Error as error:
                self.stopped = f"stopped: {error.message}"


def _beforehand(step: Step, here: Badges) -> Outcome | None:
    """The outcome of a step that need not or must not be sent."""
    now = here.find(step.key)  # as the portal finds it: the exact spelling first
    if now == step.after:
        return Outcome(step, Verdict.KEPT) if now else gone(step)
    if now != step.before:
        return step.left_alone(now)
    # Plans were checked before; this is for undo. A long code may be accepted by an older portal, so that is tried.
    for problem in problems(step.after, spec.CODE_WIDTH) if isinstance(step.after, Badge) else ():
        return Outcome(step, Verdict.FAILED, error=problem)
    return None
