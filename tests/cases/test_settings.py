"""Settings from the environment and `.env`, and what somebody types wrong: read, or refused in words; never off."""

import os
import socket
import threading
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest

from b24nb import Client, Fleet, SandboxPortal, cli, connect, errors, forms
from tests.programs import run

SECRET = "s3cr3tc0deabcdef"
HOOK = f"https://x.example/rest/1/{SECRET}/"


def write(data: bytes) -> None:
    Path(".env").write_bytes(data)


@pytest.mark.parametrize(
    ("word", "on"),
    [(word, True) for word in ("1", "true", "TRUE", "t", "Yes", "y", "on", "enabled", "да", ' "1" ')]
    + [(word, False) for word in ("0", "false", "No", "n", "off", "disabled", "нет", "", " ")],
)
def test_the_usual_words_for_yes_and_no_switch_read_only(
    portal: SandboxPortal, monkeypatch: pytest.MonkeyPatch, word: str, on: bool
) -> None:
    monkeypatch.setenv("B24_READ_ONLY", word)
    with connect(portal) as b24:
        assert b24.portal.read_only is on


@pytest.mark.parametrize("word", ["ture", "2", "ja", "TRUE.", "1 # keep", "read-only"])
def test_a_word_that_nobody_knows_is_refused(portal: SandboxPortal, monkeypatch: pytest.MonkeyPatch, word: str) -> None:
    monkeypatch.setenv("B24_READ_ONLY", word)
    with pytest.raises(errors.InvalidInput, match="B24_READ_ONLY in the environment is neither"):
        connect(portal)
    assert not portal.requests


@pytest.mark.parametrize("word", ["no", "0", 0, None])
def test_a_word_for_no_is_not_taken_for_a_yes(portal: SandboxPortal, b24: Client, word: Any) -> None:
    """In Python the text "no" is true."""
    works = (
        lambda: b24.badges.plan([], prune=word),
        lambda: b24.badges.delete_many(["missedCall"], keep_going=word),
        lambda: b24.badges.delete_many(["missedCall"], missing_ok=word),
        lambda: Fleet([], vault=str).plan([], prune=word, progress=False),
        lambda: Fleet([], vault=str, read_only=word),
        lambda: connect(portal, read_only=word),
        lambda: b24.badges.delete_many(["missedCall"], progress=word),
        lambda: b24.batch({"a": ("crm.activity.badge.list", None)}, halt=word),
        lambda: forms.add_form(b24, "vip", "Client", "VIP", run=word),
    )
    for work in works:
        with pytest.raises(errors.InvalidInput, match="must be True or False"):
            work()
    assert len(portal.requests) == 1, "the one of connect"
    assert b24.badges.delete_many(["nonsense"], missing_ok=np.bool_(True), progress=False).ok
    with pytest.raises(errors.InvalidInput, match="cancel must be a"):
        b24.badges.delete_many(["missedCall"], cancel=True)


@pytest.mark.parametrize("wrong", [HOOK, Path(HOOK), "", 5, True], ids=repr)
def test_what_is_no_path_of_a_journal_is_refused(wrong: Any) -> None:
    for opened, what in ((partial(connect, HOOK), "file"), (partial(Fleet, [], str), "folder")):
        with pytest.raises(errors.InvalidInput, match=f"journal must be the path of a {what}"):
            opened(journal=wrong)
    assert not list(Path().glob("http*"))


def test_a_file_that_is_a_link_to_nowhere_is_no_missing_file(portal: SandboxPortal) -> None:
    Path(".env").symlink_to("elsewhere")
    with pytest.raises(errors.InvalidInput, match=r"\.env can't be read"):
        connect(portal)


