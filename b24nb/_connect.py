"""Where the rooms are put together: credentials in, a client out.

The module is not called ``connect``: it would shadow the function of that name.
"""

from __future__ import annotations

import sys
import tempfile
import warnings
from collections.abc import Callable
from contextlib import ExitStack
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from b24nb._settings import READ_ONLY, WEBHOOK, Setting, read_settings
from b24nb.badges.journal import UnfinishedChanges
from b24nb.badges.journal_store import JournalStore
from b24nb.badges.methods import BadgeMethods
from b24nb.client import Client, Portal
from b24nb.credentials import Credentials, OAuthToken, Webhook
from b24nb.errors import ConnectionFailed, InvalidInput
from b24nb.rest.clock import SYSTEM_CLOCK, Clock
from b24nb.rest.connection import Connection
from b24nb.rest.transport import check_seconds
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
        The plan, for the request rate: 50 requests at once and 2/s, or 250 and 5/s; a portal of one's own
        counts none. A sandbox of this process says it by itself.
    timeout : (float, float)
        Seconds to connect, over all addresses of the host together, and in total until the answer to a
        call is complete: looking up the name, connecting, sending, waiting, reading, and the repeats of a
        read or of a connection that did not come about. Not counted are waits for the request rate, after
        which the total begins anew, and the renewal of a token, which has a total of its own.
    verify : bool or path
        Check certificates, or a file of certificate authorities. Only ``False`` switches the check off.
    read_only : bool
        Refuse every write before it is sent. ``B24_READ_ONLY=1`` in the environment or ``.env`` does the
        same; a word that is neither yes nor no is an error.
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
        options: dict[str, Any] = {"tariff": tariff, "timeout": timeout, "verify": verify, "clock": clock}
        connection = Connection(found, read_only=bool(switch), **options)
        release = failed.enter_context(ExitStack())
        release.callback(connection.close)
        sources: dict[str, Any] = {"credentials_from": source, "read_only_from": switch}
        portal = Portal.ask(connection, own_sandbox=_is_of_this_process(found.origin), **sources)
        connection.calls.clear()  # it begins with what the user asks for
        store = _open_journal(path, portal, found, release, named=journal is not None)
        badges = BadgeMethods(connection, store, settle_after=settle_after)
        if unfinished := badges.journal.unfinished:
            warnings.warn(unfinished, UnfinishedChanges, stacklevel=2)
        failed.pop_all()  # from here on the client closes all this
        return Client(connection, portal=portal, badges=badges, release=release.close, on_close=on_close)


def _starting(sandbox: SandboxPortal) -> Callable[[], object]:
    """Start a sandbox that does not run; what is returned stops it again, and holds it in any case."""
    if sandbox.running:
        return lambda: sandbox
    try:
        sandbox.start()
    except (RuntimeError, OSError) as error:  # no thread or no socket, as in some browsers
        hint = "Give connect() the webhook of a portal that is reachable from here."
        text = f"The embedded portal can't start here: {str(error).rstrip('.')}."
        raise ConnectionFailed(text, hint=hint) from None
    return sandbox.stop


def _path_of(journal: Any) -> Any:
    if journal is None or (journal and isinstance(journal, str | PathLike)):
        return journal
    raise InvalidInput("journal is the path of a file.", field="journal")


def _open_journal(
    path: Any, portal: Portal, credentials: Credentials, release: ExitStack, *, named: bool
) -> JournalStore:
    if path is None and portal.kind == "SANDBOX":
        # Goes with the client: the next sandbox may get the same port and must not inherit it.
        path = Path(release.enter_context(tempfile.TemporaryDirectory(prefix="b24nb-journal-"))) / "journal.db"
    # A sandbox gets another port each time; the journal beside its database needs no address.
    host = portal.host if named or portal.kind == "LIVE" else "sandbox"
    user = portal.user_id or str(getattr(credentials, "user", ""))  # `profile` may be refused
    store = JournalStore(path, host=host, user=user)
    release.callback(store.close)
    return store


def _credentials(given: Any, setting: Setting | None) -> tuple[Credentials | SandboxPortal, str]:
    """What to connect with, and where it came from."""
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
