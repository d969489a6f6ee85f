"""The command `b24nb`, as a user types it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import nbformat
import requests
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

import b24nb
from b24nb import cli

MISSED = {"code": "missedCall"}


def run(*arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "b24nb", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        env=os.environ | settings,
    )


def test_version_and_help() -> None:
    assert run("--version").stdout.strip() == f"b24nb {b24nb.__version__}"
    assert all(command in run("--help").stdout for command in ("lab", "sandbox", "doctor"))
    assert run().returncode == 2
    assert "unrecognized arguments: --fast" in run("doctor", "--fast").stderr


def test_doctor_says_who_i_am_and_how_fast_it_is(portal: b24nb.SandboxPortal) -> None:
    answer = run("doctor", B24_WEBHOOK=portal.webhook)
    assert answer.returncode == 0, answer.stderr
    for part in ("SANDBOX", "administrator", "crm", "badges   ", "ms per call"):
        assert part in answer.stdout
    assert portal.webhook.rsplit("/", 2)[1] not in answer.stdout + answer.stderr


def test_doctor_explains_what_is_wrong(portal: b24nb.SandboxPortal) -> None:
    answer = run("doctor", B24_WEBHOOK=f"{portal.url.rstrip('/')}/rest/1/abcdef0123456789/")
    assert answer.returncode == 1
    assert answer.stderr.startswith("b24nb: INVALID_CREDENTIALS")
    assert "Traceback" not in answer.stderr
    assert run("doctor", B24_WEBHOOK="nonsense").returncode == 1


def test_sandbox_runs_until_it_is_interrupted_and_keeps_its_data(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "b24nb", "sandbox", "--db", str(tmp_path / "portal.db")]
    for first_time in (True, False):
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert "SANDBOX" in process.stdout.readline()
            webhook = process.stdout.readline().strip().removeprefix("B24_WEBHOOK=")
            if first_time:
                answer = requests.post(f"{webhook}crm.activity.badge.delete", json=MISSED, timeout=10)
                assert answer.json()["result"] is True
            answer = requests.post(f"{webhook}crm.activity.badge.get", json=MISSED, timeout=10)
            assert answer.json()["error"] == "NOT_FOUND"
            process.send_signal(signal.SIGINT)
            assert process.wait(10) == 0


def test_lab_copies_what_is_missing_and_never_overwrites(tmp_path: Path) -> None:
    directory = tmp_path / "mine"
    copied = cli.copy_walkthroughs(directory)
    assert copied == len(list(directory.glob("*.ipynb"))) >= 3
    for path in directory.glob("*.ipynb"):
        nbformat.read(path, as_version=4)
    (directory / "01-list.ipynb").write_text("mine")
    (directory / "02-inspect.ipynb").unlink()
    assert cli.copy_walkthroughs(directory) == 1
    assert (directory / "01-list.ipynb").read_text() == "mine"


def test_lab_starts_jupyterlab_on_the_copies_and_passes_arguments_on(tmp_path: Path) -> None:
    state = {f"JUPYTER_{kind}_DIR": str(tmp_path / kind.lower()) for kind in ("CONFIG", "DATA", "RUNTIME")}
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "b24nb", "lab", str(tmp_path / "lab"), "--no-browser"]
    command += [f"--ServerApp.port={port}", "--ServerApp.port_retries=0", "--IdentityProvider.token=t"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=os.environ | state
    ) as process:
        try:
            assert any(f"http://127.0.0.1:{port}/lab" in line for line in process.stdout)
            with requests.Session() as session:
                # It tells its address a moment before it listens there.
                session.mount("http://", HTTPAdapter(max_retries=Retry(connect=10, backoff_factor=0.1)))
                address = f"http://127.0.0.1:{port}/api/contents"
                answer = session.get(address, headers={"Authorization": "token t"}, timeout=10)
            assert "03-delete.ipynb" in {entry["name"] for entry in answer.json()["content"]}
        finally:
            process.terminate()
