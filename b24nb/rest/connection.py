"""The connection to one portal, which decides which requests are repeated.

The portal refuses a request for its rate before the method runs, so it is repeated after a pause. A request
that never reached the portal is repeated. A read is repeated if its answer was lost. A write is not: it raises an
error with ``sent`` set, and the caller has to look at the portal to learn whether it was made.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from copy import copy
from dataclasses import replace
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from b24nb import errors, spec
from b24nb.checks import check_switch
from b24nb.credential_checks import is_loopback
from b24nb.credentials import Credentials, Endpoint, OAuthToken
from b24nb.display.literals import as_json
from b24nb.rest import batch
from b24nb.rest.batch import BatchResponse, Commands
from b24nb.rest.calls import Call, CallLog
from b24nb.rest.clock import SYSTEM_CLOCK, Clock
from b24nb.rest.limits import LeakyBucket, Limits
from b24nb.rest.response import Response, parse_response, parse_token_response
from b24nb.rest.token_renewals import Renewal, lock_of, newest_of, renewal_of, run_to_end
from b24nb.rest.transport import HttpAnswer, Transport
from b24nb.secret import MASK, Secret, masked, redact, without_frames

_READ_VERBS = frozenset({"get", "list", "fields", "current", "count", "info", "time", "types", "scope"})
_READS = frozenset({"profile", "methods"})
#: It removes the events that it returns from their queue.
_NO_READS = frozenset({"event.offline.get"})
_NAME = re.compile(r"[\w.-]+", re.ASCII)
_ATTEMPTS = 3
#: How often a request may be refused for the rate before the error is raised.
_REFUSALS = 14
_PAUSE = 0.3
#: Statuses of a server or network that is busy for a moment.
_TEMPORARY = frozenset({408, 425, 429})

Params = Mapping[str, Any]
Reader = Callable[[HttpAnswer, str, Sequence[Secret]], Mapping[str, Any] | errors.ApiError]
Hook = Callable[[], object]


def nothing() -> None:
    """For a hook that is not given."""


def is_write(method: str) -> bool:
    """Whether a method may change something; an unknown method counts as a write.

    Examples
    --------
    >>> is_write("crm.activity.badge.delete"), is_write("crm.deal.list"), is_write("batch")
    (True, False, True)
    """
    name = method.lower()
    return name in _NO_READS or not (name in _READS or name.rpartition(".")[2] in _READ_VERBS)


def _may_be_repeated(error: errors.TransportError, *, write: bool) -> bool:
    """Whether the request never reached the portal, or was a read whose answer was lost.

    Not after a redirect or the refusal of a firewall (4xx without JSON), which would be the same again.
    """
    if not error.sent:
        return isinstance(error, errors.ConnectionFailed | errors.Timeout)
    status = error.http_status or 200
    return not write and (not 300 <= status < 500 or status in _TEMPORARY)


class Connection:
    """Kept-alive connections to one portal, safe to use from several threads.

    Parameters
    ----------
    credentials : Webhook or OAuthToken
        The credentials that are sent with each call.
    transport : Transport
        Sends the requests. Its total time covers the repeats of a read, too; waits for the request rate and the
        renewal of a token are not counted.
    shared : bool
        Whether other connections use the transport, so that it is not closed with this one.
    tariff : str
        The portal's tariff, which sets the request rate.
    read_only : bool
        Refuse writes before they are sent.
    clock : Clock
        For the time of day and for waiting; durations are always measured by the system's clock.
    """

    def __init__(
        self,
        credentials: Credentials,
        transport: Transport,
        *,
        shared: bool = False,
        tariff: str = "standard",
        read_only: bool = False,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self.credentials = credentials
        self.clock = clock
        self.read_only = read_only
        self.bucket = LeakyBucket(tariff, clock)
        self.calls = CallLog(Limits(self.bucket, clock))
        self.is_sandbox = False
        self._closed = False
        self._transport = transport
        self._close_transport: Hook = nothing if shared else transport.close
        self._failed_renewal: errors.B24Error | None = None
        self._pass_on: Hook = nothing  # gives a renewed token to the application once more, if it failed to store it
        #: Called with a renewed token before it is used; called for a newer token if renewing was refused.
        self.store_token: Callable[[OAuthToken], object] = lambda _: None
        self.newer_token: Callable[[Connection], Credentials | None] = lambda _: None

    def call(self, method: str, params: Params | None = None, *, before_send: Hook = nothing) -> Response:
        """Call a method.

        Parameters
        ----------
        method : str
            A REST method.
        params : mapping, optional
            Sent as JSON.
        before_send : callable, optional
            Called right before each attempt is sent, after the wait for the rate; if it raises, nothing is sent.

        Returns
        -------
        Response

        Raises
        ------
        ApiError, TransportError, ReadOnly, InvalidInput
            A :class:`TransportError` with ``sent`` of a write: the answer was lost, so the effect is unknown.
        """
        write = self._check_call(method, params)
        body = as_json(params or {})  # first, since it refuses what has no end
        shown = masked(params or {}, self.credentials.secrets)
        return Response(*self._send_with_retries(method, body, shown, write=write, before_send=before_send))

    def batch(self, commands: Mapping[str, tuple[str, Params | None]], *, halt: bool = False) -> BatchResponse:
        """Send any number of commands, 50 to a request, at the pace that the tariff allows.

        Parameters
        ----------
        commands : mapping
            ``key -> (method, params)``.
        halt : bool
            Stop at the first error, later requests included.

        Returns
        -------
        BatchResponse

        Raises
        ------
        InvalidInput, ReadOnly
            For one of the commands; then none was sent.
        TransportError, ApiError
            For one of the requests; its attribute ``answers`` has what the requests before answered.
        """
        check_switch(halt, "halt")
        try:
            listed = [(key, method, params) for key, (method, params) in commands.items()]
        except (AttributeError, TypeError, ValueError):
            hint = 'They are a mapping from keys to pairs of method and parameters: {"me": ("profile", None)}.'
            raise errors.InvalidInput("These are no commands of a batch.", field="commands", hint=hint) from None
        chunks = [listed[start : start + spec.BATCH_SIZE] for start in range(0, len(listed), spec.BATCH_SIZE)]
        for chunk in chunks:
            self._encoded(chunk)  # refuse a wrong command before any is sent
        answers: dict[str, Response | errors.ApiError] = {}
        for chunk in chunks:
            try:
                part = self.send_chunk(chunk, halt=halt)
            except (errors.ApiError, errors.TransportError) as error:
                if isinstance(error, errors.BadResponse):
                    error.add_note("Commands may have been carried out: look before you repeat a write.")
                if answers:
                    vars(error)["answers"] = answers
                    error.add_note(f"The {len(answers)} commands before were sent; error.answers has their answers.")
                raise
            answers.update(part)
            if halt and part.errors:
                break
        return BatchResponse(answers, [key for key in commands if key not in answers])

    def send_chunk(self, commands: Commands, *, halt: bool = False, before_send: Hook = nothing) -> BatchResponse:
        """Send up to 50 commands by one request, after waiting for room; ``before_send`` as in :meth:`call`.

        Raises
        ------
        TransportError
            With ``sent``, if the answer was lost; then writes among them may have been made.
        """
        (texts, write), secrets = self._encoded(commands), self.credentials.secrets
        shown = [(key, method, masked(params or {}, secrets)) for key, method, params in commands]
        params = {"halt": int(halt), "cmd": texts}
        logged = {"halt": int(halt), "cmd": {redact(str(key), secrets): (name, params) for key, name, params in shown}}
        envelope, call = self._send_with_retries("batch", as_json(params), logged, write=write, before_send=before_send)
        secrets = self.credentials.secrets  # also those of a token that was renewed meanwhile
        answers, rows = batch.decode(shown, envelope, call, secrets, halt=halt, write=write)
        for row in rows:
            self.calls.record(row, (call.bytes_out or 0) // len(commands))
        return answers

    def close(self) -> None:
        """Close the connections to the portal. Calls are refused from now on."""
        self._closed = True
        self._close_transport()

    def _encoded(self, commands: Commands) -> tuple[dict[str, str], bool]:
        """The texts of commands, and whether one may change something; refuses what must not be sent."""
        writes = [self._check_call(method, params) for _, method, params in commands]
        return batch.encode(commands), any(writes)

    def _check_call(self, method: str, params: Params | None) -> bool:
        """Whether a call may change something; refuses wrong arguments, and writes of a read-only client."""
        if not isinstance(method, str) or not _NAME.fullmatch(method):
            text = f"{redact(repr(method), self.credentials.secrets)} is not the name of a REST method."
            hint = "For example crm.activity.badge.list; parameters are the second argument."
            raise errors.InvalidInput(text, field="method", hint=hint)
        if params is not None and not isinstance(params, Mapping):
            text = f"The parameters of {method} must be a mapping from name to value."
            raise errors.InvalidInput(text, field="params")
        write = is_write(method)
        if write and self.read_only:
            raise errors.ReadOnly(f"{method} may change something, and this client is read-only.")
        return write

    def _send_with_retries(
        self, method: str, body: bytes, shown: Params, *, write: bool, before_send: Hook
    ) -> tuple[Mapping[str, Any], Call]:
        """Send until an answer needs no repetition; every attempt is a row in the log."""
        total = self._transport.total
        with suppress(errors.VaultError):
            self._pass_on()
        failures, refusals, spent, renewals = 0, 0, 0.0, 0
        while True:
            self.bucket.enter(wait=method == "batch")
            if self._closed:
                hint = "b24nb.connect() makes another."
                raise errors.ClientClosed(f"{method}: this client was closed. Nothing was sent.", hint=hint)
            before_send()
            used = self.credentials
            call = Call(self.clock.time(), "http", method, "", shown, 1 + failures + refusals + renewals)
            try:
                endpoint, rest = used.endpoint(method), total - spent
                found = self._attempt(endpoint, body, call, parse_response, write=write, total=rest)
            except errors.TransportError as error:
                failures += 1
                pause = max(_PAUSE * failures, error.retry_after or 0)
                spent += (call.client_ms or 0) / 1000 + pause
                if failures == _ATTEMPTS or spent >= total or not _may_be_repeated(error, write=write):
                    raise
                self.clock.sleep(pause)
                continue
            if not isinstance(found, errors.ApiError):
                return found, call
            wait, limited = found.retry_after or 0, isinstance(found, errors.RateLimited)
            if limited and refusals < _REFUSALS and wait * (refusals + 1) <= total:
                refusals, spent = refusals + 1, 0.0
                self.bucket.refused(refusals, wait)
            elif isinstance(found, errors.TokenExpired) and used.can_refresh and renewals < 2:
                self._refresh(used)
                renewals += 1
            else:
                raise found

    def _attempt(
        self, endpoint: Endpoint, body: bytes | Secret, call: Call, read: Reader, *, write: bool, total: float
    ) -> Mapping[str, Any] | errors.ApiError:
        """Send one request; it is measured and recorded whether it succeeds or fails."""
        started = time.perf_counter()
        call.bytes_out = len(body)
        answer = None
        try:
            answer = self._transport.post(endpoint, body, method=call.method, total=total)
            call.client_ms = (time.perf_counter() - started) * 1000
            call.http_status, call.bytes_in = answer.status, len(answer.body)
            found = without_frames(read, answer, call.method, endpoint.secrets)
        except BaseException as error:  # KeyboardInterrupt included: the portal may have received the request
            call.client_ms = call.client_ms or (time.perf_counter() - started) * 1000
            call.http_status = call.http_status or getattr(error, "http_status", None)
            call.error = type(error).__name__
            sent = getattr(error, "sent", not isinstance(error, errors.InvalidInput))
            call.outcome = "lost" if write and sent else "failed"
            if isinstance(error, errors.TransportError):
                error.call = call
                if error.sent and not write and isinstance(error, errors.ConnectionFailed):
                    error.hint = "It only reads, so nothing was changed: try again."
                error.retry_after = answer.retry_after if answer else None
            raise
        else:
            self.is_sandbox |= "X-Sandbox" in answer.headers and is_loopback(urlsplit(endpoint.origin).hostname or "")
            if isinstance(found, errors.ApiError):
                call.error, call.outcome = found.code, "error"
                found.retry_after = answer.retry_after
            else:
                call.note_times(found.get("time"), answer.headers, call.client_ms)
            return found
        finally:
            self.calls.record(call, len(body))

    # -- OAuth ------------------------------------------------------------------------------------

    def _renewed(self, token: OAuthToken, attempt: int = 1) -> Renewal | errors.ApiError:
        """The renewal, or the server's error. A connection that was never made is tried again."""
        shown = {"grant_type": "refresh_token", "client_secret": MASK, "refresh_token": MASK}
        endpoint, body, total = token.token_endpoint, token.renewal(), self._transport.total
        call = Call(self.clock.time(), "http", "oauth.token", "", shown, attempt)
        try:
            pair = self._attempt(endpoint, body, call, parse_token_response, write=True, total=total)
            return pair if isinstance(pair, errors.ApiError) else renewal_of(token, pair)
        except errors.TransportError as error:
            if attempt == _ATTEMPTS or not _may_be_repeated(error, write=True):
                raise
        self.clock.sleep(_PAUSE * attempt)
        return self._renewed(token, attempt + 1)

    def _refresh(self, token: Credentials) -> None:
        """Renew the access token once, or fail once, also if several threads find it expired at the same time."""
        failed_before = self._failed_renewal
        with lock_of(token):
            if self.credentials is not token or not isinstance(token, OAuthToken):
                return  # another thread has renewed it
            if self._failed_renewal and self._failed_renewal is not failed_before:
                raise copy(self._failed_renewal)  # another thread has tried while this one waited
            renewing, stopped = run_to_end(self._renewed, token)
            if stopped and not isinstance(renewing.exception() or renewing.result(), Renewal):
                raise stopped  # there is no new pair to keep
            try:
                found = renewing.result()
            except errors.TransportError as error:
                error.sent = False  # the call that needs the token was refused, so it was not made
                server = token.auth_server.partition("//")[2]
                error.hint = f"The call was not made: {server} gave no new token. Check auth_server of OAuthToken."
                self._failed_renewal = copy(error)  # a copy has no traceback, which would keep the client alive
                raise
            used_up = isinstance(found, errors.ApiError) and found.code == "invalid_grant"
            if used_up and (newer := self.newer_token(self)):
                self.credentials = newer  # another process has renewed it
                return
            renewal = newest_of(token) if used_up else None  # by another client of this process
            if isinstance(found, Renewal):
                renewal = found
            elif renewal is None:
                self._failed_renewal = copy(found)
                raise found
            renewed = replace(token, **renewal.pair)
            self.store_token(renewed)
            self.credentials = renewed
        self._pass_on = partial(renewal.pass_on, renewed)
        self._pass_on()  # outside of the lock: the function may use this client or other threads
        if stopped:
            raise stopped
