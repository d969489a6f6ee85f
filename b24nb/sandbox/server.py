"""The web server of the portal: routing, the request rate, faults, the log of requests.

It uses Tornado's HTTP connection directly, since there is only one handler, and faults need the stream. Every
notebook starts a portal, so modules that the first answer does not need are imported in functions.
"""

from __future__ import annotations

import asyncio
import logging
import os
import re
import socket
import time
import weakref
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from typing import Any

from tornado.http1connection import HTTP1Connection
from tornado.httputil import HTTPHeaders, HTTPMessageDelegate, HTTPServerConnectionDelegate, RequestStartLine
from tornado.iostream import StreamClosedError

from b24nb import spec
from b24nb.sandbox import http_messages as messages
from b24nb.sandbox.accounts import Credentials
from b24nb.sandbox.faults import Fault, send_broken
from b24nb.sandbox.http_messages import Record, Reply, Request, plain, reply
from b24nb.sandbox.php import TooManyParameters
from b24nb.sandbox.rate_limits import LeakyBucket
from b24nb.sandbox.rest_api import RestApi
from b24nb.sandbox.rest_method import Refusal

_LOG = logging.getLogger(__name__)
#: How many requests the portal keeps in its log.
REMEMBERED = 1000
_HOST = re.compile(r"(localhost|127\.0\.0\.1|\[::1\])(:\d+)?", re.IGNORECASE)
_REST_HEADERS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Headers": "origin, content-type, accept",
    "X-Content-Type-Options": "nosniff",
}
#: REST 3.0 is another protocol, which has no badge methods.
_NO_SUCH_METHOD_V3 = {
    "error": {"code": "BITRIX_REST_V3_EXCEPTION_METHODNOTFOUNDEXCEPTION", "message": "Method not found"}
}
_NOTHING = plain(404, "Nothing here. The portal's page is at /, its REST API at /rest/.")

_Call = Callable[[], Awaitable[Reply]]
#: The sockets of all portals: those that listen, and those of connections.
SOCKETS: weakref.WeakSet[socket.socket] = weakref.WeakSet()


def _close_inherited() -> None:
    """Close the sockets in a forked process: they would keep ports and connections open, and clients would wait."""
    for inherited in SOCKETS:
        inherited.close()


if hasattr(os, "register_at_fork"):  # Windows has no fork
    os.register_at_fork(after_in_child=_close_inherited)


