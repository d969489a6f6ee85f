"""Configurable activities: an application adds them to the timeline, and they can hold a badge.

While such an activity is open, an attachment row shows its badge on the kanban and prevents the badge from being
deleted. The texts of the errors are assumed; codes and their order were read in the vendor's server code. Vendor pages:
https://apidocs.bitrix24.com/api-reference/crm/timeline/activities/configurable/index.html
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from b24nb.sandbox import php
from b24nb.sandbox.crm_methods import CONFIGURABLE, DEAL, insert_activity, readable
from b24nb.sandbox.rest_method import Call, Refusal, controller
from b24nb.sandbox.store import SqlError, Store, dump, load

TYPE = "CONFIGURABLE"
_LAYOUT_REQUIRED = ("icon", "header", "body")
_LAYOUT_KEYS = (*_LAYOUT_REQUIRED, "footer")
_BOOLEANS: Mapping[Any, str] = {
    **dict.fromkeys(("Y", "y", "1", "true", True), "Y"),  # 1 is True for a dict
    **dict.fromkeys(("N", "n", "0", "false", False), "N"),
}


@controller("crm.activity.configurable.add", "int ownerTypeId", "int ownerId", "array fields", "array layout")
def add(call: Call) -> Any:
    _require_application(call)
    columns = _columns(call, call.params["fields"])
    layout = _checked_layout(call.params["layout"])
    _check_deadline(columns)
    owner = (php.to_int(call.params["ownerTypeId"]), php.to_int(call.params["ownerId"]))
    if owner[0] != DEAL or not call.store.count("SELECT count(*) FROM deal WHERE id = ?", owner[1:]):
        raise Refusal("ACCESS_DENIED", "Access denied")
    columns.setdefault("responsible_id", call.caller.user.id)
    badge_code = columns.pop("badge_code", "")
    activity_id = create(call.store, call.caller.credential, owner, columns, layout, badge_code)
    return {"activity": {"id": activity_id}}


@controller("crm.activity.configurable.update", "int id", "?array fields", "?array layout")
def update(call: Call) -> Any:
    row = _existing(call)
    _require_application(call)
    params = load(row["provider_params"])
    if params["clientId"] != call.caller.credential:
        raise Refusal("ERROR_WRONG_APPLICATION", "The activity was created by another application.")
    columns = _columns(call, call.params.get("fields") or {})
    if call.params.get("layout"):
        columns["layout"] = dump(_checked_layout(call.params["layout"]))
    _check_deadline(columns)
    if "badge_code" in columns:
        params["badgeCode"] = columns.pop("badge_code")
        columns["provider_params"] = dump(params)
    with call.store.transaction():
        call.store.update("activity", row["id"], {**columns, "last_updated": call.switches.clock()})
        bind(call.store, row["id"])
    return {"activity": {"id": row["id"]}}


@controller("crm.activity.configurable.get", "int id")
def get(call: Call) -> Any:
    """Values have real types, unlike ``crm.activity.list``. Webhooks may call it, unlike the documentation says."""
    row = _existing(call)
    params = load(row["provider_params"])
    fields = {
        "typeId": row["provider_type_id"],
        "completed": row["completed"] == "Y",
        "deadline": row["deadline"],
        "pingOffsets": load(row["ping_offsets"]),
        "isIncomingChannel": row["is_incoming_channel"] == "Y",
        "responsibleId": row["responsible_id"],
        "badgeCode": params["badgeCode"],
        "originatorId": row["originator_id"],
        "originId": row["origin_id"],
    }
    owner = {"id": row["id"], "ownerTypeId": row["owner_type_id"], "ownerId": row["owner_id"]}
    return {"activity": {**owner, "fields": fields, "layout": load(row["layout"])}}


def create(
    store: Store, client_id: str, owner: tuple[int, int], columns: dict[str, Any], layout: Any, badge_code: str
) -> int:
    """Insert a configurable activity of an application and attach its badge."""
    title = dict(php.items(layout["header"])).get("title")
    values = {
        "owner_type_id": owner[0],
        "owner_id": owner[1],
        "provider_id": CONFIGURABLE,
        "provider_type_id": TYPE,
        "subject": title if isinstance(title, str) else "",
        "provider_params": dump({"clientId": client_id, "badgeCode": badge_code}),
        "layout": dump(layout),
    }
    with store.transaction():
        activity_id = insert_activity(store, values | columns)
        bind(store, activity_id)
    return activity_id


def bind(store: Store, activity_id: int) -> None:
    """Update the attachment rows of an activity to its present state and badge.

    A row that is already right keeps its age. As on a portal, two kinds of codes pass the check of the field
    ``badgeCode`` and fail here: one of more than 30 characters, which was cut in its row, and one in another
    spelling than the badge's.
    """
    row = store.row("SELECT * FROM activity WHERE id = ?", (activity_id,))
    assert row is not None  # noqa: S101 - it was written in this transaction
    wanted = load(row["provider_params"])["badgeCode"]
    badge = store.badges.find(wanted)
    attached = store.badges.attached(activity_id)
    for code in (*attached, *([wanted] if badge else [])):
        known = store.badges.find(code)
        if known is None or known["code"] != code:
            raise Refusal("100", f"Unknown badge value: {code} for type: rest_app_status")
    keep = badge is not None and row["completed"] == "N"
    if attached and not (keep and attached == [wanted]):
        store.badges.detach(activity_id)
        attached = []
    if keep and not attached:
        try:
            store.badges.attach(activity_id, wanted, row["owner_type_id"], row["owner_id"])
        except SqlError as error:
            raise Refusal("400", str(error)) from None


def _require_application(call: Call) -> None:
    if not call.caller.is_application:
        text = "The method can only be called within the context of a rest application"
        raise Refusal("ERROR_WRONG_CONTEXT", text)


def _existing(call: Call) -> sqlite3.Row:
    sql = "SELECT * FROM activity WHERE id = ? AND provider_id = ?"
    row = call.store.row(sql, (php.to_int(call.params["id"]), CONFIGURABLE))
    if row is None or not readable(call, row):
        raise Refusal("NOT_FOUND", "Item was not found.")
    return row


def _columns(call: Call, fields: Any) -> dict[str, Any]:
    """The columns that a call's ``fields`` set, checked in the portal's order."""
    fields = dict(php.items(fields))
    columns: dict[str, Any] = {}
    for name, column in (("completed", "completed"), ("isIncomingChannel", "is_incoming_channel")):
        if name in fields:
            if isinstance(fields[name], list | dict) or fields[name] not in _BOOLEANS:
                raise _wrong(name)
            columns[column] = _BOOLEANS[fields[name]]
    if columns.get("is_incoming_channel") == "Y" and fields.get("deadline"):
        text = "An incoming activity can not have a deadline."
        raise Refusal("INCOMING_ACTIVITY_CAN_NOT_BE_WITH_DEADLINE", text)
    if "pingOffsets" in fields:
        offsets = fields["pingOffsets"]
        if not isinstance(offsets, list) or not all(php.to_text(value).isdecimal() for value in offsets):
            raise _wrong("pingOffsets")
        columns["ping_offsets"] = dump([php.to_int(value) for value in offsets])
    if "responsibleId" in fields:
        columns["responsible_id"] = php.to_int(fields["responsibleId"])
        sql = "SELECT count(*) FROM user WHERE id = ? AND active"
        if not call.store.count(sql, (columns["responsible_id"],)):
            raise _wrong("responsibleId")
    if "badgeCode" in fields:
        columns["badge_code"] = php.to_text(fields["badgeCode"])
        if columns["badge_code"] and not call.store.badges.find(columns["badge_code"]):
            raise _wrong("badgeCode")
    if fields.get("typeId", TYPE) != TYPE:
        raise _wrong("typeId")
    texts = {"deadline": "deadline", "originId": "origin_id", "originatorId": "originator_id"}
    return columns | {texts[name]: php.to_text(fields[name]) or None for name in texts if name in fields}


def _wrong(name: str) -> Refusal:
    return Refusal("WRONG_FIELD_VALUE", f"Wrong value of field `{name}`")


def _checked_layout(layout: Any) -> Any:
    """The layout, if it is valid. Assumed: only its top level is checked."""
    if not layout:
        raise Refusal("ERROR_EMPTY_LAYOUT", "Layout is empty.")
    given = dict(php.items(layout))
    for name in _LAYOUT_REQUIRED:
        if not isinstance(given.get(name), list | dict):
            raise Refusal("FIELD_IS_REQUIRED", f"Field `{name}` is required")
    for key in given:
        if key not in _LAYOUT_KEYS:
            raise Refusal("FIELD_IS_REDUNDANT", f"Field `{key}` is redundant")
    return layout


def _check_deadline(columns: dict[str, Any]) -> None:
    """Convert the deadline to the portal's format; a time without an offset is in the portal's time zone."""
    try:
        if columns.get("deadline"):
            at = datetime.fromisoformat(columns["deadline"])
            columns["deadline"] = php.iso((at if at.tzinfo else at.replace(tzinfo=php.TIME_ZONE)).timestamp())
    except (ValueError, OverflowError):
        raise Refusal("WRONG_DATETIME_FORMAT", "Wrong datetime format.") from None
