"""The web server of the portal: routing, the limit in front, faults, the record of requests.

It speaks to Tornado's HTTP connection directly: there is one handler, and faults need the stream.
Every notebook starts a portal, so what the first answer does not need is imported where it is needed.
"""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections import deque
from collections.abc import Coroutine
from typing import Any

from tornado.http1connection import HTTP1Connection
from tornado.httputil import HTTPServerConnectionDelegate
from tornado.iostream import StreamClosedError

from b24nb import spec
from b24nb.sandbox import wire
from b24nb.sandbox.access import Credentials
from b24nb.sandbox.api import Api
from b24nb.sandbox.calls import Refusal
from b24nb.sandbox.exchange import Arrival, Reader, Record, Reply, json_reply, plain, send
from b24nb.sandbox.faults import Fault
from b24nb.sandbox.limits import LeakyBucket

_LOG = logging.getLogger(__name__)
#: How many requests the portal remembers.
REMEMBERED = 1000
_HOST = re.compile(r"(localhost|127\.0\.0\.1|\[::1\])(:\d+)?", re.IGNORECASE)
_REST_HEADERS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Headers": "origin, content-type, accept",
    "X-Content-Type-Options": "nosniff",
}
#: REST 3.0 is another protocol, and it knows nothing about badges.
_NO_SUCH_METHOD_V3 = {
    "error": {"code": "BITRIX_REST_V3_EXCEPTION_METHODNOTFOUNDEXCEPTION", "message": "Method not found"}
}
_NOTHING = plain(404, "Nothing here. The portal's page is at /, its REST API at /rest/.")


