"""Trouble on demand: every described error by its code, and answers that break on the way."""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from b24nb.sandbox import SandboxPortal
from tests.contract.rest import code_of, rest
from tests.fakes import FakeClock, eventually

DELETE = "crm.activity.badge.delete"
GET = "crm.activity.badge.get"
MISSED_CALL = {"code": "missedCall"}


def codes(portal: SandboxPortal) -> list[str]:
    return [badge["code"] for badge in portal.badges]


def test_an_error_nobody_has_described_needs_text_and_status(portal: SandboxPortal) -> None:
    with pytest.raises(ValueError, match=r"'NEW_ERROR' is neither a code .* reset"):
        portal.faults.next("NEW_ERROR")
    portal.faults.next("NEW_ERROR", description="Something new", status=418)
    answer = rest(portal.webhook, "profile")
    assert answer.status_code == 418
    assert answer.json() == {"error": "NEW_ERROR", "error_description": "Something new"}


def test_times_and_method_choose_the_calls(portal: SandboxPortal) -> None:
    portal.faults.next("QUERY_LIMIT_EXCEEDED", times=2, method="Profile")
    assert len(portal.faults) == 2
    assert rest(portal.webhook, "server.time").ok
    assert [rest(portal.webhook, "profile").status_code for _ in range(3)] == [503, 503, 200]
    portal.faults.next("reset")
    portal.faults.clear()
    assert rest(portal.webhook, "profile").ok


def test_an_error_meets_a_command_of_a_batch_by_its_method(portal: SandboxPortal) -> None:
    portal.faults.next("QUERY_LIMIT_EXCEEDED", method=DELETE, after_effect=True)
    answer = rest(portal.webhook, "batch", {"cmd": {"a": "profile", "b": f"{DELETE}?code=missedCall"}})
    assert list(answer.json()["result"]["result"]) == ["a"]
    assert answer.json()["result"]["result_error"]["b"]["error"] == "QUERY_LIMIT_EXCEEDED"
    assert "missedCall" not in codes(portal)


def raw(portal: SandboxPortal, method: str, params: dict[str, Any]) -> bytes:
    """All that comes back on the socket."""
    url = urlsplit(portal.webhook)
    request = requests.Request("POST", portal.webhook + method, json=params).prepare()
    head = f"POST {url.path}{method} HTTP/1.1\r\nHost: {url.netloc}\r\n"
    head += "".join(f"{name}: {value}\r\n" for name, value in request.headers.items())
    with socket.create_connection((url.hostname, url.port), timeout=10) as connection:
        connection.sendall(head.encode() + b"\r\n" + request.body)
        received = b""
        while chunk := connection.recv(65536):
            received += chunk
    return received


def is_reset(portal: SandboxPortal) -> None:
    with pytest.raises(ConnectionResetError):
        raw(portal, DELETE, MISSED_CALL)


