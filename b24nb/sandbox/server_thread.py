"""The thread in which portals run, and the parts of a running portal.

It is a thread of its own, so that a portal works inside a Jupyter kernel: the kernel's main thread already has an
event loop, and is busy while a cell runs.
"""

from __future__ import annotations

import asyncio
import errno
import shutil
import socket
import ssl
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, TypeVar

from tornado.httpserver import HTTPServer

from b24nb.sandbox import seed as seeding
from b24nb.sandbox.accounts import Accounts
from b24nb.sandbox.faults import Faults
from b24nb.sandbox.rest_api import RestApi
from b24nb.sandbox.server import SOCKETS, Server
from b24nb.sandbox.store import IN_MEMORY, Store
from b24nb.sandbox.switches import Switches

#: Loopback only: the portal's secrets are not strong enough for a network.
HOST = "127.0.0.1"
_T = TypeVar("_T")


def _pause_without_files(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """If no file can be opened, a connection can't be accepted, which is tried again at once: wait, and log nothing."""
    if getattr(context.get("exception"), "errno", 0) == errno.EMFILE:
        time.sleep(0.1)
    else:
        loop.default_exception_handler(context)


class ServerThread:
    """A thread with an event loop and a directory for temporary files, from now until :meth:`stop`."""

    def __init__(self) -> None:
        # Made here, so that the thread can be told to end from its first moment on.
        self._loop = asyncio.new_event_loop()
        #: Closed when the thread ends.
        self.cleanup = AsyncExitStack()
        self._over = asyncio.Event()
        self._thread = threading.Thread(
            target=self._work,
            name="b24nb-sandbox",
            daemon=True,  # so that a program ends although its portal was not stopped
        )
        try:
            self._thread.start()
            self.directory = self.run(self._make_directory)  # in the thread, which no Ctrl-C interrupts
        except RuntimeError:  # threads are not possible here
            self._loop.close()
            raise
        except BaseException:
            self._loop.call_soon_threadsafe(self._over.set)
            raise

    def _make_directory(self) -> Path:
        directory = Path(tempfile.mkdtemp(prefix="b24nb-sandbox-"))
        self.cleanup.callback(shutil.rmtree, directory, ignore_errors=True)
        return directory

    def _work(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._live())

    async def _live(self) -> None:
        asyncio.get_running_loop().set_exception_handler(_pause_without_files)
        async with self.cleanup:
            await self._over.wait()

    def run(self, work: Callable[[], _T]) -> _T:
        """Call a function in this thread, which owns the databases, and return its result."""
        if threading.current_thread() is self._thread:
            return work()
        if not self._thread.is_alive():  # else this would wait for ever
            raise RuntimeError("This portal has ended, or lives in the process that this one was forked from.")

        async def there() -> _T:
            return work()

        return asyncio.run_coroutine_threadsafe(there(), self._loop).result()

    def end(self, part: AsyncExitStack) -> None:
        """Stop one portal of this thread; does nothing after the thread has ended."""
        if self._thread.is_alive():
            asyncio.run_coroutine_threadsafe(part.aclose(), self._loop).result()

    def stop(self) -> None:
        """Stop all portals of this thread and remove the temporary files."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._over.set)
            if threading.current_thread() is not self._thread:  # the garbage collector may call this in the thread
                self._thread.join()


class RunningPortal:
    """The parts of a running portal: socket, database, accounts. Made in its server thread."""

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
        SOCKETS.add(listener)
        listener.setblocking(False)
        address = f"{HOST}:{listener.getsockname()[1]}"
        self.url = f"{'https' if tls else 'http'}://{address}"
        own = thread.directory / f"{address.partition(':')[2]}.db"
        self.journal_path = f"{own if db in (None, IN_MEMORY) else db}.client-journal.db"
        self.ca_file = str(own.with_suffix(".pem")) if tls else None
        certificate = _certificate(self.ca_file) if self.ca_file else None
        self.store = Store(str(db or own), keep=db is not None, switches=switches)
        cleanup.callback(self.store.close)
        self.accounts = Accounts(self.store, seed=seed)
        administrator = seeding.fill(self.store, self.accounts, badges)
        self.tokens = self.accounts.issue(administrator)
        api = RestApi(self.accounts, faults, _sleep_of(switches.clock))
        server = Server(api, self.url)
        self.records = server.records
        # Server checks the size of bodies itself and answers 413; Tornado would only close the connection.
        http = HTTPServer(server, ssl_options=certificate, max_body_size=1 << 40, max_header_size=1 << 20)
        http.add_socket(listener)
        cleanup.push_async_callback(http.close_all_connections)
        cleanup.push_async_callback(server.close)
        cleanup.callback(http.stop)


def _certificate(ca_file: str) -> ssl.SSLContext:
    """A certificate for this machine by a new authority, whose file clients need."""
    try:
        import trustme  # installed by the extra `tls`
    except ImportError:
        raise RuntimeError('https needs the package trustme: pip install "b24nb[tls]"') from None

    authority = trustme.CA()
    authority.cert_pem.write_to_path(ca_file)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(HOST, "localhost", "::1").configure_cert(context)
    return context


def _sleep_of(clock: Callable[[], float]) -> Callable[[float], Any]:
    """The sleep function of a portal: that of its clock (in tests, without real waiting), else asyncio's."""
    own = getattr(clock, "sleep", None)
    if own is None:
        return asyncio.sleep

    async def sleep(seconds: float) -> None:
        own(seconds)

    return sleep
