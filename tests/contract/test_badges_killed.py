"""A process killed at any moment loses no badge: undo restores the same set, also after further changes."""

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
from b24nb.errors import UnfinishedChanges
from tests.fakes import translated

COUNT = 400
#: Changes of every kind, in an order by chance. Says when it begins.
VICTIM = """
import random
import sys

import b24nb

webhook, journal, seed = sys.argv[1:]
chance = random.Random(int(seed))
with b24nb.connect(webhook, journal=journal, tariff="enterprise") as b24:
    codes = [badge.code for badge in b24.badges.list()]
    print("ready", flush=True)
    for number in range(1000):
        some = chance.sample(codes, 80)
        kind = chance.choice(["delete", "add", "delete_many", "apply", "apply"])
        if kind == "delete":
            b24.badges.delete_many(some[:1], missing_ok=True, progress=False)
        elif kind == "add":
            b24.badges.add(f"new{number}", {"en": "New", "ru": "Новый"}, "new", "success")
        elif kind == "delete_many":
            b24.badges.delete_many(some, missing_ok=True, parallel=chance.choice([1, 3]), progress=False)
        else:
            wanted = [b24nb.Badge(code, f"changed {number}", "v", "warning") for code in some]
            b24.badges.plan(wanted).apply(parallel=chance.choice([1, 3]), progress=False)
"""


@pytest.fixture(scope="module")
def portal() -> Iterator[b24nb.SandboxPortal]:
    """Localised texts among a thousand badges; a request takes a while, so that a kill can hit it."""
    with b24nb.SandboxPortal(badges=translated(range(COUNT)), latency_ms=10) as portal:
        yield portal


def by_code(badges: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {badge["code"]: badge for badge in badges}


def kill(portal: b24nb.SandboxPortal, journal: Path, seed: int) -> None:
    """Start a victim; kill it at some moment."""
    command = [sys.executable, "-c", VICTIM, portal.webhook, str(journal), str(seed)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "ready\n"
        time.sleep(random.Random(seed).uniform(0.05, 1.5))
        process.send_signal(signal.SIGKILL)


def go_on(b24: b24nb.Client, chance: random.Random) -> None:
    """Further changes, by somebody who did not settle first."""
    codes = [badge.code for badge in b24.badges.list()]
    b24.badges.delete(chance.choice(codes))
    some = chance.sample(codes, 60)
    b24.badges.delete_many(some[:30], missing_ok=True, progress=False)
    b24.badges.plan([b24nb.Badge(code, "later", "v", "primary") for code in some]).apply(progress=False)


@pytest.mark.parametrize(("kills", "seed"), [(5, 1), pytest.param(50, 100, marks=pytest.mark.slow)])
def test_kills_and_what_followed_are_undone(portal: b24nb.SandboxPortal, tmp_path: Path, kills: int, seed: int) -> None:
    before, changed = by_code(portal.badges), []
    for number in range(kills):
        journal = tmp_path / f"{number}.db"
        kill(portal, journal, seed + number)
        time.sleep(0.1)  # the portal may be at the last request still
        changed.append(by_code(portal.badges) != before)
        with warnings.catch_warnings(action="ignore", category=UnfinishedChanges):
            b24 = b24nb.connect(portal, journal=journal, settle_after=2, tariff="enterprise")
        with b24:
            go_on(b24, random.Random(seed + number))
            plan = b24.journal.plan_undo(10_000)
            deletes = plan.counts["delete"]
            assert plan.apply(progress=False, keep_going=True, parallel=4, confirm=deletes).ok
            assert b24.journal.notice == ""
        assert by_code(portal.badges) == before
    assert kills < 50 or sum(changed) > 25, "most kills hit a run that had changed something"