def is_cut(portal: SandboxPortal) -> None:
    head, _, body = raw(portal, DELETE, MISSED_CALL).partition(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length: ")[2].split()[0])
    assert 0 < len(body) < length


def hangs(portal: SandboxPortal) -> None:
    with pytest.raises(requests.ReadTimeout):
        rest(portal.webhook, DELETE, MISSED_CALL, timeout=0.3)


def drips(portal: SandboxPortal) -> None:
    with rest(portal.webhook, DELETE, MISSED_CALL, stream=True, timeout=0.5) as answer:
        pieces = answer.iter_content(1)
        assert next(pieces) == b"{"
        with pytest.raises(requests.ConnectionError, match="timed out"):
            next(pieces)


def is_empty(portal: SandboxPortal) -> None:
    answer = rest(portal.webhook, DELETE, MISSED_CALL)
    assert (answer.status_code, answer.content) == (200, b"")


def is_not_utf8(portal: SandboxPortal) -> None:
    answer = rest(portal.webhook, DELETE, MISSED_CALL)
    assert answer.headers["Content-Type"] == "application/json; charset=utf-8"
    with pytest.raises(UnicodeDecodeError):
        answer.content.decode()


def is_not_gzip(portal: SandboxPortal) -> None:
    with pytest.raises(requests.exceptions.ContentDecodingError):
        rest(portal.webhook, DELETE, MISSED_CALL)


def is_a_list(portal: SandboxPortal) -> None:
    assert rest(portal.webhook, DELETE, MISSED_CALL).json() == []


def is_large(portal: SandboxPortal) -> None:
    answer = rest(portal.webhook, DELETE, MISSED_CALL)
    assert len(answer.content) == 3_000_000
    assert set(answer.json()["result"]) == {"x"}


def is_html(portal: SandboxPortal) -> None:
    answer = rest(portal.webhook, DELETE, MISSED_CALL)
    assert answer.status_code == 502
    assert answer.headers["Content-Type"].startswith("text/html")
    assert "502 Bad Gateway" in answer.text


BROKEN: dict[str, tuple[dict[str, Any], Callable[[SandboxPortal], None]]] = {
    "reset": ({}, is_reset),
    "cut": ({}, is_cut),
    "hang": ({}, hangs),
    "drip": ({"seconds": 3}, drips),
    "empty": ({}, is_empty),
    "charset": ({}, is_not_utf8),
    "gzip": ({}, is_not_gzip),
    "list": ({}, is_a_list),
    "oversized": ({"size": 3_000_000}, is_large),
    "html": ({}, is_html),
}


@pytest.mark.parametrize("after_effect", [False, True], ids=["not-carried-out", "carried-out"])
@pytest.mark.parametrize("what", BROKEN)
def test_broken_answers(portal: SandboxPortal, what: str, after_effect: bool) -> None:
    options, meets = BROKEN[what]
    portal.faults.next(what, after_effect=after_effect, **options)
    meets(portal)
    assert ("missedCall" in codes(portal)) is not after_effect
    assert portal.requests[-1].error == what
    assert rest(portal.webhook, "profile").ok


@pytest.mark.parametrize("status", [302, 403, 500, 502])
def test_html_of_any_status(portal: SandboxPortal, status: int) -> None:
    portal.faults.next("html", status=status)
    answer = rest(portal.webhook, "profile", allow_redirects=False)
    assert answer.status_code == status
    assert answer.text.startswith("<html>")
    location = answer.headers.get("Location", "")
    assert location.startswith("https://renamed-portal.bitrix24.example/rest/1/") is (status == 302)


def test_a_hanging_connection_closes_in_the_end(portal: SandboxPortal) -> None:
    portal.faults.next("hang", seconds=0.1)
    assert raw(portal, "profile", {}) == b""


def test_stopping_does_not_wait_for_what_hangs() -> None:
    with SandboxPortal() as portal:
        portal.faults.next("hang")
        hangs(portal)
        portal.faults.next("drip")
        answer = rest(portal.webhook, "profile", stream=True)
    with suppress(requests.exceptions.ChunkedEncodingError):  # older urllib3 takes what came for all of it
        assert len(answer.content) < int(answer.headers["Content-Length"])


def test_an_effect_some_seconds_after_the_connection_died(clock: FakeClock) -> None:
    with SandboxPortal(clock=clock) as portal:
        portal.faults.next("reset", effect_after=5)
        is_reset(portal)
        assert rest(portal.webhook, GET, MISSED_CALL).ok
        clock.advance(4.9)
        assert rest(portal.webhook, GET, MISSED_CALL).ok
        clock.advance(0.1)
        assert code_of(rest(portal.webhook, GET, MISSED_CALL)) == (400, "NOT_FOUND")


def test_a_late_effect_comes_by_itself_where_time_is_real(portal: SandboxPortal) -> None:
    portal.faults.next("cut", effect_after=0.2)
    is_cut(portal)
    assert "missedCall" in codes(portal)
    eventually(lambda: "missedCall" not in codes(portal))


def test_the_token_endpoint_fails_too(portal: SandboxPortal) -> None:
    oauth = portal.oauth
    query = {name: oauth[name] for name in ("client_id", "client_secret", "refresh_token")}
    query["grant_type"] = "refresh_token"
    url = portal.url + "/oauth/token/"
    portal.faults.next("html", method="oauth/token")
    assert rest(portal.webhook, "profile").ok
    assert requests.get(url, query, timeout=20).status_code == 502
    portal.faults.next("reset", method="oauth/token", after_effect=True)
    with pytest.raises(requests.ConnectionError):
        requests.get(url, query, timeout=20)
    assert code_of(requests.get(url, query, timeout=20)) == (400, "invalid_grant")
