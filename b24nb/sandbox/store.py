"""The portal's SQLite database: badges, activities that hold them, and deals.

It behaves like the vendor's MySQL where answers show that: codes are compared without letter case and returned in
their stored spelling; texts that are too long are cut silently, or refused in strict mode; texts are stored as ASCII
JSON, and one that is not valid JSON (for example since it was cut) is returned as stored.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from importlib import resources
from pathlib import Path
from typing import Any
from urllib.parse import quote

from b24nb import spec
from b24nb.sandbox import php
from b24nb.sandbox.switches import Switches

IN_MEMORY = ":memory:"
#: All columns of a database's tables, by which a file of another program or version is recognised.
_COLUMNS = """
    SELECT item.type, item.name, field.* FROM sqlite_master AS item, pragma_table_info(item.name) AS field
    WHERE item.type = 'table' ORDER BY item.name, field.cid"""


class SqlError(Exception):
    """An error of the database, whose text the portal answers unchanged."""


class Store:
    """One connection, used only by the server's thread.

    Parameters
    ----------
    path : str
        The database file; created if there is none.
    keep : bool
        Whether the file is kept after the portal has stopped.
    switches : Switches
        The portal's settings.
    """

    def __init__(self, path: str, *, keep: bool, switches: Switches) -> None:
        self.switches = switches
        self.badges = Badges(self)
        schema = resources.files(__package__).joinpath("schema.sql").read_text(encoding="utf-8")
        durability = "NORMAL" if keep else "OFF"
        with ExitStack() as on_error:
            try:
                if path != IN_MEMORY:
                    _check_file(Path(path), schema)
                # A commit is written to the write-ahead log, and so to the operating system, before the answer:
                # it survives a kill -9 of this process. With NORMAL it may be lost at a power cut, which is
                # acceptable here. EXCLUSIVE prevents a second sandbox from using the same file.
                self._db = sqlite3.connect(path, isolation_level=None, timeout=0.2, cached_statements=256)
                on_error.callback(self._db.close)
                pragmas = f"PRAGMA locking_mode=EXCLUSIVE; PRAGMA synchronous={durability};"
                # WAL is switched on after the tables are made, so that they are in the file and not only in the log.
                later = "PRAGMA journal_mode=WAL; PRAGMA foreign_keys=ON;"
                self._db.executescript(f"{pragmas} BEGIN IMMEDIATE; {schema} COMMIT; {later}")
            except (sqlite3.DatabaseError, OSError) as error:
                why = "another sandbox uses it" if "locked" in str(error) else error
                raise RuntimeError(f"The sandbox can't use {path}: {why}.") from None
            on_error.pop_all()
        self._db.row_factory = sqlite3.Row

    def close(self) -> None:
        self._db.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """A transaction for the block. Inside another transaction it is a part of that."""
        if self._db.in_transaction:
            yield
            return
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[sqlite3.Row]:
        return self._db.execute(sql, parameters).fetchall()

    def row(self, sql: str, parameters: Sequence[Any] = ()) -> sqlite3.Row | None:
        row: sqlite3.Row | None = self._db.execute(sql, parameters).fetchone()
        return row

    def count(self, sql: str, parameters: Sequence[Any] = ()) -> int:
        return int(self._db.execute(sql, parameters).fetchone()[0])

    def run(self, sql: str, parameters: Sequence[Any] = ()) -> int:
        """Execute a change; returns how many rows it changed."""
        return self._db.execute(sql, parameters).rowcount

    def insert(self, table: str, values: Mapping[str, Any]) -> int:
        """Add a row to a table; returns its id. Names of tables and columns never come from a request."""
        columns = ", ".join(values)
        marks = ", ".join("?" * len(values))
        sql = f"INSERT INTO {table} ({columns}) VALUES ({marks})"  # noqa: S608
        return int(self._db.execute(sql, tuple(values.values())).lastrowid or 0)

    def update(self, table: str, row_id: int, values: Mapping[str, Any]) -> None:
        """Change columns of one row."""
        columns = ", ".join(f"{column} = ?" for column in values)
        self.run(f"UPDATE {table} SET {columns} WHERE id = ?", (*values.values(), row_id))  # noqa: S608


def _check_file(path: Path, schema: str) -> None:
    """Create the file, readable for this user only; refuse an existing file that is not a sandbox's, unchanged."""
    if path.exists() and (path.stat().st_size or not path.is_file()):  # a device has no size, and stays as it is
        address = f"file:{quote(bytes(path), safe='')}?immutable=1"  # as_uri names a file server as SQLite refuses it
        with (
            closing(sqlite3.connect(address, uri=True, timeout=0.2)) as there,
            closing(sqlite3.connect(IN_MEMORY)) as own,
        ):
            own.executescript(schema)
            if there.execute(_COLUMNS).fetchall() != own.execute(_COLUMNS).fetchall():
                raise sqlite3.DatabaseError("it is no database of this version's sandbox; name another file")
    path.touch(0o600)
    path.chmod(0o600)


