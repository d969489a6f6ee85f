"""Who may call: users, their webhooks, one application and its tokens, in the portal's database."""

from __future__ import annotations

import random
import sqlite3
import string
from collections.abc import Iterable
from typing import Any

from b24nb import spec
from b24nb.sandbox.calls import Caller, User
from b24nb.sandbox.store import Store

_ALPHABET = string.ascii_lowercase + string.digits


class Accounts:
    """The users of a portal and their credentials; ``seed`` makes the secrets repeatable."""

    def __init__(self, store: Store, *, seed: int | None) -> None:
        self.store = store
        self._random: random.Random = random.SystemRandom()
        if seed is not None:  # a kept database goes on where it was; tokens must not come twice
            issued = store.count("SELECT count(*) FROM token")
            self._random = random.Random(f"{seed} {issued}")  # noqa: S311 - repeatable on request
        self._webhooks: dict[str, Caller] = {}
        self.users: dict[str, User] = {}

    def secret(self, length: int) -> str:
        """A new code or token."""
        return "".join(self._random.choices(_ALPHABET, k=length))

    def load(self) -> None:
        """Read users and webhooks once; every call needs them, and only this process changes them."""
        self.users = {row["login"]: _user(row) for row in self.store.rows("SELECT * FROM user")}
        by_id = {user.id: user for user in self.users.values()}
        self._webhooks = {
            row["code"]: Caller(
                by_id[row["user_id"]], "webhook", str(row["id"]), tuple(row["scopes"].split())
            )
            for row in self.store.rows("SELECT * FROM webhook WHERE active")
        }

    # -- webhooks ---------------------------------------------------------------------------------

    def add_webhook(self, name: str, user: str, scopes: Iterable[str], *, active: bool = True) -> None:
        """Create a webhook of a user with a code of 16 characters, as portals do."""
        row = {"name": name, "code": self.secret(16), "user_id": self.users[user].id, "active": active}
        self.store.insert("webhook", row | {"scopes": " ".join(scopes)})
        self.load()

    def webhook_paths(self) -> dict[str, str]:
        """Webhooks by name: ``{user}/{code}``."""
        return {
            row["name"]: f"{row['user_id']}/{row['code']}"
            for row in self.store.rows("SELECT * FROM webhook ORDER BY id")
        }

    def webhook(self, user: str, code: str) -> Caller | None:
        """Whom a webhook's two parts let in. The user part may be the id or the login."""
        caller = self._webhooks.get(code)
        if caller is None or user not in (str(caller.user.id), caller.user.login):
            return None
        return caller

    # -- the application --------------------------------------------------------------------------

    def add_application(self, scopes: Iterable[str]) -> None:
        """Register the portal's one application."""
        row = {"client_id": f"local.{self.secret(14)}.{self.secret(8)}", "client_secret": self.secret(50)}
        row |= {"member_id": self.secret(32), "scopes": " ".join(scopes)}
        self.store.insert("application", row)

    @property
    def application(self) -> sqlite3.Row:
        row = self.store.row("SELECT * FROM application")
        assert row is not None, "a seeded portal has an application"  # noqa: S101
        return row

    def issue(self, login: str, scopes: str | None = None) -> dict[str, Any]:
        """A new pair of tokens for a user, with the application's scopes by default; the row as stored."""
        now = self.store.switches.clock()
        row = {
            "access_token": self.secret(70),
            "refresh_token": self.secret(70),
            "client_id": self.application["client_id"],
            "user_id": self.users[login].id,
            "scopes": self.application["scopes"] if scopes is None else scopes,
            "expires": now + spec.ACCESS_TOKEN_SECONDS,
            "refresh_expires": now + spec.REFRESH_TOKEN_SECONDS,
        }
        self.store.insert("token", row)
        return row

    def token(self, access_token: str) -> Caller | None:
        """Whom an access token stands for, expired or not."""
        row = self.store.row("SELECT * FROM token WHERE access_token = ?", (access_token,))
        if row is None:
            return None
        user = self.users[self.login(row["user_id"])]
        return Caller(user, "oauth", row["client_id"], tuple(row["scopes"].split()), row["expires"])

    def redeem_refresh_token(self, refresh_token: str) -> sqlite3.Row | None:
        """Use up a refresh token; ``None`` if it is unknown, used or over its 180 days."""
        with self.store.transaction():
            row = self.store.row("SELECT * FROM token WHERE refresh_token = ?", (refresh_token,))
            self.store.run("UPDATE token SET refresh_token = NULL WHERE refresh_token = ?", (refresh_token,))
        return row if row and row["refresh_expires"] > self.store.switches.clock() else None

    def grant(self, login: str) -> str:
        """An authorization code of a user, good for 30 seconds and one use."""
        code, now = self.secret(70), self.store.switches.clock()
        row = {"code": code, "client_id": self.application["client_id"], "user_id": self.users[login].id}
        row |= {"scopes": self.application["scopes"], "expires": now + spec.AUTHORIZATION_CODE_SECONDS}
        self.store.insert("authorization_code", row)
        return code

    def login(self, user_id: int) -> str:
        """The login of a user."""
        return next(user.login for user in self.users.values() if user.id == user_id)

    def redeem_code(self, code: str) -> sqlite3.Row | None:
        """Use up an authorization code; ``None`` if it is unknown, used or over its 30 seconds."""
        with self.store.transaction():
            row = self.store.row("SELECT * FROM authorization_code WHERE code = ?", (code,))
            self.store.run("DELETE FROM authorization_code WHERE code = ?", (code,))
        return row if row and row["expires"] > self.store.switches.clock() else None


def _user(row: sqlite3.Row) -> User:
    user = User(*row)
    return user._replace(admin=bool(user.admin), active=bool(user.active))
