"""A portal in a file survives kill -9: everything that was answered with success is there."""

import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import requests

from b24nb.sandbox import SandboxPortal
from tests.contract.rest import rest

SERVE = """
import sys
from b24nb.sandbox import serve
serve(db=sys.argv[1], on_ready=lambda portal: print(portal.webhook, flush=True))
"""


def started(path: Path) -> tuple[subprocess.Popen[str], str]:
    """A portal in a process of its own, and its webhook."""
    process = subprocess.Popen([sys.executable, "-c", SERVE, str(path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    return process, process.stdout.readline().strip()


class Writer(threading.Thread):
    """Adds badges and deletes every third of them, and keeps what was confirmed."""

    def __init__(self, webhook: str, prefix: str) -> None:
        super().__init__()
        self.webhook = webhook
        self.prefix = prefix
        self.present: set[str] = set()
        self.in_doubt: set[str] = set()

    def run(self) -> None:
        with requests.Session() as session:
            for number in range(100_000):
                code = f"{self.prefix}-{number}"
                badge = {"code": code, "title": "T" * 500, "value": {"en": "V"}, "type": "success"}
                try:
                    self.write(session, "add", badge)
                    if number % 3 == 0:
                        self.write(session, "delete", {"code": code})
                except requests.RequestException:
                    return

    def write(self, session: requests.Session, verb: str, params: dict[str, object]) -> None:
        code = str(params["code"])
        self.in_doubt = {code}
        answer = session.post(f"{self.webhook}crm.activity.badge.{verb}", json=params, timeout=20)
        assert answer.json()["result"]
        (self.present.add if verb == "add" else self.present.discard)(code)
        self.in_doubt = set()


def kill_under_writes(path: Path, after: float, prefix: str) -> tuple[set[str], set[str]]:
    """What was confirmed, and what was on its way, when the process died."""
    process, webhook = started(path)
    writers = [Writer(webhook, f"{prefix}{index}") for index in range(3)]
    for writer in writers:
        writer.start()
    time.sleep(after)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    for writer in writers:
        writer.join()
    return (set().union(*(writer.present for writer in writers)), set().union(*(writer.in_doubt for writer in writers)))


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
            webhook = portal.webhook
            assert rest(webhook, "profile").ok
        assert expected <= codes
        assert codes - expected <= in_doubt
        expected = codes


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_process_ends_cleanly_on_a_signal(tmp_path: Path, number: signal.Signals) -> None:
    process, webhook = started(tmp_path / "portal.db")
    assert rest(webhook, "profile").ok
    process.send_signal(number)
    output, _ = process.communicate(timeout=10)
    assert (process.returncode, output) == (0, "")
