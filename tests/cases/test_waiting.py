"""How long a call waits, for what, and what happens right before it leaves."""

import socket
import time
from concurrent.futures import ThreadPoolExecutor
from email.utils import formatdate
from typing import Any

import numpy as np
import pytest

from b24nb import OAuthToken, SandboxPortal, connect, errors
from b24nb.credentials import Webhook
from b24nb.rest.connection import Connection
from b24nb.rest.transport import Transport
from tests.fakes import FakeClock
from tests.servers import Reply, answering, http, serving

READ, WRITE = "crm.activity.badge.get", "crm.activity.badge.delete"
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
                assert set(b24.calls.limits.rate["seconds_until_safe"]) == {0}


BUSY = http(b"<html>busy</html>", "503 Service Unavailable", "Retry-After: 20")
RATE = http(b'{"error": "QUERY_LIMIT_EXCEEDED"}', "503 Service Unavailable", "Retry-After: 20")


def dated(connection: socket.socket) -> None:
    connection.sendall(RATE.replace(b": 20", b": " + formatdate(time.time() + 30, usegmt=True).encode()))


@pytest.mark.parametrize(("reply", "method"), [(BUSY, READ), (RATE, READ), (RATE, WRITE), (dated, READ)])
def test_a_server_that_says_when_to_come_back_is_heard(reply: Reply, method: str) -> None:
    with answering(reply, GOOD) as (connection, _):
        before = connection.clock.monotonic()
        assert connection.call(method).result is True
        assert connection.clock.monotonic() >= before + 20


@pytest.mark.parametrize("stated", ["3600", "Wed, 01 Jan 2126 00:00:00 GMT"])
@pytest.mark.parametrize("reply", [BUSY, RATE])
def test_nobody_waits_an_hour_because_a_header_says_so(reply: bytes, stated: str) -> None:
    with answering(reply.replace(b": 20", f": {stated}".encode())) as (connection, _):
        with pytest.raises(errors.B24Error) as caught:
            connection.call(READ)
        assert caught.value.retry_after >= 3600
        assert len(connection.calls) == 1


def test_a_header_that_cannot_be_read_is_not_waited_for() -> None:
    with answering(BUSY.replace(b": 20", b": soon"), GOOD) as (connection, _):
        assert connection.call(READ).result is True


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


def test_settings_out_of_a_frame_are_taken(portal: SandboxPortal) -> None:
    with connect(portal, timeout=(np.int64(5), np.float32(60)), settle_after=np.int64(5)) as b24:
        assert b24.badges.delete_many(["missedCall"], parallel=np.int64(2), confirm=np.int64(1), progress=False).ok
        assert len(b24.journal.plan_undo(last=np.int64(1))) == 1


@pytest.mark.parametrize(
    "settings",
    [
        *({"settle_after": wrong} for wrong in ("60", None, float("nan"), float("inf"), -5, True)),
        *({"timeout": wrong} for wrong in ((5, float("inf")), (5, 1e12), (float("nan"), 5), (True, True))),
        *({"timeout": wrong} for wrong in (5, (5,), (5, None), (5, 0), "ab", (5, 6, 7))),
        *({"verify": wrong} for wrong in ("", None, 0, 1, 1.5, "false", b"", [], "no-such.pem")),
        *({"read_only": wrong} for wrong in (None, "no", 0, 1, "")),
        *({"tariff": wrong} for wrong in (None, [], "gold")),
        *({"journal": wrong} for wrong in ("", 5, True)),
    ],
    ids=str,
)
def test_a_setting_that_cannot_be_right_is_refused(portal: SandboxPortal, settings: dict[str, Any]) -> None:
    with pytest.raises(errors.InvalidInput) as caught:
        connect(portal.webhook, **settings)
    assert caught.value.field in settings
    assert not portal.requests
