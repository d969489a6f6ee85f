"""An application's token renews itself once, in the open."""

import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import pytest

from b24nb import Client, OAuthToken, SandboxPortal, connect, errors, forms
from b24nb.forms.messages import message_for
from b24nb.rest.connection import Connection
from b24nb.rest.transport import Transport
from tests.fakes import FakeClock, asked, exit_when_told
from tests.servers import RawServer, gate_of, http, serving


@pytest.fixture
def aging(clock: FakeClock) -> Iterator[SandboxPortal]:
    with SandboxPortal(clock=clock) as portal:
        yield portal


def token_of(portal: SandboxPortal, **more: object) -> OAuthToken:
    return OAuthToken(**{**portal.oauth, **more})


def an_hour_later(clock: FakeClock) -> dict[str, object]:
    """Options of a bulk run: an hour passes before its first request."""
    hours = iter([3601])
    return {"progress": False, "cancel": lambda: bool(clock.advance(next(hours, 0)))}


def test_an_expired_token_is_renewed_once_and_the_new_pair_is_told(aging: SandboxPortal, clock: FakeClock) -> None:
    told: list[OAuthToken] = []
    old = token_of(aging, on_refresh=told.append)
    with connect(old, clock=clock) as b24:
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


CTRL_C, TOLD_TO_END = signal.SIGINT, signal.SIGTERM


@pytest.mark.parametrize(
    ("signals", "refused"),
    [([CTRL_C], False), ([CTRL_C], True), ([CTRL_C, CTRL_C], False), ([TOLD_TO_END], False)],
    ids=["Ctrl-C", "Ctrl-C and a refusal", "Ctrl-C twice", "a service that is told to end"],
)
def test_a_program_that_is_ended_while_a_token_is_renewed_does_not_lose_the_new_pair(
    aging: SandboxPortal, clock: FakeClock, signals: list[signal.Signals], refused: bool
) -> None:
    told: list[OAuthToken] = []
    wrong = {"client_secret": "wrong"} if refused else {}

    def send_signals() -> None:
        gate.reached.wait(10)
        for number in signals:
            time.sleep(0.05)
            signal.pthread_kill(threading.main_thread().ident, number)
        time.sleep(0.05)
        gate.opened.set()

    # The path of the token server ends with a slash.
    with gate_of(aging, "") as gate, ThreadPoolExecutor(1) as pool, exit_when_told():
        token = token_of(aging, on_refresh=told.append, auth_server=gate.webhook.partition("/rest")[0], **wrong)
        with connect(token, clock=clock) as b24:
            clock.advance(3601)
            sending = pool.submit(send_signals)
            with pytest.raises(SystemExit if TOLD_TO_END in signals else KeyboardInterrupt):
                b24.badges.get("missedCall")
            sending.result()
    assert len(told) == (not refused)
    for pair in told:
        with connect(pair, clock=clock) as again:
            assert again.badges.get("missedCall")


def test_a_token_is_renewed_in_a_thread_that_outlives_the_main_thread() -> None:
    program = """
import threading, time, b24nb
portal = b24nb.SandboxPortal().start()
b24 = b24nb.connect(b24nb.OAuthToken(**portal.oauth))
def work():
    threading.main_thread().join()
    portal.faults.next("expired_token")
    print(len(b24.badges.list()), flush=True)
threading.Thread(target=work).start()
"""
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert (told.stdout, told.stderr) == ("12\n", "")


def test_threads_that_meet_the_end_together_renew_once(aging: SandboxPortal, clock: FakeClock) -> None:
    told: list[OAuthToken] = []
    with connect(token_of(aging, on_refresh=told.append), clock=clock) as b24:
        clock.advance(3601)
        with ThreadPoolExecutor(8) as pool:
            found = list(pool.map(lambda _: b24.badges.get("missedCall").code, range(24)))
    assert found == ["missedCall"] * 24
    assert len(told) == 1


@pytest.mark.parametrize(
    ("wrong", "code", "status"), [("client_secret", "invalid_client", 400), ("client_id", "wrong_client", 200)]
)
def test_a_refused_refresh_says_why(aging: SandboxPortal, clock: FakeClock, wrong: str, code: str, status: int) -> None:
    with connect(token_of(aging, **{wrong: "wrong"}), clock=clock) as b24:
        clock.advance(3601)
        with pytest.raises(errors.BadCredentials) as caught:
            b24.badges.get("missedCall")
    assert (caught.value.code, caught.value.http_status, caught.value.method) == (code, status, "oauth.token")


