"""Documented calls that a user's type checker must accept; ``make check`` reads them, nothing runs them."""

import threading
from pathlib import Path

import pandas as pd

import b24nb
from b24nb import errors


def plans(b24: b24nb.Client, table: pd.DataFrame) -> None:
    badges = b24.badges.list()
    for wanted in (table, Path("badges.csv"), "badges.csv", badges, table.to_dict("records")):
        b24.badges.plan(wanted, prune=True).apply(progress=False, cancel=threading.Event())
    b24.badges.plan([{"code": "vip", "title": {"en": "Client"}, "value": "VIP", "type": "primary"}])
    for chosen in (table, table["code"], table.index, badges):
        b24.badges.delete_many(chosen, confirm=3)
        b24.badges.release(chosen)
    b24.badges.delete_many(["vip", badges[0]], missing_ok=True)
    b24.badges.add("vip", {"en": "Client"}, "VIP", b24nb.BadgeType.PRIMARY)


def errors_of(b24: b24nb.Client) -> list[str]:
    try:
        b24.badges.delete(b24.badges.list()["vip"])
    except errors.BadgeChanged as changed:
        return [changed.now.title]
    except errors.Interrupted as stop:
        return [*stop.report.df["code"]]
    except errors.TransportError as lost:
        return [lost.call.as_code("curl")]
    except errors.ApiError as refused:
        return [refused.code, refused.hint or "", str(refused.retry_after)]
    return []


def tokens(portal: b24nb.SandboxPortal) -> b24nb.Client:
    return b24nb.connect(b24nb.OAuthToken(**portal.oauth, on_refresh=lambda token: print(token.portal)))
