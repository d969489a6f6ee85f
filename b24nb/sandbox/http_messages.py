"""HTTP requests and answers: decode a REST call, encode an answer, and record the request.

Facts from the vendor's server code: credentials in the path override the body, and the body the query string;
broken JSON counts as no body, without an error; only the suffix of the method selects the format of the answer.
"""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from http.client import responses
from types import MappingProxyType
from typing import Any, NamedTuple
from urllib.parse import unquote

from tornado.http1connection import HTTP1Connection
from tornado.httputil import HTTPHeaders, ResponseStartLine

from b24nb._version import __version__
from b24nb.sandbox import php
from b24nb.sandbox.accounts import RESERVED, Credentials
from b24nb.sandbox.rest_method import METHODS, Caller, Params

#: PHP's ``max_input_vars``, with the usual value of a portal.
MAX_PARAMETERS = 10_000
MAX_BODY_BYTES = 8 * 1024 * 1024
JSON_TYPE = "application/json; charset=utf-8"
XML_TYPE = "text/xml; charset=utf-8"
SANDBOX = f"b24nb/{__version__}"


class Record(NamedTuple):
    """One request in the portal's log. It holds no secret: parts of path and method that could be one are masked,
    and the query is left out.

    Attributes
    ----------
    at : float
        When it arrived, by the portal's clock.
    verb, path, method : str
        ``method`` is the REST method as sent, ``""`` if there is none.
    http_status : int or None
        ``None`` if no answer was sent.
    error : str or None
        Code of the error, or kind of the fault.
    ms : float
        Milliseconds until the answer was ready, simulated work included.
    bytes : int
        Size of the answer's body, before a fault broke it.
    commands : mapping
        For ``batch``: how often each method was called inside.
    rest_ms : float or None
        Milliseconds of the REST API alone, as in ``X-Bitrix-Rest-Time``; ``None`` if the request did not reach it.
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


class Reply(NamedTuple):
    """An answer that is sent to the client."""

    status: int
    content_type: str
    body: bytes
    headers: Mapping[str, str] = MappingProxyType({})
    error: str | None = None


@dataclass(eq=False, repr=False)
class Request:
    """An HTTP request, the REST call in it, and what is learned while it is handled."""

    verb: str
    target: str
    headers: Mapping[str, str]
    body: bytes
    body_size: int
    secure: bool
    remote: str
    at: float
    began: float = field(default_factory=time.perf_counter)
    method: str = ""
    xml: bool = False
    params: Params = field(default_factory=dict)
    credentials: Credentials = field(init=False)
    caller: Caller | None = None
    commands: list[str] = field(default_factory=list)
    rest_ms: float | None = None
    run_late: Callable[[], None] = lambda: None

    @cached_property
    def path(self) -> str:
        return unquote(self.target.partition("?")[0])

    @property
    def start(self) -> int | None:
        params = self.credentials.params
        return php.to_int(params["start"]) if "start" in params else None

    @property
    def state(self) -> str:
        return php.to_text(self.credentials.params.get("state"))

    def decode(self) -> None:
        """Decode the REST call of a request to ``/rest/``."""
        user, code, self.method, self.xml = route(self.path)
        params = self.parameters()
        if user:
            params |= {"aplogin": user, "ap": code}
        self.credentials = Credentials(params, self.bearer, self.secure)
        self.params = {key: value for key, value in params.items() if key not in _STRIPPED}

    def parameters(self) -> Params:
        """Query string and body as one PHP array; a key of the body replaces that key of the query, not only parts."""
        query = self.target.partition("?")[2]
        params = php.parse_query(query, limit=MAX_PARAMETERS) if query else {}
        if self.verb == "POST" and self.body:
            params |= _body(self.headers.get("Content-Type", ""), self.body)
        return params

    @property
    def bearer(self) -> str:
        """The token of an ``Authorization`` header."""
        scheme, _, token = self.headers.get("Authorization", "").partition(" ")
        return token.strip() if scheme.lower() == "bearer" else ""

    def record(self, reply: Reply, broken: str | None) -> Record:
        """The entry for the portal's log; ``broken``: the kind of fault, if the answer is broken."""
        silent = broken in ("reset", "hang")
        return Record(
            at=self.at,
            verb=self.verb,
            path=shown(self.path)[:200],
            method=shown(self.method),
            http_status=None if silent else reply.status,
            error=broken or reply.error,
            ms=(time.perf_counter() - self.began) * 1000,
            bytes=0 if silent else len(reply.body),
            commands=Counter(shown(name.lower()) for name in self.commands),
            rest_ms=self.rest_ms,
        )


