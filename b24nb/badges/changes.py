"""What should happen to each badge, and what did: plain values, nothing is sent here."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from b24nb.badges.badge import FIELDS, Badge, Badges, ByCode
from b24nb.badges.checks import long_code, not_restorable
from b24nb.badges.wire import ADD, DELETE, fits_batch
from b24nb.errors import ApiError, B24Error

Command = tuple[str, str, dict[str, Any]]


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
    REFUSED = "refused"  #: open activities hold the badge
    GONE = "already gone"
    FAILED = "failed"
    NOT_SENT = "not sent"
    UNKNOWN = "unknown"


DONE = {Action.ADD: Verdict.ADDED, Action.DELETE: Verdict.DELETED, Action.REPLACE: Verdict.REPLACED}
#: Verdicts after which the portal is not as wanted.
TROUBLE = {Verdict.REFUSED, Verdict.FAILED, Verdict.NOT_SENT, Verdict.UNKNOWN}


@dataclass(frozen=True, slots=True)
class Step:
    """One badge before and after; ``None`` where there is none.

    ``code`` is the caller's spelling; a portal that ignores letter case may hold another.
    """

    code: str
    before: Badge | None
    after: Badge | None
    remark: str = ""

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
        notes = [self.remark, not_restorable(self.before if self.before != self.after else None)]
        if self.after and self.before != self.after:
            notes += [not_restorable(self.after), long_code(self.after.code)]
        if self.before and self.after:
            others = [name for name in FIELDS if getattr(self.before, name) != getattr(self.after, name)]
            notes.append(f"other {', '.join(others)}" if others else "")
            if "code" in others:
                notes.append(f"the portal has it as {self.before.code!r}")
        return "; ".join(filter(None, notes))

    def commands(self, prefix: str) -> list[Command]:
        """The calls that make the change, their keys starting with ``prefix``."""
        calls: list[Command] = []
        if self.before != self.after:
            if self.before:
                calls.append((f"{prefix}-delete", DELETE, {"code": self.before.code}))
            if self.after:
                calls.append((f"{prefix}-add", ADD, self.after.to_wire()))
        return calls

    @property
    def fits_batch(self) -> bool:
        """Whether its texts survive the query text of a batch; else it needs calls of its own."""
        return all(fits_batch(params) for _, _, params in self.commands(""))


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a step, and how that is known.

    Attributes
    ----------
    changed : bool or None
        Whether the portal was changed; ``None`` where that is not known.
    seen : bool
        Whether the answer was lost, and the outcome seen by looking.
    open : bool
        Whether looking failed, so that the journal should look again later.
    badge : Badge or None
        After an ``add``: the badge as the portal has it.
    """

    step: Step
    verdict: Verdict
    changed: bool | None = False
    error: B24Error | None = None
    detail: str = ""
    seen: bool = False
    open: bool = False
    badge: Badge | None = None

    @property
    def done(self) -> bool:
        """Whether the change was made."""
        return self.verdict is DONE.get(self.step.action)

    @property
    def trouble(self) -> bool:
        """Whether the portal is not as wanted."""
        return self.verdict in TROUBLE

    @property
    def left_out(self) -> bool:
        """Whether the portal did not run it because something before it failed."""
        return self.verdict is Verdict.NOT_SENT and self.error is None

    @property
    def half_done(self) -> bool:
        """Whether the old badge was deleted and the new one was not added."""
        return self.step.action is Action.REPLACE and self.verdict is Verdict.FAILED and bool(self.changed)

    @property
    def error_name(self) -> str:
        """The vendor's code, else the name of the error's class, else ``""``."""
        if self.error is None:
            return ""
        return self.error.code if isinstance(self.error, ApiError) else type(self.error).__name__


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


def deletions(current: Badges, codes: Iterable[str]) -> Iterator[Step]:
    """The steps that delete these codes, in their order; a code that no badge has is a step to keep."""
    here = ByCode(current)
    for code in codes:
        yield Step(code, here.find(code), None)
