"""The SQLite file of the journal: each change is committed before it is sent, and its verdict after the answer.

An *intent* holds the whole badge. A process that is killed leaves it without a verdict; the badge can be restored.
"""

from __future__ import annotations

import json
import mmap
import os
import re
import sqlite3
import threading
import weakref
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from importlib import resources
from os import PathLike
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, NamedTuple
from urllib.parse import quote

from b24nb.badges.activities import Activity, ActivityStep
from b24nb.badges.badge import Badge, folded
from b24nb.badges.changes import Outcome, Step, Verdict, error_name
from b24nb.credential_checks import host_of
from b24nb.errors import B24Error, JournalError
from b24nb.secret import Secret

_VERSION = 4
_AT = "min(max(CAST(step.at AS REAL), 0.0), 4e9)"  # a damaged file may hold anything
_COLUMNS = f"activity, change_set, {_AT}, code, before, after, found, verdict, changed, seen, error, detail"
_ENTRIES = f"SELECT step.id, {_COLUMNS}, kind, host, user FROM step JOIN change_set ON change_set.id = change_set"
_ADOPTED = "SELECT host, user FROM adopted WHERE by_host = :host AND by_user = :user"
_MINE = f"(host, user) IN (SELECT :host, :user UNION {_ADOPTED})"
#: Of change sets: whether one of its steps changed something, or may have.
_CHANGED = "EXISTS (SELECT 1 FROM step WHERE change_set = change_set.id AND changed IS NOT 0)"
_LAST = f"SELECT id FROM change_set WHERE {_MINE} AND {_CHANGED} ORDER BY id DESC LIMIT :count"
_CONCLUDE = (
    "UPDATE step SET verdict = ?, changed = ?, seen = ?, error = ?, detail = ?, before = CASE WHEN ? THEN before END,"
    " after = coalesce(?, after), found = CASE WHEN ? THEN coalesce(?, found) END"
    " WHERE id = ? AND (? OR verdict IS NULL)"
)
_HINT = "Without it no change is sent. Try again, or use another file: connect(journal=...)."
BUSY_SECONDS = 2.0
#: Open connections, kept here so that only their stores close them: not the garbage collector, which may take a
#: connection before its store, and not a forked child, which must not touch those of its parent.
_OPEN: set[sqlite3.Connection] = set()
#: The stores of this process, and those whose locks a thread holds while it forks.
_STORES: weakref.WeakKeyDictionary[JournalStore, None] = weakref.WeakKeyDictionary()
_forking = threading.local()


def _lock_all() -> None:
    """A child would never be rid of a lock, of this program or of SQLite, that another thread holds at the fork."""
    _forking.held = [store for ref in _STORES.keyrefs() if (store := ref())]
    for store in _forking.held:
        store._lock.acquire()


def _release_all() -> None:
    for store in _forking.__dict__.pop("held"):
        store._lock.release()


def _disown_all() -> None:
    """The child opens connections of its own; those of its parent stay open, unused."""
    for store in _forking.held:
        store._connection, store._due = None, []  # the verdicts are the parent's to write
    _release_all()


if hasattr(os, "register_at_fork"):  # Windows has no fork
    os.register_at_fork(before=_lock_all, after_in_parent=_release_all, after_in_child=_disown_all)


@dataclass(eq=False, repr=False)
class ChangeSet:
    """The changes that one undo takes back. Its first intent gives it a number in the file of the journal."""

    kind: str
    number: int | None = None


class Entry(NamedTuple):
    """One row of the journal: a step, when it was last sent, and what became of it.

    ``verdict`` is a text, since a newer version may have written one unknown here; ``None``: unfinished. ``found``:
    what a look right before showed, if that differs from ``step.before``. ``unread``: what could not be parsed.
    """

    id: int
    change_set: int
    at: float
    step: Step
    found: Badge | None
    verdict: str | None
    changed: bool | None
    seen: bool
    error: str
    detail: str
    kind: str
    host: str
    user: str
    unread: str = ""

    @property
    def note(self) -> str:
        """What the user should know about it, and what could not be parsed."""
        return "; ".join(filter(None, [self.step.note, self.unread]))


