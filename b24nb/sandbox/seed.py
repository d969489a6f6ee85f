"""The small, realistic portal that a sandbox starts with: people, credentials, deals, badges.

Repeatable to the letter but for the secrets, since the walkthroughs show it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from b24nb.sandbox import configurable
from b24nb.sandbox.accounts import Accounts
from b24nb.sandbox.deals import DEAL
from b24nb.sandbox.store import Store

#: What the portal's REST API is divided into.
SCOPES = ("crm", "user", "user_basic", "user_brief", "task", "im", "placement")

_USERS = (
    (1, "anna", "Anna", "Keller", True, "intranet", True),
    (7, "ben", "Ben", "Osei", False, "intranet", True),
    (9, "carla", "Carla", "Lindt", False, "extranet", True),
    (11, "dmitri", "Dmitri", "Orlov", False, "intranet", False),
)
ADMIN, EMPLOYEE, EXTRANET, DISMISSED = (user[0] for user in _USERS)

_WEBHOOKS = (
    ("admin", ADMIN, ("crm", "user", "task"), True),
    ("employee", EMPLOYEE, ("crm", "user"), True),
    ("noscope", ADMIN, ("task", "user_brief"), True),
    ("extranet", EXTRANET, ("crm",), True),
    ("dismissed", DISMISSED, ("crm",), True),
    ("disabled", ADMIN, ("crm",), False),
)

#: Code, title, value, type. No open activity holds the first seven, nor `paid`: they can be deleted.
BADGES: tuple[tuple[str, Any, Any, str], ...] = (
    ("missedCall", "Missed call", "Call back", "failure"),
    ("callAnswered", "Call answered", "Answered", "success"),
    (
        "documentSigned",
        {"en": "Contract", "de": "Vertrag", "ru": "Договор"},
        {"en": "Signed", "de": "Unterschrieben", "ru": "Подписан"},
        "success",
    ),
    ("newsletter", "Newsletter", "Subscribed", "secondary"),
    (
        "demoBooked",
        {"en": "Product demo", "de": "Produktdemo", "fr": "Démonstration"},
        {"en": "Booked", "de": "Gebucht", "fr": "Réservée"},
        "primary",
    ),
    ("birthday", "Birthday", "This week", "warning"),
    (
        "consent",
        {"en": "Mail & phone", "de": "Mail & Telefon"},
        {"en": "Allowed", "de": "Erlaubt"},
        "primary",
    ),
    (
        "waitingPayment",
        {"en": "Payment", "de": "Zahlung", "ru": "Оплата"},
        {"en": "Waiting", "de": "Ausstehend", "ru": "Ожидается"},
        "warning",
    ),
    ("paid", "Payment", "Paid", "success"),
    ("deliveryLate", "Delivery", "Late", "failure"),
    ("reviewRequested", {"en": "Review", "ja": "レビュー"}, {"en": "Requested", "ja": "依頼済み"}, "primary"),
    ("onHold", "Deal", "On hold", "secondary"),
)

#: Title, stage, amount, responsible.
_DEALS = (
    ("Office chairs for Nordwind", "NEW", 1_840, EMPLOYEE),
    ("Server room, Feld & Co.", "PREPARATION", 12_500, ADMIN),
    ('Licences "Small team"', "PREPARATION", 960, EMPLOYEE),
    ("Delivery contract Haas", "PREPAYMENT_INVOICE", 7_300, ADMIN),
    ("Annual service, Café Lumière", "EXECUTING", 2_400, EMPLOYEE),
    ("Training days", "WON", 3_100, ADMIN),
)

#: Deal (counted from 1), badge, completed.
_ACTIVITIES = (
    (2, "reviewRequested", False),
    (3, "waitingPayment", False),
    (4, "waitingPayment", False),
    (4, "deliveryLate", False),
    (5, "onHold", False),
    (6, "paid", True),
)


def fill(store: Store, accounts: Accounts, badges: Iterable[Mapping[str, Any]] | None) -> None:
    """Make a fresh database into a portal; one that has users already is left as it is.

    Parameters
    ----------
    store : Store
        The database.
    accounts : Accounts
        Makes the secrets.
    badges : iterable of mappings, optional
        Instead of the usual badges: ``code``, ``title``, ``value``, ``type``. Then there are no
        activities that hold any.
    """
    if store.count("SELECT count(*) FROM user"):
        accounts.load()
        return
    with store.transaction():
        columns = ("id", "login", "name", "last_name", "admin", "kind", "active")
        for user in _USERS:
            store.insert("user", dict(zip(columns, user, strict=True)))
        for name, user_id, scopes, active in _WEBHOOKS:
            accounts.add_webhook(name, user_id, scopes, active=active)
        accounts.add_application(("crm", "user_brief"))
        for title, stage, amount, user_id in _DEALS:
            deal = {"title": title, "stage_id": stage, "opportunity": amount, "currency_id": "EUR"}
            store.insert("deal", {**deal, "assigned_by_id": user_id})
        if badges is None:
            for badge in BADGES:
                store.badges.add(*badge)
            for deal_id, code, completed in _ACTIVITIES:
                hold(store, accounts.application["client_id"], deal_id, code, completed=completed)
        else:
            for row in badges:
                store.badges.add(row["code"], row["title"], row["value"], row["type"])


def hold(store: Store, client_id: str, deal_id: int, badge_code: str, *, completed: bool = False) -> int:
    """Put a configurable activity with a badge on a deal; its id."""
    responsible = store.row("SELECT assigned_by_id FROM deal WHERE id = ?", (deal_id,))
    if responsible is None:
        raise ValueError(f"there is no deal {deal_id}")
    layout = {
        "icon": {"code": "info"},
        "header": {"title": f"Activity with the badge {badge_code}"},
        "body": {"logo": {"code": "robot"}, "blocks": {}},
    }
    columns = {"completed": "Y" if completed else "N", "responsible_id": responsible["assigned_by_id"]}
    return configurable.create(store, client_id, (DEAL, deal_id), columns, layout, badge_code)