class Badges:
    """The table of badges and the rows that attach them to items."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def all(self) -> list[dict[str, Any]]:
        """Every badge, in the order of creation."""
        return [_badge(row) for row in self.store.rows("SELECT * FROM badge ORDER BY id")]

    def find(self, code: str) -> dict[str, Any] | None:
        """A badge by its code: in this exact spelling, else in one that the database takes for the same."""
        row = self.store.row("SELECT * FROM badge WHERE code = ?", (code,))
        if row is None and not self.store.switches.case_sensitive:
            row = self.store.row("SELECT * FROM badge WHERE collated = ?", (code.casefold(),))
        return _badge(row) if row else None

    def add(self, code: str, title: Any, value: Any, type_: str) -> None:
        """Insert a badge; its texts are cut to the widths of the columns."""
        stored = {
            "code": self._fit("CODE", code, spec.CODE_WIDTH),
            "title": self._fit("TITLE", php.encode_ascii_json(title), spec.TEXT_WIDTH),
            "value": self._fit("VALUE", php.encode_ascii_json(value), spec.TEXT_WIDTH),
            "type": type_,
        }
        if self.find(stored["code"]):
            raise SqlError(f"Mysql query error: (1062) Duplicate entry '{stored['code']}' for key 'CODE'")
        self.store.insert("badge", {**stored, "collated": stored["code"].casefold()})

    def delete(self, code: str) -> None:
        """Remove a badge by the stored spelling of its code."""
        self.store.run("DELETE FROM badge WHERE code = ?", (code,))

    def in_use(self, code: str) -> bool:
        """Whether an item shows the badge, that is, whether an attachment row has its stored code."""
        self.age()
        sql = "SELECT EXISTS (SELECT 1 FROM attachment WHERE type = ? AND value = ?)"
        return bool(self.store.count(sql, (spec.ATTACHMENT_TYPE, code)))

    def age(self) -> None:
        """Delete old attachment rows, as a daily job of the portal does."""
        switches = self.store.switches
        oldest = switches.clock() - switches.attachment_days * 24 * 3600
        self.store.run("DELETE FROM attachment WHERE created < ?", (oldest,))

    def attach(self, activity_id: int, code: str, owner_type_id: int, owner_id: int) -> None:
        """Insert one attachment row; the column keeps 30 characters of the code."""
        value = self._fit("VALUE", code, spec.ATTACHED_CODE_WIDTH)
        row = {"created": self.store.switches.clock(), "type": spec.ATTACHMENT_TYPE, "value": value}
        row |= {"entity_type_id": owner_type_id, "entity_id": owner_id, "activity_id": activity_id}
        self.store.insert("attachment", row)

    def attached(self, activity_id: int) -> list[str]:
        """The codes in the attachment rows of an activity, which may have been cut."""
        self.age()
        sql = "SELECT value FROM attachment WHERE activity_id = ?"
        return [row["value"] for row in self.store.rows(sql, (activity_id,))]

    def detach(self, activity_id: int) -> None:
        self.store.run("DELETE FROM attachment WHERE activity_id = ?", (activity_id,))

    def _fit(self, column: str, text: str, width: int) -> str:
        if len(text) > width and self.store.switches.strict_sql:
            raise SqlError(f"Mysql query error: (1406) Data too long for column '{column}' at row 1")
        return text[:width]


def _badge(row: sqlite3.Row) -> dict[str, Any]:
    title, value = _decoded(row["title"]), _decoded(row["value"])
    return {"code": row["code"], "title": title, "value": value, "type": row["type"]}


def _decoded(stored: str) -> Any:
    if len(stored) > 1 and stored[0] == stored[-1] == '"' and "\\" not in stored:
        return stored[1:-1]  # a quick path for plain texts, the most frequent case
    try:
        return php.decode_json(stored)
    except ValueError:
        return stored


def dump(value: Any) -> str:
    """JSON for a column; a number that JSON can't hold (1e400 is infinite) is refused, as PHP does."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def load(text: str) -> Any:
    return php.decode_json(text)
