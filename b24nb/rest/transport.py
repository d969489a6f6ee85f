"""One POST: under a deadline, measured, with every failure in a typed error that holds no secret.

The total time holds for the headers too, which requests does not offer: its read timeout is per
received piece, and a server that drips a byte a second would keep a caller for hours. So each receive
gets what is left of the total.
"""

from __future__ import annotations

import http.client
import io
import json
import logging
import numbers
import socket
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests
import urllib3
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError, ReadTimeoutError

from b24nb._version import __version__
from b24nb.address import is_loopback
from b24nb.credentials import Endpoint
from b24nb.errors import BadResponse, ConnectionFailed, InvalidInput, Timeout, TransportError
from b24nb.secret import redact

MAX_BODY = 64 * 1024 * 1024
_CHUNK = 64 * 1024


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: status, headers, the whole body, and how long it took."""

    status: int
    headers: Mapping[str, str] = field(repr=False)  # it may quote the address, and hold new tokens
    body: bytes = field(repr=False)
    client_ms: float
    bytes_out: int


class Transport:
    """Sends one request at a time per thread over kept-alive connections.

    Parameters
    ----------
    timeout : (float, float)
        Seconds to connect, and in total.
    verify : bool or str
        As in requests.
    """

    def __init__(self, *, timeout: tuple[float, float], verify: bool | str) -> None:
        pair = timeout if isinstance(timeout, tuple | list) else ()
        if len(pair) != 2 or not all(isinstance(part, int | float) and part > 0 for part in pair):
            raise InvalidInput(
                "timeout is a pair of seconds: to connect, and in total.",
                field="timeout",
                hint="For example timeout=(5, 60).",
            )
        if not isinstance(verify, bool | str | PathLike) or not verify:
            if verify is not False:
                raise InvalidInput(
                    f"verify is True, False or a file of certificate authorities, not {verify!r}.",
                    field="verify",
                    hint="Only False switches the check of certificates off.",
                )
        elif not isinstance(verify, bool) and not Path(verify).exists():
            raise InvalidInput(f"There is no file {verify!r} of certificate authorities.", field="verify")
        self._connect_timeout, self._total = pair
        self._verify = verify
        self._routes: dict[tuple[str, str], Mapping[str, Any]] = {}
        self._session = _Session()
        # requests looks into ~/.netrc for hosts without auth; this is an auth, one that does nothing.
        self._session.auth = _no_auth
        self._session.headers["User-Agent"] = f"b24nb/{__version__}"
        adapter = _Adapter(pool_maxsize=32)
        self._session.mount("https://", adapter)
        self._session.mount("http://", adapter)

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def post(self, endpoint: Endpoint, body: bytes, *, method: str) -> Answer:
        """Send a JSON body.

        Parameters
        ----------
        endpoint : Endpoint
            Where, and with which headers.
        body : bytes
            JSON.
        method : str
            For messages.

        Returns
        -------
        Answer
            Of any status but a redirect.

        Raises
        ------
        ConnectionFailed, Timeout, BadResponse
            ``sent`` says whether the portal may have received the request.
        """
        failure: BaseException
        _call.deadline, _call.sent = time.monotonic() + self._total, False
        try:
            return self._post(endpoint, body, method)
        except _FAILURES as error:
            failure = _typed(error, method, self._total)
        except BaseException as error:  # noqa: BLE001 - ours, Ctrl-C, or what a signal's handler raised
            failure = error
        # Raised here: neither the cause nor a frame that holds the address in clear hangs on to it.
        failure.__traceback__ = failure.__context__ = failure.__cause__ = None
        raise failure

    def _post(self, endpoint: Endpoint, body: bytes, method: str) -> Answer:
        headers = {"Content-Type": "application/json"}
        headers |= {name: value.reveal() for name, value in endpoint.headers.items()}
        started = time.perf_counter()
        request = requests.Request("POST", endpoint.url.reveal(), headers=headers, data=body)
        with self._session.send(
            self._session.prepare_request(request),
            timeout=(self._connect_timeout, self._total),
            allow_redirects=False,
            **self._route(endpoint.origin),
        ) as response:
            if response.is_redirect:
                raise _moved(response, method, endpoint)
            content = _read(response, method)
            elapsed = (time.perf_counter() - started) * 1000
            return Answer(response.status_code, response.headers, content, elapsed, len(body))

    def _route(self, url: str) -> Mapping[str, Any]:
        """Proxies and certificate authorities, looked up once per host as requests does for each call."""
        parts = urlsplit(url)
        origin = parts.scheme, parts.netloc
        if origin not in self._routes:
            address = f"{parts.scheme}://{parts.netloc}/"
            # `verify` is passed on, since requests prefers REQUESTS_CA_BUNDLE to the one of a session.
            route = self._session.merge_environment_settings(address, {}, True, self._verify, None)
            if is_loopback(parts.hostname or ""):
                route["proxies"] = {}  # a proxy can't reach this machine
            self._routes[origin] = route
        return self._routes[origin]


class _Session(requests.Session):
    def get_redirect_target(self, resp: requests.Response) -> None:
        """Nowhere: a redirect is an error here. requests would read its body whole, without a cap."""


def _no_auth(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


def _read(response: requests.Response, method: str) -> bytes:
    """The decoded body, up to the cap."""
    chunks = []
    size = 0
    for chunk in response.iter_content(_CHUNK):
        size += len(chunk)
        if size > MAX_BODY:
            raise BadResponse(
                f"{method}: the answer is larger than {MAX_BODY // 2**20} MB; reading was stopped.",
                method=method,
                http_status=response.status_code,
                hint="Ask for less, or look at what answers at this address.",
            )
        chunks.append(chunk)
    return b"".join(chunks)


def _moved(response: requests.Response, method: str, endpoint: Endpoint) -> BadResponse:
    try:
        target = urlsplit(redact(response.headers["Location"], endpoint.secrets))
        host = target.netloc.rpartition("@")[2]
    except ValueError:
        host = ""
    where = f"{target.scheme}://{host}" if host else "another address"
    return BadResponse(
        f"{method}: the portal answered with a redirect (HTTP {response.status_code}) to {where}. "
        "It was not followed: that would send the secret to another host.",
        method=method,
        sent=False,
        http_status=response.status_code,
        hint="If the portal was renamed, connect with its new address.",
    )


class _Adapter(HTTPAdapter):
    """Connections whose every receive respects the deadline of the call."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:
        manager = super().proxy_manager_for(*args, **kwargs)
        manager.pool_classes_by_scheme = _POOLS
        return manager


