"""A portal in a file survives kill -9: everything that was answered with success is there."""

import random
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests

from b24nb.sandbox import SandboxPortal
from tests.contract.rest import rest

SERVE = """
import sys
from b24nb.sandbox import serve
serve(db=sys.argv[1], on_ready=lambda portal: print(portal.webhook, flush=True))
"""


def write(webhook: str, prefix: str) -> tuple[set[str], set[str]]:
    """Add badges and delete every third of them until the portal dies: what is there, and what was on its way."""
    present: set[str] = set()
    with requests.Session() as session:
        for number in range(100_000):
            badge: dict[str, Any] = {"code": f"{prefix}-{number}", "title": "T" * 500, "value": "V", "type": "success"}
            for verb in ("add",) if number % 3 else ("add", "delete"):
                try:
                    answer = session.post(f"{webhook}crm.activity.badge.{verb}", json=badge, timeout=20).json()
                except requests.RequestException:
                    return present, {badge["code"]}
                assert answer["result"]
                (present.add if verb == "add" else present.discard)(badge["code"])
    raise AssertionError("The portal lives on.")


def kill_under_writes(path: Path, after: float, prefix: str) -> tuple[set[str], set[str]]:
    """What was confirmed, and what was on its way, when the process died."""
    command = [sys.executable, "-c", SERVE, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process, ThreadPoolExecutor(3) as pool:
        webhook = process.stdout.readline().strip()
        writers = [pool.submit(write, webhook, f"{prefix}{index}") for index in range(3)]
        time.sleep(after)
        process.kill()
        present, in_doubt = zip(*(writer.result() for writer in writers), strict=True)
    return set().union(*present), set().union(*in_doubt)


@pytest.mark.parametrize("kills", [3, pytest.param(20, marks=pytest.mark.slow)])
def test_what_was_confirmed_survives_kill_9(tmp_path: Path, kills: int) -> None:
    path = tmp_path / "portal.db"
    moments = random.Random(20260511)
    expected: set[str] = set()
    for kill in range(kills):
        present, in_doubt = kill_under_writes(path, moments.uniform(0.05, 0.6), f"k{kill}w")
        assert present or kill  # at least the first run got somewhere
        expected |= present - in_doubt
        with SandboxPortal(db=path) as portal:
            codes = {badge["code"] for badge in portal.badges if badge["code"].startswith("k")}
            assert rest(portal.webhook, "profile").ok
        assert expected <= codes
        assert codes - expected <= in_doubt
        expected = codes
