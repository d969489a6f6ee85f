"""The thread that a portal lives in: its event loop, database and socket, from start to stop.

A thread of its own, so that it works inside a Jupyter kernel, whose main thread has a loop already and
is busy whenever a cell runs.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import tempfile
import threading
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from tornado.httpserver import HTTPServer

from b24nb.sandbox import seed as seeding
from b24nb.sandbox.accounts import Accounts
from b24nb.sandbox.api import Api
from b24nb.sandbox.exchange import Record
from b24nb.sandbox.faults import Faults
from b24nb.sandbox.server import Server
from b24nb.sandbox.store import Store
from b24nb.sandbox.switches import Switches

#: Loopback only: the portal's secrets are no protection for a network.
HOST = "127.0.0.1"
_T = TypeVar("_T")


class Setup(NamedTuple):
    """What a portal is made of."""

    switches: Switches
    faults: Faults
    db: Path | None
    port: int
    tls: bool
    seed: int | None
    badges: list[Mapping[str, Any]] | None


class ServerThread:
    """A running portal: it answers once this has been made, until :meth:`stop`."""

    def __init__(self, setup: Setup) -> None:
        self._directory = tempfile.TemporaryDirectory(prefix="b24nb-sandbox-")
        self.database = setup.db or Path(self._directory.name) / "portal.db"
        self.ca_file: str | None = None
        self.url = ""
        self.tokens: Mapping[str, Any] = {}
        self.records: deque[Record] = deque()
        self.store: Store
        self.accounts: Accounts
        self._loop: asyncio.AbstractEventLoop
        self._over: asyncio.Event
        ready: Future[None] = Future()
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._live(setup, ready)),
            name="b24nb-sandbox",
            daemon=True,  # a program that forgets to stop its portal still ends
        )
        self._thread.start()
        try:
            ready.result()
        except BaseException:
            self._thread.join()
            self._directory.cleanup()
            raise

    def run(self, work: Callable[[], _T]) -> _T:
        """Do something in the thread of the server, where the database is, and wait for it."""
        if threading.current_thread() is self._thread:
            return work()

        async def there() -> _T:
            return work()

        return asyncio.run_coroutine_threadsafe(there(), self._loop).result()

    def stop(self) -> None:
        """End it and remove what was temporary."""
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join()
        self._directory.cleanup()

    def _certificate(self) -> ssl.SSLContext:
        """A certificate for this machine from an authority made on the spot; clients need its file."""
        import trustme  # an extra

        authority = trustme.CA()
        self.ca_file = str(Path(self._directory.name) / "ca.pem")
        authority.cert_pem.write_to_path(self.ca_file)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(HOST, "localhost", "::1").configure_cert(context)
        return context

    async def _live(self, setup: Setup, ready: Future[None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._over = asyncio.Event()
        with ExitStack() as cleanup:
            try:
                server, http = self._open(setup, cleanup)
            except BaseException as error:  # noqa: BLE001 - start() raises it in the caller's thread
                ready.set_exception(error)
                return
            ready.set_result(None)
            await self._over.wait()
            http.stop()
            await server.close()
            await http.close_all_connections()

    def _open(self, setup: Setup, cleanup: ExitStack) -> tuple[Server, HTTPServer]:
        listener = cleanup.enter_context(socket.create_server((HOST, setup.port), backlog=512))
        listener.setblocking(False)
        self.url = f"{'https' if setup.tls else 'http'}://{HOST}:{listener.getsockname()[1]}"
        self.store = Store(str(self.database), keep=setup.db is not None, switches=setup.switches)
        cleanup.callback(self.store.close)
        self.accounts = Accounts(self.store, seed=setup.seed)
        seeding.fill(self.store, self.accounts, setup.badges)
        self.tokens = self.accounts.issue(seeding.ADMINISTRATOR)
        api = Api(self.accounts, setup.faults, _sleep_of(setup.switches.clock))
        server = Server(api, self.url)
        self.records = server.records
        certificate = self._certificate() if setup.tls else None
        # The limit on bodies is the server's own, which says so; Tornado would just hang up.
        http = HTTPServer(server, ssl_options=certificate, max_body_size=1 << 40)
        http.add_socket(listener)
        return server, http


def _sleep_of(clock: Callable[[], float]) -> Callable[[float], Any]:
    """How this portal lets time pass: a clock that can sleep by itself (a test's) is not waited for."""
    own = getattr(clock, "sleep", None)
    if own is None:
        return asyncio.sleep

    async def sleep(seconds: float) -> None:
        own(seconds)

    return sleep