@pytest.mark.parametrize(
    "written",
    [
        lambda text: text.encode(),
        lambda text: text.encode("utf-8-sig"),
        lambda text: text.encode("utf-16"),
        lambda text: text.replace("\n", "\r\n").encode("utf-16"),
        lambda text: text.replace("\n", "\r").encode(),
        lambda text: "# мой портал\n".encode("cp1251") + text.encode(),
        lambda text: b"export " + text.encode(),
    ],
    ids=["plain", "BOM", "UTF-16", "PowerShell", "CR", "cp1251 comment", "export"],
)
@pytest.mark.parametrize("order", [1, -1])
def test_a_file_is_read_as_editors_write_it(portal: SandboxPortal, written: object, order: int) -> None:
    lines = ["B24_READ_ONLY=1", f"B24_WEBHOOK={portal.webhook}"][::order]
    write(written("".join(f"{line}\n" for line in lines)))
    with connect() as b24:
        assert b24.portal.read_only
        assert b24.portal.credentials_from == "B24_WEBHOOK in .env"
        with pytest.raises(errors.ReadOnly):
            b24.badges.delete("missedCall")
    assert portal.requests
    assert "B24_WEBHOOK" not in os.environ, "it is not exported"


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b'A=1\n\nB24_READ_ONLY="1\n', "Line 3 of .env can't be read"),
        (b'TITLE="Sales\nB24_READ_ONLY=1\nTEAM="x"\n', "Line 1 of .env can't be read"),
        (b"export TZ=UTC B24_READ_ONLY=1\n", "Line 1 of .env can't be read"),
        (f"A=1\nset B24_WEBHOOK={HOOK}\n".encode(), "Line 2 of .env"),
        (b"B24_READ_ONLY: 1\n", "Line 1 of .env"),
        (b"B24_READ_ONLY\n", "Line 1 of .env sets B24_READ_ONLY to nothing"),
        (b"B24_READ_ONLY=${NOT_SET}\n", "Line 1 of .env sets B24_READ_ONLY to nothing"),
        (f"B24_WEBHOOK={HOOK}\n\nB24_WEBHOOK=\n".encode(), "A line after line 1 of .env sets"),
        (b"A=1\nB24_READONLY=1\n", "line 2 of .env looks like B24_READ_ONLY"),
        (b"b24_read_only=1\n", "line 1 of .env looks like B24_READ_ONLY"),
        (b"B24_READ_ONLY:1\n", "line 1 of .env looks like B24_READ_ONLY"),
        ("B24_READ_ONLY=да\n".encode("cp1251"), "Line 1 of .env is not written in UTF-8"),
        ("B24_READ_ONLY=1\n".encode("utf-16-le"), ".env is not written in UTF-8"),
        (b"B24_WEBHOOK=nonsense\n", "B24_WEBHOOK in .env: The address"),
    ],
)
def test_a_line_that_cannot_be_read_is_named_and_not_repeated(
    data: bytes, says: str, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    write(data)
    with pytest.raises(errors.InvalidInput) as caught:
        connect()
    assert cli.main(["doctor"]) == 1
    for said in (str(caught.value), capsys.readouterr().err):
        assert says in said
        assert SECRET not in said
    assert not caplog.records, "one line says it"


@pytest.mark.parametrize(
    "name",
    [
        *("B24_READONLY", "b24_read_only", "B24READ_ONLY", "B24-READ-ONLY", "B24NB_READ_ONLY", "В24_READ_ONLY"),
        *("B24_READ_ONYL", "B24_READ_0NLY", "B24_READ_ONLY_MODE", "B24_IS_READ_ONLY", "B24_REDONLY"),
    ],
)
def test_a_mistyped_name_in_the_environment_is_named(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "1")
    with pytest.raises(errors.InvalidInput, match=f"'{name}' looks like B24_READ_ONLY"):
        connect()


@pytest.mark.parametrize(
    "name", ["GITHUB_WEBHOOK", "DB_READ_ONLY", "MONGODB_READONLY", "WEBHOOK", "ACME_B24_WEBHOOK", "B24_READ_TIMEOUT"]
)
def test_settings_of_other_programs_or_without_a_value_set_nothing(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "1")
    unfilled = b'B24_WEBHOOK=\nB24_READ_ONLY=" "\n'
    for data in (f"{name}=1\n".encode(), b'OTHER="unclosed\nset X\n\xff\xfe=1\n', unfilled):
        write(data)
        with connect() as b24:
            assert not b24.portal.read_only
    Path(".env").unlink()
    Path(".env").mkdir()
    with connect() as b24:
        assert b24.portal.kind == "SANDBOX"


def test_the_portal_says_where_its_settings_came_from(portal: SandboxPortal, monkeypatch: pytest.MonkeyPatch) -> None:
    with connect() as b24:
        assert "B24_WEBHOOK is not set" in repr(b24)
        assert "B24_WEBHOOK is not set" in b24._repr_html_()
    write(b"B24_READ_ONLY=yes\n")
    monkeypatch.setenv("B24_READ_ONLY", "")  # switches nothing off
    monkeypatch.setenv("B24_WEBHOOK", portal.webhook)
    with connect() as b24:
        assert b24.portal.credentials_from == "B24_WEBHOOK in the environment"
        assert b24.portal.read_only_from == "B24_READ_ONLY in .env"
        for shown in (repr(b24), b24._repr_html_()):
            assert "B24_WEBHOOK in the environment" in shown
            assert "read-only by B24_READ_ONLY in .env" in shown
    with connect(portal, read_only=True) as b24:
        assert (b24.portal.credentials_from, b24.portal.read_only_from) == ("argument", "B24_READ_ONLY in .env")
        assert "Nothing has been sent: this client is read-only." in repr(b24.badges.plan([], prune=True))


def test_doctor_says_what_it_looks_at(portal: SandboxPortal) -> None:
    assert f"B24_WEBHOOK is not set, also not in {Path('.env').resolve()}: a sandbox" in run("doctor").stdout
    write(f"B24_WEBHOOK={portal.webhook}\nB24_READ_ONLY=1\n".encode())
    ended = run("doctor")
    said = ended.stdout
    assert ended.returncode == 0
    assert f"B24_WEBHOOK in {Path('.env').resolve()}" in said
    assert "read-only by B24_READ_ONLY in .env" in said
    for part in ("SANDBOX", "administrator", "crm", "badges   ", "ms per call"):
        assert part in said
    assert portal.webhook.rsplit("/", 2)[1] not in said


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        *(([], "COMMAND"), (["nonsense"], "nonsense"), (["doctor", "--fast"], "--fast")),
        *((["sandbox", "--port", "http"], "http"), (["sandbox", "--db"], "--db")),
        (["doctor", "/home/forest/projects/b24nb-walkthroughs"], "unrecognized arguments"),
    ],
)
def test_wrong_arguments_are_named_in_a_line(typed: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(typed)
    said = capsys.readouterr().err
    assert (ended.value.code, said.count("\n")) == (2, 1)
    assert words in said
    assert "--help" in said


@pytest.mark.parametrize("before", [["doctor"], ["lab"], ["sandbox", "--db"], []])
def test_a_webhook_as_argument_is_refused_and_hidden(before: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([*before, f"https://example.bitrix24.com/rest/1/{SECRET}/"]) == 1
    said = capsys.readouterr()
    assert "An argument holds a secret." in said.err
    assert SECRET not in said.out + said.err
    assert not [*Path().iterdir()]


@pytest.mark.parametrize("port", [99999, -1, "taken"])
def test_a_port_that_can_not_be_had_is_said_in_one_line(port: Any, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        number = taken.getsockname()[1] if port == "taken" else port
        assert cli.main(["sandbox", f"--port={number}"]) == 1
    said = capsys.readouterr().err
    assert ("in use" if port == "taken" else "port is a number from 0 (a free one) to 65535") in said
    assert said.count("\n") == 1


@pytest.mark.parametrize("what", ["a folder", "in no folder", "a text"])
def test_a_database_that_can_not_be_had_is_named(what: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
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


def test_a_console_without_the_letters_shows_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a terminal of an old Windows, or where a scheduler starts the command."""
    Path("портал").mkdir()
    monkeypatch.chdir("портал")
    assert run("doctor", PYTHONIOENCODING="ascii").returncode == 0
    answer = run("sandbox", "--db", "нет/портал.db", PYTHONIOENCODING="ascii")
    assert answer.returncode == 1
    assert answer.stderr.startswith("b24nb: The sandbox can't use ")
    assert answer.stderr.count("\n") == 1


@pytest.mark.parametrize("arguments", [["doctor"], ["sandbox", "--db", "x.db"]])
def test_a_working_directory_that_has_gone_is_named(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    Path.cwd().rmdir()
    assert cli.main(arguments) == 1
    assert capsys.readouterr().err == "b24nb: The working directory was deleted.\n"


def test_help_says_where_the_directory_of_the_lab_is_written(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(["lab", "--help"])
    assert "b24nb lab [-h] [DIRECTORY] [OPTION OF JUPYTERLAB ...]" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("missing", "error", "says"),
    [
        ("threading.Thread.start", RuntimeError("can't start new thread."), "can't start new thread."),
        ("socket.create_server", OSError("Function not implemented"), "Function not implemented"),
        ("asyncio.new_event_loop", OSError("Function not implemented"), "Function not implemented"),
        ("socket.create_server", OSError(24, "Too many"), r".*Restart the kernel, or close\(\) the clients"),
    ],
)
def test_connect_says_that_no_portal_can_start_here(
    monkeypatch: pytest.MonkeyPatch, missing: str, error: Exception, says: str
) -> None:
    monkeypatch.setattr(missing, mock.Mock(side_effect=error))
    before = {*threading.enumerate()}  # of these some may end
    with pytest.raises(errors.ConnectionFailed, match=f"sandbox portal can't start here: {says}"):
        connect()
    assert {*threading.enumerate()} <= before


def test_settings_out_of_a_frame_are_taken(portal: SandboxPortal) -> None:
    with connect(portal, timeout=(np.int64(5), np.float32(60)), settle_after=np.int64(5)) as b24:
        assert b24.badges.delete_many(["missedCall"], parallel=np.int64(2), confirm=np.int64(1), progress=False).ok
        assert len(b24.journal.plan_undo(last=np.int64(1))) == 1


@pytest.mark.parametrize(
    "settings",
    [
        *({"settle_after": wrong} for wrong in ("60", None, float("nan"), float("inf"), -5, True)),
        *({"timeout": wrong} for wrong in ((5, float("inf")), (5, 1e12), (float("nan"), 5), (True, True))),
        *({"timeout": wrong} for wrong in (5, (5,), (5, None), (5, 0), "ab", (5, 6, 7))),
        *({"verify": wrong} for wrong in ("", None, 0, 1, 1.5, "false", b"", [], "no-such.pem")),
        *({"tariff": wrong} for wrong in (None, [], "gold")),
    ],
    ids=str,
)
def test_a_setting_that_cannot_be_right_is_refused(portal: SandboxPortal, settings: dict[str, Any]) -> None:
    with pytest.raises(errors.InvalidInput) as caught:
        connect(portal.webhook, **settings)
    assert caught.value.field in settings
    assert not portal.requests