_STRIPPED = frozenset((*RESERVED, "method", "start", "state"))
_SUFFIX = re.compile(r"(.*)\.(json|xml)", re.IGNORECASE | re.DOTALL)
#: Parts that can't be a secret: words of the paths, ids of users, and what looks like a method. Codes of webhooks
#: have sixteen characters and no dot, and tokens seventy.
_SHOWN = re.compile(r"|rest|api|oauth|token|\d{1,9}|[A-Za-z]{1,15}(\.([A-Za-z]{1,15}|\d{1,4}))+")


def shown(text: str) -> str:
    """A path or a method for logs; its parts that could be a secret are masked.

    >>> shown("/rest/1/a1b2c3d4e5f6g7h8/profile.json")
    '/rest/1/***/profile.json'
    """
    return "/".join(part if part in METHODS or _SHOWN.fullmatch(part) else "***" for part in text.split("/"))


def route(path: str) -> tuple[str, str, str, bool]:
    """User, code, method and whether XML is wanted; a path that matches no route has no method.

    >>> route("/rest/1/secret/server.time.JSON/")
    ('1', 'secret', 'server.time', False)
    >>> route("/rest/secret/server.time")
    ('', '', '', False)
    """
    segments = path.removeprefix("/rest/").removesuffix("/").split("/")
    found = _SUFFIX.fullmatch(segments[-1])
    method, xml = (found[1], found[2].lower() == "xml") if found else (segments[-1], False)
    if len(segments) == 1:
        return "", "", method, xml
    if len(segments) == 3 and all(segments):
        return segments[0], segments[1], method, xml
    return "", "", "", xml


def _body(content_type: str, body: bytes) -> Params:
    kind, _, rest = content_type.partition(";")
    kind = kind.strip().lower()
    if kind == "application/json" or "+json" in kind:
        return _json_body(body)
    if kind == "multipart/form-data":
        return _multipart_body(rest, body)
    return php.parse_query(_text(body), limit=MAX_PARAMETERS)


def _json_body(body: bytes) -> Params:
    """The parameters in a JSON body; anything but an object or a list counts as none, without an error."""
    try:
        value = php.decode_json(body.decode("utf-8"))
    except ValueError:
        return {}
    return dict(php.items(value))


def _multipart_body(options: str, body: bytes) -> Params:
    boundary = re.search(r'boundary=(?:"([^"]+)"|([^;\s]+))', options, re.IGNORECASE)
    if not boundary:
        return {}
    pairs = []
    for part in body.split(b"--" + (boundary[1] or boundary[2]).encode())[1:]:
        head, _, value = part.partition(b"\r\n\r\n")
        name = re.search(rb';\s*name=(?:"([^"]*)"|([^";\s]+))', head)
        if name and b"filename=" not in head:  # files are not parameters
            pairs.append((_text(name[1] or name[2] or b""), _text(value.removesuffix(b"\r\n"))))
    return php.from_pairs(pairs, limit=MAX_PARAMETERS)


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")


# -- answers --------------------------------------------------------------------------------------


def reply(status: int, payload: Any, headers: Mapping[str, str] = MappingProxyType({}), *, xml: bool = False) -> Reply:
    """An envelope as the portal encodes it."""
    text = php.encode_xml(payload) if xml else php.encode_json(payload)
    error = payload.get("error")
    return Reply(
        status,
        XML_TYPE if xml else JSON_TYPE,
        text.encode("utf-8", "replace"),
        headers,
        error if isinstance(error, str) else None,
    )


def plain(status: int, text: str) -> Reply:
    """A plain text, which comes from the web server and not from the REST API."""
    return Reply(status, "text/plain; charset=utf-8", text.encode(), error=text)


def reason(status: int) -> str:
    return responses.get(status, "Unknown")  # a fault may have any status


def head(status: int, content_type: str, length: int, extra: str = "") -> bytes:
    """The head of an answer after which the connection closes."""
    return (
        f"HTTP/1.1 {status} {reason(status)}\r\nContent-Type: {content_type}\r\nContent-Length: {length}\r\n"
        f"X-Sandbox: {SANDBOX}\r\nConnection: close\r\n{extra}\r\n"
    ).encode()


def send(connection: HTTP1Connection, answer: Reply, *, head_only: bool) -> None:
    """Write an answer and free the connection for the next request."""
    own = {"Content-Type": answer.content_type, "Content-Length": str(len(answer.body)), "X-Sandbox": SANDBOX}
    headers = HTTPHeaders({**own, **answer.headers})
    start_line = ResponseStartLine("HTTP/1.1", answer.status, reason(answer.status))
    connection.write_headers(start_line, headers, None if head_only else answer.body)
    connection.finish()
