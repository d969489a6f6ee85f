"""Authentication: users, their webhooks, one application and its tokens, in the portal's database.

Checks of a webhook, in this order: https, user and code, scope, plan, active owner. Of a token: known, plan, expiry,
scope, active user. This order is that of the vendor's server code. Every failure answers 401, where the
documentation says 400 and 403.
"""

from __future__ import annotations

import random
import sqlite3
import string
from collections.abc import Iterable
from typing import Any, NamedTuple

from b24nb import spec
from b24nb.sandbox.rest_method import Caller, Method, Params, Refusal, User, scope_missing
from b24nb.sandbox.store import Store

#: Parameters that carry credentials or control the call; a method never receives them.
RESERVED = ("auth", "access_token", "auth_connector", "aplogin", "ap", "sessid")
_ALPHABET = string.ascii_lowercase + string.digits
#: Several names, or one text of names separated by spaces, which is how they are stored.
Scopes = Iterable[str] | str


def _stored(scopes: Scopes) -> str:
    return scopes.replace(",", " ") if isinstance(scopes, str) else " ".join(scopes)


class Credentials(NamedTuple):
    """The parameters and headers of a request that may authenticate it."""

    params: Params
    bearer: str = ""
    secure: bool = False

    def text(self, name: str) -> str:
        """A parameter as a text; arrays count as absent."""
        value = self.params.get(name)
        return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""

    @property
    def token(self) -> str:
        """The access token: the first one present of the header, ``auth`` and ``access_token``."""
        return self.bearer or self.text("auth") or self.text("access_token")


