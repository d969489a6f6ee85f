"""Many sandbox portals at once, some of them in trouble."""

import threading
from pathlib import Path

import pytest
import requests

from b24nb.sandbox import SandboxFleet
from tests.contract.rest import rest


def test_a_seed_chooses_the_same_portals_again() -> None:
    chosen = [SandboxFleet(100, dead=0.05, seed=seed).trouble for seed in (1, 1, 2)]
    assert chosen[0] == chosen[1] != chosen[2]


def test_it_leaves_nothing_behind() -> None:
    before = threading.active_count()
    with SandboxFleet(3) as fleet:
        directory = Path(next(iter(fleet.portals.values())).journal_path).parent
        assert threading.active_count() == before + 1
    fleet.stop()
    assert threading.active_count() == before
    assert not directory.exists()


def test_one_portal_of_a_fleet_stops_alone_and_starts_again() -> None:
    with SandboxFleet(2) as fleet:
        one, other = fleet.webhooks.values()
        portal = fleet.portals["portal-0001"]
        portal.stop()
        with pytest.raises(requests.ConnectionError):
            rest(one, "profile")
        assert rest(other, "profile").ok
        with portal:
            assert rest(portal.webhook, "profile").ok
        with pytest.raises(RuntimeError, match="running already"):
            fleet.start()
    assert not portal.running
    with pytest.raises(RuntimeError, match="not running"):
        _ = portal.badges


def test_each_portal_gets_the_badges_of_an_iterator() -> None:
    badges = iter([{"code": "paid", "title": "P", "value": "P", "type": "success"}])
    with SandboxFleet(2, badges=badges) as fleet:
        assert [len(portal.badges) for portal in fleet.portals.values()] == [1, 1]


def test_each_portal_of_a_fleet_can_be_verified() -> None:
    with SandboxFleet(2, tls=True) as fleet:
        for portal in fleet.portals.values():
            assert requests.post(f"{portal.webhook}profile", verify=portal.ca_file, timeout=20).ok


def test_shares_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ValueError, match="0 to 1"):
        SandboxFleet(10, dead=0.6, revoked=0.6)
