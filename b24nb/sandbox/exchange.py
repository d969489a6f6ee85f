"""One HTTP exchange: reading the request, writing the answer, and what is remembered of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from http.client import responses
from types import MappingProxyType
from typing import Any, NamedTuple

from tornado.http1connection import HTTP1Connection
from tornado.httputil import (
    HTTPHeaders,
    HTTPMessageDelegate,
    RequestStartLine,
    ResponseStartLine,
)

from b24nb._version import __version__
from b24nb.sandbox import wire

#: Paths and names are cut to this where they are remembered.
_REMEMBERED_TEXT = 200
SANDBOX = f"b24nb/{__version__}"


class Record(NamedTuple):
    """One request as the portal saw it. It holds no secret: the path is masked, the query left out.

    Attributes
    ----------
    at : float
        When it arrived, by the portal's clock.
    verb, path, method : str
        ``method`` is the REST method as sent, ``""`` where there is none.
    http_status : int or None
        ``None`` where no answer was sent.
    error : str or None
        Code of the error, or kind of the fault.
    ms : float
        Milliseconds until the answer was ready, simulated work included.
    bytes : int
        Of the answer's body.
    commands : mapping
        For ``batch``: how often each method was called inside.
    rest_ms : float or None
        Milliseconds of the REST API alone, as ``X-Bitrix-Rest-Time`` states them; ``None`` where it was
        not reached.
    """

    at: float
    verb: str
    path: str
    method: str
    http_status: int | None
    error: str | None
    ms: float
    bytes: int
    commands: Mapping[str, int]
    rest_ms: float | None


class Arrival:
    """A request on its way through the server."""

    def __init__(self, message: wire.Message, at: float) -> None:
        self.message = message
        self.method = ""
        self.commands: Mapping[str, int] = {}
        self.rest_ms: float | None = None
        self._at = at
        self._began = time.perf_counter()

    def record(self, reply: Reply, fault: str | None) -> Record:
        """What is remembered of it; ``fault`` is the kind of a broken answer."""
        silent = fault in ("reset", "hang")
        return Record(
            at=self._at,
            verb=self.message.verb,
            path=wire.masked(self.message.path)[:_REMEMBERED_TEXT],
            method=self.method[:_REMEMBERED_TEXT],
            http_status=None if silent else reply.status,
            error=fault or reply.error,
            ms=(time.perf_counter() - self._began) * 1000,
            bytes=0 if silent else len(reply.body),
            commands=self.commands,
            rest_ms=self.rest_ms,
        )


class Reply(NamedTuple):
    """What goes back."""

    status: int
    content_type: str
    body: bytes
    headers: Mapping[str, str] = MappingProxyType({})
    error: str | None = None


def json_reply(status: int, payload: Any, headers: Mapping[str, str] | None = None) -> Reply:
    """An envelope as it stands."""
    content_type, body = wire.encode(payload)
    error = payload.get("error")
    return Reply(status, content_type, body, headers or {}, error if isinstance(error, str) else None)


def plain(status: int, text: str) -> Reply:
    """A sentence of the web server, not of the REST API."""
    return Reply(status, "text/plain; charset=utf-8", text.encode(), error=text)


def reason(status: int) -> str:
    return responses.get(status, "Unknown")  # a fault may ask for any three digits


def send(connection: HTTP1Connection, reply: Reply, *, head: bool) -> None:
    """Write an answer and hand the connection back for the next request."""
    headers = HTTPHeaders()
    headers["Content-Type"] = reply.content_type
    headers["Content-Length"] = str(len(reply.body))
    headers["X-Sandbox"] = SANDBOX
    for name, value in reply.headers.items():
        headers[name] = value
    start_line = ResponseStartLine("HTTP/1.1", reply.status, reason(reply.status))
    connection.write_headers(start_line, headers, None if head else reply.body)
    connection.finish()


class Reader(HTTPMessageDelegate):
    """Collects one request. A body over the limit is read to its end, so that the client can send it
    all and then read why it was refused, but it is not kept."""

    def __init__(
        self, connection: HTTP1Connection, deliver: Callable[[wire.Message, HTTP1Connection], None]
    ) -> None:
        self._connection = connection
        self._deliver = deliver
        self._chunks: list[bytes] = []
        self._size = 0

    def headers_received(self, start_line: Any, headers: HTTPHeaders) -> None:
        self._start_line: RequestStartLine = start_line
        self._headers = headers

    def data_received(self, chunk: bytes) -> None:
        self._size += len(chunk)
        if self._size <= wire.MAX_BODY_BYTES:
            self._chunks.append(chunk)

    def finish(self) -> None:
        context: Any = self._connection.context
        message = wire.Message(
            verb=self._start_line.method,
            # Tornado reads a request line as latin-1; a portal takes it for UTF-8.
            target=self._start_line.path.encode("latin-1").decode("utf-8", "replace"),
            headers=self._headers,
            body=b"".join(self._chunks),
            body_size=self._size,
            secure=context.protocol == "https",
            remote=context.remote_ip,
        )
        self._deliver(message, self._connection)

    def on_connection_close(self) -> None:
        self._chunks.clear()
