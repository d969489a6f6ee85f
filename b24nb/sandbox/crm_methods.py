"""Deals and activities through the classic CRM methods: lists with filter, order, select and pages.

Deals, which activities belong to, are in a sales pipeline with stages, three of them final. Activities hold badges;
these methods can find and delete configurable ones, also by a webhook, but not change their content. Assumed: the
details of deals, and who may read which activity. Vendor pages:
https://apidocs.bitrix24.com/api-reference/crm/deals/index.html
https://apidocs.bitrix24.com/api-reference/crm/timeline/activities/activity-base/index.html
https://apidocs.bitrix24.com/settings/how-to-call-rest-api/list-methods-pecularities.html
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Mapping
from typing import Any, NamedTuple

from b24nb.sandbox import php
from b24nb.sandbox.rest_method import Answer, Call, Refusal, classic
from b24nb.sandbox.store import Store, dump, load

DEAL = 2
CONFIGURABLE = "CONFIGURABLE_REST_APP"
PAGE = 50

# -- lists ----------------------------------------------------------------------------------------

_CONDITIONS: Mapping[str, str] = {
    **{operator: f"{{}} {operator} ?" for operator in (">", ">=", "<", "<=")},
    **dict.fromkeys(("", "=", "@"), "{} = ?"),
    **dict.fromkeys(("!", "!=", "!@"), "{} <> ?"),
    "%": "instr(lower({}), lower(?)) > 0",
    "!%": "instr(lower({}), lower(?)) = 0",
    **{key: "{} NOT LIKE ?" if "!" in key else "{} LIKE ?" for key in ("=%", "%=", "!=%", "!%=")},
}
_READ_ONLY = {"ID", "TYPE_ID", "CREATED", "LAST_UPDATED"}


class Table(NamedTuple):
    """A table as the classic methods show it: all values are texts. A column has the name of its field, in lower
    case."""

    name: str
    fields: tuple[str, ...]

    def record(self, row: sqlite3.Row) -> dict[str, Any]:
        return {field: php.to_text(row[field.lower()]) for field in self.fields}

    def changes(self, call: Call) -> dict[str, Any]:
        """The columns that the parameter ``fields`` of a call sets."""
        given, settable = php.items(call.get("fields")), set(self.fields) - _READ_ONLY
        return {str(field).lower(): php.to_text(value) for field, value in given if field in settable}

    def find(self, call: Call) -> sqlite3.Row | None:
        """The row whose ``id`` a call names."""
        return call.store.row(f"SELECT * FROM {self.name} WHERE id = ?", (php.to_int(call.get("id")),))  # noqa: S608

    def page(self, call: Call, record: Any, where: str = "1", values: tuple[Any, ...] = ()) -> Answer:
        """The page of records that a call asks for; ``where`` limits it to what the caller may read."""
        conditions, parameters = self._conditions(call.get("filter"))
        found = f"FROM {self.name} WHERE {' AND '.join((where, *conditions))}"
        parameters = [*values, *parameters]
        total = call.store.count(f"SELECT count(*) {found}", parameters)
        start = max(call.start or 0, 0)
        page = f"SELECT * {found} ORDER BY {self._order(call.get('order'))} LIMIT {PAGE} OFFSET ?"
        rows = [record(row) for row in call.store.rows(page, [*parameters, start])]
        names = {php.to_text(name) for _, name in php.items(call.get("select"))}
        if names and "*" not in names:
            rows = [php.array({name: value for name, value in row.items() if name in names}) for row in rows]
        more = start + PAGE < total and call.start != -1
        return Answer(rows, total=call.counted(total), next=start + PAGE if more else None)

    def _conditions(self, wanted: Any) -> tuple[list[str], list[Any]]:
        conditions, parameters = list[str](), list[Any]()
        for key, value in php.items(wanted):
            found = re.fullmatch(r"([!=@<>%]*)([A-Z_]+)", str(key))
            if not found or found[2] not in self.fields or found[1] not in _CONDITIONS:
                continue  # a portal ignores filters that it does not know
            column, operator = found[2].lower(), found[1]
            if isinstance(value, list | dict):
                # One parameter for all values, since SQLite limits the number of parameters.
                negated = "NOT " if operator.startswith("!") else ""
                conditions.append(f"{column} {negated}IN (SELECT value FROM json_each(?))")  # noqa: S608
                parameters.append(dump([php.to_text(inner) for _, inner in php.items(value)]))
            else:
                conditions.append(_CONDITIONS[operator].format(column))
                parameters.append(php.to_text(value))
        return conditions, parameters

    def _order(self, wanted: Any) -> str:
        parts = [
            f"{str(field).lower()} {'DESC' if php.to_text(way).upper() == 'DESC' else 'ASC'}"
            for field, way in php.items(wanted)
            if field in self.fields
        ]
        return ", ".join([*parts, "id"])


# -- deals ----------------------------------------------------------------------------------------


class Stage(NamedTuple):
    """A column of the kanban."""

    name: str
    final: bool = False


STAGES: Mapping[str, Stage] = {
    "NEW": Stage("New"),
    "PREPARATION": Stage("Documents"),
    "PREPAYMENT_INVOICE": Stage("Invoice"),
    "EXECUTING": Stage("In progress"),
    "WON": Stage("Won", final=True),
    "LOSE": Stage("Lost", final=True),
    "APOLOGY": Stage("Lost, analysis", final=True),
}
DEALS = Table("deal", ("ID", "TITLE", "STAGE_ID", "OPPORTUNITY", "CURRENCY_ID", "ASSIGNED_BY_ID"))
#: Owner types, each with its long and short symbol.
_OWNER_TYPES = {1: ("Lead", "L"), DEAL: ("Deal", "D"), 3: ("Contact", "C"), 4: ("Company", "CO")}


@classic("crm.deal.list", "crm")
def list_deals(call: Call) -> Any:
    return DEALS.page(call, DEALS.record)


@classic("crm.deal.get", "crm")
def get_deal(call: Call) -> Any:
    return DEALS.record(_existing_deal(call))


@classic("crm.deal.add", "crm")
def add_deal(call: Call) -> Any:
    defaults = {"title": "Deal", "stage_id": "NEW", "opportunity": 0, "currency_id": "EUR"}
    defaults |= {"assigned_by_id": call.caller.user.id}
    return call.store.insert("deal", defaults | _deal_changes(call))


@classic("crm.deal.update", "crm")
def update_deal(call: Call) -> Any:
    row, changes = _existing_deal(call), _deal_changes(call)
    if changes:
        with call.store.transaction():
            call.store.update("deal", row["id"], changes)
            if STAGES[changes.get("stage_id", row["stage_id"])].final:
                _drop_badges(call.store, row["id"])
    return True


@classic("crm.deal.delete", "crm")
def delete_deal(call: Call) -> Any:
    row = _existing_deal(call)
    with call.store.transaction():
        _drop_badges(call.store, row["id"])
        call.store.run("DELETE FROM activity WHERE owner_type_id = ? AND owner_id = ?", (DEAL, row["id"]))
        call.store.run("DELETE FROM deal WHERE id = ?", (row["id"],))
    return True


@classic("crm.enum.ownertype", "crm")
def owner_types(call: Call) -> Any:
    return [
        {"ID": number, "NAME": name, "SYMBOL_CODE": name.upper(), "SYMBOL_CODE_SHORT": short}
        for number, (name, short) in _OWNER_TYPES.items()
    ]


def _drop_badges(store: Store, deal_id: int) -> None:
    """Delete the attachment rows of a deal that was closed or deleted: it shows no badges any more."""
    store.run("DELETE FROM attachment WHERE entity_type_id = ? AND entity_id = ?", (DEAL, deal_id))


def _existing_deal(call: Call) -> sqlite3.Row:
    row = DEALS.find(call)
    if row is None:
        raise Refusal("", "Not found")
    return row


def _deal_changes(call: Call) -> dict[str, Any]:
    changes = DEALS.changes(call)
    if "opportunity" in changes:
        amount = re.match(r"\d{1,15}(\.\d+)?", changes["opportunity"])
        changes["opportunity"] = float(amount[0]) if amount else 0
    if changes.get("stage_id", "NEW") not in STAGES:
        raise Refusal("", "Stage is not found.")
    return changes


# -- activities -----------------------------------------------------------------------------------

_ACTIVITY_FIELDS = (
    "ID OWNER_TYPE_ID OWNER_ID PROVIDER_ID PROVIDER_TYPE_ID SUBJECT COMPLETED RESPONSIBLE_ID DEADLINE"
    " ORIGIN_ID ORIGINATOR_ID IS_INCOMING_CHANNEL TYPE_ID CREATED LAST_UPDATED"
)
ACTIVITIES = Table("shown_activity", tuple(_ACTIVITY_FIELDS.split()))


@classic("crm.activity.list", "crm")
def list_activities(call: Call) -> Any:
    user = call.caller.user
    return ACTIVITIES.page(call, _activity, "(? OR responsible_id = ?)", (user.admin, user.id))


@classic("crm.activity.get", "crm")
def get_activity(call: Call) -> Any:
    return _activity(_existing_activity(call, "get"))


@classic("crm.activity.add", "crm")
def add_activity(call: Call) -> Any:
    changes = ACTIVITIES.changes(call)
    if changes.get("provider_id") == CONFIGURABLE:
        raise _use_configurable("add")
    return insert_activity(call.store, {"responsible_id": call.caller.user.id, **changes})


@classic("crm.activity.update", "crm")
def update_activity(call: Call) -> Any:
    row, changes = _existing_activity(call, "update"), ACTIVITIES.changes(call)
    changes = {name: value for name, value in changes.items() if not name.startswith("provider")}
    call.store.update("activity", row["id"], {**changes, "last_updated": call.switches.clock()})
    return True


@classic("crm.activity.delete", "crm")
def delete_activity(call: Call) -> Any:
    """Also deletes configurable activities, which releases their badge: the attachment rows are deleted, too."""
    row = _existing_activity(call, None)
    call.store.run("DELETE FROM activity WHERE id = ?", (row["id"],))
    return True


def insert_activity(store: Store, columns: dict[str, Any]) -> int:
    """Insert an activity; returns its id. Other columns have the defaults of a portal."""
    now = store.switches.clock()
    return store.insert("activity", {"created": now, "last_updated": now, **columns})


def readable(call: Call, row: sqlite3.Row) -> bool:
    """Assumed: an employee may read the activities that they are responsible for, the administrator all."""
    return call.caller.user.admin or row["responsible_id"] == call.caller.user.id


def _activity(row: sqlite3.Row) -> dict[str, Any]:
    """A record whose values are texts, as of all classic methods, except the decoded ``PROVIDER_PARAMS``."""
    return {**ACTIVITIES.record(row), "PROVIDER_PARAMS": load(row["provider_params"])}


def _existing_activity(call: Call, action: str | None) -> sqlite3.Row:
    """The activity of the call. For ``action`` a configurable one is refused: it has other methods for that."""
    if php.to_int(call.get("id")) <= 0:
        raise Refusal("", "ID is not defined or invalid.")
    row = ACTIVITIES.find(call)
    if row is None:
        raise Refusal("", "Activity is not found.")
    if not readable(call, row):
        raise Refusal("", "Access denied.")
    if action and row["provider_id"] == CONFIGURABLE:
        raise _use_configurable(action)
    return row


def _use_configurable(action: str) -> Refusal:
    return Refusal("", f"Use crm.activity.configurable.{action} for this activity provider")
