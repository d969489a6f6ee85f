"""Whatever answers, or fails to, ends in a typed error within the deadline, and is a row in the log."""

from __future__ import annotations

import gzip
import json
import os
import time
import traceback
from pathlib import Path

import pytest

from b24nb import errors
from b24nb.credentials import Webhook
from b24nb.rest.connection import Connection, is_write
from b24nb.rest.transport import MAX_BODY
from tests.fakes import FakeClock
from tests.servers import RawServer, Reply, drip, hang, http, reset, serving

GOOD = http(b'{"result": true, "time": {"start": 1.5, "finish": 1.6, "duration": 0.0001}}')
READ, WRITE = "crm.activity.badge.get", "crm.activity.badge.delete"


def connect(server: RawServer, total: float = 1.0, **options: object) -> Connection:
    return Connection(Webhook.parse(server.webhook), timeout=(1, total), clock=FakeClock(), **options)


def bomb() -> bytes:
    return gzip.compress(b"\0" * (MAX_BODY + 1_000_000))


@pytest.mark.parametrize(
    ("reply", "error", "says"),
    [
        (http(b"<html><h1>502 Bad Gateway</h1></html>", "502 Bad Gateway"), errors.BadResponse, "HTML page"),
        (http(b"<html>welcome</html>"), errors.BadResponse, "HTML page"),
        (http(b'{"result": tr'), errors.BadResponse, "cut off"),
        (http(b""), errors.BadResponse, "empty answer"),
        (http(b"[1, 2]"), errors.BadResponse, "no answer of the REST API"),
        (http(b'"text"'), errors.BadResponse, "no answer of the REST API"),
        (http(b"null"), errors.BadResponse, "no answer of the REST API"),
        (http(b'{"status": "ok"}'), errors.BadResponse, "no answer of the REST API"),
        (http(b'{"result": true}', "500 Internal Server Error"), errors.BadResponse, "HTTP 500"),
        (http('{"result": "прив'.encode("cp1251")), errors.BadResponse, "not UTF-8"),
        (http(b"[" * 100_000), errors.BadResponse, "cut off"),
        (http(b"not gzip", "200 OK", "Content-Encoding: gzip"), errors.BadResponse, "unpacked"),
        (http(bomb(), "200 OK", "Content-Encoding: gzip"), errors.BadResponse, "larger than 64 MB"),
        (http(b"x" * (100 * 2**20)), errors.BadResponse, "larger than 64 MB"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", errors.BadResponse, "not HTTP"),
        (http(b'{"result": true}', length=400), errors.ConnectionFailed, "broke"),
        (
            http(b"", "302 Found", "Location: https://new.example.com/rest/1/abcdef0123456789/x"),
            errors.BadResponse,
            "https://new.example.com",
        ),
        (b"", errors.ConnectionFailed, "broke"),
        (reset, errors.ConnectionFailed, "broke"),
        (hang, errors.Timeout, "no complete answer"),
        (drip(GOOD, 0.05), errors.Timeout, "no complete answer"),
        (drip(http(b"")[:-4] + b"\r\nX: " + b"x" * 200, 0.05), errors.Timeout, "no complete answer"),
    ],
)
@pytest.mark.parametrize("method", [READ, WRITE])
def test_a_wrong_answer_is_a_typed_error_in_time(
    reply: Reply, error: type[errors.TransportError], says: str, method: str
) -> None:
    with serving(reply) as server:
        connection = connect(server)
        started = time.monotonic()
        with pytest.raises(error, match=says) as caught:
            connection.call(method, {"code": "x"})
        assert time.monotonic() - started < 8
        raised = caught.value
        log = connection.calls.df
        assert set(log["error"]) == {error.__name__}
        assert log["client_ms"].notna().all()
        assert len(server.requests) == len(log)
        # A write is sent once; a read is repeated where its answer was lost.
        redirect = "redirect" in str(raised)
        assert len(log) == (1 if method == WRITE or redirect else 3)
        assert raised.sent is not redirect
        assert raised.method == method
        if method == WRITE and not redirect:
            assert log["outcome"].item() == "lost"
        assert "abcdef0123456789" not in "".join(traceback.format_exception(raised))
        assert raised.__context__ is None or "abcdef" not in repr(raised.__context__)
        connection.close()


@pytest.mark.parametrize("method", [READ, WRITE])
def test_a_connection_that_never_was_is_tried_again(method: str) -> None:
    with serving(GOOD) as server:
        connection = connect(server)
    with pytest.raises(errors.ConnectionFailed, match="could not connect") as caught:
        connection.call(method)
    assert caught.value.sent is False
    assert list(connection.calls.df["attempt"]) == [1, 2, 3]
    assert set(connection.calls.df["outcome"]) == {"failed"}


def test_an_unknown_host_is_named_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    connection = Connection(
        Webhook.parse("https://nowhere.invalid/rest/1/abcdef0123456789/"), clock=FakeClock()
    )
    with pytest.raises(errors.ConnectionFailed, match="host not found"):
        connection.call(READ)


def test_a_read_whose_answer_was_lost_is_repeated() -> None:
    with serving(reset, http(b"<html>"), GOOD) as server:
        connection = connect(server)
        assert connection.call(READ).result is True
        assert list(connection.calls.df["outcome"]) == ["failed", "failed", "ok"]


RATE = http(
    b'{"error":"QUERY_LIMIT_EXCEEDED","error_description":"Too many requests"}', "503 Service Unavailable"
)


@pytest.mark.parametrize("method", [READ, WRITE])
def test_a_refusal_for_the_rate_is_waited_out_for_reads_and_writes(method: str) -> None:
    with serving(RATE, RATE, GOOD) as server:
        connection = connect(server)
        before = connection.clock.monotonic()
        assert connection.call(method).result is True
        assert connection.clock.monotonic() > before
        assert list(connection.calls.df["error"].fillna("")) == ["QUERY_LIMIT_EXCEEDED"] * 2 + [""]


def test_a_refusal_that_does_not_end_is_raised() -> None:
    with serving(RATE) as server:
        connection = connect(server)
        with pytest.raises(errors.RateLimited):
            connection.call(READ)
        assert len(connection.calls) == 10


def test_a_503_that_is_no_refusal_for_the_rate_does_not_repeat_a_write() -> None:
    with serving(http(b"<html>busy</html>", "503 Service Unavailable"), GOOD) as server:
        connection = connect(server)
        with pytest.raises(errors.BadResponse) as caught:
            connection.call(WRITE)
        assert caught.value.sent
        assert len(connection.calls) == 1


@pytest.mark.parametrize("code", ["OPERATION_TIME_LIMIT", "OVERLOAD_LIMIT", "NEW_CODE", "", "0"])
def test_other_errors_are_raised_at_once(code: str) -> None:
    reply = http(json.dumps({"error": code, "error_description": ""}).encode(), "400 Bad Request")
    with serving(reply) as server:
        connection = connect(server)
        with pytest.raises(errors.ApiError) as caught:
            connection.call(READ)
        assert caught.value.code == code
        assert len(connection.calls) == 1


def answer(time_block: dict[str, object], *headers: str) -> bytes:
    return http(json.dumps({"result": 1, "time": time_block}).encode(), "200 OK", *headers)


@pytest.mark.parametrize(
    ("reply", "server_ms", "processing_ms"),
    [
        # Older builds: fractions everywhere.
        (answer({"start": 1.25, "duration": 0.0002, "processing": 0.0001}), 0.2, 0.1),
        # Current builds: start is whole, so duration can be a second too long.
        (answer({"start": 1, "duration": 0.0002, "processing": 0}), None, None),
        # Cloud portals send the truth in a header.
        (
            answer({"start": 1, "duration": 0.9, "processing": 1}, "X-Bitrix-Rest-Time: 0.0003000000"),
            0.3,
            None,
        ),
        # More than the caller waited: it contradicts the clock.
        (answer({"start": 1.5, "duration": 30.0, "processing": 29.0}), None, None),
        (answer({"start": 1.5, "duration": -1.0}), None, None),
        (answer({}), None, None),
        (http(b'{"result": 1, "time": []}'), None, None),
        (http(b'{"result": 1}'), None, None),
    ],
)
def test_the_servers_time_is_true_or_missing(
    reply: bytes, server_ms: float | None, processing_ms: float | None
) -> None:
    with serving(reply) as server:
        call = connect(server).call("server.time").call
    assert call.server_ms == pytest.approx(server_ms)
    assert call.processing_ms == pytest.approx(processing_ms)


def test_loopback_bypasses_proxies_and_netrc_is_not_asked(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9/")
    (tmp_path / "netrc").write_text(
        "machine 127.0.0.1 login anna password pw\ndefault login anna password pw\n"
    )
    (tmp_path / "netrc").chmod(0o600)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    with serving(GOOD) as server:
        assert connect(server).call(READ).result is True
        assert b"authorization" not in server.requests[0].lower()


def test_other_hosts_go_through_the_proxy_as_requests_does_it(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(http(b"", "403 Forbidden")) as proxy:
        address = proxy.webhook.split("/rest/")[0]
        monkeypatch.setenv("HTTPS_PROXY", address)
        connection = Connection(
            Webhook.parse("https://portal.example/rest/1/abcdef0123456789/"), clock=FakeClock()
        )
        with pytest.raises(errors.ConnectionFailed):
            connection.call(READ)
        assert proxy.requests[0].startswith(b"CONNECT portal.example:443")
        assert b"abcdef0123456789" not in b"".join(proxy.requests)


def test_params_that_json_does_not_have_are_refused_before_sending() -> None:
    with serving(GOOD) as server:
        connection = connect(server)
        for wrong in ({"a": object()}, {"a": float("nan")}, {"a": {1, 2}}):
            with pytest.raises(errors.InvalidInput, match="JSON"):
                connection.call(READ, wrong)
        assert server.requests == []


def test_params_are_masked_in_the_log() -> None:
    with serving(GOOD) as server:
        connection = connect(server)
        connection.call(READ, {"auth": "s3cret", "cmd": {"a": {"access_token": "s3cret"}}, "code": "x"})
        assert b"s3cret" in server.requests[0]
        assert "s3cret" not in repr(connection.calls.last)
        assert "'code': 'x'" in repr(connection.calls.last)


@pytest.mark.parametrize(
    ("method", "write"),
    [
        ("crm.activity.badge.list", False),
        ("CRM.Activity.Badge.Get", False),
        ("crm.activity.badge.add", True),
        ("crm.deal.fields", False),
        ("profile", False),
        ("batch", True),
        ("crm.something.unheard.of", True),
    ],
)
def test_what_is_not_known_to_change_nothing_counts_as_a_write(method: str, write: bool) -> None:
    assert is_write(method) is write


def test_an_answer_that_is_gzipped_is_read() -> None:
    body = gzip.compress(b'{"result": "zip"}')
    with serving(http(body, "200 OK", "Content-Encoding: gzip")) as server:
        assert connect(server).call(READ).result == "zip"


def test_verify_takes_a_file_and_a_wrong_certificate_is_refused() -> None:
    trustme = pytest.importorskip("trustme")
    import b24nb

    with b24nb.SandboxPortal(tls=True) as portal:
        connection = Connection(Webhook.parse(portal.webhook), clock=FakeClock())
        os.environ.pop("REQUESTS_CA_BUNDLE", None)
        with pytest.raises(errors.ConnectionFailed, match="certificate"):
            connection.call(READ)
        assert Connection(Webhook.parse(portal.webhook), verify=portal.ca_file).call("profile").result
    assert trustme
