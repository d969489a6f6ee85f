"""A plan shows changes of badges, or of the activities that hold one, before they are sent; a report shows results."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Literal

from b24nb.badges.activities import Activity, ActivityStep, is_id
from b24nb.badges.apply import ChangeApplier, warn_if_not_restorable
from b24nb.badges.badge import SHOWN, Badge, frame, frame_html, listed, listing, unrestorable_remarks
from b24nb.badges.bulk import Cancel, Progress, RunOptions, apply_many
from b24nb.badges.changes import Action, Outcome, Step, Verdict, Way, error_name
from b24nb.badges.evidence import look_at
from b24nb.display import html
from b24nb.display.visible import visible
from b24nb.errors import Interrupted, InvalidInput

if TYPE_CHECKING:
    import pandas as pd

_TEXTS = ("title", "value", "type")
PLAN_COLUMNS = ("action", "code", *_TEXTS, *(f"{name}_before" for name in _TEXTS), "note")
RELEASE_COLUMNS = ("code", "activity_id", "owner_type", "owner_id", "title", "link", "subject", "certainty")
REPORT_COLUMNS = ("code", "action", "verdict", "error", "detail")
_SIGNS: dict[StrEnum, str] = {Action.ADD: "+", Action.DELETE: "-", Action.REPLACE: "~", Action.KEEP: "="}
_SIGNS |= {Way.CLEAR: "~", Way.SET: "~", Way.DELETE: "-"}
How = Literal["auto", "delete", "clear"]
Holders = Sequence[dict[str, str]]
Activities = Iterable[int | str] | int | str | None


class Plan:
    """The changes to make, badge by badge. Showing it sends nothing; :meth:`apply` sends it.

    Attributes
    ----------
    steps : tuple of Step
        Each with ``action``, ``code``, ``before``, ``after`` and ``note``.

    Examples
    --------
    >>> import b24nb
    >>> with b24nb.connect(b24nb.SandboxPortal()) as b24:
    ...     plan = b24.badges.plan([b24nb.Badge("gold", "Client", "Gold", "warning")])
    ...     plan.steps[0].action.value, len(plan), plan.apply(progress=False).ok
    ('add', 1, True)
    """

    def __init__(
        self, steps: Iterable[Step], *, kind: str, total: int, applier: ChangeApplier, remarks: Sequence[str] = ()
    ) -> None:
        self.steps = tuple(steps)
        self._kind, self._total, self._applier, self._remarks = kind, total, applier, remarks
        self._applied = ""  # what became of it

    @property
    def counts(self) -> dict[str, int]:
        """How many steps there are of each action; those of badges are listed even if 0."""
        counted = Counter(step.action for step in self.steps)
        return {str(action): counted[action] for action in dict.fromkeys([*Action, *counted])}

    @property
    def deletes(self) -> int:
        """How many steps only delete: the number that ``apply(confirm=...)`` takes."""
        return sum(step.before is not None and step.after is None for step in self.steps)

    @property
    def df(self) -> pd.DataFrame:
        """A row per badge.

        Columns: ``action`` (``add``, ``replace``, ``delete``, ``keep``), ``code``; ``title, value, type``
        as they will be and ``title_before, value_before, type_before`` as they are, ``None`` where there
        is no badge; texts in several languages are JSON text; ``note``: what to know before it is sent. An undo can
        also have rows of activities, without texts: ``set badgeCode``, ``clear badgeCode``.
        """
        return frame(map(plan_row, self.steps), PLAN_COLUMNS)

    def apply(
        self,
        *,
        keep_going: bool = False,
        parallel: int = 1,
        progress: Progress = True,
        confirm: int | None = None,
        cancel: Cancel | None = None,
    ) -> Report:
        """Send the plan, 50 commands to a request, and return what became of each step.

        The portal is listed first: a badge that was changed since the plan was made is left alone.

        Parameters
        ----------
        keep_going : bool
            Go on after a failure. If not, what comes after it is not sent.
        parallel : int
            How many requests run side by side; they share the request rate, so more than 16 gain nothing.
        progress : bool or callable
            Show a bar; a function is called with how many steps are done, and of how many.
        confirm : int, optional
            The number of deletes; needed where they are more than half of the portal's badges.
        cancel : threading.Event or callable, optional
            Ends the run as Ctrl-C does; a function is asked only between two requests, an event also while one waits.

        Returns
        -------
        Report
            In the order of the plan.

        Raises
        ------
        InvalidInput
            If ``confirm`` is needed or is another number.
        Interrupted
            After Ctrl-C, with the report: running requests were finished, the rest was not sent.
        ReadOnly, TransportError, ApiError
            If nothing could be sent at all.

        Warns
        -----
        NotRestorable, JournalNotWritten
            As of ``b24.badges.delete``, once for all badges.

        Examples
        --------
        >>> import b24nb
        >>> with b24nb.connect(b24nb.SandboxPortal()) as b24:
        ...     plan = b24.badges.plan([b24nb.Badge("gold", "Client", "Gold", "warning")])
        ...     plan
        ...     plan.apply(progress=False)
        Plan: 1 add
          + Badge(code='gold', title='Client', value='Gold', type='warning')
        Added and replaced badges take the last places of the list.
        Nothing has been sent. .apply() sends it.
        Report: 1 added
        """
        options = RunOptions(keep_going, parallel, progress, confirm, cancel)
        self._applier.refuse_if_read_only()
        current = look_at(self._applier.connection, self.steps)
        return self._send(current, options, guarded=True)

    def _send(self, current: Sequence[Badge], options: RunOptions, *, guarded: bool = False) -> Report:
        """Make the changes on a portal that holds ``current``; ``guarded``: deleting most badges wants ``confirm``."""
        total, there = sum(isinstance(one, Badge) for one in current), {one.code for one in current}
        deletes = sum(one.before is not None and one.after is None and one.before.code in there for one in self.steps)
        needed = options.confirm is not None or (guarded and 2 * deletes > total)
        if self.steps and needed and (options.confirm is True or options.confirm not in (deletes, self.deletes)):
            hint = f"If that is meant, give confirm={deletes}." if deletes else "Leave confirm out."
            raise InvalidInput(self._warning(deletes, total), field="confirm", hint=hint)
        warn_if_not_restorable(one.before for one in self.steps if one.deletes)
        self._applied = "This plan was begun; b24.journal shows what became of it."  # should a signal end this
        outcomes, end = apply_many(self._applier, self._kind, self.steps, current, options)
        report = Report(outcomes)
        self._applied = f"This plan was applied: {_counts_text(report.counts)}."
        if end:
            end.add_note(repr(report))
            raise Interrupted(report) if isinstance(end, KeyboardInterrupt) else end
        return report

    def __len__(self) -> int:
        return len(self.steps)

    def __repr__(self) -> str:
        return "\n".join([listing(self._head, self._changes(), _line), *self._notes()])

    def _repr_html_(self) -> str:
        return html.page(*self._tables(), *(html.Message("note", remark) for remark in self._notes()))

    def _tables(self) -> Iterator[Any]:
        changes = self._changes()
        rows = [(_SIGNS[one.action], one.code, one.before, one.after, one.note) for one in changes[:SHOWN]]
        yield html.changes_table(rows, self._head, hidden=len(changes) - len(rows))

    def _warning(self, deletes: int, total: int) -> str:
        return f"This deletes {deletes} of {total} badges."

    @property
    def _head(self) -> str:
        return f"Plan: {_counts_text(self.counts)}"

    def _changes(self) -> list[Step]:
        return [step for step in self.steps if step.action is not Action.KEEP or step.note]

    def _notes(self) -> list[str]:
        moved = self.counts["add"] or self.counts["replace"]
        place = ["Added and replaced badges take the last places of the list."] if moved else []
        confirm = f"confirm={self.deletes}" if 2 * self.deletes > self._total else ""
        lost = unrestorable_remarks(step.before for step in self._changes()[SHOWN:])  # others have a note in the row
        left = any(step.before != step.after for step in self.steps)
        sends = f"Nothing has been sent. .apply({confirm}) sends it." if left else "There is nothing to send."
        if left and self._applier.connection.read_only:
            sends = "Nothing has been sent: this client is read-only."
        return [*self._remarks, *lost, *place, self._applied or sends]


class ReleasePlan(Plan):
    """The changes to make to activities that hold a badge. Showing it sends nothing; :meth:`apply` sends it.

    An activity is left alone if it names another badge by then, was closed, or can't be read any more. ``apply`` needs
    ``confirm=<number>`` if activities are deleted.

    Attributes
    ----------
    steps : tuple of ActivityStep
        Each with ``action`` (``delete activity``, ``clear badgeCode``), ``code``, ``before``, ``after`` and
        ``note``.
    holders : tuple of dict
        All activities that were found, also those that are not to be released.

    Examples
    --------
    >>> import b24nb
    >>> with b24nb.connect(b24nb.SandboxPortal()) as b24:
    ...     plan = b24.badges.release("onHold")
    ...     plan.df[["action", "owner_type", "title"]].to_dict("records")
    ...     plan.apply(confirm=1, progress=False).counts
    [{'action': 'delete activity', 'owner_type': 'deal', 'title': 'Annual service, Café Lumière'}]
    {'released': 1}
    """

    def __init__(self, holders: Holders, activities: Activities, how: How, applier: ChangeApplier) -> None:
        self.holders, self._how = tuple(holders), how
        self._rows = _chosen(holders, activities)
        delete = _to_delete(self._rows, how, applier)
        steps = [_step(row, delete=row["activity_id"] in delete) for row in self._rows]
        keep = "To keep an activity, close it in the portal: that releases the badge, too."
        gone = ["Deleted activities can't be restored.", keep] if delete else []
        none = ["None of the activities that name it is chosen."]
        if not holders:
            none = ["No open activity that this user may read names such a code, spelled so."]
        super().__init__(steps, kind="release", total=0, applier=applier, remarks=gone if steps else none)

    def only(self, activities: Activities) -> ReleasePlan:
        """A plan for these activities only.

        Parameters
        ----------
        activities : int, str, or iterable of them
            Their ids.

        Returns
        -------
        ReleasePlan

        Raises
        ------
        InvalidInput
            No open activity of one of the ids names the badge.

        Examples
        --------
        >>> import b24nb
        >>> with b24nb.SandboxPortal() as portal, b24nb.connect(portal) as b24:
        ...     activity = portal.attach("onHold", deal=2)
        ...     plan = b24.badges.release("onHold")
        ...     len(plan), len(plan.only(activity))
        (2, 1)
        """
        return ReleasePlan(self.holders, activities, self._how, self._applier)

    @property
    def actions(self) -> dict[str, str]:
        """The action for each activity that would be released, by its id."""
        return {row["activity_id"]: step.action.value for row, step in zip(self._rows, self.steps, strict=True)}

    @property
    def df(self) -> pd.DataFrame:
        """A row per activity.

        Columns: ``action`` (``delete activity``, ``clear badgeCode``), ``code`` of the badge, ``activity_id,
        owner_type, owner_id, title, link, subject, certainty`` as in ``holders``; ``note``: whether it can be
        undone.
        """
        pairs = zip(self.steps, self._rows, strict=True)
        rows = ((one.action.value, *(row[name] for name in RELEASE_COLUMNS), one.remark) for one, row in pairs)
        return frame(rows, ["action", *RELEASE_COLUMNS, "note"])

    def _tables(self) -> Iterator[Any]:
        if self._rows:
            yield html.holders_table(self, self._rows[:SHOWN], hidden=len(self._rows) - SHOWN)
        yield html.Message("note", self._head)

    def _warning(self, deletes: int, total: int) -> str:
        return f"This deletes {deletes} activit{'y' if deletes == 1 else 'ies'} for good."


class Report(tuple[Outcome, ...]):
    """What became of each step, in the caller's order: a tuple of outcomes.

    Examples
    --------
    >>> import b24nb
    >>> with b24nb.connect(b24nb.SandboxPortal()) as b24:
    ...     report = b24.badges.delete_many(["newsletter", "onHold"], progress=False)
    ...     report.ok, report.counts, report[1].error.code
    (False, {'deleted': 1, 'refused': 1}, 'ENTITY_WITH_BADGE_EXISTS')
    """

    __slots__ = ()

    @property
    def ok(self) -> bool:
        """Whether the portal is now as wanted."""
        return all(outcome.ok for outcome in self)

    @property
    def counts(self) -> dict[str, int]:
        """How many steps there are of each verdict that occurs."""
        counted = Counter(outcome.verdict for outcome in self)
        return {str(verdict): counted[verdict] for verdict in Verdict if counted[verdict]}

    @property
    def df(self) -> pd.DataFrame:
        """A row per code, in the caller's order.

        Columns: ``code, action, verdict, error`` (the vendor's error code, or the name of an error class of this
        package; ``""`` without an error), ``detail``.
        """
        return frame(map(report_row, self), REPORT_COLUMNS)

    @property
    def trouble_first(self) -> Report:
        """The same with the outcomes first that are not as wanted, since displays show the first rows only."""
        return Report(sorted(self, key=attrgetter("ok")))

    def __repr__(self) -> str:
        shown = [one for one in self.trouble_first if not one.ok or one.why]
        return listing(f"Report: {_counts_text(self.counts)}", shown, _report_line)

    def _repr_html_(self) -> str:
        return frame_html(self.trouble_first.df, f"Report: {_counts_text(self.counts)}")


def plan_row(step: Step) -> tuple[Any, ...]:
    """A step as plain cells, in the order of :data:`PLAN_COLUMNS`."""
    return step.action.value, step.code, *_texts(step.after), *_texts(step.before), step.note


def report_row(one: Outcome) -> tuple[str, ...]:
    """An outcome as plain cells, in the order of :data:`REPORT_COLUMNS`."""
    return one.step.code, one.step.action.value, one.verdict.value, error_name(one.error), one.why


def _line(step: Step) -> str:
    before = f"  was {visible(repr(step.before))}" if step.action is Action.REPLACE else ""
    note = f"  ({step.note})" if step.note else ""
    what = repr(step.code) if step.about else step.after or step.before or repr(step.code)
    return f"{_SIGNS[step.action]} {visible(what)}{before}{note}"


def _report_line(one: Outcome) -> str:
    return f"{one.step.code!r}  {one.step.action}: {one.verdict}  {error_name(one.error)}  {one.why}".rstrip()


def _counts_text(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counts.items() if count) or "nothing to do"


def _texts(badge: Badge | None) -> list[Any]:
    """Title, value and type as plain cells."""
    cells = [getattr(badge, name, None) for name in _TEXTS]
    return [json.dumps(cell, ensure_ascii=False) if isinstance(cell, dict) else cell for cell in cells]


def _chosen(holders: Holders, activities: Activities) -> Holders:
    """The holders with these ids; with ``None`` all that may hold the badge."""
    numbered = [row for row in holders if is_id(row["activity_id"])]
    if activities is None:
        return [row for row in numbered if row["certainty"] != "no"]
    given = activities if isinstance(activities, Iterable) and not isinstance(activities, str) else [activities]
    ids = set(map(str, given))
    if strange := sorted(ids - {row["activity_id"] for row in numbered}):
        text = f"No open activity {listed(strange)} names this badge."
        raise InvalidInput(text, field="activities", hint="badges.holders(code) shows those that do.")
    return [row for row in numbered if row["activity_id"] in ids]


def _to_delete(holders: Holders, how: How, applier: ChangeApplier) -> set[str]:
    """The ids of the activities to delete: those that ``how`` says, or that these credentials can't clear."""
    if how not in ("auto", "delete", "clear"):
        raise InvalidInput(f"how must be auto, delete or clear, not {how!r}.", field="how")
    client_id = getattr(applier.connection.credentials, "client_id", None)  # of a token; a webhook has none
    made_by = {row["activity_id"]: row["application"] for row in holders}
    others = {id_ for id_, made in made_by.items() if client_id is None or (client_id and made not in ("", client_id))}
    if how == "clear" and others:
        text = f"Only the application that made them can clear the activities {listed(sorted(others))}."
        raise InvalidInput(text, field="how", hint="how='delete' deletes them; or close them in the portal.")
    return {row["activity_id"] for row in holders} if how == "delete" else others


def _step(row: dict[str, str], *, delete: bool) -> ActivityStep:
    place = visible(f"{row['owner_type']} {row['owner_id']}")
    before = Activity(int(row["activity_id"]), row["code"], place=place)
    after = None if delete else Activity(before.id, "", place=place)
    remark = "can't be undone" if delete else "b24.journal.plan_undo() sets it again"
    return ActivityStep(row["code"], before, after, remark)  # type: ignore[arg-type]
