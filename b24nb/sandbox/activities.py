"""Activities: the classic methods, which see configurable ones from outside only.

What holds a badge is an open configurable activity; these methods find it and remove it, also through
a webhook. Vendor pages:
https://apidocs.bitrix24.com/api-reference/crm/timeline/activities/activity-base/index.html
"""

from __future__ import annotations

import sqlite3
from typing import Any

from b24nb.sandbox import php
from b24nb.sandbox.calls import Call, Refusal, classic
from b24nb.sandbox.deals import DEAL
from b24nb.sandbox.envelope import iso
from b24nb.sandbox.listing import Listing
from b24nb.sandbox.store import Store, load

CONFIGURABLE = "CONFIGURABLE_REST_APP"
_COLUMNS = {
    "ID": "id",
    "OWNER_TYPE_ID": "owner_type_id",
    "OWNER_ID": "owner_id",
    "PROVIDER_ID": "provider_id",
    "PROVIDER_TYPE_ID": "provider_type_id",
    "SUBJECT": "subject",
    "COMPLETED": "completed",
    "RESPONSIBLE_ID": "responsible_id",
    "DEADLINE": "deadline",
    "ORIGIN_ID": "origin_id",
    "ORIGINATOR_ID": "originator_id",
    "IS_INCOMING_CHANNEL": "is_incoming_channel",
}


def _record(row: sqlite3.Row) -> dict[str, Any]:
    """All texts, as the classic methods have it, but for the decoded ``PROVIDER_PARAMS``."""
    record: dict[str, Any] = {name: php.to_text(row[column]) for name, column in _COLUMNS.items()}
    record["TYPE_ID"] = "6"
    record["CREATED"] = iso(row["created"])
    record["LAST_UPDATED"] = iso(row["last_updated"])
    record["PROVIDER_PARAMS"] = load(row["provider_params"])
    return record


LISTING = Listing(table="activity", columns=_COLUMNS, record=_record)


@classic("crm.activity.list", "crm")
def list_(call: Call) -> Any:
    user = call.caller.user
    if user.admin:
        return LISTING.answer(call)
    return LISTING.answer(call, where="responsible_id = ?", values=(user.id,))


@classic("crm.activity.get", "crm")
def get(call: Call) -> Any:
    return _record(_existing(call, "get"))


@classic("crm.activity.add", "crm")
def add(call: Call) -> Any:
    fields = _fields(call)
    if fields.get("provider_id") == CONFIGURABLE:
        raise _use_configurable("add")
    return insert(call.store, fields)


@classic("crm.activity.update", "crm")
def update(call: Call) -> Any:
    row = _existing(call, "update")
    fields = {name: value for name, value in _fields(call).items() if not name.startswith("provider")}
    call.store.update("activity", row["id"], {**fields, "last_updated": call.switches.clock()})
    return True


@classic("crm.activity.delete", "crm")
def delete(call: Call) -> Any:
    """Works for configurable activities too, and so lets a badge go; its attachment rows cascade."""
    row = _existing(call, None)
    call.store.run("DELETE FROM activity WHERE id = ?", (row["id"],))
    return True


def insert(store: Store, fields: dict[str, Any]) -> int:
    """A new activity from columns; the rest is what a portal fills in."""
    now = store.switches.clock()
    defaults = {
        "owner_type_id": DEAL,
        "owner_id": 0,
        "provider_id": "CRM_TODO",
        "provider_type_id": "TODO",
        "subject": "",
        "completed": "N",
        "responsible_id": 1,
        "is_incoming_channel": "N",
        "ping_offsets": "[]",
        "provider_params": "[]",
        "layout": "[]",
        "created": now,
        "last_updated": now,
    }
    return store.insert("activity", defaults | fields)


def readable(call: Call, row: sqlite3.Row) -> bool:
    """Assumed: an employee reads what is his own, the administrator everything."""
    return call.caller.user.admin or row["responsible_id"] == call.caller.user.id


def _existing(call: Call, action: str | None) -> sqlite3.Row:
    """The activity of the call. Configurable ones have methods of their own for ``action``."""
    activity_id = php.to_int(call.get("id"))
    if activity_id <= 0:
        raise Refusal("", "ID is not defined or invalid.")
    row = call.store.row("SELECT * FROM activity WHERE id = ?", (activity_id,))
    if row is None:
        raise Refusal("", "Activity is not found.")
    if not readable(call, row):
        raise Refusal("", "Access denied.")
    if action and row["provider_id"] == CONFIGURABLE:
        raise _use_configurable(action)
    return row


def _use_configurable(action: str) -> Refusal:
    return Refusal("", f"Use crm.activity.configurable.{action} for this activity provider")


def _fields(call: Call) -> dict[str, Any]:
    return {
        _COLUMNS[str(name)]: php.to_text(value)
        for name, value in php.items(call.get("fields"))
        if name in _COLUMNS and name != "ID"
    }
