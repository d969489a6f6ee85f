"""The journal on disk: durable before it returns, made by several clients at once, used on after a kill or a fork."""

import gc
import json
import mmap
import os
import signal
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path

import pytest

import b24nb
from b24nb import errors
from b24nb.badges.activities import Activity, ActivityStep
from b24nb.badges.badge import Badge
from b24nb.badges.changes import Outcome, Step, Verdict
from b24nb.badges.journal_store import ChangeSet, JournalStore, default_journal_path
from tests.fakes import together
from tests.programs import python

OpenStore = Callable[[Path], JournalStore]
HOST, USER = "example.bitrix24.com", "1"
VIP = Badge("vip", {"en": "Client", "de": "Kunde"}, "VIP", "primary")
DELETE = Step("vip", VIP, None)
ADD = Step("vip", None, VIP)


@pytest.fixture
def open_store() -> Iterator[OpenStore]:
    """Opens stores that are closed in the end: Python 3.13 warns of a database that nobody closed."""
    with ExitStack() as stack:
        yield lambda path: stack.enter_context(closing(JournalStore(path, host=HOST, user=USER)))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "journal.db"


@pytest.fixture
def journal(path: Path, open_store: OpenStore) -> JournalStore:
    return open_store(path)


def test_the_first_change_makes_a_file_that_only_its_owner_may_read_and_is_written_through_to_the_disk(
    journal: JournalStore, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert journal.entries() == journal.unfinished() == journal.last(3) == journal.others() == []
    assert not path.parent.exists()
    opened, connect = [], sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda *args, **how: opened.append(connect(*args, **how)) or opened[-1])
    journal.intend(ChangeSet("delete"), [DELETE], 6.0)
    assert opened[-1].execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert opened[-1].execute("PRAGMA synchronous").fetchone() == (2,)  # FULL
    assert {file.stat().st_mode & 0o777 for file in path.parent.iterdir()} == {0o600}
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_a_drive_without_shared_memory_holds_a_journal_too(
    journal: JournalStore, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mmap, "mmap", lambda *_: Path("no such file").stat())
    journal.intend(ChangeSet("delete"), [DELETE], 6.0)
    assert path.read_bytes()[18:20] == b"\1\1", "not the two of a write-ahead log, which such a drive can't open"
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_who_sent_a_change_knows_better_than_who_looked(journal: JournalStore) -> None:
    (id_,) = journal.intend(ChangeSet("delete"), [DELETE], 6.0)
    seen, answered = (Outcome(DELETE, Verdict.FAILED, changed=False), Outcome(DELETE, Verdict.DELETED, changed=True))
    journal.conclude([(id_, seen)], first_hand=False)
    journal.conclude([(id_, answered)])
    journal.conclude([(id_, seen)], first_hand=False)
    assert [entry.verdict for entry in journal.entries()] == ["deleted"]


def test_an_intent_that_fails_leaves_no_number_behind(journal: JournalStore) -> None:
    change_set = ChangeSet("apply")
    with pytest.raises(AttributeError):
        journal.intend(change_set, [DELETE, None], 6.0)
    assert change_set.number is None
    journal.intend(change_set, [DELETE], 6.0)
    assert [entry.change_set for entry in journal.entries()] == [change_set.number]


def test_clients_that_make_a_journal_at_once_share_it(tmp_path: Path, open_store: OpenStore) -> None:
    for number in range(10):
        stores = [open_store(tmp_path / f"{number}.db") for _ in range(8)]
        together(*(partial(store.intend, ChangeSet("add"), [ADD], 1.0) for store in stores))
        assert sorted(one.change_set for one in stores[0].entries()) == [*range(1, 9)]


#: Dies in a transaction whose beginning is in the file, before the file has its write-ahead log.
HALF_DONE = """
import os, sqlite3, sys
db = sqlite3.connect(sys.argv[1], isolation_level=None)
for text in ("PRAGMA journal_mode = DELETE", "PRAGMA cache_size = 1", "BEGIN IMMEDIATE"):
    db.execute(text)
row = ("example.bitrix24.com", "1", "x" * 1000)
db.executemany("INSERT INTO change_set (host, user, kind, at) VALUES (?, ?, ?, 0)", [row] * 200)
os._exit(0)
"""