class Accounts:
    """The users of a portal and their credentials; ``seed`` makes the secrets repeatable."""

    def __init__(self, store: Store, *, seed: int | None) -> None:
        self.store = store
        self._random: random.Random = random.SystemRandom()
        if seed is not None:  # a database that was kept already has tokens, which must not be issued twice
            issued = store.count("SELECT count(*) FROM token")
            self._random = random.Random(f"{seed} {issued}")  # noqa: S311 - the caller wants repeatable secrets
        self._webhooks: dict[str, Caller] = {}
        self.users: dict[int, User] = {}

    def secret(self, length: int) -> str:
        """A new code or token."""
        return "".join(self._random.choices(_ALPHABET, k=length))

    def load(self) -> None:
        """Read users and webhooks once; every call needs them, and only this process changes them."""
        self.users = {row["id"]: User(*row) for row in self.store.rows("SELECT * FROM user")}
        self._webhooks = {
            row["code"]: Caller(self.users[row["user_id"]], "webhook", str(row["id"]), tuple(row["scopes"].split()))
            for row in self.store.rows("SELECT * FROM webhook WHERE active")
        }

    def user(self, login: str) -> User:
        logins = {user.login: user for user in self.users.values()}
        if login not in logins:
            raise ValueError(f"There is no user {login!r}; the logins are {', '.join(logins)}.")
        return logins[login]

    # -- who calls --------------------------------------------------------------------------------

    def authenticate(self, credentials: Credentials, method: Method) -> Caller:
        """The caller of a request, if the credentials allow the method; raises the refusal of a portal if not."""
        if "sessid" in credentials.params:  # a browser session, which the sandbox does not have
            raise Refusal("session_failed", "Sessid check failed", 401, sessid="")
        if credentials.text("aplogin") and credentials.text("ap"):
            caller = self._by_webhook(credentials, method)
        elif credentials.token:
            caller = self._by_token(credentials.token, method)
        else:
            raise Refusal("NO_AUTH_FOUND", "Wrong authorization data", 401)
        if not caller.user.active:
            raise Refusal("authorization_error", "Unable to authorize user", 401)
        return caller

    def _by_webhook(self, credentials: Credentials, method: Method) -> Caller:
        switches = self.store.switches
        if switches.https_required and not credentials.secure:
            raise Refusal("INVALID_REQUEST", "Https required.", 401)
        caller = self._webhooks.get(credentials.text("ap"))
        # The user part of the address may be the id or the login.
        if not caller or credentials.text("aplogin") not in (str(caller.user.id), caller.user.login):
            raise Refusal("INVALID_CREDENTIALS", "Invalid request credentials", 401)
        if not caller.may_use(method):
            raise scope_missing("webhook")
        if not switches.rest_available:
            raise Refusal("ACCESS_DENIED", "REST is available only by subscription.", 401)
        return caller

    def _by_token(self, access_token: str, method: Method) -> Caller:
        switches = self.store.switches
        caller = self.token(access_token)
        if caller is None:
            raise Refusal("invalid_token", "Unable to get application by token", 401)
        if not switches.rest_available:
            raise Refusal("ACCESS_DENIED", "REST is available only on commercial plans.", 401)
        if caller.expires <= switches.clock():
            raise Refusal("expired_token", "The access token provided has expired", 401)
        if not caller.may_use(method):
            raise scope_missing("access")
        return caller

    # -- webhooks ---------------------------------------------------------------------------------

    def add_webhook(self, name: str, user: str, scopes: Scopes, *, active: bool = True) -> None:
        """Create a webhook of a user with a code of 16 characters, as portals do."""
        if name in self.webhook_paths():
            raise ValueError(f"There is a webhook {name!r} already.")
        row = {"name": name, "code": self.secret(16), "user_id": self.user(user).id, "active": active}
        self.store.insert("webhook", row | {"scopes": _stored(scopes)})
        self.load()

    def webhook_paths(self) -> dict[str, str]:
        """Webhooks by name: ``{user}/{code}``."""
        return {
            row["name"]: f"{row['user_id']}/{row['code']}"
            for row in self.store.rows("SELECT * FROM webhook ORDER BY id")
        }

    # -- the application --------------------------------------------------------------------------

    def add_application(self, scopes: Scopes) -> None:
        """Register the portal's one application."""
        row = {"client_id": f"local.{self.secret(14)}.{self.secret(8)}", "client_secret": self.secret(50)}
        row |= {"member_id": self.secret(32), "scopes": _stored(scopes)}
        self.store.insert("application", row)

    @property
    def application(self) -> sqlite3.Row:
        row = self.store.row("SELECT * FROM application")
        assert row is not None, "a seeded portal has an application"  # noqa: S101
        return row

    def issue(self, user_id: int, scopes: Scopes | None = None) -> dict[str, Any]:
        """A new pair of tokens for a user, by default with the application's scopes; returns the stored row."""
        now = self.store.switches.clock()
        row: dict[str, Any] = {"access_token": self.secret(70), "refresh_token": self.secret(70), "user_id": user_id}
        row |= {"client_id": self.application["client_id"]}
        row |= {"scopes": self.application["scopes"] if scopes is None else _stored(scopes)}
        row |= {"expires": now + spec.ACCESS_TOKEN_SECONDS, "refresh_expires": now + spec.REFRESH_TOKEN_SECONDS}
        self.store.insert("token", row)
        return row

    def token(self, access_token: str) -> Caller | None:
        """The caller that an access token belongs to, even if it has expired."""
        row = self.store.row("SELECT * FROM token WHERE access_token = ?", (access_token,))
        if row is None:
            return None
        user = self.users[row["user_id"]]
        return Caller(user, "oauth", row["client_id"], tuple(row["scopes"].split()), row["expires"])

    def grant(self, login: str) -> str:
        """An authorization code of a user, valid for 30 seconds and one use."""
        code, now = self.secret(70), self.store.switches.clock()
        row = {"code": code, "client_id": self.application["client_id"], "user_id": self.user(login).id}
        row |= {"scopes": self.application["scopes"], "expires": now + spec.AUTHORIZATION_CODE_SECONDS}
        self.store.insert("authorization_code", row)
        return code

    def redeem_refresh_token(self, refresh_token: str) -> sqlite3.Row | None:
        """Use up a refresh token; ``None`` if it is unknown, used or older than 180 days."""
        with self.store.transaction():
            row = self.store.row("SELECT * FROM token WHERE refresh_token = ?", (refresh_token,))
            self.store.run("UPDATE token SET refresh_token = NULL WHERE refresh_token = ?", (refresh_token,))
        return row if row and row["refresh_expires"] > self.store.switches.clock() else None

    def redeem_code(self, code: str) -> sqlite3.Row | None:
        """Use up an authorization code; ``None`` if it is unknown, used or older than 30 seconds."""
        with self.store.transaction():
            row = self.store.row("SELECT * FROM authorization_code WHERE code = ?", (code,))
            self.store.run("DELETE FROM authorization_code WHERE code = ?", (code,))
        return row if row and row["expires"] > self.store.switches.clock() else None