class _Progress(threading.local):
    """Of the call that this thread is making: its end, and whether the portal may have got any of it."""

    deadline = 0.0
    sent = False


_call = _Progress()


class _DeadlineReader(io.RawIOBase):
    """Receives with what is left of the total time."""

    def __init__(self, sock: socket.socket, stream: io.BufferedReader) -> None:
        self._sock = sock
        self._stream = stream  # keeps the socket open as http.client expects
        self._deadline = _call.deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("timed out")
        self._sock.settimeout(left)
        return self._stream.raw.readinto(buffer)

    def close(self) -> None:
        self._stream.close()
        super().close()


class _Response(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp = io.BufferedReader(_DeadlineReader(sock, self.fp))


class _HTTP(HTTPConnection):
    """Notes when the first byte of a request leaves: from then on it may have been carried out."""

    response_class = _Response
    debuglevel = 0  # else `http.client.HTTPConnection.debuglevel = 1` prints the address and the headers

    def connect(self) -> None:
        try:
            super().connect()
        finally:
            _call.sent = False  # what went out so far was for a proxy or TLS

    def send(self, data: Any) -> None:
        if self.sock is None and self.auto_open:
            self.connect()
        _call.sent = True
        super().send(data)


class _HTTPS(_HTTP, HTTPSConnection):
    pass


class _HTTPPool(HTTPConnectionPool):
    ConnectionCls = _HTTP


class _HTTPSPool(HTTPSConnectionPool):
    ConnectionCls = _HTTPS


_POOLS = {"http": _HTTPPool, "https": _HTTPSPool}


_CUT = http.client.RemoteDisconnected | http.client.IncompleteRead
_FAILURES = (requests.RequestException, urllib3.exceptions.HTTPError, OSError, http.client.HTTPException)


def _typed(error: BaseException, method: str, total: float) -> TransportError:
    """The error for a failed request; never quotes the original, which quotes the address."""
    cause, sent = _innermost(error), _call.sent
    if isinstance(error, requests.exceptions.ContentDecodingError):
        return BadResponse(f"{method}: the compressed answer can't be unpacked.", method=method)
    if isinstance(cause, http.client.HTTPException) and not isinstance(cause, _CUT):
        return BadResponse(f"{method}: what came back is not HTTP.", method=method, sent=sent)
    late = isinstance(cause, TimeoutError | ConnectTimeoutError | ReadTimeoutError)
    if late and not isinstance(cause, NewConnectionError):  # which urllib3 derives from a timeout
        return Timeout(
            f"{method}: {f'no complete answer within {total:g} s' if sent else 'no connection in time'}.",
            method=method,
            sent=sent,
            hint="Is the portal slow or out of reach? connect(timeout=(connect, total)) sets the limits.",
        )
    if sent:
        return ConnectionFailed(
            f"{method}: the connection broke before the answer was complete.",
            method=method,
            sent=True,
            hint="The portal may have carried the call out: look before you repeat a write.",
        )
    if isinstance(error, requests.exceptions.SSLError):
        return ConnectionFailed(
            f"{method}: the portal's certificate was not accepted, or TLS failed.",
            method=method,
            hint="Check the host name and the clock; verify= takes a file of certificate authorities.",
        )
    what = "host not found" if isinstance(cause, NameResolutionError) else "could not connect"
    return ConnectionFailed(
        f"{method}: {what}.", method=method, hint="Check the address, the network and the proxy settings."
    )


def _innermost(error: BaseException) -> BaseException:
    """requests wraps urllib3, which wraps the socket's error; the last one says what happened."""
    seen = set()
    while id(error) not in seen:
        seen.add(id(error))
        inner = getattr(error, "reason", None) or next(
            (arg for arg in reversed(error.args) if isinstance(arg, BaseException)), None
        )
        if not isinstance(inner, BaseException):
            break
        error = inner
    return error


class _RedactFilter(logging.Filter):
    """urllib3 logs addresses, and the address of a webhook is its secret."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = redact(record.getMessage()), ()
        return True


for _name in ("urllib3.connectionpool", "urllib3.util.retry", "urllib3.connection", "urllib3.poolmanager"):
    logging.getLogger(_name).addFilter(_RedactFilter())


def encode(params: Mapping[str, Any]) -> bytes:
    """Parameters as a JSON body.

    Raises
    ------
    InvalidInput
        A value that JSON does not have.
    """
    try:
        return json.dumps(params, ensure_ascii=False, allow_nan=False, default=_plain).encode()
    except (TypeError, ValueError) as error:
        problem = str(error)
    raise InvalidInput(f"These parameters can't be sent as JSON: {problem}.", field="params")


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, numbers.Integral):
        return int(value)  # a number out of a DataFrame
    raise TypeError(f"{type(value).__name__} is not a JSON value")