def test_a_journal_of_a_killed_writer_can_be_used(open_store: OpenStore, path: Path, journal: JournalStore) -> None:
    journal.intend(ChangeSet("delete"), [DELETE], at=1.0)
    journal.close()
    python(HALF_DONE, str(path))
    assert path.with_name(f"{path.name}-journal").exists()
    again = open_store(path)
    assert [entry.step for entry in again.unfinished()] == [DELETE]
    assert again.intend(ChangeSet("add"), [ADD], at=2.0)


def test_what_can_not_be_a_journal_is_an_error_and_stays_byte_for_byte(open_store: OpenStore, tmp_path: Path) -> None:
    names = ("noise", "browser", "planner", "damaged")
    noise, browser, planner, damaged = files = [tmp_path / f"{name}.db" for name in names]
    noise.write_bytes(os.urandom(4096))
    with closing(JournalStore(damaged, host=HOST, user=USER)) as store:
        store.intend(ChangeSet("apply"), [Step(f"c{number}", None, VIP) for number in range(400)], 0.0)
    damaged.write_bytes(damaged.read_bytes()[:-4096] + b"\xff" * 4096)
    tables = "CREATE TABLE step (id); CREATE TABLE change_set (id)"
    for path, script in ((browser, "CREATE TABLE bookmark (url); PRAGMA user_version = 4"), (planner, tables)):
        with closing(sqlite3.connect(path)) as db:
            db.executescript(script)
    before = [path.read_bytes() for path in files]
    for bad, says in (
        *((noise, "not a database"), (tmp_path, "folder; name a file in it")),
        *((noise / "below.db", "can't be used"), (browser, "something else"), (planner, "something else")),
        (damaged, "it is damaged|malformed"),
    ):
        with pytest.raises(errors.JournalError, match=says):
            open_store(bad).intend(ChangeSet("delete"), [DELETE], 0.0)
    assert [path.read_bytes() for path in files] == before
    assert not [*tmp_path.glob("*.db-*")]


def test_a_journal_of_a_newer_version_is_read_as_far_as_it_is_understood(path: Path, journal: JournalStore) -> None:
    journal.intend(ChangeSet("delete"), [DELETE, ADD], 0.0)
    journal.close()
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("ALTER TABLE step ADD COLUMN colour TEXT")
        db.execute("UPDATE step SET verdict = 'superseded', before = '{' WHERE id = 1")
        db.execute("PRAGMA user_version = 99")
    first, second = journal.entries()
    assert (first.verdict, first.step.before, second.step) == ("superseded", None, ADD)
    assert first.unread
    assert not second.unread


@pytest.mark.parametrize("version", [1, 2, 3])
def test_a_journal_of_an_older_version_goes_on(path: Path, journal: JournalStore, version: int) -> None:
    schema = Path(b24nb.__file__).with_name("badges").joinpath("journal.sql").read_text("utf-8")
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as db, db:
        db.executescript(schema.split(f"-- version {version + 1}\n")[0])
        db.execute("INSERT INTO change_set (host, user, kind, at) VALUES (?, ?, 'delete', 0)", (HOST, USER))
        row = json.dumps(VIP.to_wire())
        db.execute("INSERT INTO step (change_set, at, code, before) VALUES (1, 0, 'vip', ?)", (row,))
        if version == 1:
            db.execute("CREATE VIEW entry AS SELECT * FROM step JOIN change_set ON change_set.id = change_set")
    assert [entry.step for entry in journal.entries()] == [DELETE]
    journal.intend(ChangeSet("delete"), [DELETE], 1.0, [VIP])
    assert journal.entries()[-1].found == VIP
    release = ActivityStep("vip", Activity(5, "vip", place="deal 3"), None)
    journal.intend(ChangeSet("release"), [release], 2.0)
    assert journal.entries()[-1].step == release


