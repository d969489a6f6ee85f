"""The command `b24nb`, as a user types it."""

import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
from contextlib import closing, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import nbformat
import pytest
import requests
from nbformat.sign import NotebookNotary

from b24nb import SandboxPortal, __version__, cli, connect, lab
from b24nb.client import Portal
from tests.contract.rest import rest
from tests.fakes import FakeClock, eventually
from tests.programs import run


def test_version_and_help() -> None:
    assert run("--version").stdout.strip() == f"b24nb {__version__}"
    assert all(command in run("--help").stdout for command in ("lab", "sandbox", "doctor"))


def test_doctor_says_which_portal_refused_and_why(
    portal: SandboxPortal, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("B24_WEBHOOK", f"{portal.url}/rest/1/abcdef0123456789/")
    assert cli.main(["doctor"]) == 1
    said = capsys.readouterr()
    assert said.err.startswith("b24nb: INVALID_CREDENTIALS")
    assert said.out == f"settings B24_WEBHOOK in the environment: {portal.url}/rest/1/***/\n"


def test_doctor_measures_only_calls_that_were_answered(
    portal: SandboxPortal, clock: FakeClock, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("B24_WEBHOOK", portal.webhook)
    monkeypatch.setitem(connect.__kwdefaults__, "clock", clock)  # waits in no time
    portal.faults.next("QUERY_LIMIT_EXCEEDED", times=2, method="server.time")
    cli.main(["doctor"])
    assert "(median of 5: server.time)" in capsys.readouterr().out


def test_sandbox_keeps_all_that_it_confirmed_when_it_is_interrupted_terminated_or_killed(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "b24nb", "sandbox", "--db", str(tmp_path / "portal.db")]
    kept: list[str] = []
    for number in (signal.SIGINT, signal.SIGKILL, signal.SIGTERM, signal.SIGKILL):
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert "SANDBOX" in process.stdout.readline()
            webhook = process.stdout.readline().strip().removeprefix("B24_WEBHOOK=")
            for count in range(len(kept) + 2):  # the last one is added, or deleted, and at once comes the end
                badge = {"code": f"k{len(kept)}", "title": "T" * 500, "value": {"en": "V"}, "type": "success"}
                assert rest(webhook, "crm.activity.badge.add", badge).ok
                if count % 3:
                    kept.append(badge["code"])
                else:
                    assert rest(webhook, "crm.activity.badge.delete", badge).ok
            with suppress(requests.RequestException):  # and one is on its way
                rest(webhook, "crm.activity.badge.add", badge | {"code": "doubt"}, timeout=0.001)
            process.send_signal(number)
            assert process.wait(10) == (-number if number == signal.SIGKILL else 0)
        with SandboxPortal(db=tmp_path / "portal.db") as portal:
            assert [badge["code"] for badge in portal.badges if badge["code"].startswith("k")] == kept


def test_a_sandbox_whose_terminal_is_closed_leaves_nothing_behind(tmp_path: Path) -> None:
    command, folder = [sys.executable, "-m", "b24nb", "sandbox"], tmp_path / "temporary"
    folder.mkdir()
    there = os.environ | {"TMPDIR": str(folder)}
    usual = partial(signal.signal, signal.SIGHUP, signal.SIG_DFL)  # the tests may run under nohup
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=there, preexec_fn=usual) as process:
        assert "SANDBOX" in process.stdout.readline()
        process.send_signal(signal.SIGHUP)
        assert process.wait(10) == 0
    assert [*folder.iterdir()] == []


def test_a_reader_that_ends_first_is_no_error_of_doctor() -> None:
    buffered = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    command = [sys.executable, "-m", "b24nb", "doctor"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=buffered) as process:
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 1


def test_what_is_no_file_is_no_database_of_a_sandbox_and_stays_as_it_is(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe, 0o644)
    before = pipe.stat().st_mode
    assert "can't use" in run("sandbox", "--db", str(pipe)).stderr
    assert pipe.stat().st_mode == before
    assert [*tmp_path.glob("pipe*")] == [pipe]


def test_sandbox_runs_where_nobody_can_read_its_output() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        port = free.getsockname()[1]
    command = ["sh", "-c", f'exec "$0" -m b24nb sandbox --port {port} >&-', sys.executable]
    with subprocess.Popen(command) as process:
        eventually(lambda: process.poll() is not None or _answers(port))
        process.terminate()
    assert process.returncode == 0


def _answers(port: int) -> bool:
    with suppress(requests.ConnectionError):
        return requests.get(f"http://127.0.0.1:{port}/", timeout=5).ok
    return False


def test_lab_copies_what_is_missing_and_never_overwrites(tmp_path: Path) -> None:
    directory, elsewhere = tmp_path / "mine", tmp_path / "elsewhere.ipynb"
    copied = lab.copy_walkthroughs(directory)
    assert copied == sorted(directory.rglob("*.ipynb"))
    assert len(copied) >= 3
    (directory / "01-list.ipynb").write_text("mine")
    (directory / "02-inspect.ipynb").unlink()
    (directory / "03-delete.ipynb").unlink()
    (directory / "03-delete.ipynb").symlink_to(elsewhere)
    assert lab.copy_walkthroughs(directory) == [directory / "02-inspect.ipynb"]
    assert (directory / "01-list.ipynb").read_text() == "mine"
    assert not elsewhere.exists()


@pytest.fixture
def started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The commands that `b24nb lab` becomes; Jupyter's folders are of this test."""
    for name in ("DATA", "CONFIG"):
        monkeypatch.setenv(f"JUPYTER_{name}_DIR", str(tmp_path / name))
    monkeypatch.setenv("JUPYTER_CONFIG_PATH", "before")
    commands: list[list[str]] = []
    monkeypatch.setattr(os, "execv", lambda _, command: commands.append(command))
    return commands


@pytest.mark.usefixtures("started")
def test_lab_signs_its_own_copies_and_nothing_else(tmp_path: Path) -> None:
    directory = tmp_path / "mine"
    text = lab.copy_walkthroughs(directory)[0].read_text().replace("b24nb in five minutes", "my own page")
    for name in ("00-quickstart.ipynb", "notes.ipynb"):
        (directory / name).write_text(text)
    (directory / "01-list.ipynb").unlink()
    cli.main(["lab", str(directory)])
    notary = NotebookNotary()
    notebooks = {path.name: nbformat.read(path, as_version=4) for path in directory.glob("*.ipynb")}
    trusted = {name: notary.check_signature(notebook) for name, notebook in notebooks.items()}
    notary.store.close()
    assert trusted == dict.fromkeys(trusted, True) | {"00-quickstart.ipynb": False, "notes.ipynb": False}


@pytest.mark.parametrize("error", [PermissionError(13, "Permission denied"), sqlite3.OperationalError("readonly")])
def test_lab_runs_where_nothing_can_be_signed(
    error: Exception, started: list[Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(lab, "sign", mock.Mock(side_effect=error))
    cli.main(["lab"])
    assert len(started) == 1
    assert f"can't be signed ({error})" in capsys.readouterr().out


def test_lab_without_jupyterlab_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "jupyterlab", None)
    assert cli.main(["lab", "mine"]) == 1
    assert capsys.readouterr().err == 'b24nb: JupyterLab is not installed: pip install "b24nb[lab,fleet]"\n'
    assert not Path("mine").exists()


@pytest.mark.parametrize("before", ["before", ""])
@pytest.mark.parametrize("folder", [lab.DIRECTORY, "not/there"])
@pytest.mark.parametrize("passed", [[], ["--port", "9999", "--no-browser"], ["--LabApp.default_url=/lab"]])
def test_lab_opens_its_directory_with_our_settings_and_what_it_does_not_know(
    passed: list[str], folder: str, before: str, started: list[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    os.environ["JUPYTER_CONFIG_PATH"] = before
    cli.main(["lab", *([] if folder == lab.DIRECTORY else [folder]), *passed])
    assert f"Begin with {folder}/00-quickstart.ipynb" in capsys.readouterr().out
    assert len(list(Path(folder).glob("*.ipynb"))) >= 3
    first = [] if "default_url" in str(passed) else ["--LabApp.default_url=/lab/tree/00-quickstart.ipynb"]
    (command,) = started
    assert [one for one in command[1:] if one != "--allow-root"] == ["-m", "jupyterlab", folder, *first, *passed]
    ours = str(Path(lab.__file__).with_name("lab_settings"))
    assert os.environ["JUPYTER_CONFIG_PATH"] == f"before{os.pathsep}{ours}" if before else ours, "theirs overrides ours"


@pytest.mark.usefixtures("started")
@pytest.mark.parametrize(
    ("fails", "error"),
    [
        ("read_bytes", OSError(28, "No space left on device")),
        ("open", PermissionError(13, "Permission denied")),
        ("mkdir", FileExistsError(17, "File exists")),
    ],
    ids=["the disk is full", "no permission", "a file is in its place"],
)
def test_lab_copies_whole_files_or_says_why(fails: str, error: OSError, capsys: pytest.CaptureFixture[str]) -> None:
    with mock.patch.object(Path, fails, side_effect=error):
        assert cli.main(["lab", "mine"]) == 1
    assert capsys.readouterr().err == f"b24nb: The walkthroughs can't be copied to mine: {error}.\n"
    assert [*Path().glob("mine/*")] == []


@pytest.fixture
def live(portal: SandboxPortal, monkeypatch: pytest.MonkeyPatch) -> None:
    """A portal that doctor takes for a live one."""
    monkeypatch.setenv("B24_WEBHOOK", portal.webhook)
    ask = Portal.ask
    changed = {"kind": "LIVE", "own_sandbox": False}
    monkeypatch.setattr(Portal, "ask", lambda *args, **more: replace(ask(*args, **more), **changed))


@pytest.mark.usefixtures("live")
@pytest.mark.parametrize(
    ("notice", "writable", "line"),
    [
        (None, True, ""),
        ("It is locked.", True, r"journal  It is locked\.\n"),
        (None, False, r"journal  .+\.db can't be written, so no change will be sent: .+\n"),
    ],
)
def test_doctor_takes_no_live_portal_for_a_sandbox_and_finds_only_what_is_wrong_with_its_journal(
    notice: str | None, writable: bool, line: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("b24nb.badges.journal.Journal.notice", notice)
    monkeypatch.setattr("os.access", lambda *_: writable)
    assert cli.main(["doctor"]) == 0
    said = capsys.readouterr().out
    assert "a sandbox portal" not in said
    assert re.search(r"^badges   12\nspeed    \d+\.\d ms per call .*\n", said, re.MULTILINE)
    assert re.fullmatch(line, said.partition("server.time)\n")[2])


@mock.patch.object(cli, "doctor", mock.Mock(side_effect=KeyboardInterrupt))
def test_ctrl_c_is_said_in_a_word(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["doctor"]) == 1
    assert capsys.readouterr().err == "b24nb: interrupted\n"


def test_sandbox_serves_as_asked_and_names_what_a_client_needs(capsys: pytest.CaptureFixture[str]) -> None:
    portal = SimpleNamespace(url="https://127.0.0.1:8000", webhook="W", webhooks={"noscope": "N"}, ca_file="ca.pem")
    with mock.patch("b24nb.sandbox.serve", side_effect=lambda on_ready, **_: on_ready(portal)) as served:
        assert cli.main(["sandbox", "--tls", "--db", "x.db", "--port", "8000"]) == 0
    served.assert_called_once_with(db="x.db", port=8000, tls=True, on_ready=mock.ANY)
    said = capsys.readouterr().out.splitlines()
    assert said[1:] == ["B24_WEBHOOK=W", "# noscope: N", "# certificate authority: ca.pem"]
