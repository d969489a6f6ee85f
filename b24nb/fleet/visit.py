"""What is done where a portal is visited: in a thread, or in a process on any machine.

Nothing here keeps a journal or a secret, and what comes back are plain values.
"""

from __future__ import annotations

import pickle
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NoReturn

from b24nb import errors
from b24nb.badges import evidence
from b24nb.badges.apply import ChangeApplier, RunOptions, apply_many
from b24nb.badges.badge import Badges
from b24nb.badges.changes import LIST, Outcome, Step
from b24nb.badges.journal import steps_back
from b24nb.badges.journal_store import ChangeSet, Entry
from b24nb.badges.methods import BadgeMethods
from b24nb.client import WHO_AM_I, Client, Portal
from b24nb.credentials import Credentials, OAuthToken, Webhook
from b24nb.rest.clock import SYSTEM_CLOCK, Clock
from b24nb.rest.connection import Connection
from b24nb.secret import Secret, redact

OK, CHANGED, UNKNOWN, NOT_VISITED = "ok", "changed", "unknown", "not visited"
_WORDS: dict[str, tuple[type[errors.B24Error], ...]] = {
    "revoked": (errors.BadCredentials, errors.TokenExpired),
    "no access": (errors.AccessDenied, errors.InsufficientScope),
    "limit": (errors.RateLimited, errors.OperatingTimeExceeded),
    CHANGED: (errors.BadgeChanged,),
    "unreachable": (errors.ConnectionFailed, errors.Timeout, errors.BadResponse, errors.PortalUnavailable),
}
#: Seconds until the vault is read again: whoever has renewed the token is about to store it.
_SOON = 0.5
_WEBHOOK = re.compile(rb"/rest/[\w.@+-]+/[\w.~-]{8,}")


class TooLate(errors.JournalError):
    """A task came too late to send: whoever reads the journal may have begun to look already."""


@dataclass(frozen=True, slots=True)
class Access:
    """How portals are reached; it travels with a task, so no secret is in it."""

    vault: Callable[[str], Any]
    timeout: tuple[float, float] = (5, 60)
    read_only: bool = False
    tariff: str = "standard"
    verify: bool | str = True
    settle_after: float = 60
    clock: Clock = SYSTEM_CLOCK

    def connection(self, credentials: Credentials) -> Connection:
        """A connection with these settings."""
        options: dict[str, Any] = {"tariff": self.tariff, "timeout": self.timeout, "verify": self.verify}
        return Connection(credentials, read_only=self.read_only, clock=self.clock, **options)


@dataclass(frozen=True, slots=True)
class Visit:
    """What came of visiting a portal.

    Attributes
    ----------
    status : str
        ``ok, revoked, no access, unreachable, limit, changed, unknown`` or ``not visited``.
    value : object
        What was found, ``None`` if nothing was.
    failure : B24Error or None
        Why it is not all that it was to be.
    lost : bool
        Whether nobody knows how far it came.
    """

    status: str = OK
    value: Any = None
    failure: errors.B24Error | None = None
    lost: bool = False

    @classmethod
    def failed(cls, error: Exception, secrets: Iterable[Secret] = ()) -> Visit:
        """The visit that ended with this error."""
        if isinstance(error, errors.B24Error):
            return cls(status_of(error), None, error, isinstance(error, errors.OutcomeUnknown))
        failure = errors.B24Error(f"{type(error).__name__}: {redact(str(error), secrets)}")
        vars(failure)["code"] = type(error).__name__
        return cls(UNKNOWN, None, failure, lost=True)

    @property
    def error(self) -> str:
        """The vendor's code, or the class of the error."""
        return str(getattr(self.failure, "code", "") or type(self.failure).__name__) if self.failure else ""


def status_of(error: Exception | None) -> str:
    """The word for what ails a portal."""
    return next((word for word, kinds in _WORDS.items() if isinstance(error, kinds)), UNKNOWN if error else OK)


def visit(access: Access, name: str, work: Callable[..., Any], *args: Any) -> Visit:
    """What ``work(connection, access, *args)`` gives on this portal; errors are in there, not raised."""
    secrets: Sequence[Secret] = ()
    try:
        credentials = _look_up(access, name)
        secrets, connection = credentials.secrets, access.connection(credentials)
        connection.store_token = partial(_store, access, name)
        connection.newer_token = partial(_newer, access, name, credentials)
        try:
            return Visit(value=work(connection, access, *args))
        finally:
            connection.close()
    except Exception as error:  # noqa: BLE001 - a row of the report, whatever it is
        return Visit.failed(error, secrets)


def _look_up(access: Access, name: str) -> Credentials:
    """What the vault has, called where it is used and nowhere else."""
    try:
        found = access.vault(name)
        if isinstance(found, Webhook | OAuthToken):
            return found
        if isinstance(found, str | Secret):
            return Webhook.parse(found)
        why = f"it gave a {type(found).__name__}"
    except Exception as error:  # noqa: BLE001 - of its own errors only the name is known to hold no secret
        why = error.message if isinstance(error, errors.InvalidInput) else f"it raised {type(error).__name__}"
    hint = "It gives a Webhook, an OAuthToken or the address of a webhook for the name of a portal."
    raise errors.AccessDenied("no credentials", f"The vault has none for {name!r}: {why}", hint=hint)


