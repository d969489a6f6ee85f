"""Many changes at once: chunks for ``batch``, side by side if wanted, ended between two requests.

Worker threads send. The calling thread only waits, so that Ctrl-C never breaks a request in the middle.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass, field

from b24nb import spec
from b24nb.badges.badge import Badges, ByCode
from b24nb.badges.changes import Action, Outcome, Step, Verdict
from b24nb.badges.checks import problems
from b24nb.badges.holders import name_holders
from b24nb.badges.journal import ChangeSet
from b24nb.badges.sending import Sender
from b24nb.badges.wire import list_badges
from b24nb.errors import InvalidInput

Cancel = threading.Event | Callable[[], bool]
Chunk = dict[int, Step]


@dataclass(slots=True, kw_only=True)
class Run:
    """One run over many steps; the options of :meth:`BadgeMethods.delete_many`."""

    sender: Sender
    kind: str
    keep_going: bool = False
    parallel: int = 1
    progress: bool = True
    cancel: Cancel | None = None
    _stopped: str = field(default="", init=False)

    def __post_init__(self) -> None:
        if not isinstance(self.parallel, int) or self.parallel < 1:
            raise InvalidInput("parallel is a number of threads, 1 or more.", field="parallel")

    def __call__(self, steps: Sequence[Step], current: Badges) -> list[Outcome]:
        """Make the changes as one change set; the outcomes are in the order of ``steps``.

        ``current`` is what the portal has now: a step that was made for something else is not sent.
        """
        here = ByCode(current)
        known = {place: _beforehand(step, here) for place, step in enumerate(steps)}
        outcomes = {place: outcome for place, outcome in known.items() if outcome}
        todo = {place: step for place, step in enumerate(steps) if place not in outcomes}
        if todo:
            self._send(todo, outcomes)
        for place in todo.keys() - outcomes.keys():
            outcomes[place] = Outcome(steps[place], Verdict.NOT_SENT, detail=self._stopped)
        return name_holders(self.sender.connection, [outcomes[place] for place in range(len(steps))])

    def _send(self, todo: Chunk, outcomes: dict[int, Outcome]) -> None:
        change_set = ChangeSet(self.kind)

        def work(chunk: Chunk) -> int:
            rest = chunk
            while rest and not self._stop():
                rest = self._send_chunk(change_set, rest, outcomes)
            return len(chunk)

        # Leaving the pool waits for the requests that are under way.
        with ThreadPoolExecutor(self.parallel) as pool, self._bar(len(todo)) as advance:
            try:
                for future in as_completed([pool.submit(work, chunk) for chunk in _chunks(todo)]):
                    advance(future.result())
            except KeyboardInterrupt:
                self._stopped = "stopped by Ctrl-C"
            except BaseException:
                self._stopped = "stopped by an error"
                raise
        self.sender.journal.flush()

    def _send_chunk(self, change_set: ChangeSet, chunk: Chunk, outcomes: dict[int, Outcome]) -> Chunk:
        """Send, and return what is to be sent again: a portal halts at a missing badge, too."""
        batch = next(iter(chunk.values())).fits_batch
        made = self.sender.send(change_set, [*chunk.values()], batch=batch, halt=not self.keep_going)
        found = dict(zip(chunk, made, strict=True))
        outcomes |= {place: outcome for place, outcome in found.items() if not outcome.left_out}
        if any(outcome.trouble and not outcome.left_out for outcome in made):
            if not self.keep_going:
                self._stopped = self._stopped or "stopped at a failure"
            return {}
        rest = {place: step for place, step in chunk.items() if found[place].left_out}
        if not rest or len(rest) == len(chunk):
            return {}
        # Somebody else is at work: see what is left.
        here = ByCode(list_badges(self.sender.connection))
        known = {place: _beforehand(step, here) for place, step in rest.items()}
        outcomes |= {place: outcome for place, outcome in known.items() if outcome}
        return {place: step for place, step in rest.items() if place not in outcomes}

    def _stop(self) -> bool:
        asked = self.cancel.is_set if isinstance(self.cancel, threading.Event) else self.cancel
        if not self._stopped and asked and asked():
            self._stopped = "cancelled"
        return bool(self._stopped)

    @contextmanager
    def _bar(self, total: int) -> Iterator[Callable[[int], object]]:
        if not self.progress:
            yield lambda count: None
            return
        from tqdm.auto import tqdm  # type: ignore[import-untyped]

        with tqdm(total=total, desc=self.kind, unit="badge") as bar:
            yield bar.update


def _beforehand(step: Step, here: ByCode) -> Outcome | None:
    """The outcome of a step that need not or must not be sent."""
    now = here.find(step.before.code if step.before else step.code)
    if now == step.after:
        verdict, detail = (Verdict.KEPT, "") if now else (Verdict.GONE, "no badge has this code")
        return Outcome(step, verdict, detail=detail)
    if now != step.before:
        changed = InvalidInput("The badge changed since the plan was made.", hint="Make a new plan.")
        return Outcome(step, Verdict.FAILED, error=changed)
    for problem in problems(step.after) if step.after else ():
        return Outcome(step, Verdict.FAILED, error=problem)
    return None


def _chunks(todo: Mapping[int, Step]) -> Iterator[Chunk]:
    """Steps by the requests that they go with: 50 commands at most, the two of a replace together."""
    chunk: Chunk = {}
    size = 0
    for place, step in todo.items():
        cost = 1 + (step.action is Action.REPLACE) if step.fits_batch else spec.BATCH_SIZE
        if size + cost > spec.BATCH_SIZE:
            yield chunk
            chunk, size = {}, 0
        chunk[place] = step
        size += cost
    if chunk:
        yield chunk
