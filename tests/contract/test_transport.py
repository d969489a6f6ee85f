"""Whatever answers, or fails to, ends in a typed error within the deadline, and is a row in the log."""

import gzip
import json
import signal
import socket
import threading
import time
import traceback
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
import pytest

from b24nb import SandboxPortal, errors
from b24nb.credentials import Webhook
from b24nb.rest.connection import Connection
from b24nb.rest.transport import MAX_BODY, Transport
from tests.fakes import FakeClock
from tests.layers import require_package
from tests.servers import Reply, answering, certified, drip, hang, http, read_request, reset, serving

GOOD = http(b'{"result": true, "time": {"start": 1.5, "finish": 1.6, "duration": 0.0001}}')
READ, WRITE = "crm.activity.badge.get", "crm.activity.badge.delete"
SECRET = "abcdef0123456789"
ELSEWHERE = f"https://portal.example/rest/1/{SECRET}/"


def connection_to(webhook: str, timeout: tuple[float, float] = (5, 60), **options: Any) -> Connection:
    return Connection(Webhook.parse(webhook), Transport(timeout, **options), clock=FakeClock())


def bomb() -> bytes:
    return gzip.compress(b"\0" * (MAX_BODY + 1_000_000), mtime=0)


@pytest.mark.parametrize(
    ("reply", "error", "says"),
    [
        (http(b"<html><h1>502 Bad Gateway</h1></html>", "502 Bad Gateway"), errors.BadResponse, "HTML page"),
        (http(b"<html>welcome</html>"), errors.BadResponse, "HTML page"),
        (http(b'{"result": tr'), errors.BadResponse, "cut off"),
        (http(b"null"), errors.BadResponse, "no answer of the REST API"),
        (http(b'{"status": "ok"}'), errors.BadResponse, "no answer of the REST API"),
        (http(b'{"result": true}', "500 Internal Server Error"), errors.BadResponse, "HTTP 500"),
        (http(b"[" * 100_000), errors.BadResponse, "cut off"),
        (http(bomb(), "200 OK", "Content-Encoding: gzip"), errors.BadResponse, "larger than 64 MB"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", errors.BadResponse, "not HTTP"),
        (http(b'{"result": true}', length=400), errors.ConnectionFailed, "broke"),
        (b"", errors.ConnectionFailed, "broke"),
        (reset, errors.ConnectionFailed, "broke"),
        (hang, errors.Timeout, r"no complete answer .*within 0\.4 s"),
        (drip(GOOD, 0.05), errors.Timeout, "no complete answer"),
        (drip(http(b"")[:-4] + b"\r\nX: " + b"x" * 200, 0.05), errors.Timeout, "no complete answer"),
    ],
)
@pytest.mark.parametrize("method", [READ, WRITE])
def test_a_wrong_answer_is_a_typed_error_in_time(
    reply: Reply, error: type[errors.TransportError], says: str, method: str
) -> None:
    total = 0.4 if error is errors.Timeout else 10
    with answering(reply, timeout=(5, total)) as (connection, server):
        with pytest.raises(error, match=says) as caught:
            connection.call(method, {"code": "x"})
        raised = caught.value
        log = connection.calls.df
        assert set(log["error"]) == {error.__name__}
        assert log["client_ms"].notna().all()
        assert len(server.requests) == len(log)
        # A write is sent once; a read is repeated where its answer was lost, and time is left.
        assert len(log) == (1 if method == WRITE or error is errors.Timeout else 3)
        assert raised.sent
        assert raised.method == method
        if method == WRITE:
            assert log["outcome"].item() == "lost"
        assert SECRET not in "".join(traceback.format_exception(raised))
        assert raised.__context__ is raised.__cause__ is None


def test_a_slow_upload_may_take_the_total_time() -> None:
    def stall(connection: socket.socket) -> None:
        time.sleep(0.5)
        read_request(connection)
        connection.sendall(GOOD)

    with serving(stall, read=False) as server:
        assert connection_to(server.webhook, (0.2, 30)).call(WRITE, {"text": "x" * 12_000_000}).result is True


@pytest.mark.parametrize("method", [READ, WRITE])
def test_a_connection_that_never_was_is_tried_again(method: str) -> None:
    with serving(GOOD) as server:
        connection = connection_to(server.webhook)
    with pytest.raises(errors.ConnectionFailed, match="could not connect") as caught:
        connection.call(method)
    assert caught.value.sent is False
    assert list(connection.calls.df["attempt"]) == [1, 2, 3]
    assert set(connection.calls.df["outcome"]) == {"failed"}


def test_an_unknown_host_is_named_as_such() -> None:
    with pytest.raises(errors.ConnectionFailed, match=r"the host nowhere\.invalid was not found"):
        connection_to(f"https://nowhere.invalid/rest/1/{SECRET}/").call(READ)


RATE = http(b'{"error":"QUERY_LIMIT_EXCEEDED","error_description":"Too many requests"}', "503 Service Unavailable")


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
        (answer({"start": 1, "duration": 0.9, "processing": 1}, "X-Bitrix-Rest-Time: 0.0003000000"), 0.3, None),
        # More than the caller waited: it contradicts the clock.
        (answer({"start": 1.5, "duration": 30.0, "processing": 29.0}), None, None),
        (answer({}), None, None),
        (http(b'{"result": 1, "time": []}'), None, None),
        (http(b'{"result": 1}'), None, None),
    ],
)
def test_server_time_is_true_or_missing(reply: bytes, server_ms: float | None, processing_ms: float | None) -> None:
    with answering(reply) as (connection, _):
        call = connection.call("server.time").call
    assert call.server_ms == pytest.approx(server_ms)
    assert call.processing_ms == pytest.approx(processing_ms)


