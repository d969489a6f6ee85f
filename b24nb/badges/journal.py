"""What was changed on a portal, written down before it is sent: the memory behind undo.

An intent with the whole badge is committed to disk before its request leaves, the verdict after the
answer. A process killed in between leaves an intent without verdict, and nothing is lost.
"""

from __future__ import annotations

import json
import re
import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from b24nb.badges.badge import Badge
from b24nb.badges.changes import Outcome, Step, Verdict
from b24nb.errors import B24Error

if TYPE_CHECKING:
    import pandas as pd

_VERSION = 1
_SCHEMA = """
BEGIN IMMEDIATE;
CREATE TABLE IF NOT EXISTS change_set (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    host TEXT NOT NULL, user TEXT NOT NULL,  -- of the portal; never a secret
    kind TEXT NOT NULL, at REAL NOT NULL
);
CREATE TABLE IF NOT EXISTS step (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    change_set INTEGER NOT NULL REFERENCES change_set (id),
    at REAL NOT NULL,                        -- committed before the request leaves
    code TEXT NOT NULL, before TEXT, after TEXT,
    verdict TEXT,                            -- NULL: unfinished
    changed INTEGER,                         -- NULL: not known
    seen INTEGER NOT NULL DEFAULT 0,         -- the answer was lost, the outcome was seen by looking
    error TEXT NOT NULL DEFAULT '', detail TEXT NOT NULL DEFAULT ''
);
CREATE VIEW IF NOT EXISTS entry AS
    SELECT step.id, change_set, kind, step.at, code, before, after, verdict, changed, seen, error, detail,
        host, user
    FROM step JOIN change_set ON change_set.id = step.change_set;
CREATE INDEX IF NOT EXISTS unfinished_step ON step (id) WHERE verdict IS NULL;
PRAGMA user_version = 1;
COMMIT;
"""
_CONCLUDE = (
    "UPDATE step SET verdict = ?, changed = ?, seen = ?, after = coalesce(?, after), error = ?, detail = ?"
    " WHERE id = ? AND (? OR verdict IS NULL)"
)
_BUSY_SECONDS = 30.0
COLUMNS = (
    *("change_set", "kind", "at", "host", "user", "code", "action", "verdict"),
    *("seen", "error", "detail", "note", "before", "after"),
)


class UnfinishedChanges(UserWarning):
    """The journal holds changes whose outcome is not known: the process that sent them was killed."""


