"""The facts that a real portal can be asked about, asked there.

Opt-in: set ``B24_LIVE_WEBHOOK`` to an administrator's webhook with the scope ``crm`` and run
``pytest -m live``. All badges that these facts make have codes that start with ``b24nb_test_``; they are
deleted after each fact, whatever happened. No message shows the webhook.
"""

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from urllib.parse import urlsplit

import pytest

import b24nb
from tests.contract.facts import ALL
from tests.contract.stage import Place, Stage, check, play
from tests.contract.wire import PREFIX, Fact, Send, call

LIVE = [fact for fact in ALL if fact.live]
PLACE = os.environ.get("B24_LIVE_WEBHOOK", "")
NO_PORTAL = pytest.param(
    None, id="no-portal", marks=pytest.mark.skip("B24_LIVE_WEBHOOK is not set: no live portal to ask")
)


class Polite(Stage):
    """A stage that keeps to the portal's request rate and comes back after a refusal."""

    pause = 0.5

    def send(self, request: Send) -> tuple[int, Mapping[str, str], bytes]:
        for _ in range(10):
            time.sleep(self.pause)
            status, headers, body = super().send(request)
            if status != 503:
                break
            time.sleep(10 * self.pause)
        return status, headers, body


def guest(webhook: str, pause: float) -> Place:
    """The portal with a fact's badges on it, and without any test badge afterwards."""

    @contextmanager
    def place(fact: Fact) -> Iterator[Stage]:
        parts = urlsplit(webhook)
        stage = Polite(f"{parts.scheme}://{parts.netloc}", {"admin": parts.path.rstrip("/")})
        stage.pause = pause
        try:
            play(stage, [call("crm.activity.badge.add", badge) for badge in fact.badges or ()])
            yield stage
        finally:
            play(stage, [call("crm.activity.badge.list", keep=("badges", "badges"))])
            codes = [badge["code"] for badge in stage.names["badges"] if badge["code"].startswith(PREFIX)]
            play(stage, [call("crm.activity.badge.delete", {"code": code}) for code in codes])

    return place


@pytest.mark.live
@pytest.mark.parametrize("fact", LIVE if PLACE else [NO_PORTAL], ids=str)
def test_live(fact: Fact) -> None:
    assert "PYTEST_XDIST_WORKER" not in os.environ, "rows side by side disturb each other: give -n 0"
    check(fact, guest(PLACE, pause=0.5))


@pytest.mark.parametrize("fact", LIVE[::12], ids=str)
def test_the_live_run_works_and_cleans_up(portal: b24nb.SandboxPortal, fact: Fact) -> None:
    before = portal.badges
    check(fact, guest(portal.webhook, pause=0))
    assert portal.badges == before


def test_a_fact_that_fails_live_cleans_up_and_keeps_the_secret(portal: b24nb.SandboxPortal) -> None:
    before = portal.badges
    wrong = Fact("x", "x", "x", (call("crm.activity.badge.add", {"code": PREFIX + "x"}),), live=True)
    with pytest.raises(AssertionError) as caught:
        check(wrong, guest(portal.webhook, pause=0))
    assert urlsplit(portal.webhook).path.split("/")[3] not in str(caught.value)
    assert portal.badges == before
