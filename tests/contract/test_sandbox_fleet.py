"""Many sandbox portals at once, some of them in trouble."""

from __future__ import annotations

import threading
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests

from b24nb.sandbox import SandboxFleet
from tests.contract.rest import code_of, rest

LIST = "crm.activity.badge.list"
SHARES = {"dead": 0.1, "hanging": 0.1, "revoked": 0.1, "noscope": 0.1, "renamed": 0.1, "limited": 0.1}


def answer_of(webhook: str) -> str:
    """What a client meets, in a word."""
    try:
        answer = rest(webhook, LIST, timeout=0.5, allow_redirects=False)
    except requests.ReadTimeout:
        return "hanging"
    except requests.ConnectionError:
        return "dead"
    if answer.status_code == 302:
        return "renamed"
    codes = {"INVALID_CREDENTIALS": "revoked", "insufficient_scope": "noscope", "OPERATION_TIME_LIMIT": "limited"}
    return "ok" if answer.ok else codes[code_of(answer)[1]]


def test_each_portal_does_what_its_trouble_says() -> None:
    with SandboxFleet(20, seed=1, **SHARES) as fleet:
        met = {name: answer_of(webhook) for name, webhook in fleet.webhooks.items()}
        assert {name: what for name, what in met.items() if what != "ok"} == fleet.trouble
        assert sorted(fleet.trouble.values()) == sorted([*SHARES, *SHARES])
        assert len({urlsplit(webhook).netloc for webhook in fleet.webhooks.values()}) == 20


def test_a_seed_chooses_the_same_portals_again() -> None:
    chosen = [SandboxFleet(100, dead=0.05, seed=seed).trouble for seed in (1, 1, 2)]
    assert chosen[0] == chosen[1] != chosen[2]


def test_portals_are_apart_and_may_start_with_badges_of_their_own() -> None:
    def badges(name: str) -> list[dict[str, str]]:
        return [{"code": name, "title": "T", "value": "V", "type": "success"}]

    with SandboxFleet(3, badges=badges) as fleet:
        first, second, third = fleet.portals.values()
        rest(first.webhook, "crm.activity.badge.delete", {"code": "portal-0001"})
        assert (first.badges, [badge["code"] for badge in second.badges]) == ([], ["portal-0002"])
        foreign = second.url + urlsplit(third.webhook).path
        assert code_of(rest(foreign, "profile")) == (401, "INVALID_CREDENTIALS")
        assert len({portal.journal_path for portal in fleet.portals.values()}) == 3


def test_it_leaves_nothing_behind() -> None:
    before = threading.active_count()
    with SandboxFleet(3) as fleet:
        directory = Path(next(iter(fleet.portals.values())).journal_path).parent
        assert threading.active_count() == before + 1
    fleet.stop()
    assert threading.active_count() == before
    assert not directory.exists()


def test_shares_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ValueError, match="0 to 1"):
        SandboxFleet(10, dead=0.6, revoked=0.6)
