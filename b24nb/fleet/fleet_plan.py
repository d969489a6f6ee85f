"""The plan of changes on many portals, and the report of their results."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from fnmatch import fnmatch
from secrets import token_hex
from typing import TYPE_CHECKING, Any

from b24nb import errors
from b24nb.badges.badge import folded, grouped, listed, unrestorable_remarks
from b24nb.badges.changes import UNDO, Action, Outcome, Step, Verdict, step_problems
from b24nb.badges.files import refuse
from b24nb.badges.journal import lease
from b24nb.badges.journal_store import ChangeSet, JournalStore
from b24nb.badges.plan import PLAN_COLUMNS, REPORT_COLUMNS, plan_row, report_row
from b24nb.checks import check_count
from b24nb.fleet.results import VISIT_OPTIONS, FleetResults, PortalRow, counted, odd_portals, run_options
from b24nb.fleet.visit import NOT_VISITED, OK, UNKNOWN, Visit, before_sending, send, visit_of

if TYPE_CHECKING:
    import pandas as pd

_ALLOWED = "a number of portals, or a share of them from 0.0 to 1.0"
#: How often in succession a task is submitted that starts too late to send anything.
_ATTEMPTS = 5
#: The remark on a badge that is not wanted and stays.
_PROTECTED = "protected: left alone"
_NOT_WANTED = f"{_PROTECTED}, though not wanted"
#: By remark or action; any other: ``differs``.
_CELLS = {Action.KEEP: "same", Action.ADD: "missing", Action.DELETE: "not wanted", _NOT_WANTED: "not wanted"}


class FleetPlan(FleetResults):
    """The changes to make on each portal. Showing it sends nothing; :meth:`apply` sends it.

    The value of a visit: the steps, and how many badges the portal has.

    ``.df`` has a row per portal and badge: ``portal``, the labels, and the columns of ``b24.badges.plan(…).df``.

    Examples
    --------
    >>> import b24nb
    >>> from b24nb.sandbox import SandboxFleet
    >>> with SandboxFleet(3) as sandboxes:
    ...     fleet = b24nb.Fleet(sandboxes.names, vault=sandboxes.webhooks.get)
    ...     fleet.plan([b24nb.Badge("gold", "Client", "Gold", "warning")], progress=False)
    Plan of 3 of 3 portals: 3 add
         portal add replace delete keep
    portal-0001   1       0      0    0
    portal-0002   1       0      0    0
    portal-0003   1       0      0    0
    Nothing has been sent. .apply(confirm='3 changes on 3 portals') sends it.
    """

    what = "Plan"
    _columns = PLAN_COLUMNS
    _counted_column = "action"

    def __init__(
        self, *args: Any, undoes: Collection[str] | None = None, remarks: Sequence[str] = (), idle: Collection[str] = ()
    ) -> None:
        self._undoes, self._remarks = undoes, remarks  # the kinds of the runs that this undoes; None: it is not an undo
        self._idle = idle  # the patterns to protect that have matched no badge so far
        self._word = "fleet" if undoes is None else UNDO
        self._run: list[str] = []  # the kinds of this plan's runs in the journals, oldest first
        self._made: dict[str, Visit] = {}  # the results of the portals that were begun
        self._begun: set[str] = set()  # the names of the portals that any run has begun
        super().__init__(*args)

    def _visit(self, names: Sequence[str]) -> None:
        try:
            super()._visit(names)
        finally:  # check the steps also after Ctrl-C, since an incomplete plan can be applied, too
            steps = self._changes() if self._undoes is None else ()
            found = [(one, name, step.after) for name, step in steps for one in step_problems([step])]
            refuse(one for one, _, badge in found if badge and badge.note)  # add refuses it anywhere
            # The others are about what these portals have.
            self.visits |= {name: Visit.failed(one)._replace(status=NOT_VISITED) for one, name, _ in found}

    @property
    def steps(self) -> dict[str, Sequence[Step]]:
        """The steps of each portal that answered, by its name."""
        return {name: steps for name, (steps, *_) in self._answered()}

    @property
    def left(self) -> list[str]:
        """The portals that still have steps to send."""
        return [name for name in self.steps if self._left(name)]

    @property
    def confirmation(self) -> str:
        """The sentence for ``apply(confirm=…)``: what is left to send, ``1,204 changes on 311 portals``."""
        found = self._to_send()
        return f"{counted(sum(map(len, found.values())), 'change')} on {counted(len(found), 'portal')}"

    @property
    def matrix(self) -> pd.DataFrame:
        """A row per code and a column per portal that answered: ``same, differs, missing, not wanted``."""
        found = ((name, step) for name, steps in self.steps.items() for step in steps)
        cells = ((name, step.code, _CELLS.get(step.remark or step.action, "differs")) for name, step in found)
        return self._matrix(cells, absent="same")

    def apply(
        self, *, first: int | None = None, max_failures: float | None = None, confirm: str = "", **options: Any
    ) -> FleetReport:
        """Send the plan, portal by portal, and return what became of each step.

        Steps that were made are not sent again: a second call sends those that the first one did not make. A badge
        that somebody deleted after it was made is reported as ``changed``, and added again by the call after that.

        Parameters
        ----------
        first : int, optional
            Change only so many portals, and leave the others to a second call.
        max_failures : int or float, optional
            How many portals, or which share of those of this call (0.02), may fail before no new one
            is begun.
        confirm : str, optional
            The sentence that the plan shows; needed if more than half of a portal's badges are deleted.
        **options
            ``keep_going, progress, cancel``, as of ``b24.badges.plan(…).apply``; ``cancel`` and Ctrl-C end a run
            between two portals. ``parallel`` portals are changed at a time, instead of the fleet's.

        Returns
        -------
        FleetReport
            Of all portals of the plan, in its order, with the results of earlier calls.

        Raises
        ------
        InvalidInput
            If ``confirm`` is needed or is another sentence.
        Interrupted
            After Ctrl-C, with the report.
        ReadOnly
            If nothing may be sent.

        Examples
        --------
        >>> import b24nb
        >>> from b24nb.sandbox import SandboxFleet
        >>> with SandboxFleet(3) as sandboxes:
        ...     fleet = b24nb.Fleet(sandboxes.names, vault=sandboxes.webhooks.get)
        ...     plan = fleet.plan([b24nb.Badge("gold", "Client", "Gold", "warning")], progress=False)
        ...     plan.apply(first=1, progress=False).ok
        ...     plan.apply(confirm="2 changes on 2 portals", progress=False).counts
        False
        {'added': 3}
        """
        left = [*self._to_send()]
        left.sort(key=self._begun.__contains__)  # those that failed before keep no others waiting
        names = left if first is None else left[: check_count(first, "first")]
        if isinstance(max_failures, float) and 0 <= max_failures <= 1:
            max_failures = int(round(max_failures * len(names), 9))  # 0.29 * 100 is 28.999999999999996
        allowed = None if max_failures is None else check_count(max_failures, "max_failures", _ALLOWED, least=0)
        self._refuse_unconfirmed(confirm)
        keep_going = run_options(options, FleetReport._takes).keep_going
        if self._fleet.read_only:
            raise errors.ReadOnly("This fleet is read-only.")
        at = datetime.fromtimestamp(self._fleet._time(), UTC)
        # If the last run is complete, or undone on all its portals, begin a new one, which an undo finds as the last.
        if not self.left or all(map(self._undone, self._made)):
            self._run.append(f"{self._word} {at.isoformat()} {token_hex(2)}")
            self._made.clear()
        return FleetReport(self, lambda name: self._apply_one(name, keep_going), options, names, failures=allowed)

    def undo(self, **options: Any) -> FleetReport:
        """Undo what this plan has changed; badges that were changed since are left alone.

        Parameters
        ----------
        **options
            As of :meth:`apply`.

        Returns
        -------
        FleetReport
            Of the portals that this plan has begun; ``ok`` if everything there is as it was before.

        Examples
        --------
        >>> import b24nb
        >>> from b24nb.sandbox import SandboxFleet
        >>> with SandboxFleet(3) as sandboxes:
        ...     fleet = b24nb.Fleet(sandboxes.names, vault=sandboxes.webhooks.get)
        ...     plan = fleet.plan([b24nb.Badge("gold", "Client", "Gold", "warning")], progress=False)
        ...     plan.apply(progress=False).counts, plan.undo(progress=False).counts
        ({'added': 3}, {'deleted': 3})
        """
        looking = {name: option for name, option in options.items() if name in VISIT_OPTIONS}
        plan = self._fleet._plan_back({*self._run}, [name for name in self.visits if name in self._begun], looking)
        try:
            return plan.apply(**{"keep_going": True, "confirm": plan.confirmation, **options})
        finally:  # also after Ctrl-C
            for name in plan.steps.keys() - plan.left:
                self._made.pop(name, None)

    # -- one portal -----------------------------------------------------------------------------------

    def _to_send(self) -> dict[str, list[Step]]:
        """The steps of a call of :meth:`apply`, by portal: those that are left, else all, which it looks at again."""
        return {name: self._left(name) for name in self.left} or grouped(self._changes())

    def _changes(self) -> Iterator[tuple[str, Step]]:
        return ((name, one) for name, steps in self.steps.items() for one in steps if one.before != one.after)

    def _result(self, name: str) -> Visit:
        """The outcomes of a portal's steps so far. After an undo its steps count as not sent."""
        visit = self.visits[name]
        if visit.status != OK:
            return visit
        if name in self._made and not self._undone(name):
            return self._made[name]
        outcomes = [self._unsent(step) for step in visit.value[0]]
        return Visit(NOT_VISITED, outcomes) if any(one.left_out for one in outcomes) else visit_of(outcomes)

    def _undone(self, name: str) -> set[tuple[str, str]]:
        """The runs of this plan that were undone on a portal; a run that changed nothing there never is."""
        return self._fleet.undone.intersection((run, name) for run in self._run)

    def _unsent(self, step: Step) -> Outcome:
        """The outcome of a step that was not sent; an undo leaves a badge alone that was changed since."""
        if step.before != step.after:
            return Outcome(step, Verdict.NOT_SENT)
        left_alone = step.remark and self._undoes is not None
        return Outcome(step, Verdict.CHANGED if left_alone else Verdict.KEPT, detail=step.remark)

    def _left(self, name: str) -> list[Step]:
        """The steps of a portal that are still to be sent."""
        outcomes = self._result(name).value or ()
        left = [one for one in outcomes if not one.ok and one.step.before != one.step.after]
        return [one.step._replace(before=None) if one.half_done else one.step for one in left]  # its delete was made

    def _apply_one(self, name: str, keep_going: bool) -> Visit:
        """Settle older changes of a portal, send its steps, and return their outcomes."""
        self._begun.add(name)
        made, left = {one.step.code: one for one in self._result(name).value}, self._left(name)
        kept = [one.step for one in made.values() if one.step.action is Action.KEEP and not one.step.remark]
        made |= _same([*left, *kept], Verdict.NOT_SENT)
        self._fleet.undone -= self._undone(name)
        try:
            portal = self.visits[name].portal or self._fleet.seen[name]
            with self._fleet._alone(name), self._fleet._journal(portal) as store:
                half = [one.step[:3] for one in self._fleet._settle(name, store) if one.half_done]
                left = [one._replace(before=None) if one[:3] in half else one for one in left]  # its delete was made
                self._send(name, store, left, kept, made, keep_going)
        except errors.B24Error as error:
            made.update({code: one._replace(error=error) for code, one in made.items() if one.left_out})
            for one in (made[step.code] for step in left if made[step.code].changed):
                unwritten = f"what became of it is not in the journal: {error.message}"
                made[one.step.code] = one._replace(detail="; ".join(filter(None, [one.detail, unwritten])))
        if any(one.changed for one in made.values()):
            self._fleet.changed.add((self._run[-1], name))
        if any(one.changed is not False for one in made.values()):
            self._fleet.undone.update((kind, name) for kind in self._undoes or ())
        self._made[name] = visit_of(made.values())
        return self._made[name]

    def _send(
        self, name: str, store: JournalStore, left: list[Step], kept: list[Step], made: dict[str, Any], keep_going: bool
    ) -> None:
        change_set, attempts, settle_after = ChangeSet(self._run[-1]), _ATTEMPTS, self._fleet.settle_after
        # What an earlier call has made may have been changed since; if so, that is told, and the next call makes it.
        done = [one.step for one in made.values() if one.changed and one.ok and one.step.after]
        again = [step._replace(before=step.after) for step in done]
        while attempts:
            # Look before the intents: what is as wanted already must not count as made by a task that is lost.
            looked_at = self._fleet._time()
            found = self._fleet._visit(name, store.host, before_sending, self._word, [*left, *kept, *again], keep_going)
            outcomes = found.value or [*_same([*left, *kept], Verdict.NOT_SENT, found.failure).values()]
            for one in outcomes:
                if one.step not in again:
                    made[one.step.code] = one
                elif one.verdict is Verdict.CHANGED:
                    made[one.step.code] = one._replace(step=made[one.step.code].step)
            left[:] = [one.step for one in outcomes if one.left_out and not one.detail]
            if not left:
                return
            now = self._fleet._time()
            ids = store.intend(change_set, left, now)
            task = settle_after, self._word, left, keep_going, looked_at, now + lease(settle_after)
            found = self._fleet._visit(name, store.host, send, *task)
            made.update((one.step.code, one) for one in found.value or ())
            if found.failure:
                lost = found.status == UNKNOWN and not isinstance(found.failure, errors.ApiError | errors.InvalidInput)
                made.update(_same(left, Verdict.UNKNOWN if lost else Verdict.NOT_SENT, found.failure))
            store.conclude((id_, made[step.code]) for id_, step in zip(ids, left, strict=True))
            if not any(isinstance(made[step.code].error, errors.TooLate) for step in left):
                return
            unsent = [step for step in left if made[step.code].verdict is Verdict.NOT_SENT]
            attempts, left[:], kept, again = attempts - 1 if unsent == left else _ATTEMPTS, unsent, [], []

    def _refuse_unconfirmed(self, confirm: str) -> None:
        deletes = Counter(name for name, step in self._changes() if step.after is None)
        left = Counter(name for name, steps in self._to_send().items() for step in steps if step.after is None)
        many = [name for name, (_, total, *_) in self._answered() if left[name] > total - deletes[name]]
        if (many or confirm) and confirm != self.confirmation:
            why = f" On {counted(len(many), 'portal')} more than half of the badges are deleted." if many else ""
            hint = f"If that is meant, give confirm={self.confirmation!r}."
            raise errors.InvalidInput(f"Planned: {self.confirmation}.{why}", field="confirm", hint=hint)

    # -- display --------------------------------------------------------------------------------------

    def _rows(self) -> Iterable[PortalRow]:
        return ((name, plan_row(step)) for name, steps in self.steps.items() for step in steps)

    def _notes(self) -> list[str]:
        left = len(self.left)
        begun = f"{counted(len(self._made), 'portal')} begun, {left} left." if self._made else "Nothing has been sent."
        how = f".apply(confirm={self.confirmation!r}) sends it."
        sends = f"{begun} {'This fleet is read-only.' if self._fleet.read_only else how}"
        unsure = ["Runs only on portals that did not answer are not counted."] if self._undoes and self.missing else []
        if self._idle:
            idle = listed(sorted(map(repr, self._idle)))
            unsure.append(f"Nothing is protected by {idle}: no badge that was seen has such a code.")
        unsure += unrestorable_remarks(one.before for _, one in self._changes())
        kept = {repr(one.code) for steps in self.steps.values() for one in steps if one.remark.startswith(_PROTECTED)}
        unsure += [f"Protected, so left alone: {listed(sorted(kept))}."] if kept else []
        unsure += [*self._remarks, *odd_portals(self._fleet)]
        return [*super()._notes(), *unsure, sends if left else "There is nothing to send."]

    def _shown(self) -> pd.DataFrame:
        """A row per portal with changes: how many steps of each action."""
        changed = dict(self._changes())
        found = ((name, Counter(one.action for one in steps)) for name, steps in self.steps.items() if name in changed)
        return self._frame(((name, [counts[one] for one in Action]) for name, counts in found), [*Action])


