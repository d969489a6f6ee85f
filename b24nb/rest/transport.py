"""Send one POST under a deadline and measure it; a failure becomes an error of this package without secrets.

requests has no timeout for the whole answer: its read timeout starts again with each received piece, so a server
that sends one byte a second could block the caller for hours. Here each receive may only take the rest of the
total time, headers included.
"""

from __future__ import annotations

import http.client
import logging
import os
import socket
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from http.cookiejar import DefaultCookiePolicy
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests
import urllib3
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection

from b24nb._version import __version__
from b24nb.checks import check_seconds
from b24nb.credential_checks import is_loopback
from b24nb.credentials import Endpoint
from b24nb.errors import BadResponse, InvalidInput
from b24nb.rest.failures import FAILURES, redirect_error, request_error
from b24nb.secret import Secret, known_secrets, redact, without_frames

MAX_BODY = 64 * 1024 * 1024
_CHUNK = 16 * 1024  # some versions of urllib3 unpack a thousand times as much at once
#: Seconds after which an idle connection is not used again: after a sleep or in another network it may be dead.
_IDLE = 30
#: Uncompressed answers only: HTTP libraries have had vulnerabilities in decompression.
_HEADERS = {
    "User-Agent": f"b24nb/{__version__}",
    "Accept": "*/*",
    "Accept-Encoding": "identity",
    "Connection": "keep-alive",
    "Content-Type": "application/json",
}


@dataclass(eq=False, repr=False)
class HttpAnswer:
    """What came back: status, headers and the whole body."""

    status: int
    headers: Mapping[str, str]  # not in repr: headers and body may hold the secret or tokens
    body: bytes

    @property
    def retry_after(self) -> float | None:
        """Seconds to wait, where the header ``Retry-After`` says so."""
        with suppress(ValueError, OverflowError, urllib3.exceptions.InvalidHeader):
            return float(urllib3.Retry().parse_retry_after(self.headers.get("Retry-After", "")))
        return None


