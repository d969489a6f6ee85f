"""Where the rooms are put together: credentials in, a client out.

The module is not called ``connect``: it would shadow the function of that name.
"""

from __future__ import annotations

import os
import sys
import tempfile
import warnings
from contextlib import ExitStack
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from b24nb._settings import READ_ONLY, WEBHOOK, Setting, read_settings
from b24nb.badges.journal import Journal, UnfinishedChanges, default_journal_path
from b24nb.badges.methods import BadgeMethods
from b24nb.client import Client, Portal
from b24nb.credentials import Credentials, OAuthToken, Webhook
from b24nb.errors import InvalidInput
from b24nb.rest.clock import SYSTEM_CLOCK, Clock
from b24nb.rest.connection import Connection
from b24nb.secret import Secret, mask_address

if TYPE_CHECKING:
    from b24nb.sandbox import SandboxPortal


def connect(
    credentials: str | Secret | Credentials | SandboxPortal | None = None,
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
        The plan, for the request rate: 50 requests at once and 2/s, or 250 and 5/s, or no limit.
    timeout : (float, float)
        Seconds to connect, and in total until the answer is complete.
    verify : bool or path
        Check certificates, or a file of certificate authorities. Only ``False`` switches the check off.
    read_only : bool
        Refuse every write before it is sent. ``B24_READ_ONLY=1`` in the environment or ``.env`` does the
        same; a word that is neither yes nor no is an error.
    journal : path, optional
        Where to keep what was changed. ``None``: one file per portal in the user's data folder; for a
        sandbox, beside its database and gone with it.
    settle_after : float
        Seconds after sending until a write whose answer was lost counts as not applied.
    clock : Clock, optional
        For tests: time and sleeping.

    Returns
    -------
    Client

    Raises
    ------
    InvalidInput
        The credentials or settings can't be right; nothing was sent.
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
    if isinstance(credentials, str):
        credentials = Secret(credentials)
    tariff, timeout, verify, read_only = map(mask_address, (tariff, timeout, verify, read_only))
    settings = read_settings()
    found, source = _credentials(credentials, settings.get(WEBHOOK))
    switch = _read_only_from(read_only, settings.get(READ_ONLY))
    path = None if journal is None else os.fspath(journal)
    with ExitStack() as cleanup:
        if not isinstance(found, Webhook | OAuthToken):
            sandbox = _running(found, cleanup)
            path, verify = path or sandbox.journal_path, sandbox.ca_file or verify
            found = Webhook.parse(sandbox.webhook)
        options: dict[str, Any] = {"tariff": tariff, "timeout": timeout, "verify": verify, "clock": clock}
        connection = Connection(found, read_only=bool(switch), **options)
        cleanup.callback(connection.close)
        portal = Portal.ask(
            connection,
            own_sandbox=_is_of_this_process(found.origin),
            credentials_from=source,
            read_only_from=switch,
        )
        record = _journal(portal, found, path, cleanup, named=journal is not None)
        cleanup.callback(record.close)
        badges = BadgeMethods(connection, record, settle_after=settle_after)
        if record.notice:
            warnings.warn(record.notice, UnfinishedChanges, stacklevel=2)
        # From here on the client closes all this; before, an error did.
        return Client(connection, portal=portal, badges=badges, on_close=cleanup.pop_all().close)


def _running(sandbox: SandboxPortal, cleanup: ExitStack) -> SandboxPortal:
    if not sandbox.running:
        sandbox.start()
        cleanup.callback(sandbox.stop)
    return sandbox


def _journal(
    portal: Portal, found: Credentials, path: str | None, cleanup: ExitStack, *, named: bool
) -> Journal:
    # A sandbox gets another port each time; the journal beside its database needs no address.
    host = portal.host if named or portal.kind == "LIVE" else "sandbox"
    user = portal.user_id or (found.user if isinstance(found, Webhook) else "")
    return Journal(path or _journal_path(portal, cleanup), host=host, user=user)


def _journal_path(portal: Portal, cleanup: ExitStack) -> str | PathLike[str]:
    """A file per portal in the user's data folder; for a sandbox reached by its address, one that goes
    with the client: the next sandbox may get the same port and must not inherit it."""
    if portal.kind == "LIVE":
        return default_journal_path(portal.host)
    directory = cleanup.enter_context(tempfile.TemporaryDirectory(prefix="b24nb-journal-"))
    return Path(directory) / "journal.db"


def _credentials(given: Any, setting: Setting | None) -> tuple[Credentials | SandboxPortal, str]:
    """What to connect with, and where it came from."""
    if given is None and setting is not None:
        try:
            return Webhook.parse(setting.value), setting.source
        except InvalidInput as error:
            failure = InvalidInput(f"{setting.source}: {error.message}", field=error.field, hint=error.hint)
        raise failure
    if isinstance(given, Webhook | OAuthToken):
        return given, "argument"
    if isinstance(given, Secret):
        return Webhook.parse(given), "argument"
    from b24nb.sandbox import SandboxPortal

    if given is None:
        return SandboxPortal(limits=True), f"{WEBHOOK} is not set"
    if isinstance(given, SandboxPortal):
        return given, "argument"
    raise InvalidInput(
        f"Can't connect with a {type(given).__name__}.",
        field="credentials",
        hint="Give a webhook's address, a Webhook, an OAuthToken, a SandboxPortal or nothing.",
    )


def _read_only_from(given: Any, setting: Setting | None) -> str:
    """What makes the client read-only; ``""`` if nothing does."""
    if not isinstance(given, bool):
        raise InvalidInput(f"read_only is True or False, not {given!r}.", field="read_only")
    by_setting = setting.source if setting and setting.is_on else ""
    return by_setting or ("argument" if given else "")


def _is_of_this_process(origin: str) -> bool:
    """Whether a sandbox portal that was started here answers at an address."""
    module = sys.modules.get("b24nb.sandbox.portal")
    portals = module.INSTANCES if module else ()
    return any(portal.running and portal.url == origin for portal in portals)
