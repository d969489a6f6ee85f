"""Trouble on demand: every described error by its code, and answers that break on the way."""

from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from b24nb.sandbox import SandboxPortal
from tests.contract.rest import by_hand, code_of, refresh, rest
from tests.fakes import eventually

DELETE = "crm.activity.badge.delete"
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


@pytest.mark.parametrize(
    ("what", "options", "words"),
    [
        ("reset", {"times": 0}, "1 or more"),
        ("reset", {"effect_after": 1, "after_effect": True}, "without after_effect"),
        ("INTERNAL_SERVER_ERROR", {"effect_after": 1}, "with one of reset"),
    ],
)
def test_trouble_that_can_not_be_is_refused(
    portal: SandboxPortal, what: str, options: dict[str, Any], words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        portal.faults.next(what, **options)
    assert rest(portal.webhook, "profile").ok


def test_a_missing_scope_is_answered_as_the_webhook_without_it_is(portal: SandboxPortal) -> None:
    portal.faults.next("insufficient_scope")
    provoked, real = (rest(hook, DELETE, MISSED_CALL) for hook in (portal.webhook, portal.webhooks["noscope"]))
    assert (provoked.status_code, provoked.json()) == (real.status_code, real.json())


def test_times_and_method_choose_the_calls(portal: SandboxPortal) -> None:
    portal.faults.next("QUERY_LIMIT_EXCEEDED", times=2, method="Profile")
    assert len(portal.faults) == 2
    assert rest(portal.webhook, "server.time").ok
    assert [rest(portal.webhook, "profile").status_code for _ in range(3)] == [503, 503, 200]
    portal.faults.next("reset")
    portal.faults.clear()
    assert rest(portal.webhook, "profile").ok


def raw(portal: SandboxPortal, method: str) -> bytes:
    """All that comes back on the socket for a GET about a missed call."""
    return by_hand(portal, f"GET {urlsplit(portal.webhook).path}{method}?code=missedCall HTTP/1.1\nHost: localhost")


def test_an_oversized_answer_and_a_hanging_one_end_as_was_asked_for(portal: SandboxPortal) -> None:
    portal.faults.next("oversized", size=3_000_000)
    assert len(rest(portal.webhook, DELETE, MISSED_CALL).content) == 3_000_000
    portal.faults.next("hang", seconds=0.1)
    assert raw(portal, "profile") == b""


def test_stopping_does_not_wait_for_what_hangs() -> None:
    with SandboxPortal() as portal:
        portal.faults.next("hang")
        with pytest.raises(requests.ReadTimeout):
            rest(portal.webhook, DELETE, MISSED_CALL, timeout=0.3)
        portal.faults.next("drip")
        answer = rest(portal.webhook, "profile", stream=True)
    with suppress(requests.exceptions.ChunkedEncodingError):  # older urllib3 takes what came for all of it
        assert len(answer.content) < int(answer.headers["Content-Length"])


def test_a_late_effect_waits_until_the_client_has_given_up(portal: SandboxPortal) -> None:
    portal.faults.next("hang", effect_after=0.3)
    with pytest.raises(requests.ReadTimeout):
        rest(portal.webhook, DELETE, MISSED_CALL, timeout=0.6)
    assert "missedCall" in codes(portal)
    eventually(lambda: "missedCall" not in codes(portal))


def test_a_late_effect_comes_though_the_client_gave_up_during_the_latency(portal: SandboxPortal) -> None:
    portal.switches.latency_ms = 400
    portal.faults.next("hang", effect_after=0.1)
    with pytest.raises(requests.ReadTimeout):
        rest(portal.webhook, DELETE, MISSED_CALL, timeout=0.1)
    eventually(lambda: "missedCall" not in codes(portal))


def test_the_token_endpoint_fails_too(portal: SandboxPortal) -> None:
    token = portal.oauth["refresh_token"]
    portal.faults.next("html", method="oauth/token")
    assert rest(portal.webhook, "profile").ok
    assert refresh(portal, token).status_code == 502
    portal.faults.next("INTERNAL_SERVER_ERROR", method="oauth/token", after_effect=True)
    assert code_of(refresh(portal, token)) == (500, "INTERNAL_SERVER_ERROR")
    assert code_of(refresh(portal, token)) == (400, "invalid_grant")
