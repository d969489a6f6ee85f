"""Runs over many steps: their options, their threads, and what is sent next.

Many changes are sent in batches of 50 commands, in parallel if wanted; a run ends only between two requests.
Worker threads send and the calling thread only waits, so that Ctrl-C never interrupts a request.
"""

from __future__ import annotations

import math
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence, Sized
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import nullcontext
from contextvars import copy_context
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from b24nb import errors, spec
from b24nb.badges.activities import name_holders
from b24nb.badges.apply import STALE, ChangeApplier, Look, warn_if_unwritten
from b24nb.badges.badge import Badge, Badges
from b24nb.badges.changes import UNDO, Outcome, Step, Verdict, gone, problems
from b24nb.badges.evidence import Answer, ask_for, confirms, is_whole, list_badges, look_at
from b24nb.badges.journal_store import ChangeSet
from b24nb.checks import check_count, check_switch
from b24nb.rest.batch import fits_query

Cancel = threading.Event | Callable[[], bool]
Progress = bool | Callable[[int, int], object]
INTERRUPTED, _AT_FAILURE = "stopped by Ctrl-C", "stopped at a failure"


@dataclass(eq=False, repr=False)
class RunOptions:
    """How a run of many steps is made: the options of ``delete_many`` and ``apply``."""

    keep_going: bool = False
    parallel: int = 1
    progress: Progress = True
    confirm: int | None = None
    cancel: Cancel | None = None

    def __post_init__(self) -> None:
        check_count(self.parallel, "parallel", "a number of threads, 1 or more")
        check_switch(self.keep_going, "keep_going")
        if not callable(self.progress):
            check_switch(self.progress, "progress")
        if not (self.cancel is None or callable(self.cancel) or hasattr(self.cancel, "is_set")):
            raise errors.InvalidInput("cancel must be a threading.Event or a function.", field="cancel")

    @property
    def cancelled(self) -> bool:
        """Whether the caller wants the run to end; asked once before each request."""
        asked: Any = self.cancel if callable(self.cancel) else getattr(self.cancel, "is_set", None)
        return bool(asked and asked())

    @property
    def event_is_set(self) -> bool:
        """The same, asked while a request waits: a function may count its calls, so only its event is asked."""
        is_set: Any = getattr(self.cancel, "is_set", None)
        return bool(is_set and is_set())


def compare(applier: ChangeApplier, kind: str, steps: Sequence[Step], options: RunOptions) -> list[Outcome]:
    """The outcomes of the steps that need not or must not be sent, as a look shows; sends nothing.

    The others are left out: their verdict is ``not sent``, and those after a failure have a ``detail``.
    """
    run = _Run(applier, ChangeSet(kind), options)
    run.queue(enumerate(steps), list_badges(applier.connection))
    stopped = dict.fromkeys(range(len(steps)), _AT_FAILURE) | dict.fromkeys(dict(run.todo), "")
    left = {place: Outcome(step, Verdict.NOT_SENT, detail=stopped[place]) for place, step in enumerate(steps)}
    return [*(left | run.outcomes).values()]


def apply_many(
    applier: ChangeApplier, kind: str, steps: Sequence[Step], current: Iterable[Badge], options: RunOptions
) -> tuple[list[Outcome], BaseException | None]:
    """Send many steps as one change set; return their outcomes in order, and what ended the run early.

    That is a KeyboardInterrupt, or an error that no outcome holds. ``current`` is what the portal has now: a step that
    was made for something else is not sent.
    """
    if len({*map(type, steps)}) > 1:  # a badge has to exist before an activity can name it, so keep the order
        options = replace(options, parallel=1)
    run, end = _Run(applier, ChangeSet(kind), options), None
    try:
        run.queue(enumerate(steps), Badges(current))
        in_threads(run.work, options, partial(setattr, run, "stopped"), run.outcomes, len(run.todo), kind, "step")
    except BaseException as error:  # noqa: BLE001 - raised by the caller's `cancel`, or a bug of this package
        end = error
    stopped = run.stopped or ("" if end else _AT_FAILURE)
    not_sent = {place: Outcome(step, Verdict.NOT_SENT, detail=stopped) for place, step in enumerate(steps)}
    outcomes = [*(not_sent | run.outcomes).values()]
    try:
        warn_if_unwritten(applier.store, outcomes)
        outcomes = name_holders(applier.connection, outcomes)
    except BaseException as error:  # noqa: BLE001 - Ctrl-C, what a handler of a signal raises, or a warning
        end = error
    # With ReadOnly nothing at all could be written: raise it, since a row in a report is easily overlooked.
    end = end or next((one.error for one in outcomes if isinstance(one.error, errors.ReadOnly)), None)
    return outcomes, end


