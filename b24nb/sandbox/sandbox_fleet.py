"""Many sandbox portals in one process, some of which fail in different ways."""

from __future__ import annotations

import contextlib
import random
import socket
import weakref
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Self

from b24nb.sandbox.portal import SandboxPortal
from b24nb.sandbox.server_thread import HOST, ServerThread
from b24nb.sandbox.store import IN_MEMORY

Badges = Iterable[Mapping[str, Any]]
#: A number of faults that no run uses up.
_ALWAYS = 10**9
#: By trouble: what a request meets, and its status, if that is not the usual one.
_FAULTS = {"hanging": ("hang", None), "renamed": ("html", 302), "limited": ("OPERATION_TIME_LIMIT", None)}


class SandboxFleet:
    """A number of sandbox portals that run in one thread, each at its own port of 127.0.0.1.

    Parameters
    ----------
    n : int
        How many. They are called ``portal-0001`` and so on.
    dead, hanging, revoked, noscope, renamed, limited : float
        Shares of the portals, 0 to 1: those that refuse connections; never answer; do not accept the webhook any
        more (401); accept it without the scope ``crm`` (401); answer 302 from a former address; answer 429
        ``OPERATION_TIME_LIMIT``.
    seed : int
        Determines which portals these are.
    badges : iterable of mappings or callable, optional
        As of :class:`SandboxPortal`, or a function that returns them for the name of a portal.
    **switches
        As of :class:`SandboxPortal`, for all: ``latency_ms=100``. Changes of one later:
        ``fleet.portals[name].switches``.

    Attributes
    ----------
    webhooks : dict of str to str
        Addresses of the administrators' webhooks by name; ``fleet.webhooks.get`` is a vault.
    portals : dict of str to SandboxPortal
        By name; the dead ones have none.
    trouble : dict of str to str
        The fault of each portal that has one, by name: one of the words above.

    Notes
    -----
    Data is kept in memory. A portal takes about 250 kB and one open file.

    Examples
    --------
    >>> with SandboxFleet(20, dead=0.1, badges=[]) as fleet:
    ...     len(fleet.webhooks), len(fleet.portals)
    (20, 18)
    """

    def __init__(
        self,
        n: int,
        *,
        dead: float = 0,
        hanging: float = 0,
        revoked: float = 0,
        noscope: float = 0,
        renamed: float = 0,
        limited: float = 0,
        seed: int = 0,
        badges: Badges | Callable[[str], Badges] | None = None,
        **switches: Any,
    ) -> None:
        shares = {"dead": dead, "hanging": hanging, "revoked": revoked, "noscope": noscope}
        shares |= {"renamed": renamed, "limited": limited}
        if min(shares.values()) < 0 or sum(shares.values()) > 1:
            raise ValueError("shares of portals in trouble are numbers from 0 to 1, and so is their sum")
        self.names = [f"portal-{number:04}" for number in range(1, n + 1)]
        faulty = [kind for kind, share in shares.items() for _ in range(round(share * n))]
        chosen = random.Random(seed).sample(self.names, min(len(faulty), n))  # noqa: S311 - repeatable
        self.trouble = dict(zip(chosen, faulty, strict=False))
        self.webhooks: dict[str, str] = {}
        self.portals: dict[str, SandboxPortal] = {}
        self._badges = badges if badges is None or callable(badges) else [*badges]
        self._switches = switches
        self._stop: Callable[[], object] = lambda: None

    def start(self) -> Self:
        """Start all portals; returns when they are ready.

        Raises
        ------
        RuntimeError
            They are running already.
        """
        if self.webhooks:
            raise RuntimeError("This fleet is running already.")
        _allow_open_files(len(self.names))
        thread = ServerThread()
        self._stop = weakref.finalize(self, thread.stop)
        try:
            for name in self.names:
                self.webhooks[name] = self._add(name, self.trouble.get(name), thread)
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """Stop all portals. Does nothing if they are not running."""
        for portal in self.portals.values():
            portal.stop()
        self.portals.clear()
        self.webhooks.clear()
        self._stop()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _add(self, name: str, trouble: str | None, thread: ServerThread) -> str:
        """Start one portal; returns the address of its webhook."""
        if trouble == "dead":  # the port is bound, so that no other program answers there
            silent = thread.cleanup.enter_context(socket.socket())
            silent.bind((HOST, 0))
            return f"http://{HOST}:{silent.getsockname()[1]}/rest/1/nobodyanswersit/"
        badges = self._badges(name) if callable(self._badges) else self._badges
        portal = SandboxPortal(badges=badges, db=IN_MEMORY, **self._switches)
        portal.start_in(thread)
        if trouble in _FAULTS:
            what, status = _FAULTS[trouble]
            portal.faults.next(what, status=status, times=_ALWAYS)
        self.portals[name] = portal
        return portal.webhooks[{"revoked": "disabled", "noscope": "noscope"}.get(trouble or "", "admin")]

    def __repr__(self) -> str:
        return f"SandboxFleet({len(self.names)} portals, {len(self.trouble)} of them in trouble)"


def _allow_open_files(portals: int) -> None:
    """Raise the limit of open files: each portal has a socket, and each client connection has two in this process."""
    with contextlib.suppress(ImportError, ValueError):  # Windows has no such limit
        import resource

        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = 3 * portals + 1000
        if soft != resource.RLIM_INFINITY and soft < wanted:
            allowed = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
            resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
