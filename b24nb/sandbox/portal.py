"""The class ``SandboxPortal``: start and stop a portal, read its data, make it fail."""

from __future__ import annotations

import signal
import threading
import weakref
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Self, TypeVar

from b24nb.sandbox.faults import Faults
from b24nb.sandbox.http_messages import Record
from b24nb.sandbox.seed import hold
from b24nb.sandbox.server_thread import RunningPortal, ServerThread
from b24nb.sandbox.store import IN_MEMORY
from b24nb.sandbox.switches import Switches

_T = TypeVar("_T")

#: All instances of this process, to find the one with some address. ``keyrefs()`` is safe while other threads add.
INSTANCES: weakref.WeakKeyDictionary[SandboxPortal, None] = weakref.WeakKeyDictionary()


class SandboxPortal:
    """What it does not reproduce: the https check and the limit of the request rate (both are switches, off by
    default), REST 3.0, browser sessions (``sessid``), a login screen (:meth:`authorize` returns the code), tariffs
    and payments except ``tariff`` and ``rest_available``, rights finer than administrator, employee and
    extranet, more than one application, leads, contacts and companies, custom activity types, the content of
    layouts, the texts of localised errors other than those of the badges, redirects from http to https, the end
    of requests after sixty seconds, a security filter for HTML-like texts, operating time of ``batch`` itself (as in
    the newest builds), and caches: a change of rights takes effect at once. Its speed is that of this machine.

    What it is: a replacement for a Bitrix24 portal, over real HTTP on 127.0.0.1, with its data in SQLite. It
    starts with a small company: an administrator, an employee, an extranet user and a dismissed user; a
    dozen badges, of which eight can be deleted (``missedCall`` among them) and four are held by
    open activities of deals; webhooks and an application. Its page at ``/`` shows the kanban.

    How far to trust it:

    ===========  ==================================================================================
    documented   the four badge methods, the 30 characters of a new code, ``batch`` and its limit of 50,
                 references, the ``time`` block, the request rate, operating time, the lifetimes of tokens,
                 ``Authorization``, plain texts and language maps, the results of related methods
    observed     statuses and texts of errors where the documentation differs (401 for all failures of
                 credentials, 503, 429, an ``error`` that is always a text), ``list`` returning
                 everything at once with ``total``, decoding as PHP does it, JSON escaping, the empty
                 map as ``[]``, the order of checks, when a badge counts as used, the unusual statuses of
                 the authorization server; seen in answers or read in the vendor's server code
    assumed      codes are compared without letter case, but with blanks at their end; texts that are too
                 long are cut silently (both are switches); the place of the check for 30 characters of a
                 code; the texts of errors of configurable activities and of ``allowed_only_intranet_user``;
                 deals; who may read which activity; the signature for ``state``; one common operating time
                 for the commands of webhooks' batches
    ===========  ==================================================================================

    Parameters
    ----------
    code_limit : int
        Characters of a code that ``add`` accepts: 30 as newer portal builds, 255 as older ones.
    latency_ms : float
        Network time of each request, in milliseconds. It is not in the ``time`` block.
    limits : bool
        Whether the request rate is limited: 503 ``QUERY_LIMIT_EXCEEDED``.
    https_required : bool
        Whether a webhook over plain http is refused, as on a real portal.
    tariff : {"standard", "enterprise", "self-hosted"}
        The portal's tariff: 50 requests at once and 2/s, or 250 and 5/s. A self-hosted portal has no limit,
        starts with ``cloud_headers=False``, and counts operating time only if ``operating`` is a number.
    operating : bool or float
        Whether operating time is counted, with 429 ``OPERATION_TIME_LIMIT`` after 480 seconds in ten
        minutes; a number: after so many seconds. ``False``: as self-hosted portals, no ``operating`` keys.
    clock : callable
        The portal's time of day. If it has a method ``sleep``, that is used for waiting, so that hours can
        pass at once in a test.
    seed : int, optional
        Makes the secrets repeatable. By default they are random.
    badges : iterable of Badge or mapping, optional
        Instead of the usual badges, for example ``badges.list()`` of another portal.
    db : path, optional
        Keep the data, secrets included, in this file. Changes that were answered survive a killed process.
    port : int
        0: a free one.
    tls : bool
        Use https, with a new certificate (needs the extra ``tls``); see :attr:`ca_file`.
    **switches
        Any other field of :class:`Switches`: ``cost``: operating seconds by lower-case method, waited for;
        ``rest_available=False``: a tariff without REST; ``cloud_headers=False``; ``integer_time=False``:
        ``start`` and ``processing`` with fractions, as in older builds; ``case_sensitive=True``: for codes;
        ``strict_sql=True``: texts that are too long are refused; ``language="ru"``: of localised errors;
        ``languages``: the codes that a map may have; ``attachment_days``: 30, 60 or 90.

    Attributes
    ----------
    faults : Faults
        Makes the next requests fail: ``portal.faults.next("QUERY_LIMIT_EXCEEDED")``.
    switches : Switches
        All of the above except ``seed``, ``badges``, ``db``, ``port`` and ``tls``; they can be changed at any time.

    Notes
    -----
    Vendor page: https://apidocs.bitrix24.com/api-reference/crm/timeline/activities/configurable/badges/

    Examples
    --------
    >>> import b24nb
    >>> with SandboxPortal() as portal, b24nb.connect(portal.webhooks["employee"]) as b24:
    ...     activity = portal.attach("missedCall", deal=2)
    ...     portal.badges[0]["code"], b24.portal.admin
    ('missedCall', False)
    """

    def __init__(
        self,
        *,
        seed: int | None = None,
        badges: Iterable[Any] | None = None,
        db: str | Path | None = None,
        port: int = 0,
        tls: bool = False,
        **switches: Any,
    ) -> None:
        if not 0 <= port <= 65535:
            raise ValueError("port is a number from 0 (a free one) to 65535")
        self.switches = Switches(**switches)
        self.faults = Faults()
        badges = None if badges is None else list(badges)
        db = db if db in (None, IN_MEMORY) else Path(db).expanduser().absolute()  # also after a chdir
        self._setup: dict[str, Any] = {"db": db, "port": port, "tls": tls, "seed": seed, "badges": badges}
        self._running: RunningPortal | None = None
        self._stop: Callable[[], object] = lambda: None
        self._lock = threading.RLock()
        INSTANCES[self] = None

    # -- start and stop ---------------------------------------------------------------------------

    def start(self) -> Self:
        """Start the portal in a thread of its own; returns when it answers.

        It stops with :meth:`stop`, when this object is garbage-collected, and when the program ends.

        Returns
        -------
        SandboxPortal
            This object.

        Raises
        ------
        RuntimeError
            It is running already, threads are not possible here, or the database file can't be used:
            another sandbox has it open, or it belongs to another program.
        OSError
            The port is in use, or sockets are not possible here.
        """
        with self._lock:
            if self._running:
                raise RuntimeError("This sandbox portal is running already.")
            thread = ServerThread()
            try:
                self.start_in(thread)
            except BaseException:
                thread.stop()
                raise
            self._stop = weakref.finalize(self, thread.stop)
        return self

    def start_for(self) -> Callable[[], object]:
        """Start the portal for a client, unless it is running; raises as :meth:`start`.

        Returns
        -------
        callable
            Ends what was started here: not a portal that was running already, nor one that is started later. It
            keeps a reference to this object, so that the portal goes on running.
        """
        with self._lock:
            run = None if self._running else self.start()._running

        def end() -> None:
            with self._lock:
                if run and self._running is run:
                    self.stop()

        return end

    def start_in(self, thread: ServerThread) -> None:
        """Start the portal in a thread that others use, too; :meth:`stop` does not stop the thread.

        Parameters
        ----------
        thread : ServerThread
            A thread that may serve several portals.
        """
        running = thread.run(lambda: RunningPortal(thread, self.switches, self.faults, **self._setup))
        self._running, self._stop = running, lambda: thread.end(running.cleanup)

    def stop(self) -> None:
        """Stop the portal and remove temporary files. Does nothing if it is not running."""
        with self._lock:
            self._running = None
            self._stop()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def running(self) -> bool:
        """Whether it answers."""
        return self._running is not None

    @property
    def _started(self) -> RunningPortal:
        if self._running is None:
            raise RuntimeError("This sandbox portal is not running; start() it first.")
        return self._running

    def _run(self, work: Callable[[RunningPortal], _T]) -> _T:
        """Call a function in the thread that owns the database."""
        running = self._started
        return running.thread.run(lambda: work(running))

    # -- address and credentials ------------------------------------------------------------------

    @property
    def url(self) -> str:
        """Its address: ``http://127.0.0.1:{port}``."""
        return self._started.url

    @property
    def webhook(self) -> str:
        """The administrator's webhook: ``{url}/rest/{user}/{code}/``."""
        return self.webhooks["admin"]

    @property
    def webhooks(self) -> Mapping[str, str]:
        """Webhooks by name: ``admin``, ``employee``, ``noscope`` (lacks ``crm``), ``extranet``,
        ``dismissed`` (its owner left), ``disabled``, and those of :meth:`add_webhook`."""
        paths = self._run(lambda running: running.accounts.webhook_paths())
        return {name: f"{self.url}/rest/{path}/" for name, path in paths.items()}

    def add_webhook(self, name: str, *, user: str = "anna", scopes: Iterable[str] | str = "crm") -> str:
        """Create another webhook.

        Parameters
        ----------
        name : str
            Its key in :attr:`webhooks`.
        user : str
            Login of the owner: ``anna`` (administrator), ``ben`` (employee), ``carla`` (extranet),
            ``dmitri`` (dismissed).
        scopes : iterable of str, or str
            The scopes of the webhook.

        Returns
        -------
        str
            Its address.

        Raises
        ------
        ValueError
            There is a webhook with that name, or no such user.
        """
        self._run(lambda running: running.accounts.add_webhook(name, user, scopes))
        return self.webhooks[name]

    @property
    def oauth(self) -> Mapping[str, Any]:
        """The application's tokens for the administrator, issued at the start: ``portal``,
        ``access_token``, ``refresh_token``, ``client_id``, ``client_secret``, ``auth_server``: the
        arguments of :class:`b24nb.OAuthToken`."""
        return self._tokens(self._started.tokens)

    def issue_token(self, *, user: str = "anna", scopes: Iterable[str] | str | None = None) -> Mapping[str, Any]:
        """Issue a new pair of tokens, with the keys of :attr:`oauth`.

        Parameters
        ----------
        user : str
            Login of the user that the application acts for.
        scopes : iterable of str, or str, optional
            By default those of the application.

        Returns
        -------
        mapping
        """
        return self._tokens(self._run(lambda running: running.accounts.issue(running.accounts.user(user).id, scopes)))

    def authorize(self, *, user: str = "anna", state: str = "") -> Mapping[str, str]:
        """The parameters of the redirect to the application after a user has agreed: ``code`` and others.

        Parameters
        ----------
        user : str
            Login of the user who agrees.
        state : str
            As the application sent it.

        Returns
        -------
        mapping
            ``code`` (30 seconds, one use), ``state``, ``domain``, ``member_id``, ``scope``,
            ``server_domain``.
        """
        code = self._run(lambda running: running.accounts.grant(user))
        application, host = self._application, self.url.partition("://")[2]
        back = {"code": code, "state": state, "domain": host, "server_domain": host}
        scopes = ",".join(application["scopes"].split())
        return back | {"member_id": application["member_id"], "scope": scopes}

    @property
    def _application(self) -> Mapping[str, str]:
        return self._run(lambda running: dict(running.accounts.application))

    def _tokens(self, row: Mapping[str, Any]) -> Mapping[str, str]:
        known = {"portal": self.url, "auth_server": self.url, **self._application, **row}
        names = ("portal", "access_token", "refresh_token", "client_id", "client_secret", "auth_server")
        return {name: known[name] for name in names}

    @property
    def ca_file(self) -> str | None:
        """With ``tls=True``: the file of the certificate authority that clients have to trust."""
        return self._running.ca_file if self._running else None

    @property
    def journal_path(self) -> str:
        """The path for a client's journal of this portal: beside the database, and deleted with it."""
        return self._started.journal_path

    # -- data -------------------------------------------------------------------------------------

    @property
    def requests(self) -> list[Record]:
        """The last 1,000 requests, the newest last."""
        return list(self._started.records)

    @property
    def badges(self) -> list[dict[str, Any]]:
        """Every badge, straight from the database: ``code``, ``title``, ``value``, ``type``."""
        return self._run(lambda running: running.store.badges.all())

    def attach(self, code: str, *, deal: int = 1, client_id: str | None = None) -> int:
        """Add an open configurable activity with a badge to a deal, as an application would.

        Parameters
        ----------
        code : str
            Of the badge.
        deal : int
            Id of the deal; the portal starts with deals 1 to 6.
        client_id : str, optional
            The application that made it; by default the portal's own.

        Returns
        -------
        int
            Id of the activity. The badge can't be deleted until it is closed, changed or deleted.

        Raises
        ------
        ValueError
            There is no such deal, or no badge of exactly this code.
        """
        return self._run(lambda running: hold(running.accounts, int(deal), code, client_id=client_id))

    def __repr__(self) -> str:
        return f"SandboxPortal({self.url})" if self._running else "SandboxPortal(not running)"


def serve(*, on_ready: Callable[[SandboxPortal], None], **options: Any) -> None:
    """Run a portal until SIGINT, SIGTERM or SIGHUP. Call it from the main thread.

    Parameters
    ----------
    on_ready : callable
        Called with the portal once it answers.
    **options
        As of :class:`SandboxPortal`.
    """
    over = threading.Event()
    signals = [signal.SIGINT, signal.SIGTERM]
    if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # nohup ignores it
        signals.append(signal.SIGHUP)
    before = {number: signal.signal(number, lambda *_: over.set()) for number in signals}
    try:
        with SandboxPortal(**options) as portal:
            on_ready(portal)
            while not over.wait(1):  # Ctrl-C does not end a wait without a timeout on Windows
                pass
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