class Server(HTTPServerConnectionDelegate):
    """One portal's HTTP side. It lives in the thread of its event loop."""

    def __init__(self, api: Api, url: str) -> None:
        self.api = api
        self.switches = api.switches
        self.url = url
        self.records: deque[Record] = deque(maxlen=REMEMBERED)
        self._buckets: dict[str, LeakyBucket] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._later: list[tuple[float, wire.Request]] = []

    def start_request(self, server_conn: object, request_conn: Any) -> Reader:
        return Reader(request_conn, lambda message, connection: self._spawn(self._serve(message, connection)))

    async def close(self) -> None:
        """End what still runs."""
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, message: wire.Message, connection: HTTP1Connection) -> None:
        """Answer one request: well, or as a fault in store has it."""
        arrival = Arrival(message, self.switches.clock())
        latency = self.switches.latency_ms / 2000
        if latency:
            await self.api.sleep(latency)
        try:
            reply, fault = await self._reply(arrival)
        except wire.Unreadable as error:
            reply, fault = plain(error.status, error.text), None
        except Exception:  # noqa: BLE001 - a bug of the sandbox is an answer too, not a silent socket
            _LOG.exception("the sandbox failed at %s", wire.masked(message.path))
            refusal = Refusal("INTERNAL_SERVER_ERROR", "Internal server error", 500)
            reply, fault = json_reply(refusal.status, refusal.envelope), None
        broken = fault if fault and fault.kind != "error" else None
        self.records.append(arrival.record(reply, broken.kind if broken else None))
        if latency:
            await self.api.sleep(latency)
        try:
            if broken:
                from b24nb.sandbox import breakage

                await breakage.send(connection, broken, reply, message.target)
            else:
                send(connection, reply, head=message.verb == "HEAD")
        except StreamClosedError:
            pass  # the client did not wait for it

    async def _reply(self, arrival: Arrival) -> tuple[Reply, Fault | None]:
        message = arrival.message
        if not _HOST.fullmatch(message.headers.get("Host", "")):
            return plain(403, "This sandbox answers to localhost only."), None
        if message.body_size > wire.MAX_BODY_BYTES:
            return plain(413, f"The body is larger than {wire.MAX_BODY_BYTES} bytes."), None
        path = message.path
        if path.startswith("/rest/api/"):
            return json_reply(400, _NO_SUCH_METHOD_V3), None
        if path.startswith("/rest/"):
            return await self._rest(arrival)
        if path.startswith("/oauth/"):
            return self._oauth(arrival)
        if path == "/":
            from b24nb.sandbox import page

            html = page.render(self.api.store, self.records)
            return Reply(200, "text/html; charset=utf-8", html.encode(), page.HEADERS), None
        return _NOTHING, None

    async def _rest(self, arrival: Arrival) -> tuple[Reply, Fault | None]:
        message = arrival.message
        if message.verb == "OPTIONS":
            return Reply(200, wire.JSON_TYPE, b"", _REST_HEADERS), None
        if self.switches.limits and not self._admit(message.remote):
            refusal = Refusal("QUERY_LIMIT_EXCEEDED", "Too many requests", 503)
            return json_reply(refusal.status, refusal.envelope), None
        request = wire.decode(message)
        arrival.method = request.method
        if self._later:
            await self._run_later()
        fault = self.api.faults.take(request.method)
        if fault is None or fault.effect == "before":
            reply = await self._call(arrival, request)
        else:
            reply = json_reply(200, {"result": []}, _REST_HEADERS)
            if fault.effect == "later":
                self._run_in(fault.delay, request)
        if fault and fault.refusal:
            status, envelope = fault.refusal.status, fault.refusal.envelope
            content_type, body = wire.encode(envelope, xml=request.xml)
            reply = Reply(status, content_type, body, _REST_HEADERS, envelope["error"])
        return reply, fault

    async def _call(self, arrival: Arrival, request: wire.Request) -> Reply:
        start, cpu = self.switches.clock(), time.thread_time()
        outcome = await self.api.answer(request)
        arrival.commands = outcome.commands
        took = self.switches.clock() - start
        arrival.rest_ms = took * 1000
        headers = dict(_REST_HEADERS)
        if self.switches.cloud_headers:
            headers["X-Bitrix-Rest-Time"] = f"{took:.10f}"
            headers["X-Bitrix-Rest-User-Time"] = f"{time.thread_time() - cpu:.10f}"
            headers["X-Bitrix-Rest-System-Time"] = f"{0:.10f}"
            if outcome.caller and outcome.caller.is_application:
                headers["X-Bitrix-Rest-Application"] = outcome.caller.credential
        content_type, body = wire.encode(outcome.payload, xml=request.xml)
        return Reply(outcome.status, content_type, body, headers, outcome.payload.get("error"))

    def _oauth(self, arrival: Arrival) -> tuple[Reply, Fault | None]:
        """The authorization server, which on a real portal is another host."""
        from b24nb.sandbox import oauth

        params, accounts = wire.parameters(arrival.message), self.api.accounts
        path = arrival.message.path.removesuffix("/")
        if path == "/oauth/rest/app.info":
            token = Credentials(params, wire.bearer(arrival.message.headers)).token
            return json_reply(*oauth.app_info(token, accounts, self.url)), None
        if path != "/oauth/token":
            return _NOTHING, None
        arrival.method = "oauth/token"
        fault = self.api.faults.take("oauth/token")
        if fault and fault.refusal:
            return json_reply(fault.refusal.status, fault.refusal.envelope), fault
        if fault and fault.effect != "before":
            return json_reply(200, {}), fault
        return json_reply(*oauth.token(params, accounts, self.url)), fault

    def _admit(self, remote: str) -> bool:
        bucket = self._buckets.setdefault(remote, LeakyBucket())
        return bucket.admit(spec.TARIFFS[self.switches.tariff], self.switches.clock())

    def _run_in(self, seconds: float, request: wire.Request) -> None:
        """Carry a call out once the portal's clock has come that far."""
        self._later.append((self.switches.clock() + seconds, request))
        # Wakes up where the clock is the real one; another clock is looked at with each request.
        asyncio.get_running_loop().call_later(seconds + 0.01, lambda: self._spawn(self._run_later()))

    async def _run_later(self) -> None:
        now = self.switches.clock()
        due = [request for at, request in self._later if at <= now]
        self._later = [(at, request) for at, request in self._later if at > now]
        for request in due:
            await self.api.answer(request)