def default_journal_path(host: str) -> Path:
    """The file of a live portal in the user's data folder; raises :class:`JournalError` if there is none."""
    import platformdirs

    name = re.sub(r"[^\w.-]", "_", host.lower())
    try:
        return platformdirs.user_data_path("b24nb", appauthor=False) / "journals" / f"{name}.db"
    except RuntimeError as error:
        raise JournalError(f"There is no place for the journal: {error}.", hint=_HINT) from error


class JournalStore:
    """The changes of one user on one portal, in a file that several processes and threads may share.

    The file is created with the first change; if it is removed or replaced after that, nothing is written any more.
    ``path``: ``None`` is the default file of this host. Only rows of this host and user are read, and those that
    were adopted.
    """

    def __init__(self, path: str | PathLike[str] | None, *, host: str, user: str) -> None:
        # Absolute, so that it is the same after a chdir. Without a home folder, `~` is a name like any other.
        self._path = None if path is None else Path(os.path.expanduser(path)).absolute()  # noqa: PTH111
        self.host, self.user = host, user
        self._lock = threading.RLock()
        _STORES[self] = None
        self._connection: sqlite3.Connection | None = None
        self._opened: tuple[int, int] | None = None  # which file is in use
        self._due: list[tuple[Any, ...]] = []  # verdicts that are not on disk yet
        self._problem = ""  # why not

    @property
    def path(self) -> Path:
        """The path of the file; raises :class:`JournalError` if the user has no data folder."""
        if self._path is None:
            self._path = default_journal_path(self.host)
        return self._path

    def intend(
        self, change_set: ChangeSet, steps: Sequence[Step], at: float, found: Sequence[Badge | None] = ()
    ) -> list[int]:
        """Commit steps that are about to be sent; returns an id per step, once they are on disk."""
        looks = found or [None] * len(steps)
        with self._lock:  # batches of one change set that are sent in parallel get one number
            with self._writing(make=True) as db:
                head = (self.host, self.user, change_set.kind, at)
                number = change_set.number or _insert(db, "change_set (host, user, kind, at)", head)
                table = "step (change_set, at, activity, code, before, after, found)"
                ids = []
                for step, look in zip(steps, looks, strict=True):
                    badges = map(_dump, (step.before, step.after, look))
                    ids.append(_insert(db, table, (number, at, _activity_of(step), step.code, *badges)))
            change_set.number = number
        return ids

    def note_attempt(self, ids: Sequence[int], at: float, *, answered: bool = True) -> Sequence[int]:
        """Note that steps are sent once more, and return their ids. Unless the portal has ``answered`` a part of the
        change they are new, after those of what others sent meanwhile. Errors are ignored: the intent is on disk."""
        with suppress(JournalError), self._writing() as db:
            (newest,) = db.execute("SELECT max(id) FROM step").fetchone()
            new = ids if answered else range(newest + 1, newest + 1 + len(ids))
            db.executemany("UPDATE step SET id = ?, at = ? WHERE id = ?", zip(new, [at] * len(ids), ids, strict=True))
            return [*new]
        return ids

    def conclude(self, outcomes: Iterable[tuple[int, Outcome]], *, first_hand: bool = True) -> None:
        """Write the verdicts of intents, without those that are open; if that fails, the next use does it.

        If the process ends before, a look at the portal finds them again. ``first_hand``: by the process that sent
        the change; other verdicts never replace one that is there.
        """
        for id_, one in outcomes:
            result = one.verdict.value, one.changed, one.seen, error_name(one.error), one.detail
            was_there = one.verdict is not Verdict.ADDED  # whatever the plan or a look said
            badges = was_there, _dump(one.badge), was_there, _dump(one.found)
            if not one.open:
                self._due.append((*result, *badges, id_, first_hand))
        if self._due:
            try:
                with self._writing():
                    pass
            except JournalError as error:
                self._problem = error.message
                raise

    def finish(self) -> str:
        """Move what was written into the file itself, so that a copy has it; returns why verdicts are not written."""
        with suppress(sqlite3.Error), self._lock:
            if self._connection:
                self._connection.execute("PRAGMA wal_checkpoint")
        return self._problem if self._due else ""

    def entries(self, newest: int = -1) -> list[Entry]:
        """The entries of this user on this portal, oldest first: all, or the newest ones."""
        return self._entries(f"WHERE {_MINE} ORDER BY step.id DESC LIMIT :newest", newest=newest)[::-1]

    def unfinished(self) -> list[Entry]:
        """Intents without a verdict, oldest first."""
        return self._entries(f"WHERE verdict IS NULL AND {_MINE} ORDER BY step.id")

    def next_of(self, entry: Entry, *, any_case: bool) -> Entry | None:
        """The next entry of the same badge or activity of this portal that may have changed it.

        ``any_case``: also if it spells the code in another letter case.
        """
        same = "coalesce(activity, code) = coalesce(:activity, :code) COLLATE NOCASE"
        if not any_case:
            same += " AND code = :code"
        elif not entry.step.code.isascii():  # NOCASE knows ASCII letters only; this reads all steps
            same = "coalesce(activity, folded(code)) = coalesce(:activity, folded(:code))"
        acted = f"changed IS NOT 0 AND (host = :of OR {_MINE})"
        where = f"WHERE {same} AND {acted} AND step.id > :id ORDER BY step.id LIMIT 1"
        what = {"code": entry.step.code, "activity": _activity_of(entry.step), "of": entry.host}
        return next(iter(self._entries(where, id=entry.id, **what)), None)

    def last(self, count: int) -> list[Entry]:
        """The entries of the last change sets, oldest first; steps and sets that changed nothing are left out."""
        return self._entries(f"WHERE changed IS NOT 0 AND change_set IN ({_LAST}) ORDER BY step.id", count=count)

    def others(self, kind: str = "%") -> list[tuple[str, str, int]]:
        """Host, user and number of others' change sets that changed something; ``kind``: a pattern of LIKE."""
        where = f"NOT {_MINE} AND kind LIKE :kind AND {_CHANGED}"
        return self._query(f"SELECT host, user, count(*) FROM change_set WHERE {where} GROUP BY host, user", kind=kind)

    def adopt(self, host: str, user: str) -> bool:
        """Read the changes of another address or user in this file, too, from now on; false if there are none."""
        held = self._query("SELECT DISTINCT host FROM change_set WHERE user = :by", by=user)
        if found := [(of, user, self.host, self.user) for (of,) in held if _is_host(of, host)]:
            with self._writing() as db:
                db.executemany("INSERT INTO adopted SELECT ?, ?, ?, ? EXCEPT SELECT * FROM adopted", found)
        return bool(found)

    def close(self) -> None:
        """Close the file; the next use opens it again."""
        if not globals()["suppress"]:  # the garbage collector calls this while Python ends: names are None by then
            return
        with suppress(JournalError):  # a look at the portal finds the verdicts again
            self.conclude(())
        with self._lock:
            if self._connection:
                self._connection.close()
                _OPEN.discard(self._connection)
            self._connection = None

    __del__ = close

    def _entries(self, where: str, **values: Any) -> list[Entry]:
        return [_entry(row) for row in self._query(f"{_ENTRIES} {where}", **values)]

    def _query(self, query: str, **values: Any) -> list[tuple[Any, ...]]:
        with suppress(JournalError):  # a full or locked disk can still be read
            self.conclude(())
        with self._lock, self._as_journal_errors():
            if not (self._opened or self.path.exists()):
                return []
            return self._open().execute(query, {"host": self.host, "user": self.user, **values}).fetchall()

    @contextmanager
    def _writing(self, *, make: bool = False) -> Iterator[sqlite3.Connection]:
        """One transaction, on disk when it ends, with the verdicts that are due."""
        with self._lock, self._as_journal_errors():
            due = [*self._due]
            with self._open(make=make) as db:  # commits, or rolls back
                db.execute("BEGIN IMMEDIATE")
                db.executemany(_CONCLUDE, due)
                yield db
            del self._due[: len(due)]

    def _open(self, *, make: bool = False) -> sqlite3.Connection:
        """A connection to the file, which is the one that was opened first; ``make``: create it if there is none."""
        here = _identity(self.path)
        hint = "Put the file back, or connect again."
        if not (here or make):
            raise JournalError(f"The journal {self.path} is gone; that of a sandbox is temporary.", hint=hint)
        if self._opened not in (None, here):
            raise JournalError(f"The journal {self.path} was removed or replaced while it was in use.", hint=hint)
        if self._connection is None:
            self._connection = _connect(self.path)
            _OPEN.add(self._connection)
            self._opened = _identity(self.path)
        return self._connection

    @contextmanager
    def _as_journal_errors(self) -> Iterator[None]:
        """Turn errors of the file or of SQLite into :class:`JournalError`."""
        try:
            yield
        except (sqlite3.Error, OSError, ValueError) as error:
            raise JournalError(f"The journal {self._path} can't be used: {error}.", hint=_HINT) from error


