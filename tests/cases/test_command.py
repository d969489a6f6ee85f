"""What somebody types wrong is said in one line; the sandbox portal says why it can't start."""

import os
import socket
import threading
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from b24nb import cli, connect
from b24nb.errors import ConnectionFailed
from tests.programs import run


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "COMMAND"),
        (["nonsense"], "nonsense"),
        (["doctor", "--fast"], "--fast"),
        (["sandbox", "--port", "http"], "http"),
        (["sandbox", "--db"], "--db"),
    ],
)
def test_arguments_that_make_no_sense_are_named_in_one_line(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(arguments)
    said = capsys.readouterr().err
    assert (ended.value.code, said.count("\n")) == (2, 1)
    assert words in said
    assert "--help" in said


@pytest.mark.parametrize("port", [99999, -1, "taken"])
def test_a_port_that_can_not_be_had_is_said_in_one_line(port: Any, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        number = taken.getsockname()[1] if port == "taken" else port
        assert cli.main(["sandbox", f"--port={number}"]) == 1
    said = capsys.readouterr().err
    assert ("in use" if port == "taken" else "port is a number from 0 (a free one) to 65535") in said
    assert said.count("\n") == 1


@pytest.mark.parametrize("what", ["a folder", "in no folder", "a text"])
def test_a_database_that_can_not_be_used_is_said_in_one_line_and_left_alone(
    what: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "none" / "x.db" if what == "in no folder" else tmp_path / "x.db"
    if what == "a folder":
        path.mkdir()
    elif what == "a text":
        path.write_text("no database " * 100)
    before = path.read_bytes() if path.is_file() else None
    assert cli.main(["sandbox", "--db", str(path)]) == 1
    said = capsys.readouterr().err
    assert said.startswith(f"b24nb: The sandbox can't use {path}: ")
    assert said.count("\n") == 1
    assert before == (path.read_bytes() if path.is_file() else None)


def test_a_console_without_the_letters_shows_the_rest(tmp_path: Path) -> None:
    """As in a terminal of an old Windows, or where a scheduler starts the command."""
    answer = run("sandbox", "--db", str(tmp_path / "нет" / "портал.db"), PYTHONIOENCODING="ascii")
    assert answer.returncode == 1
    assert answer.stderr.startswith("b24nb: The sandbox can't use ")
    assert answer.stderr.count("\n") == 1


@pytest.mark.skipif(os.name == "nt", reason="a folder in use stays there")
@pytest.mark.parametrize("arguments", [["doctor"], ["sandbox", "--db", "x.db"]])
def test_a_working_directory_that_has_gone_is_named(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    Path.cwd().rmdir()
    assert cli.main(arguments) == 1
    assert capsys.readouterr().err == "b24nb: The working directory has gone.\n"


def test_help_says_where_the_directory_of_the_lab_is_written(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(["lab", "--help"])
    assert "b24nb lab [-h] [DIRECTORY] [OPTION OF JUPYTERLAB ...]" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("missing", "error"),
    [
        ("threading.Thread.start", RuntimeError("can't start new thread.")),
        ("socket.create_server", OSError("Function not implemented")),
        ("asyncio.new_event_loop", OSError("Function not implemented")),
    ],
)
def test_connect_says_that_the_embedded_portal_can_not_start_here(
    monkeypatch: pytest.MonkeyPatch, missing: str, error: Exception
) -> None:
    monkeypatch.setattr(missing, mock.Mock(side_effect=error))
    before = {*threading.enumerate()}  # of these some may end
    with pytest.raises(ConnectionFailed, match=f"embedded portal can't start here: {error}"):
        connect()
    assert {*threading.enumerate()} <= before
