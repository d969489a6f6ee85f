"""The function ``connect``, which builds a client from its parts.

The module is not called ``connect``, since it would hide the function of that name.
"""

from __future__ import annotations

import errno
import shutil
import sys
import tempfile
import warnings
from collections.abc import Callable
from contextlib import ExitStack
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from b24nb._settings import READ_ONLY, WEBHOOK, Setting, read_settings
from b24nb.badges.journal_store import JournalStore
from b24nb.badges.methods import BadgeMethods
from b24nb.checks import check_journal, check_seconds, check_switch
from b24nb.client import Client, Portal
from b24nb.credentials import Credentials, OAuthToken, Webhook
from b24nb.errors import ConnectionFailed, InvalidInput, UnfinishedChanges
from b24nb.rest.clock import SYSTEM_CLOCK, Clock
from b24nb.rest.connection import Connection, Hook, nothing
from b24nb.rest.transport import Transport
from b24nb.secret import Secret, mask_address, masked

if TYPE_CHECKING:
    from b24nb.sandbox import SandboxPortal


def connect(
    credentials: str | Secret | Credentials | SandboxPortal | None = None,
    *,
    tariff: str = "standard",
    timeout: tuple[float, float] = (5, 60),
    verify: bool | str | PathLike[str] = True,
    read_only: bool = False,
    journal: str | PathLike[str] | None = None,
    settle_after: float = 60,
    clock: Clock = SYSTEM_CLOCK,
) -> Client:
    """Connect to a portal: to a real one by its webhook, else to a sandbox portal that is started for this client.

    Parameters
    ----------
    credentials : str, Webhook, OAuthToken, SandboxPortal, optional
        A webhook's address or one of the other types. ``None``: ``B24_WEBHOOK`` from the environment or from
        the ``.env`` of the working directory; if there is none, a sandbox portal started for this client.
    tariff : {"standard", "enterprise", "self-hosted"}
        The portal's tariff, for the request rate: 50 requests at once and 2/s, or 250 and 5/s; a self-hosted portal
        has no limit. With ``standard``, a sandbox of this process is paced by its own setting.
    timeout : (float, float)
        Seconds to connect, over all addresses of the host together, and in total until the answer to a
        call is complete: looking up the name, connecting, sending, waiting, reading, and repeating a read or a
        failed connection. Waits for the request rate are not counted, and the total begins again after one; the
        renewal of a token has a total of its own.
    verify : bool or path
        Check certificates, or a file of certificate authorities. Only ``False`` switches the check off.
    read_only : bool
        Refuse every write before it is sent. ``B24_READ_ONLY=1`` in the environment or ``.env`` does the
        same; any other value than a yes or a no is an error.
    journal : path, optional
        The file of the journal. ``None``: one file per portal in the user's data folder, which in Colab and the
        like is gone with the machine, so name a file on a drive there; for a sandbox of this process: beside its
        database, and deleted with it; of another process: a temporary file, deleted with the client.
    settle_after : float
        Seconds after sending until a write whose answer was lost counts as not applied; at most a day.
    clock : Clock, optional
        Replaces time and sleeping in tests.

    Returns
    -------
    Client

    Raises
    ------
    InvalidInput
        The credentials or settings are wrong; nothing was sent.
    BadCredentials, ConnectionFailed, ...
        The portal did not accept them, or can't be reached.

    Warns
    -----
    b24nb.errors.UnfinishedChanges
        If the journal holds changes of this user on this portal without a verdict. If you turn warnings
        into errors, exclude this one: only a client can settle these changes.

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
    credentials = Secret(credentials) if isinstance(credentials, str | bytes | PathLike) else masked(credentials)
    tariff, timeout, verify, read_only = map(mask_address, (tariff, timeout, verify, read_only))
    journal, settle_after = map(mask_address, (journal, settle_after))
    settings = read_settings()
    found, source = _credentials(credentials, settings.get(WEBHOOK))
    read_only_from = _read_only_from(read_only, settings.get(READ_ONLY))
    path = check_journal(journal, "file")
    settle_after = check_seconds(settle_after, "settle_after")
    on_close: Hook = nothing
    with ExitStack() as failed:
        if not isinstance(found, Webhook | OAuthToken):
            on_close = _starting(found)
            failed.callback(on_close)
            verify = found.ca_file or verify
            found = Webhook.parse(found.webhook)
        if (own := _sandbox_at(found.origin)) and tariff == "standard":
            tariff = own.switches.tariff if own.switches.limits else "self-hosted"
        transport = Transport(timeout, verify=verify)
        connection = Connection(found, transport, tariff=tariff, read_only=bool(read_only_from), clock=clock)
        release = failed.enter_context(ExitStack())
        release.callback(connection.close)
        portal = Portal.ask(connection, own_sandbox=bool(own), credentials_from=source, read_only_from=read_only_from)
        connection.calls.clear()  # the log begins with the user's first call
        store = _open_journal(path, portal, own, release)
        badges = BadgeMethods(connection, store, settle_after=settle_after)
        if unfinished := badges.journal.unfinished:
            warnings.warn_explicit(unfinished, UnfinishedChanges, "b24nb", 1)  # `warn` shows code, so perhaps a secret
        failed.pop_all()  # from here on the client closes all this
        return Client(connection, portal=portal, badges=badges, release=release.close, on_close=on_close)


def _starting(sandbox: SandboxPortal) -> Callable[[], object]:
    """Start a sandbox if it does not run. The returned function stops what was started here."""
    try:
        return sandbox.start_for()
    except (RuntimeError, OSError) as error:  # threads or sockets are missing, as in Python in a browser
        hint = "Give connect() the webhook of a portal that is reachable from here."
        if getattr(error, "errno", 0) == errno.EMFILE:
            hint = "Restart the kernel, or close() the clients that are not used any more."
        text = f"The sandbox portal can't start here: {str(error).rstrip('.')}."
        raise ConnectionFailed(text, hint=hint) from None


def _read_only_from(read_only: Any, setting: Setting | None) -> str:
    """Where read-only comes from; ``""``: it is off."""
    argument = check_switch(read_only, "read_only")
    if setting and setting.is_on:
        return setting.source
    return "argument" if argument else ""


def _open_journal(path: Any, portal: Portal, own: SandboxPortal | None, release: ExitStack) -> JournalStore:
    host, path = portal.host, path or (own and own.journal_path)
    if own and Path(path).absolute() == Path(own.journal_path):
        host = "sandbox"  # it gets another port each time, so the journal beside its database is not tied to an address
    elif path is None and portal.kind == "SANDBOX":
        # Deleted with the client, since a later sandbox with the same port must not get this journal.
        path = Path(tempfile.mkdtemp(prefix="b24nb-journal-")) / "journal.db"
        release.callback(shutil.rmtree, path.parent, ignore_errors=True)
    store = JournalStore(path, host=host, user=portal.user_id or "")
    release.callback(store.close)
    return store


def _credentials(given: Any, setting: Setting | None) -> tuple[Credentials | SandboxPortal, str]:
    """The credentials or the sandbox to connect with, and where they come from."""
    if given is None and setting is not None:
        try:
            return Webhook.parse(setting.value), setting.source
        except InvalidInput as error:
            raise InvalidInput(f"{setting.source}: {error.message}", field=error.field, hint=error.hint) from None
    if isinstance(given, Webhook | OAuthToken):
        return given, "argument"
    if isinstance(given, Secret):
        return Webhook.parse(given), "argument"
    from b24nb.sandbox import SandboxPortal

    if given is None:
        return SandboxPortal(limits=True), f"{WEBHOOK} is not set"
    if isinstance(given, SandboxPortal):
        return given, "argument"
    hint = "Give a webhook's address, a Webhook, an OAuthToken, a SandboxPortal or nothing."
    raise InvalidInput(f"Can't connect with a {type(given).__name__}.", field="credentials", hint=hint)


def _sandbox_at(origin: str) -> SandboxPortal | None:
    """The sandbox portal of this process that answers at the address."""
    module = sys.modules.get("b24nb.sandbox.portal")
    portals = [ref() for ref in module.INSTANCES.keyrefs()] if module else []
    return next((portal for portal in portals if portal and portal.running and portal.url == origin), None)
