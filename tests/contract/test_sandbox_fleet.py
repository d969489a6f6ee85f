"""Many sandbox portals at once, some of them in trouble."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from b24nb.sandbox import SandboxFleet


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


def test_shares_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ValueError, match="0 to 1"):
        SandboxFleet(10, dead=0.6, revoked=0.6)
