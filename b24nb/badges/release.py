"""A plan that releases a badge from the activities that hold it, by the way that the credentials allow."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Literal

from b24nb.badges.activities import Activity, ActivityStep
from b24nb.badges.apply import ChangeApplier, RunOptions
from b24nb.badges.badge import SHOWN, frame
from b24nb.badges.changes import Way
from b24nb.badges.plan import Plan
from b24nb.credentials import OAuthToken
from b24nb.display import html
from b24nb.display.visible import visible
from b24nb.errors import InvalidInput

if TYPE_CHECKING:
    import pandas as pd

How = Literal["auto", "delete", "clear"]
Holders = Sequence[dict[str, str]]
Activities = Iterable[int | str] | int | str | None
COLUMNS = ("code", "activity_id", "owner_type", "owner_id", "title", "link", "subject", "certainty")
_NOTES = {Way.DELETE: "can't be undone", Way.CLEAR: "b24.journal.plan_undo() sets it again"}


class ReleasePlan(Plan):
    """What would be done to the activities that hold a badge. Showing it sends nothing; :meth:`apply` sends it.

    An activity that names another badge by then, or was closed, is left alone. ``apply`` wants
    ``confirm=<number>`` where activities are deleted.

    Attributes
    ----------
    steps : tuple of ActivityStep
        Each with ``action`` (``delete activity``, ``clear badgeCode``), ``code``, ``before``, ``after`` and
        ``note``.
    holders : tuple of dict
        All activities that were found, also those that are not to be released.
    """

    def __init__(self, holders: Holders, activities: Activities, how: How, applier: ChangeApplier) -> None:
        self.holders, self._how = tuple(holders), how
        self._rows = _chosen(holders, activities)
        delete = _to_delete(self._rows, how, applier)
        steps = [_step(row, delete=row["activity_id"] in delete) for row in self._rows]
        super().__init__(steps, kind="release", total=0, applier=applier)

    def only(self, activities: Activities) -> ReleasePlan:
        """The same for these activities alone.

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
        """
        return ReleasePlan(self.holders, activities, self._how, self._applier)

    @property
    def actions(self) -> dict[str, str]:
        """The action for each activity that would be released, by its id."""
        return {row["activity_id"]: step.action.value for row, step in zip(self._rows, self.steps, strict=True)}

    @property
    def deletes(self) -> int:
        """How many activities would be deleted, for good: the number that ``apply(confirm=...)`` wants."""
        return self.counts.get(Way.DELETE, 0)

    @property
    def df(self) -> pd.DataFrame:
        """A row per activity.

        Columns: ``action`` (``delete activity``, ``clear badgeCode``), ``code`` of the badge, ``activity_id,
        owner_type, owner_id, title, link, subject, certainty`` as in ``holders``; ``note``: whether it can be
        undone.
        """
        pairs = zip(self.steps, self._rows, strict=True)
        rows = ((one.action.value, *(row[name] for name in COLUMNS), one.remark) for one, row in pairs)
        return frame(rows, ["action", *COLUMNS, "note"])

    def _refuse_unconfirmed(self, total: int, options: RunOptions, guarded: bool) -> None:
        if (self.deletes or options.confirm is not None) and options.confirm != self.deletes:
            text = f"This deletes {self.deletes} activities for good."
            hint = f"If that is meant, give confirm={self.deletes}."
            raise InvalidInput(text, field="confirm", hint=hint)

    def _repr_html_(self) -> str:
        table = html.holders_table(self, self._rows[:SHOWN])
        notes = (html.message("note", remark) for remark in (self._head, *self._notes()))
        return html.page(table, *notes)

    def _notes(self) -> list[str]:
        confirm = f"confirm={self.deletes}" if self.deletes else ""
        gone = ["Deleted activities can't be brought back."] if self.deletes else []
        keep = "To keep an activity, close it in the portal: that releases the badge, too."
        return [*gone, *([keep] if self.steps else []), f"Nothing has been sent. .apply({confirm}) sends it."]


def _chosen(holders: Holders, activities: Activities) -> Holders:
    """The holders that are named, else all that may count."""
    numbered = [row for row in holders if row["activity_id"].isascii() and row["activity_id"].isdecimal()]
    if activities is None:
        return [row for row in numbered if row["certainty"] != "no"]
    ids = {str(one) for one in ([activities] if isinstance(activities, int | str) else activities)}
    if strange := sorted(ids - {row["activity_id"] for row in numbered}):
        text = f"No open activity {', '.join(strange)} names this badge."
        raise InvalidInput(text, field="activities", hint="badges.holders(code) shows those that do.")
    return [row for row in numbered if row["activity_id"] in ids]


def _to_delete(holders: Holders, how: How, applier: ChangeApplier) -> set[str]:
    """The ids of the activities that are deleted: as wanted, or since these credentials can't clear them."""
    if how not in ("auto", "delete", "clear"):
        raise InvalidInput(f"There is no way {how!r} to release.", field="how", hint="auto, delete or clear.")
    credentials = applier.connection.credentials
    client_id = credentials.client_id if isinstance(credentials, OAuthToken) else None
    made_by = {row["activity_id"]: row["application"] for row in holders}
    others = {id_ for id_, made in made_by.items() if client_id is None or (client_id and made not in ("", client_id))}
    if how == "clear" and others:
        text = f"Only the application that made them can clear the activities {', '.join(sorted(others))}."
        raise InvalidInput(text, field="how", hint="how='delete' deletes them; or close them in the portal.")
    return {row["activity_id"] for row in holders} if how == "delete" else others


def _step(row: dict[str, str], *, delete: bool) -> ActivityStep:
    place = visible(f"{row['owner_type']} {row['owner_id']}")
    before = Activity(int(row["activity_id"]), row["code"], place=place)
    after = None if delete else Activity(before.id, "", place=place)
    way = Way.DELETE if delete else Way.CLEAR
    return ActivityStep(row["code"], before, after, _NOTES[way])
