"""A process killed at any moment loses no badge: settle and undo restore the same set."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import b24nb
from b24nb.badges.journal import UnfinishedChanges

COUNT = 1000
VICTIM = """
import sys

import b24nb

webhook, journal, kind, parallel = sys.argv[1:]
with b24nb.connect(webhook, journal=journal) as b24:
    badges = b24.badges.list()
    print("ready", flush=True)
    sys.stdin.readline()
    options = {"parallel": int(parallel), "progress": False}
    if kind == "delete":
        b24.badges.delete_many([badge.code for badge in badges], **options)
    else:
        b24.badges.plan([{**badge.to_wire(), "title": "changed"} for badge in badges]).apply(**options)
    print("done", flush=True)
"""


@pytest.fixture(scope="module")
def portal() -> Iterator[b24nb.SandboxPortal]:
    """Localised texts among a thousand badges; a request takes a while, so that a kill can hit it."""
    rows: list[dict[str, Any]] = [
        {
            "code": f"code{n}",
            "title": {"en": f"Title {n}", "ru": f"Название {n}"} if n % 3 else f"Title {n}",
            "value": f"quoted ' <{n}>",
            "type": "primary",
        }
        for n in range(COUNT)
    ]
    with b24nb.SandboxPortal(badges=rows, latency_ms=10) as portal:
        yield portal


def by_code(badges: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {badge["code"]: badge for badge in badges}


def run_until(
    delay: float | None, portal: b24nb.SandboxPortal, journal: Path, kind: str, parallel: int
) -> float:
    """Start a victim, kill it after ``delay`` seconds of its run; how long it ran."""
    command = [sys.executable, "-c", VICTIM, portal.webhook, str(journal), kind, str(parallel)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "ready\n"
        start = time.perf_counter()
        process.stdin.write("\n")
        process.stdin.flush()
        if delay is None:
            assert process.stdout.readline() == "done\n"
        else:
            time.sleep(delay)
            process.send_signal(signal.SIGKILL)
        return time.perf_counter() - start


def kill_and_restore(portal: b24nb.SandboxPortal, folder: Path, kills: int, seed: int) -> list[int]:
    """Kill at random moments, settle and undo each time; how many badges were changed by each run."""
    before = by_code(portal.badges)
    chance = random.Random(seed)
    changed = []
    for number in range(kills):
        kind, parallel = ("delete", "replace")[number % 5 == 4], (1, 4)[number % 2]
        journal = folder / f"{number}.db"
        if number < 2 or number % 5 == 4:
            length = run_until(None, portal, folder / f"length{number}.db", kind, parallel)
            restore(portal, folder / f"length{number}.db")
        run_until(chance.uniform(0, length), portal, journal, kind, parallel)
        time.sleep(0.1)  # the portal may be at the last request still
        now = by_code(portal.badges)
        changed.append(sum(now.get(code) != badge for code, badge in before.items()))
        restore(portal, journal)
        assert by_code(portal.badges) == before
    return changed


def restore(portal: b24nb.SandboxPortal, journal: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnfinishedChanges)
        b24 = b24nb.connect(portal, journal=journal, settle_after=2, tariff="enterprise")
    with b24:
        b24.journal.settle()
        assert b24.journal.notice == ""
        assert b24.journal.plan_undo().apply(progress=False, keep_going=True, parallel=4).ok


def test_five_kills_lose_nothing(portal: b24nb.SandboxPortal, tmp_path: Path) -> None:
    kill_and_restore(portal, tmp_path, kills=5, seed=1)


@pytest.mark.slow
def test_fifty_kills_lose_nothing(portal: b24nb.SandboxPortal, tmp_path: Path) -> None:
    changed = kill_and_restore(portal, tmp_path, kills=50, seed=2)
    assert sum(0 < count < COUNT for count in changed) > 25, "most kills hit the middle of a run"
