"""A server that answers with whatever bytes a test wants, over a real socket."""

import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

from b24nb import Client, SandboxPortal, connect
from b24nb.credentials import Webhook
from b24nb.rest.connection import Connection
from b24nb.rest.transport import Transport
from tests.fakes import FakeClock
from tests.layers import require_package

Envelope = tuple[int, Any]
#: How a portal refuses a request for the rate.
TOO_MANY: Envelope = (503, {"error": "QUERY_LIMIT_EXCEEDED", "error_description": "Too many requests"})
LyingAnswer = Callable[[str, Callable[[], Envelope]], Envelope]
Reply = bytes | Callable[[socket.socket], None]


class RawServer:
    """Answers one connection after the other with the next of the replies, the last one for ever."""

    def __init__(self, replies: list[Reply], *, read: bool = True) -> None:
        self.replies = replies
        self._read = read
        self._server = socket.create_server(("127.0.0.1", 0))
        self.requests: list[bytes] = []
        self._threads: list[threading.Thread] = []
        self._done = False
        self._start(self._accept)

    @property
    def port(self) -> int:
        return int(self._server.getsockname()[1])

    @property
    def webhook(self) -> str:
        return f"http://127.0.0.1:{self.port}/rest/1/abcdef0123456789/"

    def _start(self, target: Callable[[], None]) -> None:
        thread = threading.Thread(target=target, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self._done:
            try:
                connection, _ = self._server.accept()
            except OSError:
                return
            reply = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
            self._start(lambda connection=connection, reply=reply: self._answer(connection, reply))

    def _answer(self, connection: socket.socket, reply: Reply) -> None:
        with connection, suppress(OSError):
            if self._read:
                self.requests.append(read_request(connection))
            if callable(reply):
                reply(connection)
            else:
                connection.sendall(reply)

    def close(self) -> None:
        self._done = True
        with suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()


def read_request(connection: socket.socket) -> bytes:
    """One HTTP request with its body."""
    data = b""
    while b"\r\n\r\n" not in data:
        piece = connection.recv(65536)
        if not piece:
            return data
        data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    length = next((int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if b"content-length" in line), 0)
    while len(body) < length:
        body += connection.recv(65536)
    return head + b"\r\n\r\n" + body


@contextmanager
def serving(*replies: Reply, read: bool = True) -> Iterator[RawServer]:
    """A server for some replies; without ``read`` they get the connection untouched."""
    server = RawServer(list(replies), read=read)
    try:
        yield server
    finally:
        server.close()


def http(body: bytes, status: str = "200 OK", *headers: str, length: int | None = None) -> bytes:
    """A whole answer; ``length`` other than that of the body makes it a cut one."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body) if length is None else length}", "Connection: close"]
    return "\r\n".join([*lines, *headers, "", ""]).encode() + body


@contextmanager
def answering(
    *replies: dict[str, Any] | Reply, timeout: tuple[float, float] = (5, 60)
) -> Iterator[tuple[Connection, RawServer]]:
    """A connection to a portal that gives these answers, envelopes or bytes, the last one for ever."""
    transport = Transport(timeout)
    raw = [http(json.dumps(reply).encode()) if isinstance(reply, dict) else reply for reply in replies]
    with serving(*raw) as server:
        webhook = Webhook.parse(server.webhook)
        with closing(Connection(webhook, transport, clock=FakeClock())) as connection:
            yield connection, server


def certified(name: str = "127.0.0.1", *, below: bool = False, **dates: Any) -> tuple[ssl.SSLContext, Any]:
    """What a server of this name speaks https with, and the authority that signed its certificate."""
    require_package("trustme")
    import trustme

    authority = trustme.CA(path_length=0)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    signer = trustme.CA(authority) if below else authority  # which must have no other below it
    signer.issue_cert(name, **dates).configure_cert(context)
    return context, authority


def drip(data: bytes, pause: float) -> Callable[[socket.socket], None]:
    """A byte at a time."""

    def reply(connection: socket.socket) -> None:
        for byte in data:
            connection.sendall(bytes([byte]))
            time.sleep(pause)

    return reply


def hang(connection: socket.socket) -> None:
    """No answer until the other side gives up."""
    connection.recv(1)


def reset(connection: socket.socket) -> None:
    """RST instead of an answer."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")


@contextmanager
def in_front_of(portal: SandboxPortal, answer: LyingAnswer) -> Iterator[str]:
    """The webhook of a server before a sandbox that may lie: ``answer`` gets the method, and a function that
    passes the request on and gives status and envelope; it returns what is sent instead."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            path, kind = self.path, {"Content-Type": self.headers["Content-Type"]}  # it may be passed on late
            body = self.rfile.read(int(self.headers["Content-Length"]))

            def pass_on() -> Envelope:
                upstream = HTTPConnection(urlsplit(portal.url).netloc)
                upstream.request("POST", path, body, kind)
                response = upstream.getresponse()
                found = response.status, json.loads(response.read())
                upstream.close()
                return found

            status, envelope = answer(path.rpartition("/")[2].removesuffix(".json"), pass_on)
            content = json.dumps(envelope).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json; charset=utf-8")
            self.send_header("Content-Length", str(len(content)))
            if 300 <= status < 400:
                self.send_header("Location", "http://127.0.0.1:9/elsewhere")
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            """Tests are quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        origin = urlsplit(portal.webhook)
        yield origin._replace(netloc=f"127.0.0.1:{server.server_port}").geturl()
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def through(portal: SandboxPortal, answer: LyingAnswer, **how: Any) -> Iterator[Client]:
    """A client of a server that :func:`in_front_of` puts before a sandbox."""
    with in_front_of(portal, answer) as webhook, connect(webhook, **how) as b24:
        yield b24


def altered(portal: SandboxPortal, change: Callable[[str, Any], None]) -> AbstractContextManager[Client]:
    """A client of a server before a sandbox: ``change`` gets method and envelope, and alters what is in it."""

    def answer(method: str, pass_on: Callable[[], Envelope]) -> Envelope:
        status, envelope = pass_on()
        change(method, envelope)
        return status, envelope

    return through(portal, answer)


@dataclass
class Gate:
    """A server before a sandbox that keeps the requests of a method waiting until it is opened."""

    webhook: str = ""
    reached: threading.Event = field(default_factory=threading.Event)
    opened: threading.Event = field(default_factory=threading.Event)


@contextmanager
def gate_of(portal: SandboxPortal, method: str) -> Iterator[Gate]:
    """A closed gate for this method; others pass."""
    gate = Gate()

    def answer(called: str, pass_on: Callable[[], Envelope]) -> Envelope:
        if called == method:
            gate.reached.set()
            gate.opened.wait(10)
        return pass_on()

    with in_front_of(portal, answer) as gate.webhook:
        yield gate
