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
#: Says when it is about to send a request.
VICTIM = """
import os
import sys

import b24nb


def saying():
    os.write(1, b"sending\\n")


webhook, journal, kind, parallel = sys.argv[1:]
with b24nb.connect(webhook, journal=journal) as b24:
    badges = b24.badges.list()
    options = {"parallel": int(parallel), "progress": False, "cancel": saying}
    if kind == "delete":
        b24.badges.delete_many([badge.code for badge in badges], **options)
    else:
        b24.badges.plan([{**badge.to_wire(), "title": "changed"} for badge in badges]).apply(**options)
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


def kill(portal: b24nb.SandboxPortal, journal: Path, kind: str, parallel: int, chance: random.Random) -> None:
    """Start a victim; kill it a moment after it has begun with a random one of its requests."""
    requests = {"delete": 20, "replace": 40}[kind]
    command = [sys.executable, "-c", VICTIM, portal.webhook, str(journal), kind, str(parallel)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        for _ in range(chance.randint(1, requests)):
            assert process.stdout.readline() == "sending\n"
        time.sleep(chance.uniform(0, 0.04))
        process.send_signal(signal.SIGKILL)


def kill_and_restore(portal: b24nb.SandboxPortal, folder: Path, kills: int, seed: int) -> list[int]:
    """Kill, settle and undo, again and again; how many badges were changed by each run."""
    before = by_code(portal.badges)
    chance = random.Random(seed)
    changed = []
    for number in range(kills):
        kind, parallel = ("delete", "replace")[number % 5 == 4], (1, 4)[number % 2]
        journal = folder / f"{number}.db"
        kill(portal, journal, kind, parallel, chance)
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