def test_loopback_bypasses_proxies_and_netrc_is_not_asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9/")
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login anna password pw\ndefault login anna password pw\n")
    (tmp_path / "netrc").chmod(0o600)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    with answering(GOOD) as (connection, server):
        assert connection.call(READ).result is True
        assert b"authorization" not in server.requests[0].lower()


def test_a_redirect_is_not_followed_nor_read() -> None:
    """requests reads the body of a redirect, however large, also when it is not to follow it."""
    endless = http(b"x" * (MAX_BODY + 1), "302 Found", "Location: x")
    with answering(endless) as (connection, _), pytest.raises(errors.BadResponse, match="redirect"):
        connection.call(WRITE)
    assert [call.outcome for call in connection.calls] == ["lost"]


def test_a_proxy_that_refuses_has_not_sent_a_write(monkeypatch: pytest.MonkeyPatch) -> None:
    for reply, error in ((b"", errors.ConnectionFailed), (b"SSH-2.0\r\n", errors.BadResponse), (hang, errors.Timeout)):
        with serving(reply) as proxy:
            monkeypatch.setenv("HTTPS_PROXY", proxy.webhook.split("/rest/")[0])
            connection = connection_to(ELSEWHERE, (0.3, 0.3))
            with pytest.raises(error) as caught:
                connection.call(WRITE)
            assert caught.value.sent is False
            assert set(connection.calls.df["outcome"]) == {"failed"}


def test_tls_that_breaks_after_the_request_left_is_a_lost_answer() -> None:
    """A broken record is an SSLError like a wrong certificate, but the write may have happened."""
    context, authority = certified()

    def garble(connection: socket.socket) -> None:
        plain = connection.dup()
        with context.wrap_socket(connection, server_side=True) as tls:
            tls.recv(65536)
            plain.sendall(b"\x17\x03\x03\x00\x20" + b"?" * 32)
            plain.close()
            tls.recv(1)

    with serving(garble, read=False) as server, authority.cert_pem.tempfile() as bundle:
        connection = connection_to(server.webhook.replace("http:", "https:"), (1, 1), verify=bundle)
        with pytest.raises(errors.ConnectionFailed, match="broke") as caught:
            connection.call(WRITE)
    assert caught.value.sent
    assert list(connection.calls.df["outcome"]) == ["lost"]


def test_the_bundle_of_the_environment_is_used_or_a_given_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "other.pem").write_bytes(certified()[1].cert_pem.bytes())
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9/")  # which could not reach this machine
    with SandboxPortal(tls=True) as portal:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(portal.ca_file))
        assert connection_to(portal.webhook).call("profile").result
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "other.pem"))
        assert connection_to(portal.webhook, verify=portal.ca_file).call("profile").result
        monkeypatch.chdir(Path(str(portal.ca_file)).parent)
        connection = connection_to(portal.webhook, verify=Path(str(portal.ca_file)).name)
        monkeypatch.chdir(tmp_path)
        assert connection.call("profile").result, "also after a chdir"


def test_after_a_sleep_a_kept_connection_is_not_used_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """It may be dead, and a call that waits for it takes the whole timeout."""

    def once(connection: socket.socket) -> None:
        connection.sendall(GOOD.replace(b"Connection: close", b"Connection: keep-alive"))
        read_request(connection)
        reset(connection)

    with answering(once, GOOD) as (connection, _):
        assert connection.call(READ).result is True
        now = time.time()
        monkeypatch.setattr(time, "time", lambda: now + 3600)
        assert connection.call(WRITE).result is True


