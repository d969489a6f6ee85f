"""Activities that hold a badge: how they are found, and the steps that release a badge or let it be held again.

An activity *holds* a badge while it is open and names the badge in ``badgeCode``. The portal refuses to delete such
a badge and does not say which activity holds it, so all open activities are read.

A webhook can only delete a configurable activity, which can't be undone. The application that made it can clear
its ``badgeCode``, and set it again.
"""

from __future__ import annotations

import sys
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from b24nb import spec
from b24nb.badges.badge import listed
from b24nb.badges.changes import DONE, Outcome, Step, StepCommand, Verdict, Way, gone
from b24nb.errors import ApiError, B24Error, BadResponse, NotFound
from b24nb.rest.connection import Connection
from b24nb.rest.response import Response

ACTIVITY_LIST = "crm.activity.list"
_DELETE, _UPDATE = "crm.activity.delete", "crm.activity.configurable.update"
_OPEN = {
    "filter": {"PROVIDER_ID": "CONFIGURABLE_REST_APP", "COMPLETED": "N"},
    "select": ["ID", "OWNER_TYPE_ID", "OWNER_ID", "SUBJECT", "LAST_UPDATED", "PROVIDER_PARAMS"],
    "order": {"ID": "ASC"},
}
#: The number of rows that ``crm.activity.list`` returns at most.
PAGE = 50
#: A portal that still sends more open activities than so many sends them for ever.
MOST = 500_000
COLUMNS = (
    *("code", "activity_id", "owner_type", "owner_id", "title", "link", "subject", "last_updated"),
    *("certainty", "reason", "release"),
)
#: Stands for the code of the badge that an activity names, which this user may not read.
_HIDDEN = "what this user may not read"
_OWNERS = {"1": "lead", "2": "deal", "3": "contact", "4": "company"}
#: The fields that hold the title of each.
_NAMES = {"contact": ("NAME", "LAST_NAME")} | dict.fromkeys(("lead", "deal", "company"), ("TITLE",))


@dataclass(frozen=True, slots=True)
class Activity:
    """A configurable activity: which badge it names, and whether it is closed. ``place`` is shown in messages."""

    id: int
    badge: str
    closed: bool = False
    place: str = field(default="", compare=False)

    @property
    def code(self) -> str:
        """A key that no badge's code can equal, since it contains a lone surrogate."""
        return f"\ud800{self.id}"

    @classmethod
    def from_wire(cls, row: dict[str, Any]) -> Activity:
        """Read a row of ``crm.activity.list``."""
        return cls(int(row["ID"]), _badge_code(row), row.get("COMPLETED") == "Y")

    def to_wire(self) -> dict[str, Any]:
        """The activity as the journal stores it.

        Returns
        -------
        dict
            The fields by name.
        """
        return {"id": self.id, "badge": self.badge, "closed": self.closed, "place": self.place}

    def __str__(self) -> str:
        return f"activity {self.id} of {self.place}"


class ActivityStep(Step):
    """An activity as the caller saw it and as it shall be; ``after=None``: deleted. ``code``: of the badge."""

    before: Activity  # type: ignore[assignment]
    after: Activity | None  # type: ignore[assignment]

    @property
    def key(self) -> str:
        """The key by which its activity is looked up in what the portal holds."""
        return self.before.code

    @property
    def action(self) -> Way:  # type: ignore[override]
        """What turns ``before`` into ``after``."""
        return Way.DELETE if self.after is None else Way.SET if self.after.badge else Way.CLEAR

    @property
    def about(self) -> str:
        """The activity that it changes."""
        return str(self.before)

    @property
    def note(self) -> str:
        """What the user should know before this is sent."""
        return "; ".join(filter(None, [self.about, self.remark]))

    def commands(self, prefix: str = "") -> list[StepCommand]:
        """The one call that makes the change.

        Parameters
        ----------
        prefix : str
            Its key starts with it.

        Returns
        -------
        list of (str, str, mapping)
            Key, method and parameters.
        """
        fields = {"fields": {"badgeCode": self.after.badge}} if self.after else {}
        return [(f"{prefix}-delete", _UPDATE if self.after else _DELETE, {"id": self.before.id, **fields})]

    def left_alone(self, now: Any) -> Outcome:
        """The outcome if a look shows something else than the step was made for.

        Parameters
        ----------
        now : Activity or None
            What the look shows.

        Returns
        -------
        Outcome
            ``already gone`` if the badge was to be released and the activity is deleted; else ``changed``.
        """
        if now is None and self.action is not Way.SET:
            return gone(self)
        what = "was deleted" if now is None else "was closed" if now.closed else f"names {now.badge or 'no badge'} now"
        return Outcome(self, Verdict.CHANGED, detail=f"left alone: it {what}")

    def judge(self, answer: Response | ApiError | None) -> Outcome | None:
        """The outcome that the answer proves.

        Parameters
        ----------
        answer : Response, ApiError or None
            ``None``: the call was not made.

        Returns
        -------
        Outcome or None
            ``None``: it proves nothing, so the portal has to be looked at.
        """
        if answer is None:
            return Outcome(self, Verdict.NOT_SENT)
        if isinstance(answer, ApiError):
            released = isinstance(answer, NotFound) and self.action is not Way.SET
            return gone(self) if released else Outcome(self, Verdict.FAILED, error=answer)
        proof = answer.result is True if self.after is None else answer.result == {"activity": {"id": self.before.id}}
        return Outcome(self, DONE[self.action], changed=True) if proof else None


