"""A conversation with one portal: what may be repeated, and what must not be.

A refusal for the request rate comes before the method runs, so it is waited out and repeated. A
connection that never came about is tried again. A read is repeated when its answer is lost; a write is
not: it raises with ``sent`` set, and whoever knows its effect looks whether it happened.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from b24nb import spec
from b24nb.credentials import Credentials, Endpoint, OAuthToken, is_loopback
from b24nb.errors import (
    ApiError,
    ConnectionFailed,
    RateLimited,
    ReadOnly,
    TokenExpired,
    TransportError,
)
from b24nb.rest import batch
from b24nb.rest.batch import BatchResponse, Command
from b24nb.rest.calls import Call, CallLog, masked
from b24nb.rest.clock import SYSTEM_CLOCK, Clock
from b24nb.rest.limits import LeakyBucket, Limits
from b24nb.rest.response import Response, understand, understand_token
from b24nb.rest.transport import Answer, Transport, encode

__all__ = ["Connection", "Response"]

_READ_VERBS = frozenset({"get", "list", "fields", "current", "count", "info", "time", "types", "scope"})
_READS = frozenset({"profile", "scope", "methods", "server.time", "app.info"})
_ATTEMPTS = 3
_RATE_ATTEMPTS = 10
_PAUSE = 0.3


def is_write(method: str) -> bool:
    """Whether a method may change something; one that nobody knows counts as a write.

    Examples
    --------
    >>> is_write("crm.activity.badge.delete"), is_write("crm.deal.list"), is_write("batch")
    (True, False, True)
    """
    name = method.lower()
    if name in spec.METHODS:
        return spec.METHODS[name].changes
    return name not in _READS and name.rpartition(".")[2] not in _READ_VERBS


class Connection:
    """One portal over kept-alive connections, safe to use from several threads.

    Parameters
    ----------
    credentials : Webhook or OAuthToken
        Who calls.
    tariff : str
        The plan, for the request rate.
    timeout : (float, float)
        Seconds to connect, and in total.
    verify : bool or str
        As in requests.
    read_only : bool
        Refuse writes before they are sent.
    clock : Clock
        Time of day and waiting; durations are always measured by the real one.
    """

    def __init__(
        self,
        credentials: Credentials,
        *,
        tariff: str = "standard",
        timeout: tuple[float, float] = (5, 60),
        verify: bool | str = True,
        read_only: bool = False,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self.credentials = credentials
        self.clock = clock
        self.read_only = read_only
        self.bucket = LeakyBucket(tariff, clock)
        self.calls = CallLog(Limits(self.bucket, clock))
        self.is_sandbox = False
        self._transport = Transport(timeout=timeout, verify=verify)
        self._refreshing = threading.Lock()

    def call(
        self, method: str, params: Mapping[str, Any] | None = None, *, write: bool | None = None
    ) -> Response:
        """Call a method.

        Parameters
        ----------
        method : str
            A REST method.
        params : mapping, optional
            Sent as JSON.
        write : bool, optional
            Whether it may change something; ``None``: decided from its name.

        Returns
        -------
        Response

        Raises
        ------
        ApiError, TransportError, ReadOnly, InvalidInput
            A :class:`TransportError` with ``sent`` on a write: the answer is lost, the effect unknown.
        """
        write = is_write(method) if write is None else write
        if write:
            self._refuse_if_read_only(method)
        envelope, call = self._exchange(method, params or {}, write=write)
        return Response.of(envelope, call)

    def batch(
        self, commands: Mapping[str, tuple[str, Mapping[str, Any] | None]], *, halt: bool = False
    ) -> BatchResponse:
        """Send any number of commands, 50 to a request, at the pace that the plan allows.

        Parameters
        ----------
        commands : mapping
            ``key -> (method, params)``.
        halt : bool
            Stop at the first error, later requests included.

        Returns
        -------
        BatchResponse
        """
        listed = [(key, method, params) for key, (method, params) in commands.items()]
        answers: dict[str, Response | ApiError] = {}
        left: list[str] = []
        for start in range(0, len(listed), spec.BATCH_SIZE):
            part = self.send_chunk(listed[start : start + spec.BATCH_SIZE], halt=halt)
            answers.update(part)
            left += part.not_sent
            if halt and part.errors:
                left += [key for key, *_ in listed[start + spec.BATCH_SIZE :]]
                break
        return BatchResponse(answers, left)

    def send_chunk(self, commands: Sequence[Command], *, halt: bool = False) -> BatchResponse:
        """Send up to 50 commands by one request, after waiting for room in the bucket.

        Raises
        ------
        TransportError
            With ``sent``, if there are writes among them and the answer is lost.
        """
        if len(commands) > spec.BATCH_SIZE:
            raise ValueError(f"a batch holds {spec.BATCH_SIZE} commands, not {len(commands)}")
        write = False
        for _, method, _ in commands:
            if is_write(method):
                self._refuse_if_read_only(method)
                write = True
        params = batch.write(commands, halt=halt)
        envelope, call = self._exchange("batch", params, write=write, paced=True)
        answers, rows = batch.read(commands, envelope, call)
        for row in rows:
            self.calls.record(row)
            self.calls.limits.reported(row.method, row.operating_s, row.operating_reset_at)
        return answers

    def close(self) -> None:
        """Close the connections to the portal."""
        self._transport.close()

    def _refuse_if_read_only(self, method: str) -> None:
        if self.read_only:
            raise ReadOnly(
                f"{method} may change something, and this client is read-only. Nothing was sent.",
                hint="Connect without read_only (and without B24_READ_ONLY) to change things.",
            )

    def _exchange(
        self, method: str, params: Mapping[str, Any], *, write: bool, paced: bool = False
    ) -> tuple[Mapping[str, Any], Call]:
        """Send until there is an answer that stands; every attempt is a row in the log."""
        body, shown = encode(params), masked(params)
        renewed = False
        for attempt in itertools.count(1):
            if paced:
                self.bucket.acquire()
            else:
                self.bucket.add()
            used = self.credentials
            call = Call(self.clock.time(), "http", method, "", shown, attempt, bytes_out=len(body))
            try:
                found = self._attempt(used.reveal(method), body, call, write=write)
            except TransportError as error:
                unsent = isinstance(error, ConnectionFailed) and not error.sent
                if attempt >= _ATTEMPTS or not (unsent or (error.sent and not write)):
                    raise
                self.clock.sleep(_PAUSE * attempt)
                continue
            if not isinstance(found, ApiError):
                return found, call
            if isinstance(found, RateLimited) and attempt < _RATE_ATTEMPTS:
                self.bucket.overflowed()
                self.clock.sleep(self.bucket.seconds_until(1))
            elif isinstance(found, TokenExpired) and self._can_refresh and not renewed:
                self._refresh(used)
                renewed = True
            else:
                raise found
        raise AssertionError("unreachable")

    def _attempt(
        self,
        endpoint: Endpoint,
        body: bytes,
        call: Call,
        *,
        write: bool,
        read: Callable[[Answer, str], Mapping[str, Any] | ApiError] = understand,
    ) -> Mapping[str, Any] | ApiError:
        """One request, measured and recorded whatever comes of it."""
        started = time.perf_counter()
        try:
            answer = self._transport.post(endpoint, body, method=call.method)
            call.http_status, call.bytes_in = answer.status, len(answer.body)
            call.client_ms = answer.client_ms
            found = read(answer, call.method)
        except TransportError as error:
            call.client_ms = call.client_ms or (time.perf_counter() - started) * 1000
            call.http_status = getattr(error, "http_status", None)
            call.error = type(error).__name__
            call.outcome = "lost" if write and error.sent else "failed"
            self.calls.record(call)
            error.call = call
            raise
        if "X-Sandbox" in answer.headers and is_loopback(self.credentials.host.partition(":")[0]):
            self.is_sandbox = True
        if isinstance(found, ApiError):
            call.error, call.outcome = found.code, "error"
        else:
            call.note_times(found.get("time"), answer.headers)
            self.calls.limits.reported(call.method, call.operating_s, call.operating_reset_at)
        self.calls.record(call)
        return found

    # -- OAuth ------------------------------------------------------------------------------------

    @property
    def _can_refresh(self) -> bool:
        return isinstance(self.credentials, OAuthToken) and self.credentials.can_refresh

    def _refresh(self, used: Credentials) -> None:
        """Renew the access token once, also when several threads meet its end together."""
        with self._refreshing:
            token = self.credentials
            if token is not used or not isinstance(token, OAuthToken):
                return  # another thread was faster
            fields = {
                "grant_type": "refresh_token",
                "client_id": token.client_id,
                "client_secret": token.client_secret,
                "refresh_token": token.refresh_token,
            }
            endpoint = Endpoint(
                f"{token.auth_server}/oauth/token/", {"Content-Type": "application/x-www-form-urlencoded"}
            )
            call = Call(self.clock.time(), "http", "oauth.token", "", masked(fields))
            body = urlencode(fields).encode()
            call.bytes_out = len(body)
            pair = self._attempt(endpoint, body, call, write=True, read=understand_token)
            if isinstance(pair, ApiError):
                raise pair
            self.credentials = token.renewed(pair["access_token"], pair["refresh_token"])
            if token.on_refresh is not None:
                token.on_refresh(self.credentials)