class FleetReport(FleetResults):
    """What became of each step on each portal. The value of a visit is a list of outcomes.

    ``.df`` has a row per portal and badge: ``portal``, the labels, ``code, action, verdict, error, detail``.
    """

    what = "Report"
    _takes = (*VISIT_OPTIONS, "keep_going")
    _columns = REPORT_COLUMNS
    _counted_column = "verdict"

    def __init__(self, plan: FleetPlan, *args: Any, **limits: Any) -> None:
        self._plan = plan
        super().__init__(plan._fleet, *args, **limits)

    def _visit(self, names: Sequence[str]) -> None:
        self.visits = {name: self._plan._result(name) for name in self._plan.visits}  # also those that are not visited
        super()._visit(names)

    @property
    def ok(self) -> bool:
        """Whether all portals are as wanted."""
        return not any(one.failure or one.status != OK for one in self.visits.values())

    def _outcomes(self) -> Iterable[tuple[str, Outcome]]:
        begun = ((name, one) for name, one in self.visits.items() if one.failure or one.status != NOT_VISITED)
        return ((name, one) for name, visit in begun for one in visit.value or ())

    def _rows(self) -> Iterable[PortalRow]:
        return ((name, report_row(one)) for name, one in self._outcomes())

    def _notes(self) -> list[str]:
        others = len({*self._plan.left}.difference(self._names))
        goes_on = f"Apply the plan again to send what is left: {self._plan.confirmation}."
        return [*super()._notes(), *self._plan._remarks, *([goes_on] if others else [])]

    def _shown(self) -> pd.DataFrame:
        """The rows of :attr:`df` without the badges that were kept; first those that are not as wanted."""
        found = sorted(self._outcomes(), key=lambda pair: pair[1].ok)
        rows = ((name, report_row(one)) for name, one in found if one.verdict is not Verdict.KEPT)
        return self._frame(rows, self._columns)


def _same(steps: Sequence[Step], verdict: Verdict, error: errors.B24Error | None = None) -> dict[str, Outcome]:
    unknown = verdict is Verdict.UNKNOWN
    return {step.code: Outcome(step, verdict, None if unknown else False, error, open=unknown) for step in steps}


def protected(step: Step, patterns: Sequence[str]) -> Step:
    """The step; if its badge is protected, a step that keeps it."""
    before = step.before
    if before in (None, step.after):  # a badge to keep is one object, which makes the task smaller
        return step._replace(after=before or step.after)
    remark = _PROTECTED if step.after else _NOT_WANTED
    return step._replace(after=before, remark=remark) if matching(before.code, patterns) else step


def keep_if_changed(step: Step, last: str | None) -> Step:
    """A step of an undo; one that keeps what somebody has changed or deleted since, but not what our own undo has
    deleted and could not add."""
    if not step.remark or (step.before is None and last == Verdict.FAILED):
        return step
    badge = step.before or step.after
    return step._replace(before=badge, after=badge)


def matching(code: str, patterns: Sequence[str]) -> list[str]:
    """The patterns that match a code."""
    return [one for one in patterns if folded(code) == one or fnmatch(folded(code), one)]
