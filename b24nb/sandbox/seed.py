"""The small, realistic portal that a sandbox starts with; people, deals and badges are in ``seed.json``.

Everything but the secrets is always the same, since the walkthroughs show it.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from importlib import resources
from typing import Any

from b24nb.sandbox import configurable_activities
from b24nb.sandbox.accounts import Accounts
from b24nb.sandbox.crm_methods import DEAL
from b24nb.sandbox.store import SqlError, Store


def fill(store: Store, accounts: Accounts, badges: Iterable[Any] | None) -> int:
    """Fill a new database and return the administrator's id; a database that has users is not changed.

    With ``badges`` there are no activities, since those hold the usual badges.
    """
    if not store.count("SELECT count(*) FROM user"):
        company = json.loads(resources.files(__package__).joinpath("seed.json").read_text(encoding="utf-8"))
        with store.transaction():
            for user in company["users"]:
                store.insert("user", user)
            accounts.load()
            for webhook in company["webhooks"]:
                accounts.add_webhook(**webhook)
            accounts.add_application(("crm", "user_brief"))
            for deal in company["deals"]:
                store.insert("deal", deal)
            for badge in company["badges"] if badges is None else badges:
                try:
                    fields = badge if isinstance(badge, Mapping) else asdict(badge)
                    store.badges.add(*(fields[name] for name in ("code", "title", "value", "type")))
                except (KeyError, TypeError, SqlError, sqlite3.Error) as error:
                    raise ValueError(f"{badge!r} can't be one of badges=: {error!r}") from None
            for activity in company["activities"] if badges is None else ():
                hold(accounts, **activity)
    accounts.load()
    return next(user.id for user in accounts.users.values() if user.admin)


def hold(accounts: Accounts, deal: int, badge: str, *, completed: bool = False, client_id: str | None = None) -> int:
    """Add a configurable activity with a badge to a deal, as an application would; returns its id."""
    store = accounts.store
    row = store.row("SELECT assigned_by_id FROM deal WHERE id = ?", (deal,))
    if row is None:
        raise ValueError(f"There is no deal {deal}.")
    if (store.badges.find(badge) or {}).get("code") != badge:
        raise ValueError(f"There is no badge {badge!r}.")
    layout = {
        "icon": {"code": "info"},
        "header": {"title": f"Activity with the badge {badge}"},
        "body": {"logo": {"code": "robot"}, "blocks": {}},
    }
    columns = {"completed": "Y" if completed else "N", "responsible_id": row["assigned_by_id"]}
    client_id = client_id or accounts.application["client_id"]
    return configurable_activities.create(store, client_id, (DEAL, deal), columns, layout, badge)