class Transport:
    """Sends one request at a time per thread over kept-alive connections.

    Parameters
    ----------
    timeout : (float, float)
        Seconds to connect, over all addresses of the host together, and in total.
    verify : bool or str
        As in requests.
    hosts : int
        To how many hosts connections are kept alive at a time.
    """

    def __init__(self, timeout: tuple[float, float] = (5, 60), *, verify: Any = True, hosts: int = 2) -> None:
        self._hosts = hosts
        if not isinstance(timeout, tuple | list) or len(timeout) != 2:
            text = "timeout must be a pair of seconds: to connect, and in total."
            raise InvalidInput(text, field="timeout", hint="For example timeout=(5, 60).")
        self._connect, self.total = (check_seconds(part, "timeout", least=0.001) for part in timeout)
        hint = "verify is the path of such a file, or True; only False switches the check off."
        self._verify = _authorities(verify, hint)
        self._open()

    def _open(self) -> None:
        self._owner = os.getpid()
        self._session = _Session()
        # A cookie of one portal could be sent to another of the same domain; nothing here needs any.
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        # A pool creates all its slots in advance, so many hosts get small pools.
        adapter = _Adapter(pool_connections=self._hosts, pool_maxsize=max(1, 64 // self._hosts))
        self._session.mount("https://", adapter)
        self._session.mount("http://", adapter)

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def post(self, endpoint: Endpoint, body: bytes | Secret, *, method: str, total: float) -> HttpAnswer:
        """Send a body.

        Parameters
        ----------
        endpoint : Endpoint
            The URL and the headers of the credentials.
        body : bytes or Secret
            JSON, or the form of a token renewal, whose endpoint has the header for it.
        method : str
            For messages.
        total : float
            Seconds until the answer is complete.

        Returns
        -------
        HttpAnswer
            Of any status except a redirect.

        Raises
        ------
        ConnectionFailed, Timeout, BadResponse
            ``sent`` says whether the portal may have received the request.
        """
        if self._owner != os.getpid():
            self._open()  # a forked child must not read the answers of its parent
        now = time.monotonic()
        _sending.sent, _sending.sent_at, _sending.end = False, now, now + total
        try:
            return without_frames(self._post, endpoint, body, method, total)
        except InvalidInput:  # a ValueError, so else one of FAILURES
            raise
        except FAILURES as error:
            failure = request_error(error, method, endpoint.origin, self.total, sent=_sending.sent)
            failure.waited = time.monotonic() - _sending.sent_at
        raise failure  # outside of `except`: the original error, which quotes the address, would become its context

    def _post(self, endpoint: Endpoint, body: bytes | Secret, method: str, total: float) -> HttpAnswer:
        headers = _HEADERS | {name: value.reveal() for name, value in endpoint.headers.items()}
        # Not prepared by the session: that would read ~/.netrc, and merge the same settings for each call.
        data = body.reveal() if isinstance(body, Secret) else body
        request = requests.Request("POST", endpoint.url.reveal(), headers=headers, data=data).prepare()
        timeout: Any = urllib3.Timeout(connect=self._connect, total=total)
        route = self._route(endpoint.origin)
        with self._session.send(request, timeout=timeout, allow_redirects=False, **route) as response:
            if response.is_redirect:
                raise redirect_error(response, method, endpoint.secrets)
            return HttpAnswer(response.status_code, response.headers, _read(response, method))

    def _route(self, origin: str) -> Mapping[str, Any]:
        """Proxies and certificate authorities, as requests finds them."""
        if origin.startswith("http:"):
            return {"proxies": {}, "stream": True}  # plain http is only allowed for this machine: no proxy
        # `verify` is an argument here, since requests prefers REQUESTS_CA_BUNDLE to the session's `verify`.
        route = self._session.merge_environment_settings(origin, {}, True, self._verify, None)
        hint = "REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE in the environment names it."
        route["verify"] = _authorities(route["verify"], hint)
        if is_loopback(urlsplit(origin).hostname or ""):
            route["proxies"] = {}  # no proxy can reach this machine
        return route


class _Session(requests.Session):
    def get_redirect_target(self, resp: requests.Response) -> None:
        """Never follow a redirect, which is an error here. requests would also read its whole body, without a limit."""


def _authorities(verify: Any, hint: str) -> bool | str:
    """The path of an existing file of certificate authorities, or whether to check certificates at all."""
    if isinstance(verify, bool):
        return verify
    if isinstance(verify, str | os.PathLike) and verify and (path := Path(verify).expanduser().absolute()).exists():
        return str(path)  # also after a chdir
    text = f"There is no file {redact(str(verify))!r} of certificate authorities. Nothing was sent."
    raise InvalidInput(text, field="verify", hint=hint)


def _read(response: requests.Response, method: str) -> bytes:
    """The decoded body; refused if it is larger than ``MAX_BODY``."""
    coding = response.headers.get("Content-Encoding", "").lower()
    if "," in coding or coding in ("br", "zstd"):  # several layers of compression can expand to any size
        text = f"{method}: the answer is packed in a way that was not asked for."
        hint = "Look at what answers at this address."
        raise BadResponse(text, method=method, http_status=response.status_code, hint=hint)
    chunks = []
    size = 0
    for chunk in response.iter_content(_CHUNK):
        size += len(chunk)
        if size > MAX_BODY:
            text = f"{method}: the answer is larger than {MAX_BODY // 2**20} MB; reading was stopped."
            hint = "Ask for less, or look at what answers at this address."
            raise BadResponse(text, method=method, http_status=response.status_code, hint=hint)
        chunks.append(chunk)
    return b"".join(chunks)


class _Adapter(HTTPAdapter):
    """Uses connections that check the deadline of the call at each receive."""

    def get_connection_with_tls_context(self, *args: Any, **kwargs: Any) -> Any:
        pool: Any = super().get_connection_with_tls_context(*args, **kwargs)
        cls = pool.ConnectionCls  # read once: another thread may set it meanwhile
        if not issubclass(cls, _Connection):
            pool.ConnectionCls = type("_Connection", (_Connection, cls), {})
        return pool


#: ``sent``: whether the portal may have received a part of the call that this thread is making; ``sent_at``: when
#: the last byte left, or the call began; ``end``: when its total time is over.
_sending = threading.local()


class _DeadlineReader(socket.SocketIO):
    """Gives each receive the rest of the time that the socket has for the whole answer."""

    end: float

    def readinto(self, buffer: Any) -> int | None:
        left = self.end - time.monotonic()
        if left <= 0:
            raise TimeoutError("timed out")
        self._sock.settimeout(left)  # type: ignore[attr-defined]
        return super().readinto(buffer)


class _Response(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        reader: Any = self.fp.raw  # a SocketIO, which http.client has made of the socket
        reader.__class__ = _DeadlineReader
        reader.end = time.monotonic() + (sock.gettimeout() or 0)

    def begin(self) -> None:
        """Close the connection after an interim answer (103): what follows it must not be read as another call's."""
        super().begin()
        self.will_close = self.will_close or self.status < 200


class _Connection(HTTPConnection):
    """Notes that a request is sent: from then on the portal may carry it out; and when its last byte has left."""

    response_class = _Response
    debuglevel = 0  # so that `http.client.HTTPConnection.debuglevel = 1` does not print the address and the headers
    used_at = 0.0

    @property
    def is_connected(self) -> bool:
        """Asked by the pool before it uses a kept connection. The monotonic clock would stand still during a sleep."""
        return super().is_connected and time.time() - self.used_at < _IDLE

    def _new_conn(self) -> socket.socket:
        """Connect to the first address that answers, in the time for all; urllib3 gives each address the whole time.

        Each gets its share of the time left, and at least 1.5 s for slow lines: a portal can have a dozen addresses.
        """
        if hasattr(self, "_socks_options"):  # PySocks connects to the proxy
            return super()._new_conn()
        end = time.monotonic() + float(self.timeout or 0)
        found: Any = socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)
        failure = OSError("no address")
        for left, (*_, address) in zip(range(len(found), 0, -1), found, strict=True):
            rest = max(0.001, end - time.monotonic())
            try:
                sock = socket.create_connection(address[:2], min(rest, max(1.5, rest / left)))
                sock.settimeout(max(0.001, end - time.monotonic()))
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                return sock
            except OSError as error:
                failure = error
        raise failure

    def request(self, *args: Any, **options: Any) -> None:
        if self.sock is None:
            self.connect()
        self.timeout = max(0.001, _sending.end - time.monotonic())  # not the one to connect any more
        self.sock.settimeout(self.timeout)
        _sending.sent = True
        try:
            super().request(*args, **options)
        finally:
            _sending.sent_at, self.used_at = time.monotonic(), time.time()


def _redacted(record: logging.LogRecord) -> bool:
    """Remove secrets from a log record of urllib3: it quotes the address, as do the frames of its exception."""
    record.msg, record.args, record.exc_info = redact(record.getMessage(), known_secrets()), (), None
    return True


for _name in ("urllib3.connectionpool", "urllib3.util.retry", "urllib3.connection", "urllib3.poolmanager"):
    logging.getLogger(_name).addFilter(_redacted)