def in_threads(
    work: Callable[[], object], options: RunOptions, stop: Callable[[str], object], done: Sized, total: int, *bar: str
) -> None:
    """Run ``work`` in ``options.parallel`` threads, with a progress bar, until all of them have returned.

    ``done`` grows by ``total`` meanwhile; ``bar``: its description and unit. Ctrl-C, what a handler of a signal raises
    (``sys.exit``), or what ``work`` raises, calls ``stop``, and is raised when the running requests have ended.
    """
    from tqdm.auto import tqdm  # type: ignore[import-untyped]

    known, left, workers, end = len(done), min(options.parallel, total), list[Future[None]](), None
    started = threading.Event()

    def begin() -> None:
        started.wait()  # until all are in `workers`: Ctrl-C may come before the pool has returned one
        try:
            work()
        except BaseException as error:
            stop(f"stopped by {type(error).__name__}")
            raise

    tell: Any = options.progress
    hidden = callable(tell) or not (tell and total and sys.stderr)  # a service may have no stderr
    with (
        nullcontext() if hidden else tqdm(total=total, desc=bar[0], unit=bar[1]) as shown,
        ThreadPoolExecutor(options.parallel) as pool,
    ):
        update = tell if callable(tell) else lambda at, _: shown is None or shown.update(at - shown.n)
        waiting = True
        while waiting:
            try:
                while len(workers) < left:
                    # A new thread has an empty context, and a call is noted in the list of events of this one.
                    workers.append(pool.submit(copy_context().run, begin))
                started.set()
                waiting = bool(wait(workers, timeout=0.1).not_done)
                update(len(done) - known, total)
            except BaseException as error:  # noqa: BLE001 - raised below, once the running requests have ended
                left, end = 0, error
                stop(INTERRUPTED if isinstance(error, KeyboardInterrupt) else f"stopped by {type(error).__name__}")
                started.set()
    if end:
        raise end
    for worker in workers:
        worker.result()


