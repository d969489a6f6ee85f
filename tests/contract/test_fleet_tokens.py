"""Tokens of a fleet: renewed once, in the vault before they are used, and never lost in a race."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from b24nb import Badge, Client, Fleet, OAuthToken, connect, errors
from b24nb.sandbox import SandboxFleet
from tests import fleets
from tests.fakes import FakeClock

HOUR = 3601
QUIET = {"progress": False}


@pytest.fixture
def sandboxes(clock: FakeClock) -> Iterator[SandboxFleet]:
    with SandboxFleet(3, clock=clock) as fleet:
        yield fleet


@pytest.fixture
def vault(sandboxes: SandboxFleet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> fleets.Tokens:
    return filled(sandboxes, tmp_path, monkeypatch)


def filled(sandboxes: SandboxFleet, folder: Path, monkeypatch: pytest.MonkeyPatch) -> fleets.Tokens:
    tokens = {name: dict(portal.oauth) for name, portal in sandboxes.portals.items()}
    fleets.fill(folder / "vault.json", tokens, monkeypatch.setenv)
    return fleets.Tokens()


def renewals(sandboxes: SandboxFleet) -> list[int]:
    """How often each portal gave a new pair."""
    found = [[record for record in portal.requests if "oauth" in record.path] for portal in sandboxes.portals.values()]
    return [sum(record.error is None for record in records) for records in found]


def all_listed(found: Any) -> bool:
    return not found.missing and set(found.df["code"]) >= {"missedCall"}


def test_a_token_is_renewed_when_it_is_over_and_stored(
    sandboxes: SandboxFleet, vault: fleets.Tokens, clock: FakeClock
) -> None:
    fleet = Fleet(sandboxes.names, vault, clock=clock)
    assert all_listed(fleet.badges(**QUIET))
    assert renewals(sandboxes) == [0, 0, 0], "none before it is needed"
    clock.advance(HOUR)
    assert all_listed(fleet.badges(**QUIET))
    assert renewals(sandboxes) == [1, 1, 1]
    assert sorted(vault.stored) == sandboxes.names
    assert all_listed(fleet.badges(**QUIET))
    assert renewals(sandboxes) == [1, 1, 1], "the vault has the new pair"


def test_a_renewed_token_is_in_the_vault_before_it_is_used(
    sandboxes: SandboxFleet, vault: fleets.Tokens, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(name: str, token: OAuthToken) -> None:
        raise OSError(f"disk full, {token.access_token.reveal()}")

    monkeypatch.setattr(vault, "store", refuse)
    clock.advance(HOUR)
    before = [len(portal.requests) for portal in sandboxes.portals.values()]
    found = Fleet(sandboxes.names, vault, clock=clock).badges(**QUIET)
    assert set(found.missing.values()) == {"no access"}
    assert found.status["detail"].str.contains("did not take the renewed token").all()
    assert found.status["detail"].str.endswith("It raised OSError. Look at what it keeps.").all()
    after = [portal.requests[count:] for portal, count in zip(sandboxes.portals.values(), before, strict=True)]
    assert [[record.error for record in records] for records in after] == [["expired_token", None]] * 3


@pytest.mark.parametrize("failures", [1, 3])
def test_a_token_that_the_vault_did_not_take_is_not_lost(
    sandboxes: SandboxFleet, vault: fleets.Tokens, clock: FakeClock, monkeypatch: pytest.MonkeyPatch, failures: int
) -> None:
    left, store = [OSError("database is locked")] * failures, vault.store

    def busy(name: str, token: OAuthToken) -> None:
        if left:
            raise left.pop()
        store(name, token)

    monkeypatch.setattr(vault, "store", busy)
    fleet = Fleet(sandboxes.names[:1], vault, clock=clock)
    clock.advance(HOUR)
    found = fleet.badges(**QUIET)
    assert found.missing == ({} if failures < 3 else {"portal-0001": "no access"})
    assert all_listed(fleet.badges(**QUIET))
    assert all_listed(Fleet(sandboxes.names[:1], vault, clock=clock).badges(**QUIET)), "the vault has it"
    assert renewals(sandboxes) == [1, 0, 0]


def test_threads_that_meet_the_end_together_renew_once_per_portal(
    sandboxes: SandboxFleet, vault: fleets.Tokens, clock: FakeClock
) -> None:
    def many(b24: Client) -> int:
        with ThreadPoolExecutor(4) as pool:
            return sum(pool.map(lambda _: len(b24.badges.list()), range(8)))

    fleet = Fleet(sandboxes.names, vault, clock=clock)
    clock.advance(HOUR)
    with ThreadPoolExecutor(4) as pool:
        runs = [pool.submit(fleet.map, many, **QUIET) for _ in range(4)]
        assert [run.result().values for run in runs] == [dict.fromkeys(sandboxes.names, 96)] * 4
    assert renewals(sandboxes) == [1, 1, 1]


def test_a_token_that_somebody_else_renewed_is_read_once_more(
    sandboxes: SandboxFleet, vault: fleets.Tokens, clock: FakeClock
) -> None:
    old = {name: vault(name) for name in sandboxes.names}
    clock.advance(HOUR)
    assert all_listed(Fleet(sandboxes.names, vault, clock=clock).badges(**QUIET))
    asked = []

    def late(name: str) -> OAuthToken:
        asked.append(name)
        return old.pop(name) if name in old else vault(name)

    assert all_listed(Fleet(sandboxes.names, late, clock=clock).badges(**QUIET))
    assert sorted(asked) == sorted(sandboxes.names * 2)
    assert renewals(sandboxes) == [1, 1, 1]


def test_a_token_that_nobody_renewed_is_revoked(sandboxes: SandboxFleet, clock: FakeClock) -> None:
    asked = []

    def dead(name: str) -> OAuthToken:
        asked.append(name)
        return OAuthToken(**{**sandboxes.portals[name].oauth, "refresh_token": "used-up-long-ago"})

    clock.advance(HOUR)
    found = Fleet(sandboxes.names, dead, clock=clock).badges(**QUIET)
    assert set(found.missing.values()) == {"revoked"}
    assert set(found.status["error"]) == {"invalid_grant"}
    assert sorted(asked) == sorted(sandboxes.names * 2)


def race(sandboxes: SandboxFleet, vault: fleets.Tokens, clock: FakeClock, rounds: int) -> None:
    """Two fleets that share a vault and know nothing of each other meet the end of the same tokens."""
    for number in range(rounds):
        clock.advance(HOUR)
        together = threading.Barrier(2)

        def visit(fleet: Fleet, together: threading.Barrier = together) -> bool:
            together.wait()
            return all_listed(fleet.badges(**QUIET))

        with ThreadPoolExecutor(2) as pool:
            both = [Fleet(sandboxes.names, vault) for _ in range(2)]
            assert [*pool.map(visit, both)] == [True, True], f"round {number}"
        assert all_listed(Fleet(sandboxes.names, vault).badges(**QUIET)), "the vault has pairs that work"
    assert renewals(sandboxes) == [rounds] * len(sandboxes.names)


def test_five_races_of_two_fleets_lose_no_token(
    sandboxes: SandboxFleet, vault: fleets.Tokens, clock: FakeClock
) -> None:
    race(sandboxes, vault, clock, rounds=5)


@pytest.mark.slow
def test_a_thousand_races_lose_no_token(clock: FakeClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with SandboxFleet(50, clock=clock) as sandboxes:
        vault = filled(sandboxes, tmp_path, monkeypatch)
        race(sandboxes, vault, clock, rounds=20)
        refused = [record.error for portal in sandboxes.portals.values() for record in portal.requests]
        print(refused.count("invalid_grant"), "of 1,000 were refused, since the other was faster")
        assert "invalid_grant" in refused


def test_a_write_whose_token_ends_in_the_middle_is_made_once(
    sandboxes: SandboxFleet, vault: fleets.Tokens, clock: FakeClock
) -> None:
    plan = Fleet(sandboxes.names, vault, clock=clock).plan([Badge("vip", "V", "V", "success")], **QUIET)
    clock.advance(HOUR)
    report = plan.apply(**QUIET)
    assert report.counts == {"added": 3}
    with pytest.raises(errors.DuplicateCode), connect(vault("portal-0001"), clock=clock) as b24:
        b24.badges.add("vip", "V", "V", "success")
