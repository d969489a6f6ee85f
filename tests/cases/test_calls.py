"""How long a call waits, and for what; one that fails says why, and what to do next."""

import datetime as dt
import gzip
import json
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from email.utils import formatdate
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
import requests

from b24nb import OAuthToken, SandboxPortal, connect, errors, explain
from b24nb.credentials import Webhook
from b24nb.rest.connection import Connection
from b24nb.rest.transport import Transport
from tests.fakes import FakeClock
from tests.servers import Reply, answering, certified, http, serving

READ, WRITE = "crm.activity.badge.list", "crm.activity.badge.delete"


def connection_to(webhook: str, **options: Any) -> Connection:
    return Connection(Webhook.parse(webhook), Transport((2, 5), **options), clock=FakeClock())


def failure(webhook: str, method: str = READ, **options: Any) -> errors.B24Error:
    """What a call raises; its explanation must hold the same next step, and no text the secret."""
    connection = connection_to(webhook, **options)
    with pytest.raises(errors.B24Error) as caught:
        connection.call(method)
    connection.close()
    error = caught.value
    assert error.hint
    assert error.hint in repr(explain(error))
    assert "abcdef0123456789" not in f"{error} {explain(error)!r}"
    return error


FIREWALLS = [
    ("401 Unauthorized", "login of its own"),
    ("403 Forbidden", "firewall"),
    ("404 Not Found", "check the host"),
    ("413 Payload Too Large", "less at once"),
]
PAGES = [
    (b"<html><h1>request blocked</h1></html>", "an HTML page instead of JSON"),
    (b'{"message": "Forbidden"}', "JSON that is no answer of the REST API"),
]
REDIRECTS = [
    ("/rest/1/abcdef0123456789/x/", "another page of the same host", "rewrites"),
    ("/auth/index.php?backurl=%2F", "a login page of the same host", "log in"),
    ("/bitrix/coupon_activation.php", "wants a licence key", "administrator has to renew"),
    ("https://new.example.com/rest/1/abcdef0123456789/x", "https://new.example.com, another host", "new address"),
    ("//user:pw@new.example.com/x", "http://new.example.com, another host", "new address"),
    ("http://[::1/x", "can't be read", "what answers"),
]


@pytest.mark.parametrize("method", [READ, WRITE])
@pytest.mark.parametrize(
    ("page", "status", "headers", "says", "next_step"),
    [
        *((page, status, [], f"{says}, HTTP {status[:3]}", step) for status, step in FIREWALLS for page, says in PAGES),
        *((b"", "302 Found", [f"Location: {to}"], says, step) for to, says, step in REDIRECTS),
    ],
)
def test_what_stands_before_a_portal_is_named_and_not_asked_again(
    method: str, page: bytes, status: str, headers: list[str], says: str, next_step: str
) -> None:
    with serving(http(page, status, *headers)) as server:
        error = failure(server.webhook, method)
        assert says in str(error)
        assert next_step in error.hint
        assert ("another host" in str(error)) is ("another host" in says)
        assert "pw" not in str(error)
        assert error.sent, "a write is looked at: a redirect may come after the effect"
        assert len(server.requests) == 1


def test_a_change_that_a_firewall_refuses_says_so_after_the_look(portal: SandboxPortal) -> None:
    with connect(portal, settle_after=0) as b24:
        portal.faults.next("html", status=403, method="crm.activity.badge.add")
        with pytest.raises(errors.NotApplied, match=r"safe to repeat\. A firewall .* word it otherwise"):
            b24.badges.add("sale", "<b>50% off</b>", "S", "primary")


#: How a proxy is given, what it answers ("": it is not there), and what is said of it.
PROXIES = [
    ("http://127.0.0.1:{}", "407 Proxy Authentication Required", "HTTP 407", "user:password@"),
    ("http://127.0.0.1:{}", "403 Forbidden", "HTTP 403", "NO_PROXY"),
    ("http://127.0.0.1:{}", "503 Service Unavailable", "could not reach the portal (HTTP 503)", "Check the host"),
    ("http://127.0.0.1:{}", "", "through the proxy", "NO_PROXY"),
    ("socks5h://127.0.0.1:{}", "", "through the proxy", "ALL_PROXY"),
    ("socks5h://127.0.0.1:{} without its library", "", "through the proxy", "pip install pysocks"),
    ("http://host:abc", "", "through the proxy", "HTTPS_PROXY"),
]


@pytest.mark.parametrize(("proxy", "status", "says", "next_step"), PROXIES)
def test_a_proxy_that_refuses_or_is_not_there_is_named(
    monkeypatch: pytest.MonkeyPatch, proxy: str, status: str, says: str, next_step: str
) -> None:
    if "without" in proxy:
        missing = requests.exceptions.InvalidSchema("Missing dependencies for SOCKS support.")
        monkeypatch.setattr("requests.adapters.SOCKSProxyManager", Mock(side_effect=missing))
    with serving(http(b"", status)) as server:
        monkeypatch.setenv("HTTPS_PROXY", proxy.partition(" ")[0].format(server.port))
        if not status:
            server.close()
        error = failure("https://portal.example/rest/1/abcdef0123456789/", WRITE)
    assert "the proxy" in str(error)
    assert says in str(error)
    assert next_step in error.hint
    assert not error.sent