@dataclass(slots=True)
class ChangeSet:
    """What one undo takes back; it gets its number with its first intent."""

    kind: str
    number: int | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the journal: a step, when it was about to be sent, and what became of it."""

    id: int
    change_set: int
    kind: str
    at: float
    step: Step
    verdict: Verdict | None
    changed: bool | None
    seen: bool
    error: str
    detail: str


def default_journal_path(host: str) -> Path:
    """Where the journal of a live portal is kept: one file per host in the user's data folder.

    Parameters
    ----------
    host : str
        Of the portal, with its port if any.

    Returns
    -------
    pathlib.Path
    """
    import platformdirs

    name = re.sub(r"[^\w.-]", "_", host.lower())
    return platformdirs.user_data_path("b24nb", appauthor=False) / "journals" / f"{name}.db"


class Journal:
    """The changes of one user on one portal, in a file that several processes and threads may share.

    The file comes into being with the first change.

    Parameters
    ----------
    path : path
        Of the SQLite file.
    host, user : str
        Whose changes: only rows of this portal and user are read or written.
    """

    def __init__(self, path: str | PathLike[str], *, host: str, user: str) -> None:
        self.path = Path(path)
        self.host = host
        self.user = user
        self._lock = threading.RLock()
        self._connection: sqlite3.Connection | None = None
        self._concluded: list[tuple[Any, ...]] = []

    def intend(self, change_set: ChangeSet, steps: Iterable[Step], at: float) -> list[int]:
        """Commit what is about to be sent, and return when it is on disk; an id per step."""
        begin = "INSERT INTO change_set (host, user, kind, at) VALUES (?, ?, ?, ?) RETURNING id"
        insert = "INSERT INTO step (change_set, at, code, before, after) VALUES (?, ?, ?, ?, ?) RETURNING id"
        with self._lock:  # chunks that go side by side agree on one number
            with self._writing() as db:
                number = change_set.number
                if number is None:
                    head = (self.host, self.user, change_set.kind, at)
                    number = int(db.execute(begin, head).fetchone()[0])
                rows = [(number, at, step.code, _dump(step.before), _dump(step.after)) for step in steps]
                ids = [int(db.execute(insert, row).fetchone()[0]) for row in rows]
            change_set.number = number
        return ids

    def conclude(self, outcomes: Iterable[tuple[int, Outcome]], *, first_hand: bool = True) -> None:
        """Take the verdicts of intents; they are on disk after the next write or :meth:`flush`.

        One that is lost with this process is found again by looking. What was only seen from outside
        never overrules a verdict.
        """
        rows = [
            (
                *(outcome.verdict.value, outcome.changed, outcome.seen, _dump(outcome.badge)),
                *(outcome.error_name, outcome.detail, id_, first_hand),
            )
            for id_, outcome in outcomes
            if not outcome.open
        ]
        with self._lock:
            self._concluded += rows

    def flush(self) -> None:
        """Write the verdicts that were taken."""
        if self._concluded:
            with self._writing():
                pass

    def entries(self) -> list[Entry]:
        """All of this user on this portal, oldest first."""
        return self._read("SELECT * FROM entry WHERE host = ? AND user = ? ORDER BY id")

    def unfinished(self) -> list[Entry]:
        """Intents without a verdict, oldest first."""
        return self._read("SELECT * FROM entry WHERE host = ? AND user = ? AND verdict IS NULL ORDER BY id")

    def last(self, count: int) -> list[Entry]:
        """What the last change sets did, oldest first; steps and sets that changed nothing are left out."""
        return self._read(
            "WITH mine AS (SELECT * FROM entry WHERE host = ? AND user = ? AND changed IS NOT 0)"
            " SELECT * FROM mine WHERE change_set IN"
            " (SELECT DISTINCT change_set FROM mine ORDER BY change_set DESC LIMIT ?) ORDER BY id",
            count,
        )

    @property
    def notice(self) -> str:
        """That there are unfinished changes, and what to do; ``""`` if there are none."""
        entries = self.unfinished()
        if not entries:
            return ""
        since = datetime.fromtimestamp(entries[0].at, UTC)
        return (
            f"{len(entries)} change(s) since {since:%Y-%m-%d %H:%M} UTC are unfinished: another process is "
            "at work, or it was killed. b24.journal.settle() looks at the portal and completes them."
        )

    @property
    def df(self) -> pd.DataFrame:
        """A row per step, oldest first.

        Columns: ``change_set, kind, at`` (UTC)``, host, user, code, action, verdict`` (NA while
        unfinished)``, seen, error, detail, note, before, after`` (:class:`Badge` or ``None``).
        """
        import pandas as pd

        entries = self.entries()
        rows = [
            (
                *(entry.change_set, entry.kind, entry.at, self.host, self.user),
                *(entry.step.code, entry.step.action.value, entry.verdict.value if entry.verdict else pd.NA),
                *(
                    entry.seen,
                    entry.error,
                    entry.detail,
                    entry.step.note,
                    entry.step.before,
                    entry.step.after,
                ),
            )
            for entry in entries
        ]
        df = pd.DataFrame(rows, columns=list(COLUMNS))
        return df.assign(at=pd.to_datetime(df["at"], unit="s", utc=True))

    def close(self) -> None:
        """Close the file; the next use opens it again."""
        self.flush()
        with self._lock:
            if self._connection:
                self._connection.close()
            self._connection = None

    def _read(self, query: str, *values: Any) -> list[Entry]:
        self.flush()
        with self._lock, self._told():
            if self._connection is None and not self.path.exists():
                return []
            rows = self._open().execute(query, (self.host, self.user, *values))
            return [_entry(row) for row in rows]

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction, on disk when it ends."""
        with self._lock, self._told():
            db = self._open()
            db.execute("BEGIN IMMEDIATE")
            try:
                db.executemany(_CONCLUDE, self._concluded)
                yield db
                db.execute("COMMIT")
            except BaseException:
                if db.in_transaction:
                    db.execute("ROLLBACK")
                raise
            self._concluded.clear()

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            db = sqlite3.connect(
                self.path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
            )
            _use_wal(db)
            db.execute("PRAGMA synchronous = FULL")
            version = db.execute("PRAGMA user_version").fetchone()[0]
            if version > _VERSION:
                raise B24Error(f"The journal {self.path} was written by a newer version of b24nb.")
            if version < _VERSION:
                db.executescript(_SCHEMA)
            self._connection = db
        return self._connection

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Trouble with the file, in words."""
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise B24Error(
                f"The journal {self.path} can't be used: {error}.",
                hint="What can't be remembered is not sent; connect(journal=...) names another file.",
            ) from error


def _use_wal(db: sqlite3.Connection) -> None:
    """The one step in which SQLite does not wait for another process that opens the new file, too."""
    give_up = time.monotonic() + _BUSY_SECONDS
    while True:
        try:
            db.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError:
            if time.monotonic() > give_up:
                raise
            time.sleep(0.01)
        else:
            return


def _dump(badge: Badge | None) -> str | None:
    return json.dumps(badge.to_wire()) if badge else None


def _load(text: str | None) -> Badge | None:
    return Badge.from_wire(json.loads(text)) if text else None


def _entry(row: Sequence[Any]) -> Entry:
    id_, change_set, kind, at, code, before, after, verdict, changed, seen, error, detail, *_ = row
    step = Step(code, _load(before), _load(after))
    effect = None if changed is None else bool(changed)
    return Entry(
        id_, change_set, kind, at, step, verdict and Verdict(verdict), effect, bool(seen), error, detail
    )
