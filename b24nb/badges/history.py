"""The journal as a reader uses it: what was changed, what is unfinished, and the way back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from b24nb.badges.badge import SHOWN, Badge, Badges
from b24nb.badges.changes import Step, diff
from b24nb.badges.lost import settle
from b24nb.badges.plan import Plan, Report
from b24nb.badges.sending import Sender
from b24nb.badges.wire import list_badges
from b24nb.errors import InvalidInput

if TYPE_CHECKING:
    import pandas as pd


class History:
    """What this user changed on this portal, and the way back.

    Examples
    --------
    >>> import b24nb
    >>> with b24nb.connect(b24nb.SandboxPortal()) as b24:
    ...     badge = b24.badges.delete("missedCall")
    ...     report = b24.journal.plan_undo().apply(progress=False)
    ...     b24.badges.get("missedCall") == badge
    True
    """

    def __init__(self, sender: Sender) -> None:
        self._sender = sender
        self._journal = sender.journal

    @property
    def df(self) -> pd.DataFrame:
        """A row per badge that was to be changed, oldest first; see :attr:`Journal.df`."""
        return self._journal.df

    @property
    def notice(self) -> str:
        """That there are unfinished changes and how to settle them, ``""`` if there are none."""
        return self._journal.notice

    def settle(self) -> Report:
        """Look at the portal what became of unfinished changes, and complete their verdicts.

        After a killed process an effect can appear until ``settle_after`` seconds after the change was
        sent; this waits until then where the portal shows none. It changes nothing on the portal.

        Returns
        -------
        Report
            A row per change that was unfinished.

        Raises
        ------
        TransportError, ApiError
            If the portal can't be listed.
        """
        entries = self._journal.unfinished()
        if not entries:
            return Report([])
        # The clock of the process that is dead may have been ahead of ours.
        sent_at = min(max(entry.at for entry in entries), self._sender.connection.clock.time())
        deadline = sent_at + self._sender.settle_after
        outcomes = settle(self._sender.connection, [entry.step for entry in entries], deadline)
        ids = (entry.id for entry in entries)
        self._journal.conclude(zip(ids, outcomes, strict=True), first_hand=False)
        self._journal.flush()
        return Report(outcomes)

    def plan_undo(self, last: int = 1) -> Plan:
        """A plan that goes back to before the last change sets.

        One ``add``, ``delete``, ``delete_many`` or ``apply`` is one change set, an undo too; those that
        changed nothing don't count. Unfinished changes are settled first, which can take a while.

        Parameters
        ----------
        last : int
            How many change sets to go back.

        Returns
        -------
        Plan
            Nothing is sent before its ``apply``. Restored badges take the last places of the list.

        Raises
        ------
        InvalidInput
            If ``last`` is not a positive number.
        TransportError, ApiError
            If the portal can't be listed.
        """
        if not isinstance(last, int) or last < 1:
            raise InvalidInput("last is a number of change sets, 1 or more.", field="last")
        self.settle()
        done = [entry.step for entry in self._journal.last(last)]
        current = list_badges(self._sender.connection)
        steps = _way_back(done, current)
        return Plan(steps, kind="undo", total=len(current), sender=self._sender)

    def __repr__(self) -> str:
        df = self._newest()
        text = df.to_string(index=False) if len(df) else "nothing was changed yet"
        return "\n".join(filter(None, ["Journal", text, self.notice]))

    def _repr_html_(self) -> str:
        from b24nb.display import html

        table = html.frame(self._newest(), caption="Journal", limit=SHOWN)
        return html.page(table, *([html.message("check", self.notice)] if self.notice else []))

    def _newest(self) -> pd.DataFrame:
        df = self.df.tail(SHOWN)[["change_set", "kind", "at", "code", "action", "verdict"]]
        return df.assign(at=df["at"].dt.floor("s"))


def _way_back(done: Sequence[Step], current: Badges) -> Iterator[Step]:
    """The steps from what is there now to what was there before the first of those done."""
    left: dict[str, Badge | None] = {}  # as our last step left it
    target: dict[str, Badge | None] = {}  # as our first step found it
    for step in reversed(done):
        if step.after:
            left.setdefault(step.after.code, step.after)
            target[step.after.code] = None
        if step.before:
            left.setdefault(step.before.code, None)
            target[step.before.code] = step.before
    here = {badge.code: badge for badge in current}
    foreign = {code for code in target if here.get(code) not in (None, left[code], target[code])}
    wanted = Badges(badge for badge in reversed(target.values()) if badge)
    for step in diff(current, wanted, removable=target.keys() - foreign):
        if step.before and step.before.code in foreign:
            foreign.discard(step.before.code)
            step = replace(step, remark="somebody else changed it since")
        yield step
    for code in sorted(foreign):
        yield Step(code, here[code], here[code], "somebody else changed it since: left alone")
