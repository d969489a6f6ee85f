"""What a sandbox portal writes, and what it leaves alone: files, logs, other requests, what nobody holds."""

import sqlite3
import stat
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests

from b24nb.sandbox import SandboxPortal
from tests.contract.rest import by_hand, rest

OTHERS = {
    "a table of the same name": "CREATE TABLE user (x)",
    "a table with fewer columns": "CREATE TABLE badge (id INTEGER PRIMARY KEY, code, title, value, type)",
    "other tables": "CREATE TABLE notes (x)",
    "a view of the same name": "CREATE VIEW deal AS SELECT 1 AS id",
}


@pytest.mark.parametrize("sql", OTHERS.values(), ids=OTHERS)
@pytest.mark.parametrize("mode", ["DELETE", "WAL"])
def test_a_database_of_another_program_is_refused_and_left_byte_for_byte(tmp_path: Path, sql: str, mode: str) -> None:
    path = tmp_path / "other.db"
    with closing(sqlite3.connect(path)) as other, other:
        other.execute(f"PRAGMA journal_mode={mode}")
        other.execute(sql)
    before, names = path.read_bytes(), sorted(tmp_path.iterdir())
    with pytest.raises(RuntimeError, match="no database of this version's sandbox"):
        SandboxPortal(db=path).start()
    assert path.read_bytes() == before
    assert sorted(tmp_path.iterdir()) == names


#: As it was when the file, and not a switch, said which codes are the same.
OLD_TABLE = """
    DROP VIEW shown_activity; ALTER TABLE badge RENAME TO newer;
    CREATE TABLE badge (id INTEGER PRIMARY KEY AUTOINCREMENT, code TEXT NOT NULL, collated TEXT NOT NULL UNIQUE,
        title TEXT NOT NULL, value TEXT NOT NULL, type TEXT NOT NULL);
    INSERT INTO badge SELECT id, code, {collated}, title, value, type FROM newer; DROP TABLE newer;"""


@pytest.mark.parametrize("collated", ["collated", "lower(code)", "code"])
def test_a_kept_file_loses_no_badge_when_letter_case_begins_or_ceases_to_count(tmp_path: Path, collated: str) -> None:
    path = tmp_path / "portal.db"
    with SandboxPortal(db=path) as portal:
        kept = portal.badges
    if collated != "collated":
        with closing(sqlite3.connect(path)) as older:
            older.executescript(OLD_TABLE.format(collated=collated))
    for exact in (True, False):
        with SandboxPortal(db=path, case_sensitive=exact) as portal:
            assert portal.badges == kept
            for badge in kept:
                found = rest(portal.webhook, "crm.activity.badge.get", {"code": badge["code"]}).json()
                assert found["result"]["badge"] == badge
            again = rest(portal.webhook, "crm.activity.badge.add", kept[0])
            assert again.json()["error"] == "BX_INVALID_VALUE"


def test_badges_that_differ_in_letter_case_stay_two_when_it_ceases_to_count(portal: SandboxPortal) -> None:
    portal.switches.case_sensitive = True
    other = {"code": "MISSEDCALL", "title": "Other", "value": "Other", "type": "primary"}
    assert rest(portal.webhook, "crm.activity.badge.add", other).ok
    portal.switches.case_sensitive = False
    assert rest(portal.webhook, "crm.activity.badge.get", {"code": "MISSEDCALL"}).json()["result"]["badge"] == other
    assert rest(portal.webhook, "crm.activity.badge.delete", {"code": "MISSEDCALL"}).ok
    assert "missedCall" in [badge["code"] for badge in portal.badges]


def test_an_empty_file_becomes_a_portal(tmp_path: Path) -> None:
    path = tmp_path / "portal.db"
    path.touch()
    for _ in range(2):
        with SandboxPortal(db=path) as portal:
            assert len(portal.badges) == 12


def test_a_kept_database_is_for_this_user_only(tmp_path: Path) -> None:
    path = tmp_path / "portal.db"
    for mode in (None, 0o644):
        if mode:
            path.chmod(mode)
        with SandboxPortal(db=path):
            modes = {name.name: stat.S_IMODE(name.stat().st_mode) for name in tmp_path.glob("portal.db*")}
        assert len(modes) > 1  # the log beside it too
        assert set(modes.values()) == {0o600}


@pytest.mark.parametrize(
    "address",
    [
        *("/rest/{secret}/profile", "//rest/1/{secret}/profile", "/rest//1/{secret}/profile"),
        *("/REST/1/{secret}/profile", "/1/{secret}/profile", "/rest/api/1/{secret}/profile"),
        *("/rest%2F1%2F{secret}/profile", "/rest%252F1%252F{secret}/profile", "/x/../rest/1/{secret}/profile"),
        *("/rest/{secret}", "/rest/{secret}.json", "/rest/profile.{secret}", "/{secret}"),
        *("/rest/profile?ap={secret}&aplogin=1", "/rest/1/{secret};x/profile"),
    ],
)
def test_no_spelling_of_an_address_leaves_its_secret_in_page_or_log(portal: SandboxPortal, address: str) -> None:
    secret = urlsplit(portal.webhook).path.split("/")[3]
    by_hand(portal, f"GET {address.format(secret=secret)} HTTP/1.1\nHost: localhost\nConnection: close")
    assert len(portal.requests) == 1
    assert secret not in repr(portal.requests)
    assert secret not in requests.get(portal.url, timeout=20).text


def test_neither_does_a_command_of_a_batch(portal: SandboxPortal) -> None:
    secret = urlsplit(portal.webhook).path.split("/")[3]
    rest(portal.webhook, "batch", {"cmd": [secret, f"rest/1/{secret}/profile", "profile", "profile?x=1"]})
    assert portal.requests[0].commands["profile"] == 2
    assert secret not in repr(portal.requests) + requests.get(portal.url, timeout=20).text


@pytest.mark.parametrize("encoding", ["xchunked", "chunked, identity", "gzip, chunked", "identity", ""])
def test_a_body_of_another_encoding_is_never_taken_for_a_request(portal: SandboxPortal, encoding: str) -> None:
    inside = f"GET {urlsplit(portal.webhook).path}crm.activity.badge.delete?code=missedCall HTTP/1.1\nHost: localhost"
    outside = f"POST /rest/profile HTTP/1.1\nHost: localhost\nTransfer-Encoding: {encoding}"
    answer = by_hand(portal, f"{outside}\n\n{inside}")
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert answer.count(b"HTTP/1.1") == 1
    assert "missedCall" in [badge["code"] for badge in portal.badges]
    assert rest(portal.webhook, "profile").ok