def _is_host(noted: str, host: str) -> bool:
    """Whether the journal means this host: older versions noted it as it was typed."""
    with suppress(B24Error):
        noted = host_of(Secret(noted))
    return noted == host


def _identity(path: Path) -> tuple[int, int] | None:
    """The ids of the file; ``None`` if there is none."""
    found = path.stat() if path.exists() else None
    return found and (found.st_dev, found.st_ino)


def _connect(path: Path) -> sqlite3.Connection:
    """A connection to the journal file, which is created if there is none; another database is refused unchanged."""
    if path.is_dir():
        raise IsADirectoryError("it is a folder; name a file in it")
    for folder in reversed(path.parents):
        folder.mkdir(mode=0o700, exist_ok=True)
    if not path.exists():
        path.touch(mode=0o600)  # only its owner may read it
    try:
        foreign = _is_foreign(path, "ro")
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_READONLY:
            raise
        foreign = _is_foreign(path, "rw")  # its writer was killed: SQLite first has to roll back its transaction
    if foreign:
        raise sqlite3.DatabaseError("it is a database of something else")
    db = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    db.create_function("folded", 1, folded, deterministic=True)
    try:
        if db.execute("PRAGMA quick_check(1)").fetchone() != ("ok",):
            raise sqlite3.DatabaseError("it is damaged")
        db.execute("PRAGMA synchronous = FULL")
        # Not where a drive has no shared memory (in Colab, on a network), or another process is just setting it.
        with suppress(OSError, sqlite3.OperationalError), TemporaryFile(dir=path.parent) as probe:
            mmap.mmap(probe.fileno(), probe.truncate(1)).close()
            db.execute("PRAGMA journal_mode = WAL")
        if _version(db) < _VERSION:
            _migrate(db)
    except BaseException:
        db.close()
        raise
    return db


