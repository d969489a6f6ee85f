"""A sandbox portal held against all facts, and a real one against those that hold there.

The second is opt-in: set ``B24_LIVE_WEBHOOK`` to an administrator's webhook with the scope ``crm`` and run
``pytest -m live``. All badges that these facts make have codes that start with ``b24nb_test_``; they are
deleted after each fact, whatever happened. No message shows the webhook.
"""

import os
import re
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from urllib.parse import urlsplit

import pytest

import b24nb
from tests.contract.facts import ALL
from tests.contract.stage import Place, Stage, check, play
from tests.contract.wire import PREFIX, TEXT, Answer, Fact, Send, call, difference


@pytest.mark.parametrize("fact", ALL, ids=str)
def test_wire(fact: Fact) -> None:
    check(fact)


def test_the_comparison_can_fail() -> None:
    assert difference({"a": 1}, {"a": True})
    assert difference({"a": 1}, {"a": 1.0})
    assert difference({"a": 1, "b": 2}, {"b": 2, "a": 1})
    assert difference([1], [1, 2])
    assert difference({"a": [TEXT]}, {"a": [5]})
    assert difference({"a": [TEXT, None]}, {"a": ["x", None]}) is None


def test_every_fact_has_an_id_and_a_source_says_something_in_one_line_and_can_fail() -> None:
    assert [name for name, count in Counter(fact.id for fact in ALL).items() if count > 1] == []
    for fact in ALL:
        assert re.fullmatch(r"[^\n]{8,110}[.)]", fact.says), fact.id
        assert fact.source, fact.id
        assert not all(isinstance(step, Send) for step in fact.steps), f"{fact.id} expects nothing"


def test_live_facts_use_nothing_that_only_a_sandbox_has() -> None:
    for fact in (fact for fact in ALL if fact.live):
        assert fact.portal == {}, fact.id
        assert fact.badges is not None, fact.id
        assert all(isinstance(step, Send | Answer) for step in fact.steps), fact.id
        for request in (step for step in fact.steps if isinstance(step, Send)):
            places = re.findall(r"<([a-z_]+)>", f"{request.path} {request.body!r} {request.headers}")
            assert set(places) <= {"admin"}, fact.id
            assert request.path.startswith(("<admin>/", "/rest/")), fact.id


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
