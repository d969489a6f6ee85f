"""What would be changed on many portals, and what became of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from b24nb import errors
from b24nb.badges import changes, files
from b24nb.badges.apply import RunOptions
from b24nb.badges.changes import UNDO, Action, Outcome, Step, Verdict
from b24nb.badges.journal_store import ChangeSet, JournalStore
from b24nb.badges.plan import PLAN_COLUMNS, REPORT_COLUMNS, plan_row, report_row
from b24nb.fleet.found import Found, Row, counted
from b24nb.fleet.tasks import INTERRUPTED
from b24nb.fleet.visit import CHANGED, OK, UNKNOWN, TooLate, Visit, send, status_of

if TYPE_CHECKING:
    import pandas as pd

    from b24nb.fleet.fleet import Fleet

Outcomes = dict[str, Outcome]
#: How often a task that came too late is submitted.
_LATE = 5
_SEEN = {Action.KEEP: "same", Action.ADD: "missing", Action.REPLACE: "differs", Action.DELETE: "not wanted"}


class Drift(NamedTuple):
    """How a portal differs from what is wanted, and how many badges it has."""

    steps: Sequence[Step]
    total: int


class FleetPlan(Found):
    """What would be changed on each portal. Showing it sends nothing; :meth:`apply` sends it.

    ``.df`` has a row per portal and badge: ``portal``, the labels, and the columns of ``b24.badges.plan(…).df``.
    """

    what = "Plan"
    _columns = PLAN_COLUMNS

    def __init__(self, fleet: Fleet, kind: str, remarks: Sequence[str], *found: Any) -> None:
        super().__init__(fleet.portals, *found)
        self._fleet, self._kind, self._remarks = fleet, kind, remarks
        self._made: dict[str, Outcomes] = {}
        problems = ((step, one) for _, step in self._changes() if step.after for one in changes.problems(step.after))
        wrong = {f"{step.code!r}: {one.message}": one.field for step, one in problems if not kind.startswith(UNDO)}
        files.refuse(errors.InvalidInput(text, field=field) for text, field in wrong.items())

    @property
    def steps(self) -> dict[str, Sequence[Step]]:
        """The steps by the name of the portal, where it answered."""
        return {name: drift.steps for name, drift in self._answered()}

    @property
    def counts(self) -> dict[str, int]:
        """How many steps of each action, on all portals; 0 included."""
        found = Counter(step.action for steps in self.steps.values() for step in steps)
        return {action.value: found[action] for action in Action}

    @property
    def confirmation(self) -> str:
        """What ``apply(confirm=…)`` wants to hear: ``1,204 changes on 311 portals``."""
        found = Counter(name for name, _ in self._changes())
        return f"{counted(found.total(), 'change')} on {counted(len(found), 'portal')}"

    @property
    def matrix(self) -> pd.DataFrame:
        """A row per code and a column per portal that answered: ``same, differs, missing, not wanted``."""
        return self._matrix((name, one.code, _SEEN[one.action]) for name, steps in self.steps.items() for one in steps)

    def apply(
        self, *, first: int | None = None, max_failures: float | None = None, confirm: str | None = None, **options: Any
    ) -> FleetReport:
        """Send the plan, portal by portal, and say what became of each step.

        What is as wanted is not sent again: a second call finishes what the first one left.

        Parameters
        ----------
        first : int, optional
            Change so many portals, and leave the others to a second call.
        max_failures : int or float, optional
            How many portals, or which share of them (0.02), may fail before no new one is begun.
        confirm : str, optional
            The sentence that the plan shows; needed where more than half of a portal's badges are deleted.
        **options
            ``keep_going, progress, cancel``, as of ``b24.badges.plan(…).apply``; ``cancel`` is asked between two
            portals.

        Returns
        -------
        FleetReport
            Of all portals of the plan, in its order, what earlier calls did included.

        Raises
        ------
        InvalidInput
            If ``confirm`` is needed or is another sentence.
        Interrupted
            After Ctrl-C, with the report.
        ReadOnly
            If nothing may be sent.
        """
        names = [name for name in self.steps if self._left(name)]
        chosen, allowed = names[: check_count(first, "first")], _allowed(max_failures, len(names))
        self._refuse_unconfirmed(confirm)
        self._fleet.refuse_if_read_only()
        word, run = self._kind.split()[0], RunOptions(**options)
        found, why = self._fleet.each(chosen, lambda name: self._apply_one(name, run), word, run, allowed)
        untouched = {name: one for name, one in self.visits.items() if name not in names or name in self._made}
        visits = {name: one if one.status != OK else self._result(name) for name, one in untouched.items()} | found
        report = FleetReport(self._portals, visits, lambda _: self.apply(confirm=confirm, **options).visits, why)
        if why == INTERRUPTED:
            raise errors.Interrupted(report)
        return report

    def undo(self, **options: Any) -> FleetReport:
        """Take back what this plan has changed; what somebody else has changed since is left alone.

        Parameters
        ----------
        **options
            As of :meth:`apply`.

        Returns
        -------
        FleetReport
            ``ok`` if all is as it was before.
        """
        plan = self._fleet.plan_back({self._kind}, [*self._made], {}, options)
        report = plan.apply(confirm=plan.confirmation, **{"keep_going": True, **options})
        self._made = {name: made for name, made in self._made.items() if report.visits[name].failure}
        return report

    # -- one portal -----------------------------------------------------------------------------------

    def _changes(self) -> Iterator[tuple[str, Step]]:
        return ((name, one) for name, steps in self.steps.items() for one in steps if one.before != one.after)

    def _left(self, name: str) -> list[Step]:
        """The steps of a portal that are to be sent."""
        made = {code for code, one in self._made.get(name, {}).items() if one.ok}
        return [step for step in self.steps[name] if step.before != step.after and step.code not in made]

    def _result(self, name: str, trouble: Visit | None = None) -> Visit:
        """What became of all steps of a portal, and the word for the worst of it."""
        made = self._made.get(name, {})
        outcomes = [made.get(step.code) or Outcome(step, Verdict.KEPT) for step in self.steps[name]]
        if wrong := [one for one in outcomes if not one.ok and not one.left_out]:
            worst = max(wrong, key=_rank)
            trouble = trouble or Visit(_word(worst), None, worst.error or errors.B24Error(worst.why))
        return replace(trouble or Visit(), value=outcomes)

    def _apply_one(self, name: str, options: RunOptions) -> Visit:
        """Write down what is to be changed, have it changed, write down what became of it."""
        left, trouble = self._left(name), None
        made = self._made.setdefault(name, {})
        try:
            with self._fleet.journal(name) as store:
                self._fleet.settle(name, store)
                made |= self._send(name, store, left, options)
        except errors.B24Error as error:
            trouble = Visit.failed(error)
            made |= _same(left, Verdict.NOT_SENT, error)
        return self._result(name, trouble)

    def _send(self, name: str, store: JournalStore, left: Sequence[Step], options: RunOptions) -> Outcomes:
        change_set, made = ChangeSet(self._kind), Outcomes()
        kind = UNDO if self._kind.startswith(UNDO) else "apply"
        options = RunOptions(keep_going=options.keep_going, progress=False)
        for attempt in range(_LATE):
            until = self._fleet.lease()
            ids = store.intend(change_set, left, until)  # as if sent at the last moment at which it can be
            task = f"{self._kind} {name} {change_set.number} {attempt}"
            visit = self._fleet.visit(name, send, kind, left, options, until, task)
            outcomes = dict(zip((step.code for step in left), visit.value or (), strict=False))
            if not outcomes:
                outcomes = _same(left, Verdict.UNKNOWN if visit.lost else Verdict.NOT_SENT, visit.failure)
            made |= _concluded(store, ids, outcomes, self._fleet.time())
            left = [step for step in left if isinstance(outcomes[step.code].error, TooLate)]
            if not left:
                break
        return made

    def _refuse_unconfirmed(self, confirm: str | None) -> None:
        deletes = Counter(name for name, step in self._changes() if step.after is None)
        many = [name for name, drift in self._answered() if 2 * deletes[name] > drift.total]
        if (many or confirm is not None) and confirm != self.confirmation:
            why = f" On {counted(len(many), 'portal')} more than half of the badges are deleted." if many else ""
            hint = f"If that is meant, give confirm={self.confirmation!r}."
            raise errors.InvalidInput(f"This makes {self.confirmation}.{why}", field="confirm", hint=hint)

    # -- display --------------------------------------------------------------------------------------

    def _rows(self) -> Iterable[Row]:
        return ((name, plan_row(step)) for name, steps in self.steps.items() for step in steps)

    def _head(self) -> str:
        told = ", ".join(f"{count:,} {action}" for action, count in self.counts.items() if count)
        return f"{super()._head()}: {told or 'nothing to do'}"

    def _notes(self) -> list[str]:
        begun = f"{counted(len(self._made), 'portal')} begun." if self._made else "Nothing has been sent."
        send = f"{begun} .apply(confirm={self.confirmation!r}) sends it."
        send = send if any(map(self._left, self.steps)) else "Nothing is to be sent."
        return [*super()._notes(), *self._remarks, send]

    def _shown(self) -> pd.DataFrame:
        """A row per portal that is to be changed, with how many steps of each action."""
        changed = {name for name, _ in self._changes()}
        rows = [(name, Counter(step.action for step in self.steps[name])) for name in self.steps if name in changed]
        return self._portals.frame(((name, [counts[one] for one in Action]) for name, counts in rows), [*Action])


class FleetReport(Found):
    """What became of each step on each portal; the value of a visit is a list of outcomes.

    ``.df`` has a row per portal and badge: ``portal``, the labels, ``code, action, verdict, error, detail``.
    ``.retry()`` applies the plan again, which sends what is left.
    """

    what = "Report"
    _columns = REPORT_COLUMNS

    @property
    def ok(self) -> bool:
        """Whether all portals are as wanted."""
        return not any(one.failure or one.status != OK for one in self.visits.values())

    @property
    def counts(self) -> dict[str, int]:
        """How many steps of each verdict that occurs, on all portals."""
        found = Counter(one.verdict for visit in self.visits.values() for one in visit.value or ())
        return {verdict.value: found[verdict] for verdict in Verdict if found[verdict]}

    def _rows(self) -> Iterable[Row]:
        return ((name, report_row(one)) for name, visit in self.visits.items() for one in visit.value or ())

    def _head(self) -> str:
        told = ", ".join(f"{count:,} {name}" for name, count in self.counts.items())
        return f"{super()._head()}: {told or 'nothing to do'}"

    def _shown(self) -> pd.DataFrame:
        """Without what is as it was."""
        table = self.df
        return table[table["verdict"] != Verdict.KEPT.value].reset_index(drop=True)


def check_count(number: int | None, field: str) -> int | None:
    """A number of portals or runs; anything else is refused."""
    if number is None or (type(number) is int and number >= 1):
        return number
    raise errors.InvalidInput(f"{field} is a number, 1 or more.", field=field)


def _rank(one: Outcome) -> tuple[bool, bool]:
    return one.verdict is Verdict.UNKNOWN, _word(one) != OK


def _word(one: Outcome) -> str:
    """The word for a portal with this outcome; that it refuses a badge is no trouble with the portal."""
    if one.verdict in (Verdict.UNKNOWN, Verdict.CHANGED):
        return UNKNOWN if one.verdict is Verdict.UNKNOWN else CHANGED
    found = status_of(one.error)
    return OK if found == UNKNOWN else found


def _same(steps: Sequence[Step], verdict: Verdict, error: errors.B24Error | None) -> Outcomes:
    unknown = verdict is Verdict.UNKNOWN
    changed = None if unknown else False
    return {step.code: Outcome(step, verdict, changed, error, open=unknown) for step in steps}


def _concluded(store: JournalStore, ids: Sequence[int], outcomes: Outcomes, at: float) -> Outcomes:
    """Write the verdicts; where that fails, say so: the changes are made."""
    closed = {id_: one for id_, one in zip(ids, outcomes.values(), strict=True) if not one.open}
    store.conclude(closed.items())
    store.note_attempt([*closed], at)  # by the same write
    try:
        store.flush()
    except errors.JournalError as error:
        text = f"The verdict could not be written to the journal: {error.message}"
        return {code: replace(one, detail=text) if one.changed else one for code, one in outcomes.items()}
    return outcomes


def _allowed(max_failures: float | None, portals: int) -> float:
    """How many portals may fail."""
    share = isinstance(max_failures, float) and 0 <= max_failures <= 1
    if max_failures is None or share:
        return float("inf") if max_failures is None else int(max_failures * portals)
    if type(max_failures) is int and max_failures >= 0:
        return max_failures
    text = "max_failures is a number of portals, or a share from 0.0 to 1.0 of them."
    raise errors.InvalidInput(text, field="max_failures")
