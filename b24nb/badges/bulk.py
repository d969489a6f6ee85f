"""Many changes at once: requests of 50 commands, side by side if wanted, ended between two requests.

Worker threads send. The calling thread only waits, so that Ctrl-C never breaks a request in the middle.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace

from b24nb import errors, spec
from b24nb.badges.apply import ChangeApplier
from b24nb.badges.badge import Badges, ByCode
from b24nb.badges.changes import UNDO, Outcome, Step, Verdict, gone
from b24nb.badges.checks import problems
from b24nb.badges.evidence import contradicted
from b24nb.badges.holders import name_holders
from b24nb.badges.journal_store import ChangeSet
from b24nb.badges.wire import list_badges

Cancel = threading.Event | Callable[[], bool]
#: A look older than this many seconds is made again with the next request.
_STALE = 1.0
_INTERRUPTED = "stopped by Ctrl-C"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """How many steps are sent; what ``delete_many``, ``apply`` and ``release`` take."""

    keep_going: bool = False
    parallel: int = 1
    progress: bool = True
    cancel: Cancel | None = None

    def __post_init__(self) -> None:
        if type(self.parallel) is not int or self.parallel < 1:
            raise errors.InvalidInput("parallel is a number of threads, 1 or more.", field="parallel")

    @property
    def cancelled(self) -> bool:
        """Whether the caller wants an end."""
        asked = self.cancel.is_set if isinstance(self.cancel, threading.Event) else self.cancel
        return bool(asked and asked())


def apply_many(
    applier: ChangeApplier, kind: str, steps: Sequence[Step], current: Badges, options: RunOptions
) -> tuple[list[Outcome], bool]:
    """Many steps as one change set: their outcomes in their order, and whether Ctrl-C ended it.

    ``current`` is what the portal has now: a step that was made for something else is not sent.
    """
    run = _Run(applier, ChangeSet(kind), options)
    run.leave_alone(enumerate(steps), current)
    interrupted = run.send()
    outcomes = [run.outcome(place, step) for place, step in enumerate(steps)]
    if trouble := applier.flush():
        outcomes = [replace(one, detail=trouble) if one.changed else one for one in outcomes]
    return name_holders(applier.connection, outcomes), interrupted


class _Run:
    """One run over many steps: what is left of it, and what has become of the rest."""

    def __init__(self, applier: ChangeApplier, change_set: ChangeSet, options: RunOptions) -> None:
        self._applier, self._change_set, self._options = applier, change_set, options
        self._connection, self._undo = applier.connection, change_set.kind == UNDO
        self._lock = threading.Lock()
        self._todo: deque[tuple[int, Step]] = deque()
        self._outcomes: dict[int, Outcome] = {}
        self._stopped = ""
        self._looked_at = self._connection.clock.monotonic()

    def outcome(self, place: int, step: Step) -> Outcome:
        """What became of a step."""
        return self._outcomes.get(place) or Outcome(step, Verdict.NOT_SENT, detail=self._stopped)

    def leave_alone(self, steps: Iterable[tuple[int, Step]], current: Badges) -> None:
        """Settle what need not or must not be sent; the rest is to do."""
        here, steps = ByCode(current), list(steps)
        done = [
            step.after
            for _, step in steps
            if step.after and step.before != step.after == here.find(step.code)
        ]
        lagging = contradicted(self._connection, done) if self._undo else set()
        for place, step in steps:
            if step.code in lagging:
                text = f"The portal's list shows {step.code!r}, and get does not."
                error = errors.OutcomeUnknown(text, hint="Try again in a moment.")
                self._outcomes[place] = Outcome(step, Verdict.UNKNOWN, error=error)
            elif outcome := _beforehand(step, here, undo=self._undo):
                self._outcomes[place] = outcome
            else:
                self._todo.append((place, step))

    def send(self) -> bool:
        """Send what is to do; whether Ctrl-C ended it."""
        threads = self._options.parallel if self._todo else 0
        with self._bar() as advance, suppress(KeyboardInterrupt):
            # Leaving the pool waits for the requests that are under way.
            with ThreadPoolExecutor(self._options.parallel) as pool:
                try:
                    workers = [pool.submit(self._work) for _ in range(threads)]
                    while wait(workers, timeout=0.1).not_done:
                        advance()
                except KeyboardInterrupt:
                    self._stopped = _INTERRUPTED
                    raise
            for worker in workers:
                worker.result()
        return self._stopped == _INTERRUPTED

    @contextmanager
    def _bar(self) -> Iterator[Callable[[], object]]:
        if not self._options.progress or not self._todo:
            yield lambda: None
            return
        from tqdm.auto import tqdm  # type: ignore[import-untyped]

        known = len(self._outcomes)
        with tqdm(total=len(self._todo), desc=self._change_set.kind, unit="badge") as bar:
            yield lambda: bar.update(len(self._outcomes) - known - bar.n)
            bar.update(len(self._outcomes) - known - bar.n)

    def _work(self) -> None:
        try:
            while chunk := self._take():
                self._send_chunk(*chunk)
        except BaseException:
            self._stopped = "stopped by an error"
            raise

    def _take(self) -> tuple[dict[int, Step], bool] | None:
        """The steps of the next request, 50 commands at most, and whether a look rides with them.

        A look is one command of a request: it rides where that costs no further request, or where the
        last one is older than a second.
        """
        with self._lock:
            if not self._stopped and self._options.cancelled:
                self._stopped = "cancelled"
            if self._stopped or not self._todo:
                return None
            if not self._todo[0][1].fits_batch:
                return dict([self._todo.popleft()]), False
            size, now = spec.BATCH_SIZE, self._connection.clock.monotonic()
            left = sum(step.cost for _, step in self._todo)
            look = now - self._looked_at > _STALE or -(-left // (size - 1)) == -(-left // size)
            self._looked_at = now if look else self._looked_at
            chunk: dict[int, Step] = {}
            room = size - look
            while self._todo and self._todo[0][1].fits_batch and self._todo[0][1].cost <= room:
                room -= self._todo[0][1].cost
                chunk.update([self._todo.popleft()])
            return chunk, look

    def _send_chunk(self, chunk: dict[int, Step], look: bool) -> None:
        """Send, and put back what is to be sent again: a portal halts at a missing badge, too."""
        steps, keep_going = [*chunk.values()], self._options.keep_going
        batch = steps[0].fits_batch
        made = self._applier.send(
            self._change_set, steps, [None] * len(steps), batch=batch, halt=not keep_going, look=look
        )
        self._outcomes |= {place: one for place, one in zip(chunk, made, strict=True) if not one.left_out}
        failed = [one for one in made if one.failed]
        if failed and (not keep_going or isinstance(failed[0].error, errors.JournalError)):
            self._stopped = self._stopped or "stopped at a failure"
        rest = [item for item in chunk.items() if item[0] not in self._outcomes]
        if not failed and 0 < len(rest) < len(chunk):
            # Somebody else is at work: see what is left.
            try:
                current = list_badges(self._connection)
            except errors.B24Error as error:
                self._stopped = f"stopped: {error.message}"
                return
            with self._lock:
                self.leave_alone(rest, current)


def _beforehand(step: Step, here: ByCode, *, undo: bool) -> Outcome | None:
    """The outcome of a step that need not or must not be sent."""
    now = here.find(step.before.code if step.before else step.code)
    if now == step.after:
        return Outcome(step, Verdict.KEPT) if now else gone(step)
    if now != step.before:
        return Outcome(step, Verdict.CHANGED, error=errors.BadgeChanged(step.code, step.before, now))
    # A badge with a long code can come back on an older portal only, which is asked.
    limit = spec.CODE_WIDTH if undo else spec.CODE_LIMIT
    for problem in problems(step.after, limit) if step.after else ():
        return Outcome(step, Verdict.FAILED, error=problem)
    return None
