"""An application's token renews itself once, in the open."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

import b24nb
from b24nb import errors
from b24nb.rest.connection import Connection
from tests.fakes import FakeClock
from tests.servers import http, serving


@pytest.fixture
def aging(clock: FakeClock) -> Iterator[b24nb.SandboxPortal]:
    with b24nb.SandboxPortal(clock=clock) as portal:
        yield portal


def token_of(portal: b24nb.SandboxPortal, **more: object) -> b24nb.OAuthToken:
    names = ("access_token", "refresh_token", "client_id", "client_secret")
    return b24nb.OAuthToken(portal=portal.url, auth_server=portal.url, **{n: portal.oauth[n] for n in names}, **more)


def test_an_expired_token_is_renewed_once_and_the_new_pair_is_told(
    aging: b24nb.SandboxPortal, clock: FakeClock
) -> None:
    told: list[b24nb.OAuthToken] = []
    old = token_of(aging, on_refresh=told.append)
    with b24nb.connect(old, clock=clock) as b24:
        clock.advance(3601)
        b24.calls.clear()
        assert b24.badges.get("missedCall")
        log = b24.calls.df
        assert list(log["method"]) == ["crm.activity.badge.get", "oauth.token", "crm.activity.badge.get"]
        assert list(log["error"].fillna("")) == ["expired_token", "", ""]
        sent = json.loads(log["params"][1])
        assert sent["refresh_token"] == sent["client_secret"] == "***"
        assert len(told) == 1
        assert told[0].refresh_token != old.refresh_token, "the refresh token rotates"
        clock.advance(3601)
        assert b24.badges.get("missedCall")
        assert len(told) == 2


def test_threads_that_meet_the_end_together_renew_once(aging: b24nb.SandboxPortal, clock: FakeClock) -> None:
    told: list[b24nb.OAuthToken] = []
    with b24nb.connect(token_of(aging, on_refresh=told.append), clock=clock) as b24:
        clock.advance(3601)
        with ThreadPoolExecutor(8) as pool:
            found = list(pool.map(lambda _: b24.badges.get("missedCall").code, range(24)))
    assert found == ["missedCall"] * 24
    assert len(told) == 1


def test_without_a_refresh_token_the_error_says_what_to_do(aging: b24nb.SandboxPortal, clock: FakeClock) -> None:
    token = b24nb.OAuthToken(portal=aging.url, access_token=aging.oauth["access_token"])
    with b24nb.connect(token, clock=clock) as b24:
        clock.advance(3601)
        with pytest.raises(errors.TokenExpired, match="refresh"):
            b24.badges.get("missedCall")


@pytest.mark.parametrize(
    ("wrong", "code", "status"),
    [
        ({"refresh_token": "used-up"}, "invalid_grant", 400),
        ({"client_secret": "wrong"}, "invalid_client", 400),
        ({"client_id": "nobody"}, "wrong_client", 200),
    ],
)
def test_a_refused_refresh_is_an_error_of_the_authorization_server(
    aging: b24nb.SandboxPortal, clock: FakeClock, wrong: dict[str, str], code: str, status: int
) -> None:
    from dataclasses import replace

    with b24nb.connect(replace(token_of(aging), **wrong), clock=clock) as b24:
        clock.advance(3601)
        with pytest.raises(errors.BadCredentials) as caught:
            b24.badges.get("missedCall")
    assert (caught.value.code, caught.value.http_status, caught.value.method) == (code, status, "oauth.token")


@pytest.mark.parametrize("kind", ["reset", "empty"])
def test_a_renewal_whose_answer_is_lost_leaves_the_call_unsent(
    aging: b24nb.SandboxPortal, clock: FakeClock, kind: str
) -> None:
    """The portal had refused the call itself, so a write is not in doubt."""
    with b24nb.connect(token_of(aging), clock=clock) as b24:
        clock.advance(3601)
        aging.faults.next(kind, method="oauth/token")
        with pytest.raises(errors.TransportError) as caught:
            b24.badges.delete("missedCall")
        assert caught.value.sent is False
        assert caught.value.method == "oauth.token"
        assert b24.calls.last.outcome == "lost"
        assert b24.badges.get("missedCall")


def test_an_answer_without_a_pair_is_no_renewal(clock: FakeClock) -> None:
    expired = http(b'{"error": "expired_token", "error_description": ""}', "401 Unauthorized")
    for body in (b'{"access_token": "new"}', b'{"access_token": 7, "refresh_token": "r"}', b"{}"):
        with serving(expired, http(body)) as server:
            address = server.webhook.split("/rest/")[0]
            token = b24nb.OAuthToken(
                portal=address,
                auth_server=address,
                access_token="old",
                refresh_token="r",
                client_id="c",
                client_secret="s",
            )
            connection = Connection(token, clock=clock)
            with pytest.raises(errors.BadResponse):
                connection.call("profile")
            assert connection.credentials is token
            connection.close()
