"""Deals, for activities to hang on: a sales pipeline with stages, three of them final.

Assumed in its details; the walkthroughs are about badges, and a deal that reaches a final stage lets
its badges go. Vendor page: https://apidocs.bitrix24.com/api-reference/crm/deals/index.html
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Mapping
from typing import Any, NamedTuple

from b24nb.sandbox import php
from b24nb.sandbox.calls import Call, Refusal, classic
from b24nb.sandbox.listing import Listing
from b24nb.sandbox.store import Store

DEAL = 2


class Stage(NamedTuple):
    """A column of the kanban."""

    id: str
    name: str
    final: bool = False


STAGES: Mapping[str, Stage] = {
    stage.id: stage
    for stage in (
        Stage("NEW", "New"),
        Stage("PREPARATION", "Documents"),
        Stage("PREPAYMENT_INVOICE", "Invoice"),
        Stage("EXECUTING", "In progress"),
        Stage("WON", "Won", final=True),
        Stage("LOSE", "Lost", final=True),
        Stage("APOLOGY", "Lost, analysis", final=True),
    )
}
_COLUMNS = {
    "ID": "id",
    "TITLE": "title",
    "STAGE_ID": "stage_id",
    "OPPORTUNITY": "opportunity",
    "CURRENCY_ID": "currency_id",
    "ASSIGNED_BY_ID": "assigned_by_id",
}


def _record(row: sqlite3.Row) -> dict[str, Any]:
    return {name: php.to_text(row[column]) for name, column in _COLUMNS.items()}


LISTING = Listing(table="deal", columns=_COLUMNS, record=_record)


@classic("crm.deal.list", "crm")
def list_(call: Call) -> Any:
    return LISTING.answer(call)


@classic("crm.deal.get", "crm")
def get(call: Call) -> Any:
    return _record(_existing(call))


@classic("crm.deal.add", "crm")
def add(call: Call) -> Any:
    defaults = {
        "title": "Deal",
        "stage_id": "NEW",
        "opportunity": 0,
        "currency_id": "EUR",
        "assigned_by_id": call.caller.user.id,
    }
    return call.store.insert("deal", defaults | _fields(call))


@classic("crm.deal.update", "crm")
def update(call: Call) -> Any:
    row, fields = _existing(call), _fields(call)
    if fields:
        with call.store.transaction():
            call.store.update("deal", row["id"], fields)
            if STAGES[fields.get("stage_id", row["stage_id"])].final:
                let_go(call.store, row["id"])
    return True


@classic("crm.deal.delete", "crm")
def delete(call: Call) -> Any:
    row = _existing(call)
    with call.store.transaction():
        let_go(call.store, row["id"])
        call.store.run("DELETE FROM activity WHERE owner_type_id = ? AND owner_id = ?", (DEAL, row["id"]))
        call.store.run("DELETE FROM deal WHERE id = ?", (row["id"],))
    return True


@classic("crm.enum.ownertype", "crm")
def owner_types(call: Call) -> Any:
    return [
        {"ID": 1, "NAME": "Lead", "SYMBOL_CODE": "LEAD", "SYMBOL_CODE_SHORT": "L"},
        {"ID": DEAL, "NAME": "Deal", "SYMBOL_CODE": "DEAL", "SYMBOL_CODE_SHORT": "D"},
        {"ID": 3, "NAME": "Contact", "SYMBOL_CODE": "CONTACT", "SYMBOL_CODE_SHORT": "C"},
        {"ID": 4, "NAME": "Company", "SYMBOL_CODE": "COMPANY", "SYMBOL_CODE_SHORT": "CO"},
    ]


def let_go(store: Store, deal_id: int) -> None:
    """A deal at its end, or gone, shows no badges any more."""
    store.run("DELETE FROM attachment WHERE entity_type_id = ? AND entity_id = ?", (DEAL, deal_id))


def _existing(call: Call) -> sqlite3.Row:
    row = call.store.row("SELECT * FROM deal WHERE id = ?", (php.to_int(call.get("id")),))
    if row is None:
        raise Refusal("", "Not found")
    return row


def _fields(call: Call) -> dict[str, Any]:
    fields: dict[str, Any] = {
        _COLUMNS[str(name)]: php.to_text(value)
        for name, value in php.items(call.get("fields"))
        if name in _COLUMNS and name != "ID"
    }
    if "opportunity" in fields:
        amount = re.match(r"\d{1,15}(\.\d+)?", fields["opportunity"])
        fields["opportunity"] = float(amount[0]) if amount else 0
    if fields.get("stage_id", "NEW") not in STAGES:
        raise Refusal("", "Stage is not found.")
    return fields