def look_at_activities(connection: Connection, steps: Sequence[ActivityStep]) -> list[Activity]:
    """The activities of these steps as they are, without those that are deleted; refused if an answer has more than can
    be read. A list does not show what this user may not read, so each that is missing there is asked for."""
    ids, found = [step.before.id for step in steps], dict[int, Activity]()
    pages = {f"from{start}": ids[start : start + PAGE] for start in range(0, len(ids), PAGE)}
    select = ["ID", "COMPLETED", "PROVIDER_PARAMS"]
    looks = {key: (ACTIVITY_LIST, {"filter": {"@ID": page}, "select": select}) for key, page in pages.items()}
    single = [connection.call(*look) for look in looks.values()] if len(looks) == 1 else []
    for page, answer in zip(pages.values(), single or connection.batch(looks).values(), strict=True):
        rows = _rows(answer)
        read = map(Activity.from_wire, (row for row in rows if is_id(row.get("ID"))))
        asked = {one.id: one for one in read if one.id in page}
        if (count := max(getattr(answer, "total", None) or 0, len(rows))) > len(asked):
            text = f"Of {count} activities that the portal counts, {len(asked)} could be read."
            raise BadResponse(text, method=ACTIVITY_LIST)
        found |= asked
    gets = {str(id_): ("crm.activity.get", {"id": id_}) for id_ in ids if id_ not in found}
    for id_, answer in connection.batch(gets).items() if gets else ():
        if isinstance(answer, ApiError) and answer.code:  # what this method says itself has an empty code
            raise answer
        if not isinstance(answer, NotFound):
            found[int(id_)] = Activity(int(id_), _HIDDEN)
    return [*found.values()]


def find_holders(connection: Connection, codes: Collection[str]) -> list[dict[str, str]]:
    """The open configurable activities that name one of these codes: rows with :data:`COLUMNS` (titles empty) and
    ``application``, the id of the application that made it."""
    oldest = connection.clock.time() - spec.ATTACHMENT_DAYS * 24 * 3600
    named = [(row, _badge_code(row)) for row in _open_activities(connection)]
    return [_holder(row, code, oldest, connection.credentials.origin) for row, code in named if code in codes]


def add_titles(connection: Connection, holders: Sequence[dict[str, str]]) -> Sequence[dict[str, str]]:
    """The same rows with the title of what each belongs to, by one batch; empty where the user may not read it."""
    commands = {}
    for kind, names in _NAMES.items():
        ids = [*dict.fromkeys(row["owner_id"] for row in holders if row["owner_type"] == kind)]
        for start in range(0, len(ids), PAGE):
            params = {"filter": {"@ID": ids[start : start + PAGE]}, "select": ["ID", *names]}
            commands[f"{kind}{start}"] = (f"crm.{kind}.list", params)
    titles: dict[tuple[str, str], str] = {}
    with suppress(B24Error):  # the rows are useful without titles
        for key, answer in connection.batch(commands).items() if commands else ():
            kind = key.rstrip("0123456789")
            rows = answer.result if isinstance(answer, Response) and isinstance(answer.result, list) else []
            for row in (row for row in rows if isinstance(row, dict)):
                title = " ".join(str(row[name]) for name in _NAMES[kind] if row.get(name))
                titles[kind, str(row.get("ID"))] = title
    return [{**row, "title": titles.get((row["owner_type"], row["owner_id"]), "")} for row in holders]


