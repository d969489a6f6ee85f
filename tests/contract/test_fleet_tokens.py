"""Tokens of a fleet: renewed once, in the vault before they are used, and never lost in a race."""

import threading
from collections.abc import Iterator
from functools import partial
from typing import Any
from unittest.mock import Mock

import pytest

from b24nb import Fleet, OAuthToken
from b24nb.sandbox import SandboxFleet
from tests.fakes import FakeClock, together
from tests.fleets import QUIET

HOUR = 3601


class Vault:
    """Keeps the token of each portal."""

    def __init__(self, sandboxes: SandboxFleet) -> None:
        self.kept = {name: dict(portal.oauth) for name, portal in sandboxes.portals.items()}
        self.stored: list[str] = []

    def __call__(self, name: str) -> OAuthToken:
        return OAuthToken(**self.kept[name])

    def store(self, name: str, token: OAuthToken) -> None:
        pair = {one: getattr(token, one).reveal() for one in ("access_token", "refresh_token")}
        self.kept[name] = self.kept[name] | pair
        self.stored.append(name)


@pytest.fixture
def sandboxes(clock: FakeClock) -> Iterator[SandboxFleet]:
    with SandboxFleet(3, clock=clock) as fleet:
        yield fleet


@pytest.fixture
def vault(sandboxes: SandboxFleet) -> Vault:
    return Vault(sandboxes)


def renewals(sandboxes: SandboxFleet) -> list[int]:
    """How often each portal gave a new pair."""
    found = [[record for record in portal.requests if "oauth" in record.path] for portal in sandboxes.portals.values()]
    return [sum(record.error is None for record in records) for records in found]


def all_listed(found: Any) -> bool:
    return not found.missing and set(found.df["code"]) >= {"missedCall"}


def test_a_token_is_renewed_when_it_is_over_and_stored(sandboxes: SandboxFleet, vault: Vault, clock: FakeClock) -> None:
    fleet = Fleet(sandboxes.names, vault, clock=clock)
    assert all_listed(fleet.badges(**QUIET))
    assert renewals(sandboxes) == [0, 0, 0], "none before it is needed"
    clock.advance(HOUR)
    assert all_listed(fleet.badges(**QUIET))
    assert renewals(sandboxes) == [1, 1, 1]
    assert sorted(vault.stored) == sandboxes.names
    assert all_listed(fleet.badges(**QUIET))
    assert renewals(sandboxes) == [1, 1, 1], "the vault has the new pair"


def test_a_renewed_token_is_stored_before_it_is_used(sandboxes: SandboxFleet, vault: Vault, clock: FakeClock) -> None:
    def refuse(name: str, token: OAuthToken) -> None:
        raise OSError(f"disk full, {token.access_token.reveal()}")

    vault.store = refuse
    clock.advance(HOUR)
    before = [len(portal.requests) for portal in sandboxes.portals.values()]
    found = Fleet(sandboxes.names, vault, clock=clock).badges(**QUIET)
    assert set(found.missing.values()) == {"no access"}
    assert found.status["detail"].str.contains("did not take the renewed token").all()
    assert found.status["detail"].str.endswith("It raised OSError. Check the vault.").all()
    after = [portal.requests[count:] for portal, count in zip(sandboxes.portals.values(), before, strict=True)]
    assert [[record.error for record in records] for records in after] == [["expired_token", None]] * 3


@pytest.mark.parametrize(("failures", "anew"), [(1, False), (3, False), (3, True)])
def test_a_token_that_the_vault_did_not_take_is_not_lost(
    sandboxes: SandboxFleet, vault: Vault, clock: FakeClock, failures: int, anew: bool
) -> None:
    left, store = [*range(failures)], vault.store

    async def not_yet() -> None:
        raise AssertionError("nobody waits for it")

    def busy(name: str, token: OAuthToken) -> Any:
        if not left:
            return store(name, token)
        if left.pop() == 0:
            raise OSError("database is locked")
        return not_yet()

    vault.store = busy
    fleet = Fleet(sandboxes.names[:1], vault, clock=clock)
    clock.advance(HOUR)
    found = fleet.badges(**QUIET)
    assert found.missing == ({} if failures < 3 else {"portal-0001": "no access"})
    later = Fleet(sandboxes.names[:1], vault, clock=clock)
    assert all_listed((later if anew else fleet).badges(**QUIET))
    assert vault.stored == ["portal-0001"]
    assert all_listed(later.badges(**QUIET)), "the vault has it"
    assert renewals(sandboxes) == [1, 0, 0]


def test_a_token_not_stored_replaces_no_newer_one(sandboxes: SandboxFleet, vault: Vault, clock: FakeClock) -> None:
    fleet = Fleet(sandboxes.names[:1], vault, clock=clock)
    clock.advance(HOUR)
    vault.store = Mock(side_effect=OSError("no database"))
    assert fleet.badges(**QUIET).missing == {"portal-0001": "no access"}
    del vault.store
    fresh = sandboxes.portals["portal-0001"].issue_token()  # the application was installed anew
    vault.kept["portal-0001"] |= {name: fresh[name] for name in ("access_token", "refresh_token")}
    assert all_listed(fleet.badges(**QUIET))
    assert vault("portal-0001").access_token.reveal() == fresh["access_token"]


def test_a_token_renewed_by_another_process_is_read_again(
    sandboxes: SandboxFleet, vault: Vault, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = {name: vault(name) for name in sandboxes.names}
    clock.advance(HOUR)
    assert all_listed(Fleet(sandboxes.names, vault, clock=clock).badges(**QUIET))
    monkeypatch.setattr("b24nb.rest.token_renewals._RENEWALS", {})  # this process knows of no renewal
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


@pytest.mark.parametrize(("portals", "rounds"), [(3, 5), pytest.param(50, 20, marks=pytest.mark.slow)])
def test_two_fleets_that_meet_the_end_of_the_same_tokens_lose_none(clock: FakeClock, portals: int, rounds: int) -> None:
    """They share a vault, and know nothing of each other."""
    with SandboxFleet(portals, clock=clock) as sandboxes:
        vault = Vault(sandboxes)
        for number in range(rounds):
            clock.advance(HOUR)
            begin = threading.Barrier(2)

            def visit(fleet: Fleet, begin: threading.Barrier = begin) -> bool:
                begin.wait()
                return all_listed(fleet.badges(**QUIET))

            both = [partial(visit, Fleet(sandboxes.names, vault)) for _ in range(2)]
            assert together(*both) == [True, True], f"round {number}"
            assert all_listed(Fleet(sandboxes.names, vault).badges(**QUIET)), "the vault has pairs that work"
        assert renewals(sandboxes) == [rounds] * portals


def test_a_vault_need_store_nothing_for_one_process(sandboxes: SandboxFleet, vault: Vault, clock: FakeClock) -> None:
    fleet = Fleet(sandboxes.names, lambda name: vault(name), clock=clock)
    for _ in range(3):
        clock.advance(HOUR)
        assert all_listed(fleet.badges(**QUIET))
    assert renewals(sandboxes) == [3, 3, 3]