def test_what_follows_a_killed_change_is_found_without_reading_a_long_journal(
    path: Path, open_store: OpenStore, journal: JournalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal.intend(ChangeSet("apply"), [DELETE, *(Step(f"code{number}", VIP, None) for number in range(3000))], 0.0)
    work, made, connect = list[int](), list[sqlite3.Connection](), sqlite3.connect
    again = open_store(path)
    monkeypatch.setattr(sqlite3, "connect", lambda *args, **how: made.append(connect(*args, **how)) or made[-1])
    first = again.entries()[0]
    made[-1].set_progress_handler(lambda: work.append(1), 100)
    assert again.next_of(first, any_case=True) is None
    assert len(work) < 10  # hundreds of instructions
    (id_,) = journal.intend(ChangeSet("add"), [Step("VIP", None, VIP)], 1.0)
    assert again.next_of(first, any_case=True).id == id_
    assert again.next_of(first, any_case=False) is None


@pytest.mark.parametrize("replaced", [False, True])
def test_a_journal_that_is_removed_while_open_is_noticed_before_the_next_intent(
    replaced: bool, path: Path, journal: JournalStore, open_store: OpenStore
) -> None:
    half = ChangeSet("delete")
    (first,) = journal.intend(half, [DELETE], 0.0)
    path.unlink()
    if replaced:
        path.touch()
    else:
        with pytest.raises(errors.JournalError, match="is gone"):
            journal.entries()
        assert not path.exists(), "reading makes no file"
    for rest in (ChangeSet("delete"), half, half):
        with pytest.raises(errors.JournalError, match=r"removed or replaced.*connect again"):
            journal.intend(rest, [ADD], 0.0)
    other = open_store(path)
    (same_id,) = other.intend(ChangeSet("delete"), [ADD], 0.0)
    with pytest.raises(errors.JournalError, match="removed or replaced"):  # a verdict of the former file
        journal.conclude([(first, Outcome(DELETE, Verdict.DELETED, changed=True))])
    assert [(entry.step, entry.verdict) for entry in other.entries()] == [(ADD, None)]
    assert same_id == first
    path.unlink()
    journal.close()  # as that of a client that is closed during a request
    with pytest.raises(errors.JournalError, match="is gone"):
        journal.conclude([(first, Outcome(DELETE, Verdict.DELETED, changed=True))])
    assert not path.exists()


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_a_process_forked_while_a_thread_writes_the_journal_does_not_hang(journal: JournalStore) -> None:
    (sent,) = journal.intend(ChangeSet("parent"), [DELETE], 0.0)
    with closing(sqlite3.connect(journal.path, isolation_level=None, check_same_thread=False)) as other:
        other.execute("BEGIN IMMEDIATE")  # the thread waits for this transaction, and holds the journal meanwhile
        deleted = sent, Outcome(DELETE, Verdict.DELETED, changed=True)
        threads = [threading.Thread(target=journal.conclude, args=([deleted],)), threading.Timer(0.4, other.rollback)]
        for thread in threads:
            thread.start()
        time.sleep(0.2)
        child = os.fork()
        if child == 0:
            signal.alarm(20)
            journal.intend(ChangeSet("child"), [ADD], 1.0)
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        for thread in threads:
            thread.join()
    assert [entry.step for entry in journal.unfinished()] == [ADD]
    journal.intend(ChangeSet("parent"), [DELETE], 2.0)
    assert [entry.kind for entry in journal.entries()] == ["parent", "child", "parent"]


def test_each_live_portal_has_a_file_of_its_own() -> None:
    one, other = default_journal_path("Example.bitrix24.com"), default_journal_path("portal.example.com:8443")
    assert one.name == "example.bitrix24.com.db"
    assert other.name == "portal.example.com_8443.db"
    assert str(one).startswith(os.environ["XDG_DATA_HOME"])


def test_nothing_is_printed_when_python_ends_before_the_journal(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = JournalStore(path, host=HOST, user=USER)
    with monkeypatch.context() as late:
        late.setattr("b24nb.badges.journal_store.suppress", None)  # as modules are left by then
        del store  # what its end raises is a warning, and so an error here
        gc.collect()