def name_holders(connection: Connection, outcomes: Sequence[Outcome]) -> list[Outcome]:
    """The outcomes; where a delete was refused, ``detail`` names the holders."""
    codes = [one.step.before.code if one.step.before and one.verdict is Verdict.REFUSED else "" for one in outcomes]
    holders: dict[str, list[str]] = {code: [] for code in codes if code}
    nobody = "no open activity that this user may read names it"
    try:
        for row in find_holders(connection, holders) if holders else ():
            holders[row["code"]].append(f"activity {row['activity_id']} of {row['owner_type']} {row['owner_id']}")
    except B24Error as error:
        nobody = f"who holds it could not be read: {error.message}"
    details = {code: f"held by {listed(names)}" if names else nobody for code, names in holders.items()}
    return [one._replace(detail=details[code]) if code else one for one, code in zip(outcomes, codes, strict=True)]


def _open_activities(connection: Connection) -> Collection[dict[str, Any]]:
    """Each open activity once. The portal's ``total`` may be too small: a page with a ``next`` is not the last one.
    Or too large: a request without a new activity is the last one."""
    pages: Sequence[Any] = [first := connection.call(ACTIVITY_LIST, _OPEN)]
    found: dict[str, dict[str, Any]] = {}
    start = PAGE
    while True:
        before = len(found)
        for page in pages:
            found |= {str(row.get("ID")): row for row in _rows(page)}
        counted = range(start, first.total or 0, PAGE)
        starts = (counted or range(start, sys.maxsize if pages[-1].next else 0, PAGE))[: spec.BATCH_SIZE]
        if len(found) == before or not starts:
            return found.values()
        if start > MOST:
            raise BadResponse(f"After {start} open activities the portal still sends more.", method=ACTIVITY_LIST)
        pages = [*connection.batch({f"from{at}": (ACTIVITY_LIST, {**_OPEN, "start": at}) for at in starts}).values()]
        start = starts[-1] + PAGE


def _rows(answer: Response | ApiError) -> list[dict[str, Any]]:
    """The rows of an answer of ``crm.activity.list``."""
    if isinstance(answer, ApiError):
        raise answer
    if not isinstance(answer.result, list):
        raise BadResponse("The portal answered without a list of activities.", method=ACTIVITY_LIST)
    return [row for row in answer.result if isinstance(row, dict)]


def is_id(cell: object) -> bool:
    """Whether it can be the id of something: a whole number that a database holds."""
    text = str(cell)
    return text.isascii() and text.isdecimal() and len(text) < 19


def _badge_code(row: dict[str, Any]) -> str:
    """The code of the badge that an activity names; ``""`` if none."""
    params = row.get("PROVIDER_PARAMS")
    code = params.get("badgeCode") if isinstance(params, dict) else ""
    return code if isinstance(code, str) else ""


def _is_before(text: str, oldest: float) -> bool:
    """Whether this text is a time, and before ``oldest``."""
    with suppress(ValueError, OverflowError, OSError):
        return datetime.fromisoformat(text).timestamp() < oldest
    return False


def _holder(row: dict[str, Any], code: str, oldest: float, origin: str) -> dict[str, str]:
    texts = {name: "" if cell is None else str(cell) for name, cell in row.items()}
    number, owner, updated = (texts.get(name, "") for name in ("ID", "OWNER_TYPE_ID", "LAST_UPDATED"))
    if len(code) > spec.ATTACHED_CODE_WIDTH:
        certainty = "no", f"a code over {spec.ATTACHED_CODE_WIDTH} characters is never matched"
    elif _is_before(updated, oldest):
        certainty = "possible", "an activity this old may not count any more (after 30, 60 or 90 days)"
    else:
        certainty = "likely", "it counts until it is closed or its item reaches a final stage"
    release = "close it in the portal"
    if is_id(number):
        release += f", or b24.badges.release({code!r}, activities=[{number}])"
    kind, owner_id = _OWNERS.get(owner, f"item of type {owner}"), texts.get("OWNER_ID", "")
    link = f"{origin}/crm/{kind}/details/{owner_id}/" if kind in _NAMES and is_id(owner_id) else ""
    cells = (code, number, kind, owner_id, "", link, texts.get("SUBJECT", ""), updated, *certainty, release)
    return {**dict(zip(COLUMNS, cells, strict=True)), "application": str(row["PROVIDER_PARAMS"].get("clientId") or "")}
