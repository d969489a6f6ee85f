"""What should happen to each badge, and what did: plain values, nothing is sent here."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from b24nb.badges.badge import FIELDS, Badge, Badges, ByCode
from b24nb.badges.checks import not_restorable
from b24nb.badges.wire import ADD, DELETE, fits_batch
from b24nb.errors import ApiError, B24Error, InvalidInput, NotFound

Command = tuple[str, str, Mapping[str, Any]]


class Action(StrEnum):
    """What a step does; there is no update method, so a changed badge is deleted and added."""

    ADD = "add"
    REPLACE = "replace"
    DELETE = "delete"
    KEEP = "keep"


class Verdict(StrEnum):
    """What became of a step."""

    ADDED = "added"
    DELETED = "deleted"
    REPLACED = "replaced"
    KEPT = "kept"
    CHANGED = "changed"  #: left alone: the portal holds something else than the step was made for
    REFUSED = "refused"  #: open activities hold the badge
    GONE = "already gone"
    FAILED = "failed"
    NOT_SENT = "not sent"
    UNKNOWN = "unknown"


#: Kind of the change sets that go back.
UNDO = "undo"
DONE = {Action.ADD: Verdict.ADDED, Action.DELETE: Verdict.DELETED, Action.REPLACE: Verdict.REPLACED}
_TROUBLE = {Verdict.CHANGED, Verdict.REFUSED, Verdict.FAILED, Verdict.NOT_SENT, Verdict.UNKNOWN}


@dataclass(frozen=True, slots=True)
class Step:
    """One badge as the caller saw it and as it shall be; ``None`` where there is none.

    ``code`` is the caller's spelling, and the one that is sent: a portal that ignores letter case may hold
    another, and one that does not must not find a badge that the caller did not name. ``missing_ok``: whether
    it is as wanted if there is no badge to delete.
    """

    code: str
    before: Badge | None
    after: Badge | None
    remark: str = ""
    missing_ok: bool = True

    @property
    def action(self) -> Action:
        """What leads from before to after; to be without a badge that is not there is a delete."""
        if self.after is None:
            return Action.DELETE
        if self.before == self.after:
            return Action.KEEP
        return Action.REPLACE if self.before else Action.ADD

    @property
    def note(self) -> str:
        """What a reader should know before this is sent, ``""`` if there is nothing."""
        notes = [self.remark]
        if self.before != self.after:
            notes += [not_restorable(self.before), not_restorable(self.after)]
        if self.before and self.after:
            others = [name for name in FIELDS if getattr(self.before, name) != getattr(self.after, name)]
            notes.append(f"other {', '.join(others)}" if others else "")
            if "code" in others:
                notes.append(f"the portal has it as {self.before.code!r}")
        return "; ".join(filter(None, dict.fromkeys(notes)))

    def commands(self, prefix: str) -> list[Command]:
        """The calls that make the change, their keys starting with ``prefix``."""
        calls: list[Command] = []
        if self.before != self.after:
            if self.before:
                calls.append((f"{prefix}-delete", DELETE, {"code": self.code}))
            if self.after:
                calls.append((f"{prefix}-add", ADD, self.after.to_wire()))
        return calls

    @property
    def cost(self) -> int:
        """How many calls it takes."""
        return len(self.commands(""))

    @property
    def fits_batch(self) -> bool:
        """Whether its texts survive the query text of a batch; else it needs calls of its own."""
        return all(fits_batch(params) for _, _, params in self.commands(""))


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a step, and how that is known.

    Attributes
    ----------
    step : Step
        What was to be done.
    verdict : Verdict
        What became of it.
    changed : bool or None
        Whether the portal was changed; ``None`` where that is not known.
    error : B24Error or None
        Why it is not as wanted.
    detail : str
        More, in words.
    seen : bool
        Whether the answer was lost, and the outcome seen by looking.
    open : bool
        Whether looking failed, so that the journal should look again later.
    badge : Badge or None
        After an ``add``: the badge as the portal has it.
    found : Badge or None
        What the last look before the change showed, where that is not ``step.before``.
    """

    step: Step
    verdict: Verdict
    changed: bool | None = False
    error: B24Error | None = None
    detail: str = ""
    seen: bool = False
    open: bool = False
    badge: Badge | None = None
    found: Badge | None = None

    @property
    def done(self) -> bool:
        """Whether the change was made."""
        return self.verdict is DONE.get(self.step.action)

    @property
    def ok(self) -> bool:
        """Whether the portal is now as wanted."""
        as_sent = self.badge is None or self.badge == self.step.after
        return self.verdict not in _TROUBLE and self.error is None and as_sent

    @property
    def failed(self) -> bool:
        """Whether a run should end here."""
        return self.verdict in _TROUBLE - {Verdict.CHANGED} and not self.left_out

    @property
    def left_out(self) -> bool:
        """Whether the portal did not run it because something before it failed."""
        return self.verdict is Verdict.NOT_SENT and self.error is None

    @property
    def half_done(self) -> bool:
        """Whether the old badge was deleted and the new one was not added."""
        return self.step.action is Action.REPLACE and self.verdict is Verdict.FAILED and bool(self.changed)

    @property
    def nothing_to_replace(self) -> bool:
        """Whether there was no old badge to delete, and the new one was not added for that."""
        refused = isinstance(self.error, NotFound) and self.error.method == DELETE
        return self.step.action is Action.REPLACE and refused

    @property
    def error_name(self) -> str:
        """The vendor's code, else the name of the error's class, else ``""``."""
        if self.error is None:
            return ""
        return self.error.code if isinstance(self.error, ApiError) else type(self.error).__name__

    @property
    def why(self) -> str:
        """The detail, else the error in words."""
        return self.detail or (str(self.error) if self.error else "")


def diff(current: Badges, wanted: Badges, removable: Collection[str] | None = ()) -> Iterator[Step]:
    """The steps, keeps included, that lead from what a portal has to what is wanted, in its order.

    A wanted code that the portal spells in another letter case replaces that badge. ``removable`` are the
    codes to delete where they are not wanted, ``None``: any.

    Examples
    --------
    >>> old, new = Badge("vip", "Client", "VIP", "primary"), Badge("vip", "Client", "VIP", "success")
    >>> [step.action.value for step in diff(Badges([old]), Badges([new]))]
    ['replace']
    """
    here = ByCode(current)
    met = set()
    for badge in wanted:
        before = here.find(badge.code)
        if before:
            met.add(before.code)
        yield Step(badge.code, before, badge)
    for badge in current:
        if badge.code not in met and (removable is None or badge.code in removable):
            yield Step(badge.code, badge, None)


def deletions(current: Badges, wanted: Iterable[str | Badge], *, missing_ok: bool) -> Iterator[Step]:
    """The steps that delete these, in their order; a badge is deleted only as it was given."""
    here = ByCode(current)
    for item in wanted:
        if isinstance(item, Badge):
            yield Step(item.code, item, None)
        else:
            before = here.find(item)
            yield Step(item, before, None, missing_ok=missing_ok or before is not None)


def gone(step: Step) -> Outcome:
    """The outcome of a delete for which there is no badge any more, or never was one."""
    if step.before:
        return Outcome(step, Verdict.GONE, detail="somebody else deleted it")
    error = InvalidInput(f"No badge has the code {step.code!r}.", hint="badges.list() shows all.")
    return Outcome(
        step, Verdict.GONE, error=None if step.missing_ok else error, detail="no badge has this code"
    )
