"""Plans and reports of many portals that said what was not so."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from b24nb import Badge, Client, Fleet
from b24nb.sandbox import SandboxFleet
from tests import fleets

QUIET = {"progress": False}
OLD, VIP = Badge("old", "Old", "O", "primary"), Badge("vip", "Client", "VIP", "primary")


@pytest.fixture
def sandboxes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SandboxFleet]:
    """Three portals, each with one badge; the vault of `fleets` knows their webhooks."""
    with SandboxFleet(3, badges=[OLD.to_wire()]) as sandboxes:
        fleets.fill(tmp_path / "vault.json", sandboxes.webhooks, monkeypatch.setenv)
        yield sandboxes


def fleet_of(sandboxes: SandboxFleet, **options: Any) -> Fleet:
    return Fleet(sandboxes.names, **{"vault": fleets.webhook_of, **options})


def using_the_fleet(b24: Client) -> int:
    return len(WAITING[0].badges(**QUIET).df)


WAITING: list[Fleet] = []


def test_a_function_that_uses_its_fleet_is_told_so_by_executors_too(sandboxes: SandboxFleet) -> None:
    with ThreadPoolExecutor(1) as pool:
        WAITING[:] = [fleet_of(sandboxes, executor=pool)]
        assert set(WAITING[0].map(using_the_fleet, **QUIET).status["error"]) == {"InvalidInput"}