def test_deletes_whose_token_can_not_be_renewed_were_not_made(aging: SandboxPortal, clock: FakeClock) -> None:
    """The portal refused them before the renewal was asked for, so nobody need look."""
    before = aging.badges
    with connect(token_of(aging, refresh_token="used-by-another-program"), clock=clock) as b24:
        report = b24.badges.delete_many([row["code"] for row in before[:3]], **an_hour_later(clock))
        assert report.counts == {"failed": 3}
        assert set(report.df["error"]) == {"invalid_grant"}
        assert not b24.journal.notice
    assert asked(aging)[-2:] == ["batch", "oauth/token"]
    assert aging.badges == before


def test_a_renewal_that_fails_is_tried_once_for_all_waiting_threads(aging: SandboxPortal, clock: FakeClock) -> None:
    def wait_for_all(_: Connection) -> None:
        while asked(aging).count("list") < 3:
            time.sleep(0.01)  # `asked` leaves out the first
        time.sleep(0.3)  # until the others have read their refusal

    with closing(
        Connection(token_of(aging, refresh_token="used-by-another-program"), Transport(), clock=clock)
    ) as connection:
        connection.newer_token = wait_for_all
        clock.advance(3601)
        with ThreadPoolExecutor(4) as pool:
            calls = [pool.submit(connection.call, "crm.activity.badge.list") for _ in range(4)]
            assert {call.exception().code for call in calls} == {"invalid_grant"}
        assert asked(aging).count("oauth/token") == 1
        with pytest.raises(errors.BadCredentials):
            connection.call("crm.activity.badge.list")
        assert asked(aging).count("oauth/token") == 2, "a later call tries again"


@pytest.mark.parametrize("code", ["NOT_INSTALLED", "ERROR_OAUTH", "expired_token"])
def test_a_delete_that_is_not_let_in_is_not_looked_for(portal: SandboxPortal, b24: Client, code: str) -> None:
    portal.faults.next(code, method="crm.activity.badge.delete")
    with pytest.raises(errors.ApiError, match=code):
        b24.badges.delete("missedCall")
    assert asked(portal) == ["get", "delete"]


def test_a_program_that_can_not_store_the_new_pair_gets_its_report(aging: SandboxPortal, clock: FakeClock) -> None:
    def save(token: OAuthToken) -> None:
        raise OSError(28, f"No space left for {token.refresh_token.reveal()}")

    codes = [row["code"] for row in aging.badges[:3]]
    with connect(token_of(aging, on_refresh=save), clock=clock) as b24:
        report = b24.badges.delete_many(codes, **an_hour_later(clock))
        assert report.counts == {"not sent": 3}
        told = r"on_refresh failed to store it \(OSError: .*No space left for \*\*\*"
        assert report.df["detail"].str.contains(told).all()
        assert not b24.journal.notice
        assert b24.badges.delete_many(codes, progress=False).counts == {"deleted": 3}, "the client has the new pair"


SECRETS = {name: f"{name}-that-is-long" for name in ("access_token", "refresh_token", "client_id", "client_secret")}
EXPIRED = http(b'{"error": "expired_token", "error_description": ""}', "401 Unauthorized")


def token_at(server: RawServer, **more: Any) -> OAuthToken:
    """The token of an application whose portal and authorization server is this one."""
    address = server.webhook.split("/rest/")[0]
    return OAuthToken(portal=address, auth_server=address, **SECRETS, **more)


def test_an_authorization_server_may_keep_the_access_token(clock: FakeClock) -> None:
    pair = {"access_token": SECRETS["access_token"], "refresh_token": "another-refresh-token"}
    refused = http(b'{"error": "invalid_grant"}', "400 Bad Request")
    answers = EXPIRED, http(json.dumps(pair).encode()), EXPIRED, refused
    with serving(*answers) as server, pytest.raises(errors.BadCredentials, match="invalid_grant"):
        Connection(token_at(server), Transport(), clock=clock).call("profile")