def test_refusals_for_the_rate_do_not_use_up_the_repeats_of_a_read() -> None:
    with answering(RATE, RATE, RATE, reset, reset, GOOD) as (connection, _):
        assert connection.call(READ).result is True


def test_an_interrupted_call_is_a_row_too() -> None:
    def interrupt(connection: socket.socket) -> None:
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
        connection.recv(1)

    with answering(interrupt) as (connection, _), pytest.raises(KeyboardInterrupt):
        connection.call(WRITE)
    row = connection.calls.last
    assert (row.error, row.outcome) == ("KeyboardInterrupt", "lost")
    assert row.client_ms > 0


NO_NAMES = ["", "crm.deal.list?x=1", f"https://h/rest/1/{SECRET}/profile", "a/b", "crm.#", "метод"]


@pytest.mark.parametrize(
    ("method", "params", "says"),
    [
        *((name, None, "REST method") for name in NO_NAMES),
        *((READ, {"a": no_json}, "JSON") for no_json in (object, float("nan"), {1, 2})),
        (READ, ["code"], "mapping|pair"),
    ],
)
def test_what_can_not_be_called_is_refused_before_sending(method: str, params: Any, says: str) -> None:
    with answering(GOOD) as (connection, server):
        for send in (lambda: connection.call(method, params), lambda: connection.batch({"a": (method, params)})):
            with pytest.raises(errors.InvalidInput, match=says) as caught:
                send()
            assert SECRET not in str(caught.value)
        assert server.requests == []


@pytest.mark.parametrize("figure", [1e400, "nan", -5, True, [], {}, "abc", 10**400, 1e300])
def test_figures_that_are_none_are_missing_and_break_no_display(figure: object) -> None:
    names = ("duration", "processing", "operating", "operating_reset_at")
    block = {"start": 1.5, **dict.fromkeys(names, figure)}
    with answering(answer(block)) as (connection, _):
        connection.call(READ)
    row = connection.calls.df.iloc[0]
    for name in ("server_ms", "processing_ms", "operating_s", "operating_reset_at"):
        assert row[name] is pd.NaT or pd.isna(row[name])
    assert connection.calls._repr_html_()
    assert repr(connection.calls.limits)


@pytest.mark.parametrize("numbers", [np, pd], ids=["numpy", "pandas"])
def test_numbers_out_of_a_frame_are_sent(numbers: Any) -> None:
    frame = pd.DataFrame({"id": [7], "part": np.array([1.5], "float32"), "on": [True], "name": ["x"]})
    row = frame.iloc[0].to_dict() if numbers is pd else {name: frame[name].to_numpy()[0] for name in frame}
    with answering(http(b'{"result": {"result": {"k0": 1}}}')) as (connection, server):
        connection.call(READ, {**row, "map": MappingProxyType({"a": 1})})
        connection.batch({"a": (READ, row)})
    wanted = {"id": 7, "part": 1.5, "on": True, "name": "x", "map": {"a": 1}}
    assert json.loads(server.requests[0].partition(b"\r\n\r\n")[2]) == wanted
    assert b"id=7&part=1.5&on=1&name=x" in server.requests[1]
    assert json.loads(connection.calls.df["params"][0]) == wanted, "the log has them as they were sent"
    assert all('"id": 7, "part": 1.5, "on": true' in call.as_code() for call in connection.calls if call.kind != "http")


def test_a_result_with_half_a_character_can_be_shown() -> None:
    with answering(http(b'{"result": "half \\ud83d"}')) as (connection, _):
        answer = connection.call(READ)
    assert answer.result == "half \ud83d"
    for shown in (repr(answer), answer._repr_html_()):
        assert shown.encode()


def test_a_socks_proxy_carries_a_call(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in requests, with PySocks; the name is looked up by the proxy."""
    require_package("socks")
    context, authority = certified("portal.example")
    wanted = []

    def proxy(connection: socket.socket) -> None:
        connection.recv(64)
        connection.sendall(b"\x05\x00")
        wanted.append(connection.recv(300))
        connection.sendall(b"\x05\x00\x00\x01" + bytes(6))
        with context.wrap_socket(connection, server_side=True) as tls:
            read_request(tls)
            tls.sendall(GOOD)

    with serving(proxy, read=False) as server, authority.cert_pem.tempfile() as bundle:
        monkeypatch.setenv("HTTPS_PROXY", f"socks5h://127.0.0.1:{server.port}")
        assert connection_to(ELSEWHERE, (5, 10), verify=bundle).call(WRITE).result is True
    assert b"portal.example" in wanted[0]
