"""Whatever is sent, the sandbox answers as a portal would: no 500 and no traceback in its log."""

import json
import socket
from collections.abc import Iterator
from contextlib import suppress
from http.client import HTTPResponse
from typing import Any
from unittest import TestCase
from urllib.parse import urlencode, urlsplit

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import b24nb
from tests.contract.rest import by_hand, rest

#: What the vendor's server and a web server in front of it may say to such requests.
STATUSES = {200, 302, 400, 401, 403, 404, 405, 411, 413, 414, 431, 501}
NAMES = ["code", "title", "value", "type", "settings", "cmd", "halt", "start", "filter", "select", "order", "id", "ID"]
NAMES += ["fields", "layout", "auth", "ap", "a.b"]
METHODS = [
    *(f"crm.activity.badge.{name}" for name in ("add", "get", "delete", "list", "none")),
    *(f"crm.activity.configurable.{name}" for name in ("add", "update", "get")),
    *(f"crm.{kind}.{name}" for kind in ("activity", "deal") for name in ("list", "get", "add", "update", "delete")),
    *("batch", "profile", "app.info", "scope", "methods", "no.such", "", "%00", "..", "token/", "%FF", "a" * 3000),
]
KINDS = ["application/json", "application/x-www-form-urlencoded", "multipart/form-data; boundary=b", "text/plain", ""]
PLACES = ["<admin>", "<admin>", "<employee>", "<noscope>", "/rest", "/rest/1/x", "/oauth"]

texts = st.text(max_size=40) | st.sampled_from(
    ["missedCall", "primary", "$result[a][badge]", "$total[", "</script>", "a\0b", "9" * 25, "1e400", "ю" * 5000]
)
values = st.recursive(
    texts | st.integers(-(2**70), 2**70) | st.floats() | st.booleans() | st.none(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
badge = st.fixed_dictionaries({"code": texts, "title": values, "value": values}, optional={"type": st.just("primary")})
parameters = badge | st.dictionaries(st.sampled_from(NAMES), values, max_size=6)
names = st.builds("{}{}".format, st.sampled_from(NAMES), st.sampled_from(["", "[]", "[a][0]", "[b", "[a]" * 400]))
forms = st.lists(st.tuples(names, texts), max_size=6).map(urlencode)
commands = st.builds("{}?{}".format, st.sampled_from(METHODS), forms)
batches = st.fixed_dictionaries({"cmd": st.lists(commands, max_size=4) | st.dictionaries(texts, commands, max_size=4)})
bodies = st.one_of(
    (parameters | batches | values).map(lambda value: json.dumps(value).encode()),
    forms.map(str.encode),
    texts.map(lambda text: f'--b\r\nContent-Disposition: form-data; name="cmd[a]"\r\n\r\n{text}\r\n--b--'.encode()),
    st.binary(max_size=200),
    st.sampled_from([b'{"a":' * 1500 + b"1" + b"}" * 1500, b'{"code":"\\ud800"}', b"\xef\xbb\xbf{}", b'{"code":']),
)


@st.composite
def requests(draw: st.DrawFn) -> bytes:
    """A request of sound framing; ``<…>`` stand for what only a portal knows."""
    verb = draw(st.sampled_from(["GET", "POST", "POST", "PUT", "HEAD", "OPTIONS", "get"]))
    method = draw(st.sampled_from(PLACES)) + "/" + draw(st.sampled_from(METHODS))
    tail = draw(st.sampled_from(["", "", ".json", ".xml", ".html", "//", "%2F"]))
    body = draw(bodies)
    lines = [
        f"{verb} {method}{tail}?{draw(forms)} HTTP/1.1",
        "Host: 127.0.0.1",
        f"Content-Type: {draw(st.sampled_from(KINDS))}",
        f"Content-Length: {len(body)}",
        *draw(st.sampled_from([[], [], ["Authorization: Bearer <token>"], ["Content-Encoding: gzip"]])),
    ]
    return "\r\n".join([*lines, "", ""]).encode() + body


@pytest.fixture(scope="module")
def portal() -> Iterator[b24nb.SandboxPortal]:
    with TestCase().assertNoLogs(level="ERROR"), b24nb.SandboxPortal(seed=7) as portal:
        yield portal
        with b24nb.connect(portal) as b24:
            assert [badge.code for badge in b24.badges.list()] == [row["code"] for row in portal.badges]


def answer(portal: b24nb.SandboxPortal, raw: bytes) -> tuple[int, Any, bytes] | None:
    """Status, headers and body; ``None`` where the connection was closed without an answer."""
    known = {name: urlsplit(url).path.rstrip("/") for name, url in portal.webhooks.items()}
    for name, text in (known | {"token": portal.oauth["access_token"]}).items():
        raw = raw.replace(f"<{name}>".encode(), text.encode())
    parts = urlsplit(portal.url)
    with suppress(OSError), socket.create_connection((parts.hostname, parts.port), timeout=20) as connection:
        connection.sendall(raw)
        response = HTTPResponse(connection, method=raw.split(b" ")[0].decode("latin-1"))
        response.begin()
        return response.status, response.headers, response.read()
    return None


def check(portal: b24nb.SandboxPortal, raw: bytes) -> None:
    """It is answered in a way that a portal could."""
    got = answer(portal, raw)
    if got is None:  # web servers hang up on a head of more than 64 KB
        assert raw.index(b"\r\n\r\n") > 65_000
        return
    status, headers, body = got
    assert status in STATUSES, body
    assert b"Traceback" not in body
    if headers.get("Content-Type", "").startswith("application/json") and body:
        decoded = json.loads(body)
        # 403: a batch with a command that an extranet user may not call.
        taken = status in (200, 403) and decoded.keys() & {"result", "access_token"}
        assert isinstance(decoded["error"], str | dict) if "error" in decoded else taken, body


@pytest.mark.parametrize("examples", [300, pytest.param(20_000, marks=pytest.mark.slow)])
def test_generated_requests_are_answered(portal: b24nb.SandboxPortal, examples: int) -> None:
    @settings(max_examples=examples, suppress_health_check=list(HealthCheck))
    @given(requests())
    def answered(raw: bytes) -> None:
        check(portal, raw)

    answered()


@pytest.mark.parametrize(
    "head",
    [
        *("\0\x7f", "POST <admin>/profile HTTP/9.9", "POST <admin>/profile", "POST <admin>/profile HTTP/1.1\nHost"),
        *(f"POST <admin>/profile HTTP/1.1\nHost: localhost\nContent-Length: {length}" for length in ("9", "-", "-1")),
        "POST <admin>/profile HTTP/1.1\nHost: localhost\nTransfer-Encoding: chunked",
        f"GET <admin>/profile HTTP/1.1\nHost: localhost\nX: {'x' * 70_000}",
    ],
)
def test_what_is_no_whole_request_leaves_the_portal_as_it_was(portal: b24nb.SandboxPortal, head: str) -> None:
    by_hand(portal, head.replace("<admin>", urlsplit(portal.webhook).path.rstrip("/")), hang_up=True)
    assert rest(portal.webhook, "profile").ok