PAST = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
FUTURE = dt.datetime(2099, 1, 1, tzinfo=dt.UTC)
MONTH = dt.timedelta(days=30)


@pytest.mark.parametrize(
    ("certificate", "trusted", "says", "next_step"),
    [
        ({"not_before": PAST, "not_after": PAST + MONTH}, True, "certificate has expired", "clock"),
        ({"not_before": FUTURE, "not_after": FUTURE + MONTH}, True, "certificate is not yet valid", "clock"),
        ({"name": "other.example"}, True, "'127.0.0.1'", "Check the host"),
        ({}, False, "unable to get local issuer certificate", "verify="),
        ({"below": True}, True, "path length constraint exceeded", "owner has to renew"),
    ],
)
def test_a_certificate_that_is_refused_says_what_is_wrong_with_it(
    certificate: dict[str, Any], trusted: bool, says: str, next_step: str
) -> None:
    context, authority = certified(**certificate)

    def shake_hands(connection: Any) -> None:
        context.wrap_socket(connection, server_side=True).close()

    with serving(shake_hands, read=False) as server, authority.cert_pem.tempfile() as bundle:
        error = failure(server.webhook.replace("http:", "https:"), WRITE, verify=bundle if trusted else True)
    assert "the portal's certificate was not accepted" in str(error)
    assert says in str(error)
    assert next_step in error.hint
    assert not error.sent


@pytest.mark.parametrize(
    ("reply", "says"),
    [
        (http(b"", "400 Bad Request"), "does not speak https"),
        (bytes([21, 3, 3, 0, 2, 2, 40]), "handshake failure"),
        (bytes([21, 3, 3, 0, 2, 2, 70]), "protocol version"),
    ],
)
def test_https_that_does_not_come_about_says_why(reply: bytes, says: str) -> None:
    with serving(reply, read=False) as server:
        assert says in str(failure(server.webhook.replace("http:", "https:")))