def test_an_authorization_server_may_keep_the_refresh_token(clock: FakeClock) -> None:
    told: list[OAuthToken] = []
    pair = {"access_token": "another-access-token", "refresh_token": SECRETS["refresh_token"]}
    with serving(EXPIRED, http(json.dumps(pair).encode()), http(b'{"result": 1}')) as server:
        token = token_at(server, on_refresh=told.append)
        assert Connection(token, Transport(), clock=clock).call("profile").result == 1
    (renewed,) = told
    assert (renewed.access_token.reveal(), renewed.refresh_token) == (pair["access_token"], token.refresh_token)


@pytest.mark.parametrize("kind", ["reset", "empty"])
def test_a_renewal_that_is_lost_leaves_the_call_unsent(aging: SandboxPortal, clock: FakeClock, kind: str) -> None:
    """The portal had refused the call itself, so a write is not in doubt."""
    with connect(token_of(aging), clock=clock) as b24:
        clock.advance(3601)
        aging.faults.next(kind, method="oauth/token")
        with pytest.raises(errors.TransportError) as caught:
            b24.badges.delete("missedCall")
        assert caught.value.sent is False
        assert caught.value.method == "oauth.token"
        assert b24.calls.last.outcome == "lost"
        assert b24.badges.get("missedCall")


def test_an_answer_without_a_pair_is_no_renewal(clock: FakeClock) -> None:
    for body in (b'{"access_token": "new"}', b'{"access_token": 7, "refresh_token": "r"}', b"{}"):
        with (
            serving(EXPIRED, http(body)) as server,
            closing(Connection(token_at(server), Transport(), clock=clock)) as connection,
        ):
            before = connection.credentials
            with pytest.raises(errors.BadResponse):
                connection.call("profile")
            assert connection.credentials is before


def no_json(token: OAuthToken) -> None:
    raise TypeError("Object of type Secret is not JSON serializable")


async def later(token: OAuthToken) -> None:
    raise AssertionError("nobody waits for it")


@pytest.mark.parametrize("wrong", [later, "save", 5])
def test_what_can_not_store_a_pair_is_refused_while_the_old_one_is_valid(portal: SandboxPortal, wrong: Any) -> None:
    with pytest.raises(errors.InvalidInput, match="on_refresh is a function"):
        token_of(portal, on_refresh=wrong)


@pytest.mark.parametrize(
    ("store", "says"), [(no_json, "not JSON serializable"), (lambda token: later(token), "asynchronous")]
)
def test_a_pair_not_stored_is_given_again(aging: SandboxPortal, clock: FakeClock, store: Any, says: str) -> None:
    told: list[OAuthToken] = []
    clock.advance(3601)
    with pytest.raises(errors.VaultError, match=rf"on_refresh failed.*{says}.*not sent") as caught:
        connect(token_of(aging, on_refresh=store), clock=clock)
    assert "on_refresh" in message_for(caught.value).text
    with connect(token_of(aging, on_refresh=told.append), clock=clock) as b24:
        assert b24.badges.get("missedCall")
    assert [one.access_token for one in told] != [token_of(aging).access_token]
    assert len(told) == 1


def test_a_pair_that_was_not_stored_is_given_by_later_calls(aging: SandboxPortal, clock: FakeClock) -> None:
    told: list[OAuthToken] = []
    busy: list[BaseException] = [SystemExit(3), OSError("database is locked"), OSError("database is locked")]

    def save(token: OAuthToken) -> None:
        b24.call("server.time")  # it may use the client
        if busy:
            raise busy.pop()
        told.append(token)

    with connect(token_of(aging, on_refresh=save), clock=clock) as b24:
        clock.advance(3601)
        with pytest.raises(errors.VaultError):
            b24.badges.list()
        b24.badges.list()
        with pytest.raises(SystemExit):
            b24.badges.list()
        for _ in range(3):
            b24.badges.list()
    assert len(told) == 1
    assert asked(aging).count("oauth/token") == 1


def test_an_authorization_server_out_of_reach_is_asked_again_and_named(aging: SandboxPortal, clock: FakeClock) -> None:
    with connect(token_of(aging, auth_server="http://127.0.0.1:9"), clock=clock) as b24:
        form = forms.delete_form(b24, "missedCall")
        clock.advance(3601)
        form.run()
        renewals = b24.calls.df.query("method == 'oauth.token'")
    assert list(renewals["attempt"]) == [1, 2, 3]
    assert "authorization server" in form.state.message.text
    assert "127.0.0.1:9 gave no new token" in form.state.message.hint