def _is_foreign(path: Path, mode: str) -> bool:
    """Whether another program made the tables of this file; one that is only read is left byte for byte as it was."""
    address = f"file:{quote(bytes(path), safe='')}?mode={mode}"  # as_uri names a file server as SQLite refuses it
    with closing(sqlite3.connect(address, uri=True, timeout=BUSY_SECONDS)) as db:
        names = {name for (name,) in db.execute("SELECT name FROM sqlite_master")}
        return bool(names) and not (_version(db) and {"change_set", "step"} <= names)


def _migrate(db: sqlite3.Connection) -> None:
    text = resources.files(__package__).joinpath("journal.sql").read_text("utf-8")
    with db:
        db.execute("BEGIN IMMEDIATE")
        for migration in re.split(r"-- version \d+\n", text)[1:][_version(db) :]:
            for statement in migration.split(";\n"):
                db.execute(statement)


def _version(db: sqlite3.Connection) -> int:
    return int(db.execute("PRAGMA user_version").fetchone()[0])


def _insert(db: sqlite3.Connection, table: str, values: Sequence[Any]) -> int:
    query = f"INSERT INTO {table} VALUES ({', '.join('?' * len(values))})"
    return db.execute(query, values).lastrowid or 0


def _activity_of(step: Step) -> int | None:
    return step.before.id if isinstance(step, ActivityStep) else None


def _dump(badge: Badge | None) -> str | None:
    return json.dumps(badge.to_wire()) if badge else None


def _entry(row: Sequence[Any]) -> Entry:
    id_, activity, change_set, at, code, before, after, found, verdict, changed, seen, *texts = row
    badges, unread = list[Any](), ""
    for text in (before, after, found):
        try:
            sent = json.loads(text) if text else None
            badges.append(sent and (Badge.from_wire(sent) if activity is None else Activity(**sent)))
        except (ValueError, TypeError, B24Error):
            badges.append(None)
            unread = "holds a badge or activity that can't be read"
    effect = None if changed is None else bool(changed)
    step = (ActivityStep if isinstance(badges[0], Activity) else Step)(code, badges[0], badges[1])
    return Entry(id_, change_set, at, step, badges[2], verdict, effect, bool(seen), *texts, unread)  # type: ignore[call-arg]