@pytest.mark.parametrize("name", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_a_bundle_of_the_environment_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
    monkeypatch.setenv(name, "/nowhere/company.pem")
    error = failure("https://127.0.0.1:9/rest/1/abcdef0123456789/")
    assert "/nowhere/company.pem" in str(error)
    assert name in error.hint
    with connect() as b24:  # without https nobody needs it
        assert b24.portal.kind == "SANDBOX"


def test_a_file_that_holds_no_authority_is_named(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("nothing\n")
    with serving(b"", read=False) as server:
        error = failure(server.webhook.replace("http:", "https:"), verify=str(tmp_path / "ca.pem"))
    assert "file given by verify=" in error.hint


def test_answers_are_asked_for_uncompressed_and_layers_are_refused() -> None:
    """Several layers of compression can hide any size."""
    with serving(http(b"x", "200 OK", "Content-Encoding: " + ", ".join(["gzip"] * 20))) as server:
        assert "packed" in str(failure(server.webhook, WRITE))
        assert b"accept-encoding: identity" in server.requests[0].lower()


@pytest.mark.parametrize(
    ("sent", "read"),
    [('"120"', 120), ("120.0", 120), ('"120.0"', 120), ("1.5", None), ('"many"', None), ("true", None), ("[]", None)],
)
def test_a_count_that_php_wrote_as_a_text_is_a_number(sent: str, read: int | None) -> None:
    with serving(http(f'{{"result": [], "total": {sent}, "next": {sent}}}'.encode())) as server:
        answer = connection_to(server.webhook).call(READ)
    assert (answer.total, answer.next) == (read, read)


OK = json.dumps({"result": {"badges": []}, "total": 0}).encode()


@pytest.mark.parametrize(
    "answer",
    [
        *(http(OK, "200 OK", f"Content-Encoding: {coding}") for coding in ("none", "", "UTF-8", "identity")),
        http(gzip.compress(OK), "200 OK", "Content-Encoding: gzip"),
        *(http(mark + OK) for mark in (b"\xef\xbb\xbf", b"\xef\xbb\xbf" * 3)),
    ],
    ids=["coding none", "no coding", "charset as coding", "identity", "gzip", "a mark", "three marks"],
)
def test_an_answer_with_something_added_is_read(answer: bytes) -> None:
    with answering(answer) as (connection, _):
        assert connection.call(READ).result == {"badges": []}


@pytest.mark.parametrize(
    "message",
    [
        b"<br />\n<b>Warning</b>:  Undefined variable $x in <b>/home/bitrix/www/a.php</b> on line <b>7</b><br />\n",
        b"PHP Notice: Undefined index in /home/bitrix/www/a.php on line 7\n",
        b"\nDeprecated: Return type in /home/bitrix/www/a.php on line 7\n",
    ],
)
def test_a_message_of_php_is_named_with_the_switch_that_ends_it(message: bytes) -> None:
    with answering(http(message + OK)) as (connection, _), pytest.raises(errors.BadResponse, match="PHP") as caught:
        connection.call(READ)
    assert "display_errors" in str(caught.value)


def test_an_error_of_rest_3_has_the_code_that_stands_inside() -> None:
    inside = {"code": "BITRIX_REST_V3_EXCEPTION", "message": "Not here"}
    with answering({"error": inside}) as (connection, _), pytest.raises(errors.ApiError) as caught:
        connection.call(READ)
    assert (caught.value.code, caught.value.description) == tuple(inside.values())


def test_what_follows_an_interim_answer_is_not_read_as_the_answer_to_another_call() -> None:
    def two(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n")
        connection.sendall(http(b'{"result": "of the first call"}'))
        connection.settimeout(0.5)
        connection.recv(1)

    with answering(two, {"result": "of the second"}) as (connection, _):
        with pytest.raises(errors.BadResponse, match="HTTP 103"):
            connection.call("crm.activity.badge.delete", {"code": "vip"})
        assert connection.call("profile").result == "of the second"


# -- waiting ---------------------------------------------------------------------------------------------


GOOD = http(b'{"result": true}')


def test_a_portal_that_counts_no_requests_is_not_waited_for(clock: FakeClock) -> None:
    with SandboxPortal() as portal:
        for options in ({"credentials": portal}, {"credentials": portal.webhook, "tariff": "self-hosted"}):
            with connect(clock=clock, **options) as b24:
                before = clock.monotonic()
                b24.batch({str(n): ("server.time", None) for n in range(2600)})  # more requests than the bucket holds
                assert clock.monotonic() == before
                assert "no limit" in repr(b24.calls.limits)
                assert "no limit" in b24.calls.limits._repr_html_()
                rate = b24.calls.limits.rate[["seconds_until_safe", "capacity", "drains_per_s"]]
                assert rate.drop_duplicates().to_numpy().tolist() == [[0, float("inf"), float("inf")]]


BUSY = http(b"<html>busy</html>", "503 Service Unavailable", "Retry-After: 20")
RATE = http(b'{"error": "QUERY_LIMIT_EXCEEDED"}', "503 Service Unavailable", "Retry-After: 20")


def dated(connection: socket.socket) -> None:
    connection.sendall(RATE.replace(b": 20", b": " + formatdate(time.time() + 30, usegmt=True).encode()))


@pytest.mark.parametrize(
    ("reply", "method", "heard"),
    [
        *((BUSY, READ, True), (RATE, READ, True), (RATE, WRITE, True), (dated, READ, True)),
        *((BUSY.replace(b": 20", b": soon"), READ, False), (http(b"<html>", "429 Too Many Requests"), READ, False)),
    ],
)
def test_a_busy_server_is_asked_again_when_it_says_or_soon(reply: Reply, method: str, heard: bool) -> None:
    with answering(reply, GOOD) as (connection, _):
        before = connection.clock.monotonic()
        assert connection.call(method).result is True
        assert (connection.clock.monotonic() >= before + 20) is heard


@pytest.mark.parametrize("stated", ["3600", "Wed, 01 Jan 2126 00:00:00 GMT"])
@pytest.mark.parametrize("reply", [BUSY, RATE])
def test_nobody_waits_an_hour_because_a_header_says_so(reply: bytes, stated: str) -> None:
    with answering(reply.replace(b": 20", f": {stated}".encode())) as (connection, _):
        with pytest.raises(errors.B24Error) as caught:
            connection.call(READ)
        assert caught.value.retry_after >= 3600
        assert len(connection.calls) == 1


@pytest.mark.parametrize("seconds", [5, 60])
def test_the_addresses_of_a_host_share_the_time_to_connect(monkeypatch: pytest.MonkeyPatch, seconds: int) -> None:
    given: list[float] = []

    def dead(address: Any, timeout: float) -> socket.socket:
        given.append(timeout)
        if len(given) < 6:
            raise TimeoutError("timed out")
        return real(address, timeout)

    real = socket.create_connection
    with serving(GOOD) as server:
        found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", server.port))] * 6
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
        monkeypatch.setattr(socket, "create_connection", dead)
        connection = Connection(Webhook.parse(server.webhook), Transport((seconds, 60)))
        assert connection.call(READ).result is True
    assert 1.4 < given[0] <= max(1.5, seconds / 6), "its share, but enough for a slow line"
    assert max(given) <= seconds


def test_who_stores_a_renewed_token_may_wait_for_a_thread_that_needs_another(clock: FakeClock) -> None:
    told: list[OAuthToken] = []
    with SandboxPortal(clock=clock) as portal, ThreadPoolExecutor(1) as pool:

        def store(token: OAuthToken) -> None:
            told.append(token)
            if len(told) == 1:
                portal.faults.next("expired_token")
                assert pool.submit(b24.call, "profile").result(timeout=30).result

        with connect(OAuthToken(**portal.oauth, on_refresh=store), clock=clock) as b24:
            clock.advance(3601)
            assert b24.call("profile").result
    assert len(told) == 2