class _Run:
    """One run over many steps: those still to send, and the outcomes of the others."""

    def __init__(self, applier: ChangeApplier, change_set: ChangeSet, options: RunOptions) -> None:
        self._applier, self._change_set, self._options = applier, change_set, options
        self._connection, self.stopped = applier.connection, ""
        self._lock = threading.Lock()
        self.todo: deque[tuple[int, Step]] = deque()
        self.outcomes: dict[int, Outcome] = {}
        self._looked_at = self._connection.clock.time()

    def queue(self, steps: Iterable[tuple[int, Step]], here: Badges) -> bool:
        """Put the steps into ``todo``, but set the outcomes of those that, as a look shows, must not be sent; returns
        whether steps after these may be sent."""
        steps = [*steps]
        lagging = self._lagging([step for _, step in steps], here)
        for place, step in steps:
            if step.code in lagging:
                text = f"The portal's list and its answer to get do not agree about {step.code!r}."
                answer = lagging[step.code]
                error: errors.B24Error = errors.OutcomeUnknown(text, hint="Try again in a moment.", sent=False)
                if isinstance(answer, errors.ApiError) and not isinstance(answer, errors.NotFound):
                    error = answer
                self.outcomes[place] = Outcome(step, Verdict.UNKNOWN, error=error)
                if not self._options.keep_going:  # those before it are sent
                    return False
            elif type(step) is Step and (outcome := _beforehand(step, here)):  # activities: _send_chunk
                self.outcomes[place] = outcome
            else:
                self.todo.append((place, step))
        return True

    def _see(self, here: Badges) -> None:
        """Drop each waiting step whose badge has changed, as the look in the last batch shows."""
        with self._lock:
            found = [(place, step, _there(step, here)) for place, step in self.todo if type(step) is Step]
            # Nothing is called done by a list that may be out of date.
            changed = [(place, step, now) for place, step, now in found if now not in (step.before, step.after)]
            self.outcomes |= {place: step.left_alone(now) for place, step, now in changed}
            self.todo = deque(item for item in self.todo if item[0] not in self.outcomes)

    def _lagging(self, steps: Sequence[Step], here: Badges) -> Mapping[str, Answer]:
        """The answers of ``get``, by code, that contradict the list about badges which are not as planned there.

        An undo also asks about badges that the list shows as wanted: a list that is out of date would show just that.
        """
        undo = self._change_set.kind == UNDO
        found = ((one, here.find(one.code)) for one in steps if type(one) is Step and one.before != one.after)
        codes = (one.code for one, now in found if now != one.before and (undo or not now or now != one.after))
        answers = ask_for(self._connection, codes)
        return {code: answer for code, answer in answers.items() if not confirms(answer, code, here)}

    def _ended(self) -> str:
        """Why nothing may be sent any more; asked also while a request waits."""
        if not self.stopped and self._options.event_is_set:
            self.stopped = "cancelled"
        return self.stopped

    def work(self) -> None:
        """Send the steps in ``todo`` until none is left, or the run is stopped; several threads may do this."""
        while chunk := self._take():
            try:
                self._send_chunk(*chunk)
            except errors.B24Error as error:  # of a look
                self.stopped = f"stopped: {error.message}"

    def _take(self) -> tuple[dict[int, Step], Look] | None:
        """The steps of the next request, 50 commands at most; and if one of the commands is a look, what reads it."""
        with self._lock:
            if not self.stopped and self._options.cancelled:
                self.stopped = "cancelled"
            if self.stopped or not self.todo:
                return None
            if not (step := self.todo[0][1]).fits_batch:
                place, step = self.todo.popleft()
                return {place: step}, self._see if fits_query(step.commands()[0][2]) else None
            size, kind, bucket = spec.BATCH_SIZE, type(step), self._connection.bucket
            waits = bucket.seconds_until()
            leaves_at = self._connection.clock.time() + waits
            left = len(self.todo) * len(step.commands())  # about so many commands
            # A request that is refused leaves later; a look that needs no additional request costs nothing.
            free = bucket.enforced or math.ceil(left / (size - 1)) == math.ceil(left / size)
            stale = max(waits, abs(leaves_at - self._looked_at)) > STALE
            look = kind is Step and (free or stale)  # at activities: _send_chunk
            self._looked_at = leaves_at if look else self._looked_at
            chunk: dict[int, Step] = {}
            room = size - 1 if look else size
            while self.todo and type(step := self.todo[0][1]) is kind and step.fits_batch:
                room -= len(step.commands())
                if room < 0:
                    break
                place, step = self.todo.popleft()
                chunk[place] = step
            return chunk, self._see if look else None

    def _send_chunk(self, chunk: dict[int, Step], look: Look) -> None:
        """Send, and put back the steps that must be sent again: a portal also halts at a badge that is missing."""
        if not all(type(step) is Step for step in chunk.values()):
            # A deleted activity can't be restored, so the look has a request of its own, right before: one in the same
            # batch would be answered too late.
            here = Badges(look_at(self._connection, [*chunk.values()]))
            self.outcomes |= {place: one for place, step in chunk.items() if (one := _beforehand(step, here))}
            chunk = {place: step for place, step in chunk.items() if place not in self.outcomes}
        if not chunk:
            return
        steps, unknown, halt = [*chunk.values()], [None] * len(chunk), not self._options.keep_going
        try:
            made = self._applier.send(
                self._change_set, steps, unknown, batch=steps[0].fits_batch, halt=halt, look=look, stopped=self._ended
            )
        except BaseException:
            self.outcomes |= {place: Outcome(step, Verdict.UNKNOWN, None, open=True) for place, step in chunk.items()}
            raise
        self.outcomes |= {place: one for place, one in zip(chunk, made, strict=True) if not one.left_out}
        failed = [one for one in made if one.failed]
        if failed and (halt or isinstance(failed[0].error, errors.JournalError | errors.ClientClosed)):
            self.stopped = self.stopped or _AT_FAILURE
        rest = [item for item in chunk.items() if item[0] not in self.outcomes]
        if not failed and rest and not self.stopped:
            # The portal halted at a badge that somebody else deleted, or something changed while the request waited.
            here = Badges(look_at(self._connection, [step for _, step in rest]))
            with self._lock:
                later, self.todo = self.todo, deque()
                if self.queue(rest, here):
                    self.todo += later  # a badge has to exist before an activity can name it


def _there(step: Step, here: Badges) -> Any:
    """What the portal finds for a step: the exact spelling first. An add beside another spelling is left to the portal,
    since only some tell letter case apart."""
    now = here.find(step.key)
    return now if now is None or step.before or now.code == step.key else None


def _beforehand(step: Step, here: Badges) -> Outcome | None:
    """The outcome of a step that need not or must not be sent."""
    now = _there(step, here)
    if now == step.after:
        return Outcome(step, Verdict.KEPT) if now else gone(step)
    if now != step.before:
        return step.left_alone(now)
    if step.deletes and not is_whole(now):
        text = f"The portal's list has no title, value or type of {step.code!r}: no undo could restore it."
        hint = "badges.delete asks for this badge alone."
        return Outcome(step, Verdict.FAILED, error=errors.BadResponse(text, hint=hint))
    # Plans were checked before; this is for undo. A long code may be accepted by an older portal, so that is tried,
    # unless it would cost the badge that has the code now.
    limit = spec.CODE_LIMIT if step.deletes else spec.CODE_WIDTH
    for problem in problems(step.after, limit) if isinstance(step.after, Badge) else ():
        return Outcome(step, Verdict.FAILED, error=problem)
    return None
