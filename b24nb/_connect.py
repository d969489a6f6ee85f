"""Where the rooms are put together: credentials in, a client out.

The module is not called ``connect``: it would shadow the function of that name.
"""

from __future__ import annotations

import os
import tempfile
import warnings
from collections.abc import Callable
from contextlib import ExitStack
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from b24nb.badges.journal import UnfinishedChanges
from b24nb.badges.journal_store import JournalStore
from b24nb.badges.methods import BadgeMethods
from b24nb.client import Client, Portal
from b24nb.credentials import Credentials, OAuthToken, Webhook
from b24nb.errors import ConnectionFailed, InvalidInput
from b24nb.rest.clock import SYSTEM_CLOCK, Clock
from b24nb.rest.connection import Connection
from b24nb.rest.transport import check_seconds

if TYPE_CHECKING:
    from b24nb.sandbox import SandboxPortal


def connect(
    credentials: str | Credentials | SandboxPortal | None = None,
    *,
    tariff: str = "standard",
    timeout: tuple[float, float] = (5, 60),
    verify: bool | str = True,
    read_only: bool = False,
    journal: str | PathLike[str] | None = None,
    settle_after: float = 60,
    clock: Clock = SYSTEM_CLOCK,
) -> Client:
    """Connect to a portal: a real one by its webhook, else a sandbox that starts here and now.

    Parameters
    ----------
    credentials : str, Webhook, OAuthToken, SandboxPortal, optional
        A webhook's address or one of the values. ``None``: ``B24_WEBHOOK`` from the environment or from
        the ``.env`` of the working directory; if there is none, a sandbox portal started for this client.
    tariff : {"standard", "enterprise", "self-hosted"}
        The plan, for the request rate: 50 requests at once and 2/s, or 250 and 5/s; a portal of one's own
        counts none. A sandbox of this process says it by itself.
    timeout : (float, float)
        Seconds to connect, over all addresses of the host together, and in total until the answer to a
        call is complete: looking up the name, connecting, sending, waiting, reading, and the repeats of a
        read or of a connection that did not come about. Not counted are waits for the request rate, after
        which the total begins anew, and the renewal of a token, which has a total of its own.
    verify : bool or str
        As in requests: check certificates, or a path of certificate authorities.
    read_only : bool
        Refuse every write before it is sent. ``B24_READ_ONLY=1`` in the environment or ``.env`` does the
        same.
    journal : path, optional
        Where to keep what was changed. ``None``: one file per portal in the user's data folder; for a
        sandbox, beside its database and gone with it.
    settle_after : float
        Seconds after sending until a write whose answer was lost counts as not applied; at most a day.
    clock : Clock, optional
        For tests: time and sleeping.

    Returns
    -------
    Client

    Raises
    ------
    InvalidInput
        The credentials can't be right; nothing was sent.
    BadCredentials, ConnectionFailed, ...
        The portal did not take them, or can't be reached.

    Warns
    -----
    UnfinishedChanges
        If the journal holds changes of this user on this portal whose outcome is not known.

    Notes
    -----
    Vendor page: https://apidocs.bitrix24.com/local-integrations/local-webhooks.html

    Examples
    --------
    >>> import b24nb
    >>> b24 = b24nb.connect(b24nb.SandboxPortal())
    >>> b24.portal.kind
    'SANDBOX'
    >>> b24.close()
    """
    settings = _settings()
    found = _credentials(credentials, settings)
    path = _path_of(journal)
    check_seconds(settle_after, "settle_after")
    on_close: Callable[[], object] = bool
    with ExitStack() as failed:
        if not isinstance(found, Webhook | OAuthToken):
            on_close = _starting(found)
            failed.callback(on_close)
            path, verify = path or found.journal_path, found.ca_file or verify
            tariff = found.switches.tariff if found.switches.limits else "self-hosted"
            found = Webhook.parse(found.webhook)
        connection = Connection(
            found,
            tariff=tariff,
            timeout=timeout,
            verify=verify,
            read_only=read_only or _is_on(settings.get("B24_READ_ONLY")),
            clock=clock,
        )
        release = failed.enter_context(ExitStack())
        release.callback(connection.close)
        portal = Portal.ask(connection)
        store = _open_journal(path, portal, found, release, named=journal is not None)
        badges = BadgeMethods(connection, store, settle_after=settle_after)
        if badges.journal.notice:
            warnings.warn(badges.journal.notice, UnfinishedChanges, stacklevel=2)
        failed.pop_all()  # from here on the client closes all this
        return Client(connection, portal=portal, badges=badges, release=release.close, on_close=on_close)


def _starting(sandbox: SandboxPortal) -> Callable[[], object]:
    """Start a sandbox that does not run; what is returned stops it again, and holds it in any case."""
    if sandbox.running:
        return lambda: sandbox
    try:
        sandbox.start()
    except (RuntimeError, OSError) as error:  # no thread or no socket, as in some browsers
        problem = str(error).rstrip(".")
    else:
        return sandbox.stop
    raise ConnectionFailed(
        f"The embedded portal can't start here: {problem}.",
        hint="Give connect() the webhook of a portal that is reachable from here.",
    )


def _path_of(journal: Any) -> Any:
    if journal is None or (journal and isinstance(journal, str | PathLike)):
        return journal
    raise InvalidInput("journal is the path of a file.", field="journal")


def _open_journal(
    path: Any, portal: Portal, credentials: Credentials, release: ExitStack, *, named: bool
) -> JournalStore:
    # A sandbox gets another port each time; the journal beside its database needs no address.
    host = portal.host if named or portal.kind == "LIVE" else "sandbox"
    user = portal.user_id or str(getattr(credentials, "user", ""))  # `profile` may be refused
    store = JournalStore(path or _journal_path(portal, release), host=host, user=user)
    release.callback(store.close)
    return store


def _journal_path(portal: Portal, release: ExitStack) -> str | PathLike[str] | None:
    """``None``: a file per portal in the user's data folder; for a sandbox reached by its address, one that
    goes with the client: the next sandbox may get the same port and must not inherit it."""
    if portal.kind == "LIVE":
        return None
    directory = release.enter_context(tempfile.TemporaryDirectory(prefix="b24nb-journal-"))
    return Path(directory) / "journal.db"


def _credentials(given: Any, settings: dict[str, str]) -> Credentials | SandboxPortal:
    if given is None:
        given = settings.get("B24_WEBHOOK") or None
    if isinstance(given, Webhook | OAuthToken):
        return given
    if isinstance(given, str):
        return Webhook.parse(given)
    from b24nb.sandbox import SandboxPortal

    if given is None:
        return SandboxPortal(limits=True)
    if isinstance(given, SandboxPortal):
        return given
    raise InvalidInput(
        f"Can't connect with a {type(given).__name__}.",
        field="credentials",
        hint="Give a webhook's address, a Webhook, an OAuthToken, a SandboxPortal or nothing.",
    )


def _settings() -> dict[str, str]:
    """``B24_*`` from the environment, else from ``.env`` here; read only, never exported."""
    from dotenv import dotenv_values

    both = {**dotenv_values(".env"), **os.environ}
    return {name: value for name, value in both.items() if name.startswith("B24_") and value}


def _is_on(value: str | None) -> bool:
    return (value or "").strip().lower() in ("1", "true", "yes", "on")
