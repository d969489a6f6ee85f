"""The thread that portals live in, and what a running portal is made of.

A thread of its own, so that it works inside a Jupyter kernel, whose main thread has a loop already and
is busy whenever a cell runs.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import ssl
import tempfile
import threading
import weakref
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, TypeVar

from tornado.httpserver import HTTPServer

from b24nb.sandbox import seed as seeding
from b24nb.sandbox.accounts import Accounts
from b24nb.sandbox.faults import Faults
from b24nb.sandbox.rest_api import RestApi
from b24nb.sandbox.server import Server
from b24nb.sandbox.store import IN_MEMORY, Store
from b24nb.sandbox.switches import Switches

#: Loopback only: the portal's secrets are no protection for a network.
HOST = "127.0.0.1"
_T = TypeVar("_T")
_LISTENERS: weakref.WeakSet[socket.socket] = weakref.WeakSet()


def _close_listeners() -> None:
    """A forked process would keep the ports taken, and let clients wait for ever, once the portals have ended."""
    for listener in _LISTENERS:
        listener.close()


if hasattr(os, "register_at_fork"):  # Windows has no fork
    os.register_at_fork(after_in_child=_close_listeners)


class ServerThread:
    """A thread with an event loop and a directory for temporary files, from now until :meth:`stop`."""

    def __init__(self) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="b24nb-sandbox-"))
        #: What ends with the thread.
        self.cleanup = AsyncExitStack()
        self._over = asyncio.Event()
        started: Future[asyncio.AbstractEventLoop] = Future()
        self._thread = threading.Thread(
            target=self._work,
            args=(started,),
            name="b24nb-sandbox",
            daemon=True,  # a program that forgets to stop its portal still ends
        )
        try:
            self._thread.start()
            self._loop = started.result()
        except BaseException:
            self.directory.rmdir()
            raise

    def _work(self, started: Future[asyncio.AbstractEventLoop]) -> None:
        try:
            with asyncio.Runner() as runner:
                runner.get_loop()  # fails, where it does, before there is a coroutine
                runner.run(self._live(started))
        except Exception as error:  # noqa: BLE001 - raised in the thread that waits for it
            started.set_exception(error)

    async def _live(self, started: Future[asyncio.AbstractEventLoop]) -> None:
        async with self.cleanup:
            self.cleanup.callback(shutil.rmtree, self.directory, ignore_errors=True)
            started.set_result(asyncio.get_running_loop())
            await self._over.wait()

    def run(self, work: Callable[[], _T]) -> _T:
        """Do something in this thread, where the databases are, and wait for it."""
        if threading.current_thread() is self._thread:
            return work()
        if not self._thread.is_alive():  # nobody would ever answer
            raise RuntimeError("This portal has ended, or lives in the process that this one was forked from.")

        async def there() -> _T:
            return work()

        return asyncio.run_coroutine_threadsafe(there(), self._loop).result()

    def end(self, part: AsyncExitStack) -> None:
        """End one of those that live here, before the others; afterwards there is nothing to do."""
        if self._thread.is_alive():
            asyncio.run_coroutine_threadsafe(part.aclose(), self._loop).result()

    def stop(self) -> None:
        """End all that lives here and remove what was temporary."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._over.set)
            if threading.current_thread() is not self._thread:  # a forgotten portal may be collected here
                self._thread.join()


class RunningPortal:
    """A portal that answers: socket, database, accounts. Made in the thread that it lives in."""

    def __init__(
        self,
        thread: ServerThread,
        switches: Switches,
        faults: Faults,
        *,
        db: str | Path | None,
        port: int,
        tls: bool,
        seed: int | None,
        badges: Iterable[Mapping[str, Any]] | None,
    ) -> None:
        self.thread = thread
        self.cleanup = cleanup = AsyncExitStack()
        thread.cleanup.push_async_exit(cleanup)
        listener = cleanup.enter_context(socket.create_server((HOST, port), backlog=512))
        _LISTENERS.add(listener)
        listener.setblocking(False)
        address = f"{HOST}:{listener.getsockname()[1]}"
        self.url = f"{'https' if tls else 'http'}://{address}"
        own = thread.directory / f"{address.partition(':')[2]}.db"
        self.journal_path = f"{own if db in (None, IN_MEMORY) else db}.client-journal.db"
        self.store = Store(str(db or own), keep=db is not None, switches=switches)
        cleanup.callback(self.store.close)
        self.accounts = Accounts(self.store, seed=seed)
        administrator = seeding.fill(self.store, self.accounts, badges)
        self.tokens = self.accounts.issue(administrator)
        api = RestApi(self.accounts, faults, _sleep_of(switches.clock))
        server = Server(api, self.url)
        self.records = server.records
        self.ca_file = str(thread.directory / "ca.pem") if tls else None
        certificate = _certificate(self.ca_file) if self.ca_file else None
        # The limit on bodies is the server's own, which says so; Tornado would just hang up.
        http = HTTPServer(server, ssl_options=certificate, max_body_size=1 << 40, max_header_size=1 << 20)
        http.add_socket(listener)
        cleanup.push_async_callback(http.close_all_connections)
        cleanup.push_async_callback(server.close)
        cleanup.callback(http.stop)


def _certificate(ca_file: str) -> ssl.SSLContext:
    """A certificate for this machine from an authority made on the spot; clients need its file."""
    try:
        import trustme  # an extra
    except ImportError:
        raise RuntimeError('https needs the package trustme: pip install "b24nb[tls]"') from None

    authority = trustme.CA()
    authority.cert_pem.write_to_path(ca_file)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(HOST, "localhost", "::1").configure_cert(context)
    return context


def _sleep_of(clock: Callable[[], float]) -> Callable[[float], Any]:
    """How this portal lets time pass: a clock that can sleep by itself (a test's) is not waited for."""
    own = getattr(clock, "sleep", None)
    if own is None:
        return asyncio.sleep

    async def sleep(seconds: float) -> None:
        own(seconds)

    return sleep
