"""Who holds a badge, as far as that can be known: the portal refuses to delete it and does not say why."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from typing import Any

from b24nb import spec
from b24nb.badges.changes import Outcome, Verdict
from b24nb.errors import B24Error, BadResponse
from b24nb.rest.connection import Connection, Response

COLUMNS = (
    *("code", "activity_id", "owner_type", "owner_id", "title", "link", "subject", "last_updated"),
    *("certainty", "reason", "release"),
)
_LIST = "crm.activity.list"
_PARAMS = {
    "filter": {"PROVIDER_ID": "CONFIGURABLE_REST_APP", "COMPLETED": "N"},
    "select": ["ID", "OWNER_TYPE_ID", "OWNER_ID", "SUBJECT", "LAST_UPDATED", "PROVIDER_PARAMS"],
    "order": {"ID": "ASC"},
}
_PAGE = 50
_OWNERS = {"1": "lead", "2": "deal", "3": "contact", "4": "company"}
#: What each is called by.
_NAMES = {"contact": ("NAME", "LAST_NAME")} | dict.fromkeys(("lead", "deal", "company"), ("TITLE",))
#: Holders of one badge that a report names.
_SHOWN = 5


def find_holders(connection: Connection, codes: Collection[str]) -> list[dict[str, str]]:
    """The open configurable activities that name one of these codes: rows with :data:`COLUMNS`, titles empty,
    and ``application``, which made it."""
    oldest = connection.clock.time() - spec.ATTACHMENT_DAYS * 24 * 3600
    named = [(row, row.get("PROVIDER_PARAMS")) for row in _open_activities(connection)]
    held = [(row, params.get("badgeCode")) for row, params in named if isinstance(params, dict)]
    origin = connection.credentials.origin
    return [_holder(row, code, oldest, origin) for row, code in held if isinstance(code, str) and code in codes]


def add_titles(connection: Connection, holders: Sequence[dict[str, str]]) -> Sequence[dict[str, str]]:
    """The same rows with the title of what each belongs to, by one batch; empty where it may not be read."""
    commands = {}
    for kind, names in _NAMES.items():
        ids = [*dict.fromkeys(row["owner_id"] for row in holders if row["owner_type"] == kind)]
        for start in range(0, len(ids), _PAGE):
            params = {"filter": {"@ID": ids[start : start + _PAGE]}, "select": ["ID", *names]}
            commands[f"{kind}{start}"] = (f"crm.{kind}.list", params)
    titles: dict[tuple[str, str], str] = {}
    answers: Mapping[str, Any] = {}
    with suppress(B24Error):  # what holds the badge is known all the same
        answers = connection.batch(commands) if commands else {}
    for key, answer in answers.items():
        kind = key.rstrip("0123456789")
        rows = answer.result if isinstance(answer, Response) and isinstance(answer.result, list) else []
        for row in (row for row in rows if isinstance(row, dict)):
            title = " ".join(str(row[name]) for name in _NAMES[kind] if row.get(name))
            titles[kind, str(row.get("ID"))] = title
    return [{**row, "title": titles.get((row["owner_type"], row["owner_id"]), "")} for row in holders]


def name_holders(connection: Connection, outcomes: Sequence[Outcome]) -> list[Outcome]:
    """The outcomes, with the holders named where a delete was refused."""
    refused = {one.step.code: one.step.before for one in outcomes if one.verdict is Verdict.REFUSED}
    stored = {code: badge.code for code, badge in refused.items() if badge}
    names: dict[str, list[str]] = {}
    nobody = "held by an activity that this user may not read"
    try:
        for row in find_holders(connection, stored.values()) if stored else ():
            where = f"activity {row['activity_id']} of {row['owner_type']} {row['owner_id']}"
            names.setdefault(row["code"], []).append(where)
    except B24Error as error:
        nobody = f"who holds it could not be read: {error.message}"
    told = {}
    for code, holders in ((code, names.get(name, [])) for code, name in stored.items()):
        more = f" and {len(holders) - _SHOWN} more" if len(holders) > _SHOWN else ""
        told[code] = f"held by {', '.join(holders[:_SHOWN])}{more}" if holders else nobody
    return [replace(one, detail=told[one.step.code]) if one.step.code in told else one for one in outcomes]


def _open_activities(connection: Connection) -> Collection[dict[str, Any]]:
    """Each once. What the portal counts is only a hint: a request without anything new is the last one."""
    first = connection.call(_LIST, _PARAMS)
    starts = range(_PAGE, first.total or 0, _PAGE)
    pages: Collection[Any] = [first]
    met: dict[str, dict[str, Any]] = {}
    for place in itertools.count(0, spec.BATCH_SIZE):
        before, chunk = len(met), starts[place : place + spec.BATCH_SIZE]
        for page in pages:
            if not isinstance(page, Response):
                raise page
            if not isinstance(page.result, list):
                raise BadResponse("The portal answered without a list of activities.", method=_LIST)
            met |= {str(row.get("ID")): row for row in page.result if isinstance(row, dict)}
        if len(met) == before or not chunk:
            break
        pages = connection.batch({f"from{at}": (_LIST, {**_PARAMS, "start": at}) for at in chunk}).values()
    return met.values()


def _is_before(text: str, oldest: float) -> bool:
    """Whether this time is known, and before the other."""
    with suppress(ValueError, OverflowError, OSError):
        return datetime.fromisoformat(text).timestamp() < oldest
    return False


def _holder(row: dict[str, Any], code: str, oldest: float, origin: str) -> dict[str, str]:
    texts = {name: "" if cell is None else str(cell) for name, cell in row.items()}
    number, owner, updated = (texts.get(name, "") for name in ("ID", "OWNER_TYPE_ID", "LAST_UPDATED"))
    if len(code) > spec.ATTACHED_CODE_WIDTH:
        certainty = "no", f"a code over {spec.ATTACHED_CODE_WIDTH} characters is never matched"
    elif _is_before(updated, oldest):
        certainty = "possible", "attachments this old are dropped, unless the activity was reopened"
    else:
        certainty = "likely", "it counts until it is closed or its item reaches a final stage"
    release = f"close it in the portal, or b24.badges.release({code!r}, activities=[{number}])"
    kind, owner_id = _OWNERS.get(owner, f"item of type {owner}"), texts.get("OWNER_ID", "")
    known = kind in _NAMES and owner_id.isascii() and owner_id.isdecimal()
    link = f"{origin}/crm/{kind}/details/{owner_id}/" if known else ""
    cells = (code, number, kind, owner_id, "", link, texts.get("SUBJECT", ""), updated, *certainty, release)
    made_by = str(row["PROVIDER_PARAMS"].get("clientId") or "")
    return {**dict(zip(COLUMNS, cells, strict=True)), "application": made_by}