class Server(HTTPServerConnectionDelegate):
    """The HTTP server of one portal. It is used only in the thread of its event loop."""

    def __init__(self, api: RestApi, url: str) -> None:
        self.api, self.switches, self.url = api, api.switches, url
        self.records: deque[Record] = deque(maxlen=REMEMBERED)
        self._buckets: dict[str, LeakyBucket] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._later: list[tuple[float, _Call]] = []

    def start_request(self, server_conn: object, request_conn: Any) -> Reader:
        if connection := request_conn.stream.socket:  # None: closed already
            SOCKETS.add(connection)
        return Reader(self, request_conn)

    async def close(self) -> None:
        """Cancel the running tasks and the late effects."""
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._later.clear()

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run it until it is done or the portal stops."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def serve(self, request: Request, connection: HTTP1Connection) -> None:
        """Answer one request, normally or with a simulated fault."""
        latency = self.switches.latency_ms / 2000
        if latency:
            await self.api.sleep(latency)
        fault = None
        try:
            answer, fault = await self._reply(request)
        except TooManyParameters as error:
            answer = plain(400, str(error))
        except Exception:  # noqa: BLE001 - after a bug of the sandbox the client still gets an answer
            _LOG.exception("the sandbox failed at %s", messages.shown(request.path))
            answer = reply(500, Refusal("INTERNAL_SERVER_ERROR", "Internal server error").envelope)
        broken = fault if fault and fault.kind != "error" else None
        if request.path != "/":  # an open page asks for itself every few seconds
            self.records.append(request.record(answer, broken.kind if broken else None))
        if latency:
            await self.api.sleep(latency)
        try:
            if broken:
                await send_broken(connection, broken, answer, request)
            else:
                messages.send(connection, answer, head_only=request.verb == "HEAD")
        except StreamClosedError:
            pass  # the client has closed the connection

    async def _reply(self, request: Request) -> tuple[Reply, Fault | None]:
        if not _HOST.fullmatch(request.headers.get("Host", "")):
            return plain(403, "This sandbox answers to localhost only."), None
        if request.body_size > messages.MAX_BODY_BYTES:
            return plain(413, f"The body is larger than {messages.MAX_BODY_BYTES} bytes."), None
        path = request.path
        if path.startswith("/rest/api/"):
            return reply(400, _NO_SUCH_METHOD_V3), None
        if path.startswith("/rest/"):
            return await self._rest(request)
        if path.startswith("/oauth/"):
            return await self._oauth(request)
        if path == "/":
            from b24nb.sandbox import page

            html = page.render(self.api.store, self.records)
            return Reply(200, "text/html; charset=utf-8", html.encode(), page.HEADERS), None
        # The page of a deal on a portal; here it redirects to the card of the deal.
        if deal := re.fullmatch(r"/crm/deal/details/(\d{1,18})/?", path, re.ASCII):
            return Reply(302, "text/plain", b"", {"Location": f"/#deal-{deal[1]}"}), None
        return _NOTHING, None

    async def _rest(self, request: Request) -> tuple[Reply, Fault | None]:
        if request.verb == "OPTIONS":
            return Reply(200, messages.JSON_TYPE, b"", _REST_HEADERS), None
        request.decode()
        bucket = self._buckets.setdefault(request.remote, LeakyBucket())
        if self.switches.limits and not bucket.admit(spec.TARIFFS[self.switches.tariff], self.switches.clock()):
            return reply(503, Refusal("QUERY_LIMIT_EXCEEDED", "Too many requests").envelope), None
        return await self._answer_with_fault(request, partial(self._call, request))

    async def _answer_with_fault(self, request: Request, call: _Call) -> tuple[Reply, Fault | None]:
        """Answer a call, with a simulated fault if there is one for it."""
        await self._run_later()
        fault = self.api.faults.take(request.method)
        if fault is None or fault.effect == "before":
            answer = await call()
        else:
            answer = reply(200, {"result": []}, _REST_HEADERS)
            if fault.effect == "later":
                request.run_late = partial(self._run_in, fault.delay, call)
        if fault and fault.kind != "error":
            answer = answer._replace(status=fault.status or (502 if fault.kind == "html" else answer.status))
        elif fault and fault.refusal:
            answer = reply(fault.refusal.status, fault.refusal.envelope, _REST_HEADERS, xml=request.xml)
        return answer, fault

    async def _call(self, request: Request) -> Reply:
        start, cpu = self.switches.clock(), time.thread_time()
        status, payload = await self.api.answer(request)
        took = self.switches.clock() - start
        request.rest_ms = took * 1000
        headers = dict(_REST_HEADERS)
        if self.switches.cloud_headers:
            spent = {"": took, "User-": time.thread_time() - cpu, "System-": 0}
            headers |= {f"X-Bitrix-Rest-{name}Time": f"{seconds:.10f}" for name, seconds in spent.items()}
            if request.caller and request.caller.is_application:
                headers["X-Bitrix-Rest-Application"] = request.caller.credential
        return reply(status, payload, headers, xml=request.xml)

    async def _oauth(self, request: Request) -> tuple[Reply, Fault | None]:
        """Answer for the authorization server, which for a real portal is another host."""
        from b24nb.sandbox import token_endpoint

        params, accounts = request.parameters(), self.api.accounts
        path = request.path.removesuffix("/")
        if path == "/oauth/rest/app.info":
            token = Credentials(params, request.bearer).token
            return reply(*token_endpoint.app_info(token, accounts, self.url)), None
        if path != "/oauth/token":
            return _NOTHING, None
        request.method = "oauth/token"

        async def tokens() -> Reply:
            return reply(*token_endpoint.token(params, accounts, self.url))

        return await self._answer_with_fault(request, tokens)

    def _run_in(self, seconds: float, call: _Call) -> None:
        """Carry out a call when so many seconds have passed on the portal's clock."""
        self._later.append((self.switches.clock() + seconds, call))
        # This timer suits a real clock; with another clock, each request checks which calls are due.
        asyncio.get_running_loop().call_later(seconds + 0.01, lambda: self.spawn(self._run_later()))

    async def _run_later(self) -> None:
        now = self.switches.clock()
        due = [call for at, call in self._later if at <= now]
        self._later = [(at, call) for at, call in self._later if at > now]
        for call in due:
            await call()


class Reader(HTTPMessageDelegate):
    """Collects one request. A body that is too large is read to its end but not kept, so that the client can send
    all of it and then read why it was refused."""

    def __init__(self, server: Server, connection: HTTP1Connection) -> None:
        self._server, self._connection = server, connection
        self._chunks, self._size = list[bytes](), 0

    def headers_received(self, start_line: Any, headers: HTTPHeaders) -> None:
        self._start_line: RequestStartLine = start_line
        self._headers = headers
        if headers.get("Transfer-Encoding", "chunked").lower() != "chunked":
            # Tornado before 6.5.3 would parse the body as the next request.
            stream = self._connection.detach()
            stream.write(messages.head(400, "text/plain", 0))
            stream.close()

    def data_received(self, chunk: bytes) -> None:
        self._size += len(chunk)
        if self._size <= messages.MAX_BODY_BYTES:
            self._chunks.append(chunk)

    def finish(self) -> None:
        context: Any = self._connection.context
        request = Request(
            verb=self._start_line.method,
            # Tornado decodes a request line as latin-1; a portal decodes it as UTF-8.
            target=self._start_line.path.encode("latin-1").decode("utf-8", "replace"),
            headers=self._headers,
            body=b"".join(self._chunks),
            body_size=self._size,
            secure=context.protocol == "https",
            remote=context.remote_ip,
            at=self._server.switches.clock(),
        )
        self._server.spawn(self._server.serve(request, self._connection))