def _newer(access: Access, name: str, refused: Credentials) -> Credentials | None:
    """What the vault holds now, if somebody else has renewed the token meanwhile."""
    access.clock.sleep(_SOON)
    found = _look_up(access, name)
    return found if found.secrets != refused.secrets else None


def _store(access: Access, name: str, token: OAuthToken) -> None:
    try:
        getattr(access.vault, "store", lambda *_: None)(name, token)
        return
    except Exception as error:  # noqa: BLE001 - it may quote the token
        text = f"The token of {name!r} was renewed, and the vault did not take it: it raised {type(error).__name__}."
    raise errors.TransportError(text, method="oauth.token", hint="The portal has to issue a new token.")


def refuse_secrets(payload: bytes, secrets: Iterable[Secret]) -> None:
    """Raise :class:`InvalidInput` if bytes that are about to travel hold a secret."""
    if _WEBHOOK.search(payload) or any(one.reveal().encode() in payload for one in secrets):
        hint = "Credentials come from the vault, where the portal is visited, and stay there."
        raise errors.InvalidInput("It holds a secret, so it is not sent to another process.", hint=hint)


# -- what is done there -------------------------------------------------------------------------------


def ask(connection: Connection, access: Access) -> tuple[Portal, Portal]:
    """Who we are there and what we may do, by one request; twice, since what is found stands beside it."""
    portal = _named(connection, Portal.ask(connection))
    return portal, portal


def look(connection: Connection, access: Access) -> tuple[Portal, Badges]:
    """The same and the badges, by one request too."""
    answers = connection.batch({**WHO_AM_I, "badges": (LIST, None)})
    if isinstance(listed := answers["badges"], errors.ApiError):
        raise listed
    return _named(connection, Portal.ask(connection, answers=answers)), evidence.badges_of(listed)


def _named(connection: Connection, portal: Portal) -> Portal:
    """With the user of the webhook, where the portal does not tell."""
    return replace(portal, user_id=portal.user_id or str(getattr(connection.credentials, "user", "")))


def call(connection: Connection, access: Access, function: Callable[[Client], Any]) -> tuple[Portal, Any]:
    """What a function of a client gives."""
    portal, store = ask(connection, access)[0], Permit(float("-inf"))
    badges = BadgeMethods(connection, store, access.settle_after)  # type: ignore[arg-type]
    value = function(Client(connection, portal=portal, badges=badges, release=bool))
    with suppress(pickle.PicklingError, TypeError, AttributeError):  # in a thread it may be anything
        refuse_secrets(pickle.dumps(value), connection.credentials.secrets)
    return portal, value


def settle(connection: Connection, access: Access, entries: Sequence[Entry], seconds: float) -> list[Outcome]:
    """Look what became of steps whose task was lost; their effect can appear for so many seconds."""
    doubts = [evidence.Doubt(entry.step, entry.found) for entry in entries]
    return evidence.reconcile(connection, doubts, connection.clock.monotonic() + seconds)


def back(connection: Connection, access: Access, done: Sequence[Entry]) -> tuple[list[Step], int]:
    """The way back to before these changes, and how many badges there are."""
    return steps_back(connection, done)


def send(
    connection: Connection, access: Access, kind: str, steps: Sequence[Step], options: RunOptions, until: float, id: str
) -> list[Outcome]:
    """Make changes by the one write path; the coordinator has written them down.

    ``until``: what was not sent by then comes back unsent. ``id``: of the task, which is done once.
    """
    _refuse_second_time(id)
    applier = ChangeApplier(connection, Permit(until), access.settle_after)  # type: ignore[arg-type]
    return apply_many(applier, kind, steps, evidence.list_badges(connection), options)[0]


class Permit:
    """Stands for the journal where steps are sent: the coordinator has written them down; verdicts travel back."""

    def __init__(self, until: float) -> None:
        self._until = until

    def intend(self, change_set: ChangeSet, steps: Sequence[Step], at: float, found: Any = ()) -> list[int]:
        """The places of the steps, as their ids; raises :class:`JournalError` where nothing may be sent."""
        if self._until < 0:
            hint = "fleet.plan(...).apply() does."
            raise errors.JournalError("fleet.map remembers no changes, so none of a badge is sent.", hint=hint)
        if at > self._until:
            raise TooLate("This task was begun too late. Nothing was sent.", hint="Apply the plan again.")
        return [*range(len(steps))]

    def __getattr__(self, name: str) -> Callable[..., list[NoReturn]]:
        return lambda *_, **__: []


def _refuse_second_time(id: str) -> None:
    """Dask does the task of a worker that died once more on another."""
    if worker := sys.modules.get("distributed.worker"):
        with suppress(ValueError):  # it is not Dask that does this
            worker.get_worker()
            begun = sys.modules["distributed"].Event(id)
            if begun.is_set():
                raise errors.OutcomeUnknown("The worker that began this died.", hint="Apply the plan again.")
            begun.set()
