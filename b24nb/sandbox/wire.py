"""From an HTTP request to a call, and from an answer to bytes.

Read in the vendor's server code: path credentials win over the body, the body over the query string;
broken JSON is silently no body at all; only the suffix of the method selects the format.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import unquote

from b24nb.sandbox import php
from b24nb.sandbox.access import RESERVED, Credentials
from b24nb.sandbox.calls import Params

#: As PHP is usually set up for a portal (``max_input_vars``).
MAX_PARAMETERS = 10_000
MAX_BODY_BYTES = 8 * 1024 * 1024


class Unreadable(Exception):
    """A request that the web server in front of the portal turns away."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.text = text


class Message(NamedTuple):
    """An HTTP request as it arrived."""

    verb: str
    target: str
    headers: Mapping[str, str]
    body: bytes = b""
    body_size: int = 0
    secure: bool = False
    remote: str = "127.0.0.1"

    @property
    def path(self) -> str:
        return unquote(self.target.partition("?")[0])

    @property
    def query(self) -> str:
        return self.target.partition("?")[2]


class Request(NamedTuple):
    """A request to the REST API: which method, with what, in which format."""

    method: str
    params: Params
    credentials: Credentials
    verb: str
    xml: bool = False
    start: int | None = None
    state: str | None = None
    link_token: bool = False


def decode(message: Message) -> Request:
    """The REST call that a message to ``/rest/`` makes.

    Raises
    ------
    Unreadable
        More parameters than the server reads.
    """
    user, code, method, xml = route(message.path)
    params = parameters(message)
    if user:
        params |= {"aplogin": user, "ap": code}
    credentials = Credentials(params, bearer(message.headers), message.secure)
    own = {key: value for key, value in params.items() if key not in _STRIPPED}
    return Request(
        method=method,
        params=own,
        credentials=credentials,
        verb=message.verb,
        xml=xml,
        start=php.to_int(params["start"]) if "start" in params else None,
        state=php.to_text(params["state"]) if "state" in params else None,
        link_token=bool(credentials.text("token")),
    )


_STRIPPED = frozenset((*RESERVED, "method", "start", "state"))


def route(path: str) -> tuple[str, str, str, bool]:
    """User, code, method and whether XML is wanted; a path that matches no route has no method.

    >>> route("/rest/1/secret/server.time.JSON/")
    ('1', 'secret', 'server.time', False)
    >>> route("/rest/secret/server.time")
    ('', '', '', False)
    """
    segments = path.removeprefix("/rest/").removesuffix("/").split("/")
    method, xml = split_suffix(segments[-1])
    if len(segments) == 1:
        return "", "", method, xml
    if len(segments) == 3 and all(segments):
        return segments[0], segments[1], method, xml
    return "", "", "", xml


_SUFFIX = re.compile(r"(.*)\.(json|xml)", re.IGNORECASE | re.DOTALL)
_SECRET = re.compile(r"^(/rest/(?:api/)?[^/]+/)[^/]+(?=/|$)")


def split_suffix(method: str) -> tuple[str, bool]:
    """A method without ``.json`` or ``.xml``, and whether it was ``.xml``."""
    found = _SUFFIX.fullmatch(method)
    return (found[1], found[2].lower() == "xml") if found else (method, False)


def masked(path: str) -> str:
    """A path without the webhook's code, for logs.

    >>> masked("/rest/1/secret/profile.json")
    '/rest/1/***/profile.json'
    """
    return _SECRET.sub(r"\1***", path)


def parameters(message: Message) -> Params:
    """Query string and body as one PHP array; a key of the body replaces that of the query, whole."""
    try:
        params = php.parse_query(message.query, limit=MAX_PARAMETERS) if message.query else {}
        if message.verb == "POST" and message.body:
            params |= _body(message)
    except php.TooManyParameters as error:
        raise Unreadable(400, str(error)) from None
    return params


def _body(message: Message) -> Params:
    kind, _, rest = message.headers.get("Content-Type", "").partition(";")
    kind = kind.strip().lower()
    if kind == "application/json" or "+json" in kind:
        return _json_body(message.body)
    if kind == "multipart/form-data":
        return _multipart_body(rest, message.body)
    return php.parse_query(_text(message.body), limit=MAX_PARAMETERS)


def _json_body(body: bytes) -> Params:
    """Whatever is no JSON object or list counts as absent, without a word."""
    try:
        value = php.decode_json(body.decode("utf-8"))
    except ValueError:
        return {}
    return dict(php.items(value)) if isinstance(value, list | dict) else {}


_BOUNDARY = re.compile(r'boundary=(?:"([^"]+)"|([^;\s]+))')
_FIELD_NAME = re.compile(rb';\s*name="([^"]*)"')


def _multipart_body(content_type: str, body: bytes) -> Params:
    boundary = _BOUNDARY.search(content_type)
    if not boundary:
        return {}
    pairs = []
    for part in body.split(b"--" + (boundary[1] or boundary[2]).encode())[1:]:
        head, _, value = part.partition(b"\r\n\r\n")
        name = _FIELD_NAME.search(head)
        if name and b"filename=" not in head:  # files are no parameters
            pairs.append((_text(name[1]), _text(value.removesuffix(b"\r\n"))))
    return php.from_pairs(pairs, limit=MAX_PARAMETERS)


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")


def bearer(headers: Mapping[str, str]) -> str:
    """The token of an ``Authorization`` header."""
    scheme, _, token = headers.get("Authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


JSON_TYPE = "application/json; charset=utf-8"
XML_TYPE = "text/xml; charset=utf-8"


def encode(payload: Any, *, xml: bool = False) -> tuple[str, bytes]:
    """Content type and body of an answer."""
    if xml:
        return XML_TYPE, php.encode_xml(payload).encode("utf-8", "replace")
    return JSON_TYPE, php.encode_json(payload).encode("utf-8", "replace")
