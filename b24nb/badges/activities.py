"""Activities, as far as they hold a badge: the steps that release it or hold it again, and what proves them.

A webhook can only delete a configurable activity, which can't be undone. The application that made it can clear
its ``badgeCode``, and set it again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from b24nb.badges.changes import DONE, Command, Outcome, Step, Verdict, Way
from b24nb.errors import ApiError, BadResponse, NotFound, raised_before_effect
from b24nb.rest.connection import Connection, Response

LIST = "crm.activity.list"
_DELETE, _UPDATE = "crm.activity.delete", "crm.activity.configurable.update"
_SHOWN = ["ID", "COMPLETED", "PROVIDER_PARAMS"]
#: ``crm.activity.list`` shows no more at once.
_PAGE = 50


@dataclass(frozen=True, slots=True)
class Activity:
    """A configurable activity: which badge it names, and whether it is closed. ``place`` is for readers."""

    id: int
    badge: str
    closed: bool = False
    place: str = field(default="", compare=False)

    @property
    def code(self) -> str:
        """What it is found by, beside badges: half a character is in no code of a badge."""
        return f"\ud800{self.id}"

    @classmethod
    def from_wire(cls, row: dict[str, Any]) -> Activity:
        """Read a row of ``crm.activity.list``."""
        params = row.get("PROVIDER_PARAMS")
        badge = params.get("badgeCode") if isinstance(params, dict) else ""
        return cls(int(row["ID"]), badge if isinstance(badge, str) else "", row.get("COMPLETED") == "Y")

    def to_wire(self) -> dict[str, Any]:
        """As the journal keeps it.

        Returns
        -------
        dict
            The fields by name.
        """
        return {"id": self.id, "badge": self.badge, "closed": self.closed, "place": self.place}

    def __str__(self) -> str:
        return f"activity {self.id} of {self.place}"


@dataclass(frozen=True, slots=True)
class ActivityStep(Step):
    """An activity as the caller saw it and as it shall be; ``after=None``: deleted. ``code``: of the badge."""

    before: Activity  # type: ignore[assignment]
    after: Activity | None  # type: ignore[assignment]

    @property
    def key(self) -> str:
        """What it is found by on the portal."""
        return self.before.code

    @property
    def action(self) -> Way:  # type: ignore[override]
        """What leads from before to after."""
        return Way.DELETE if self.after is None else Way.SET if self.after.badge else Way.CLEAR

    @property
    def about(self) -> str:
        """Which activity."""
        return str(self.before)

    @property
    def note(self) -> str:
        """What a reader should know before this is sent."""
        return "; ".join(filter(None, [self.about, self.remark]))

    def commands(self, prefix: str = "") -> list[Command]:
        """The one call that makes the change.

        Parameters
        ----------
        prefix : str
            What its key begins with.

        Returns
        -------
        list of (str, str, mapping)
            Key, method and parameters.
        """
        params: dict[str, Any] = {"id": self.before.id}
        if self.after is None:
            return [(f"{prefix}-delete", _DELETE, params)]
        return [(f"{prefix}-delete", _UPDATE, {**params, "fields": {"badgeCode": self.after.badge}})]

    def beforehand(self, now: Activity | None) -> Outcome | None:
        """The outcome, where the activity is not any more what the step was made for.

        Parameters
        ----------
        now : Activity or None
            What a look showed.

        Returns
        -------
        Outcome or None
            ``None``: it is as it was, so the step can be sent.
        """
        if now == self.before:
            return None
        if now is None and self.action is not Way.SET:
            return Outcome(self, Verdict.GONE, detail="somebody else deleted it")
        if now and now == self.after:
            return Outcome(self, Verdict.KEPT, detail="it is so already")
        what = "was deleted" if now is None else "was closed" if now.closed else f"names {now.badge or 'no badge'} now"
        return Outcome(self, Verdict.CHANGED, detail=f"left alone: it {what}")

    def judge(self, answer: Response | ApiError | None) -> Outcome | None:
        """What the answer proves.

        Parameters
        ----------
        answer : Response, ApiError or None
            ``None``: the call was not made.

        Returns
        -------
        Outcome or None
            ``None``: nothing, so look.
        """
        if answer is None:
            return Outcome(self, Verdict.NOT_SENT)
        if isinstance(answer, ApiError):
            if not raised_before_effect(answer):
                return None
            gone = isinstance(answer, NotFound) and self.action is not Way.SET
            return self.beforehand(None) if gone else Outcome(self, Verdict.FAILED, error=answer)
        proof = answer.result is True if self.after is None else answer.result == {"activity": {"id": self.before.id}}
        return Outcome(self, DONE[self.action], changed=True) if proof else None


def of_activities(steps: Iterable[Step]) -> list[ActivityStep]:
    """Those of the steps that are about activities."""
    return [step for step in steps if isinstance(step, ActivityStep)]


def look_for(steps: Iterable[ActivityStep]) -> tuple[str, dict[str, Any]]:
    """The call that shows these activities as they are, at most 50."""
    return LIST, {"filter": {"@ID": [step.before.id for step in steps]}, "select": _SHOWN}


def activities_of(response: Response) -> list[Activity]:
    """The activities of an answer of ``crm.activity.list``; rows that are none are left out."""
    if not isinstance(response.result, list):
        raise BadResponse("The portal answered without a list of activities.", method=LIST)
    rows = (row for row in response.result if isinstance(row, dict) and str(row.get("ID")).isdecimal())
    return [Activity.from_wire(row) for row in rows]


def list_activities(connection: Connection, steps: Sequence[ActivityStep]) -> list[Activity]:
    """The activities of these steps as they are now; one that is gone is missing."""
    chunks = (steps[start : start + _PAGE] for start in range(0, len(steps), _PAGE))
    return [one for chunk in chunks for one in activities_of(connection.call(*look_for(chunk)))]
