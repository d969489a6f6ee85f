"""Who is calling, and may this credential call this method: the portal's checks in their order.

A webhook is checked for https, user and code, scope, plan, login of its owner; a token for being
known, plan, expiry, scope, login. Read in the vendor's server code; all of it answers 401, where the
documentation has 400 and 403.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from b24nb.sandbox.accounts import Accounts
from b24nb.sandbox.calls import Caller, Params, Refusal

#: Parameters that carry credentials or steer the call; a method never sees them.
RESERVED = ("auth", "access_token", "auth_connector", "aplogin", "ap", "sessid")


class Credentials(NamedTuple):
    """What a request brings along."""

    params: Params
    bearer: str = ""
    secure: bool = False

    def text(self, name: str) -> str:
        """A parameter as a text; arrays count as absent."""
        value = self.params.get(name)
        return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""

    @property
    def token(self) -> str:
        """The access token: header, ``auth``, ``access_token``, the first that is there."""
        return self.bearer or self.text("auth") or self.text("access_token")


def authenticate(credentials: Credentials, scopes: Sequence[str], accounts: Accounts) -> Caller:
    """The caller of a request that needs one of the scopes, or the refusal that a portal would send."""
    if "sessid" in credentials.params:  # a browser's session; there are none here
        raise Refusal("session_failed", "Sessid check failed", 401, sessid="")
    if credentials.text("aplogin") and credentials.text("ap"):
        return _by_webhook(credentials, scopes, accounts)
    if credentials.token:
        return _by_token(credentials.token, scopes, accounts)
    raise Refusal("NO_AUTH_FOUND", "Wrong authorization data", 401)


def _by_webhook(credentials: Credentials, scopes: Sequence[str], accounts: Accounts) -> Caller:
    switches = accounts.store.switches
    if switches.https_required and not credentials.secure:
        raise Refusal("INVALID_REQUEST", "Https required.", 401)
    caller = accounts.webhook(credentials.text("aplogin"), credentials.text("ap"))
    if caller is None:
        raise Refusal("INVALID_CREDENTIALS", "Invalid request credentials", 401)
    _check_scope(caller, scopes, "webhook")
    if not switches.rest_available:
        raise Refusal("ACCESS_DENIED", "REST is available only by subscription.", 401)
    _check_login(caller)
    return caller


def _by_token(token: str, scopes: Sequence[str], accounts: Accounts) -> Caller:
    switches = accounts.store.switches
    caller = accounts.token(token)
    if caller is None:
        raise Refusal("invalid_token", "Unable to get application by token", 401)
    if not switches.rest_available:
        raise Refusal("ACCESS_DENIED", "REST is available only on commercial plans.", 401)
    if caller.expires <= switches.clock():
        raise Refusal("expired_token", "The access token provided has expired", 401)
    _check_scope(caller, scopes, "access")
    _check_login(caller)
    return caller


def allows(caller: Caller, scopes: Sequence[str]) -> bool:
    """Whether a credential has one of the scopes that a method asks for."""
    return not scopes or any(scope in caller.scopes for scope in scopes)


def _check_scope(caller: Caller, scopes: Sequence[str], what: str) -> None:
    if not allows(caller, scopes):
        text = f"The request requires higher privileges than provided by the {what} token"
        raise Refusal("insufficient_scope", text, 401)


def _check_login(caller: Caller) -> None:
    if not caller.user.active:
        raise Refusal("authorization_error", "Unable to authorize user", 401)
