"""A plan is looked at before it is sent; a report says what became of it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, overload

from b24nb.badges.apply import ChangeApplier
from b24nb.badges.badge import SHOWN, Badge, Badges
from b24nb.badges.bulk import Cancel, RunOptions, apply_many
from b24nb.badges.changes import Action, Outcome, Step, Verdict
from b24nb.badges.wire import list_badges
from b24nb.errors import Interrupted, InvalidInput

if TYPE_CHECKING:
    import pandas as pd

_SIGNS = {Action.ADD: "+", Action.DELETE: "-", Action.REPLACE: "~", Action.KEEP: "="}


class Plan:
    """What would be changed, badge by badge. Showing it sends nothing; :meth:`apply` sends it.

    Attributes
    ----------
    steps : tuple of Step
        Each with ``action``, ``code``, ``before``, ``after`` and ``note``.
    """

    def __init__(
        self,
        steps: Iterable[Step],
        *,
        kind: str,
        total: int,
        applier: ChangeApplier,
        remarks: Sequence[str] = (),
    ) -> None:
        self.steps = tuple(steps)
        self._kind = kind
        self._total = total
        self._applier = applier
        self._remarks = remarks

    @property
    def counts(self) -> dict[str, int]:
        """How many steps of each action; 0 included."""
        counted = Counter(step.action for step in self.steps)
        return {action.value: counted[action] for action in Action}

    @property
    def df(self) -> pd.DataFrame:
        """A row per badge.

        Columns: ``action`` (``add``, ``replace``, ``delete``, ``keep``), ``code``; ``title, value, type``
        as they will be and ``title_before, value_before, type_before`` as they are, ``None`` where there
        is no badge; several languages are JSON text; ``note``: what to know before it is sent.
        """
        import pandas as pd

        rows = [
            (step.action.value, step.code, *_texts(step.after), *_texts(step.before), step.note)
            for step in self.steps
        ]
        texts = ["title", "value", "type"]
        columns = ["action", "code", *texts, *(f"{name}_before" for name in texts), "note"]
        return pd.DataFrame(rows, columns=columns, dtype=object)

    def apply(
        self,
        *,
        keep_going: bool = False,
        parallel: int = 1,
        progress: bool = True,
        confirm: int | None = None,
        cancel: Cancel | None = None,
    ) -> Report:
        """Send the plan, 50 commands to a request, and say what became of each step.

        The portal is listed first: a badge that is not any more what the plan was made for is left alone.

        Parameters
        ----------
        keep_going : bool
            Go on after a failure. If not, what comes after it is not sent.
        parallel : int
            How many requests run side by side; they share the request rate of the plan.
        progress : bool
            Show a bar.
        confirm : int, optional
            The number of deletes; needed where they are more than half of the portal's badges.
        cancel : threading.Event or callable, optional
            Set, or returning true, it ends the run between two requests, as Ctrl-C does.

        Returns
        -------
        Report
            In the order of the plan.

        Raises
        ------
        InvalidInput
            If ``confirm`` is needed or is another number.
        Interrupted
            After Ctrl-C, with the report: what was under way was finished, the rest was not sent.
        ReadOnly, TransportError, ApiError
            If nothing could be sent at all.
        """
        options = RunOptions(keep_going=keep_going, parallel=parallel, progress=progress, cancel=cancel)
        self._applier.refuse_if_read_only()
        current = list_badges(self._applier.connection)
        deletes = self.counts["delete"]
        check_confirmed(deletes, len(current), confirm, needed=2 * deletes > len(current))
        return run(self._applier, self._kind, self.steps, current, options)

    def __len__(self) -> int:
        return len(self.steps)

    def __repr__(self) -> str:
        lines = [f"Plan: {_counted(self.counts)}"]
        changes = self._changes()
        for step in changes[:SHOWN]:
            before = f"  was {step.before!r}" if step.action is Action.REPLACE else ""
            note = f"  ({step.note})" if step.note else ""
            lines.append(
                f"  {_SIGNS[step.action]} {step.after or step.before or repr(step.code)}{before}{note}"
            )
        if len(changes) > SHOWN:
            lines.append(f"  ({len(changes) - SHOWN} more not shown; .df has all)")
        return "\n".join([*lines, *self._notes()])

    def _repr_html_(self) -> str:
        from b24nb.display import html

        changes = [
            (_SIGNS[step.action], step.code, step.before, step.after, step.note) for step in self._changes()
        ]
        table = html.changes_table(changes, f"Plan: {_counted(self.counts)}", limit=SHOWN)
        return html.page(table, *(html.message("note", remark) for remark in self._notes()))

    def _changes(self) -> list[Step]:
        return [step for step in self.steps if step.action is not Action.KEEP or step.note]

    def _notes(self) -> list[str]:
        remarks = [*self._remarks]
        if self.counts["add"] or self.counts["replace"]:
            remarks.append("Added and replaced badges take the last places of the list.")
        deletes = self.counts["delete"]
        confirm = f"confirm={deletes}" if 2 * deletes > self._total else ""
        return [*remarks, f"Nothing has been sent. .apply({confirm}) sends it."]


def run(
    applier: ChangeApplier, kind: str, steps: Sequence[Step], current: Badges, options: RunOptions
) -> Report:
    """Make the changes and report; after Ctrl-C the report travels in an :class:`Interrupted`."""
    outcomes, interrupted = apply_many(applier, kind, steps, current, options)
    if interrupted:
        raise Interrupted(Report(outcomes))
    return Report(outcomes)


def check_confirmed(deletes: int, total: int, confirm: int | None, *, needed: bool) -> None:
    """Raise :class:`InvalidInput` if the number of deletes is not confirmed, or another one is."""
    if confirm != deletes and (needed or confirm is not None):
        raise InvalidInput(
            f"This deletes {deletes} of {total} badges.",
            field="confirm",
            hint=f"If that is meant, give confirm={deletes}.",
        )


class Report(Sequence[Outcome]):
    """What became of each step, in the caller's order."""

    def __init__(self, outcomes: Iterable[Outcome]) -> None:
        self._outcomes = tuple(outcomes)

    @property
    def ok(self) -> bool:
        """Whether the portal is now as wanted."""
        return all(outcome.ok for outcome in self)

    @property
    def counts(self) -> dict[str, int]:
        """How many steps of each verdict that occurs."""
        counted = Counter(outcome.verdict for outcome in self)
        return {verdict.value: counted[verdict] for verdict in Verdict if counted[verdict]}

    @property
    def df(self) -> pd.DataFrame:
        """A row per code, in the caller's order.

        Columns: ``code, action, verdict, error`` (the vendor's code, or the class of our error, ``""``
        without one)``, detail``.
        """
        import pandas as pd

        rows = [
            (
                outcome.step.code,
                outcome.step.action.value,
                outcome.verdict.value,
                outcome.error_name,
                outcome.why,
            )
            for outcome in self
        ]
        return pd.DataFrame(rows, columns=["code", "action", "verdict", "error", "detail"], dtype=object)

    @overload
    def __getitem__(self, index: int) -> Outcome: ...
    @overload
    def __getitem__(self, index: slice) -> Report: ...
    def __getitem__(self, index: int | slice) -> Outcome | Report:
        found = self._outcomes[index]
        return found if isinstance(found, Outcome) else Report(found)

    def __len__(self) -> int:
        return len(self._outcomes)

    def __repr__(self) -> str:
        lines = [f"Report: {_counted(self.counts)}"]
        rows = [one for one in self if not one.ok or one.why]
        lines += (
            f"  {one.step.code!r}  {one.step.action}: {one.verdict}  {one.error_name}  {one.why}".rstrip()
            for one in rows[:SHOWN]
        )
        if len(rows) > SHOWN:
            lines.append(f"  ({len(rows) - SHOWN} more not shown; .df has all)")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        from b24nb.display import html

        return html.page(html.frame(self.df, caption=f"Report: {_counted(self.counts)}", limit=SHOWN))


def _counted(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counts.items() if count) or "nothing to do"


def _texts(badge: Badge | None) -> tuple[Any, ...]:
    """Title, value and type as plain cells."""
    row = badge.to_wire() if badge else {}
    cells = (row.get(name) for name in ("title", "value", "type"))
    return tuple(json.dumps(cell, ensure_ascii=False) if isinstance(cell, dict) else cell for cell in cells)
