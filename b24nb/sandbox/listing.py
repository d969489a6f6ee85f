"""Filter, order, select and pages of the classic ``*.list`` methods.

Vendor page: https://apidocs.bitrix24.com/settings/how-to-call-rest-api/list-methods-pecularities.html
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from b24nb.sandbox import php
from b24nb.sandbox.calls import Answer, Call
from b24nb.sandbox.store import dump

PAGE = 50
_CONDITIONS: Mapping[str, str] = {
    **{operator: f"{{}} {operator} ?" for operator in ("=", ">", ">=", "<", "<=")},
    **dict.fromkeys(("!", "!="), "{} <> ?"),
    "@": "{} = ?",
    "!@": "{} <> ?",
    "%": "instr(lower({}), lower(?)) > 0",
}
_FILTER_KEY = re.compile(r"(!=|>=|<=|!@|[!=@<>%])?([A-Z_]+)")


class Listing(NamedTuple):
    """One table as a list method shows it: wire names by column, and how a row becomes a record."""

    table: str
    columns: Mapping[str, str]
    record: Callable[[sqlite3.Row], dict[str, Any]]

    def answer(self, call: Call, *, where: str = "1", values: tuple[Any, ...] = ()) -> Answer:
        """The page that a call asks for; ``where`` limits it to what the caller may see."""
        conditions, parameters = self._conditions(call.get("filter"))
        found = f"FROM {self.table} WHERE {' AND '.join((where, *conditions))}"
        parameters = [*values, *parameters]
        total = call.store.count(f"SELECT count(*) {found}", parameters)
        start = max(call.start or 0, 0)
        page = f"SELECT * {found} ORDER BY {self._order(call.get('order'))} LIMIT {PAGE} OFFSET ?"
        rows = call.store.rows(page, [*parameters, start])
        more = start + PAGE < total and call.start != -1
        result = [self._selected(self.record(row), call.get("select")) for row in rows]
        return Answer(result, total=call.counted(total), next=start + PAGE if more else None)

    def _conditions(self, wanted: Any) -> tuple[list[str], list[Any]]:
        conditions: list[str] = []
        parameters: list[Any] = []
        for key, value in php.items(wanted):
            found = _FILTER_KEY.fullmatch(str(key))
            if not found or found[2] not in self.columns:
                continue  # a portal ignores what it can't filter by
            column, operator = self.columns[found[2]], found[1] or "="
            if isinstance(value, list | dict):
                # One parameter, however many values: SQLite has a limit, PHP has none to speak of.
                negated = "NOT " if operator.startswith("!") else ""
                conditions.append(f"{column} {negated}IN (SELECT value FROM json_each(?))")  # noqa: S608
                parameters.append(dump([php.to_text(inner) for _, inner in php.items(value)]))
            else:
                conditions.append(_CONDITIONS[operator].format(column))
                parameters.append(php.to_text(value))
        return conditions, parameters

    def _order(self, wanted: Any) -> str:
        parts = [
            f"{self.columns[str(key)]} {'DESC' if php.to_text(way).upper() == 'DESC' else 'ASC'}"
            for key, way in php.items(wanted)
            if key in self.columns
        ]
        return ", ".join([*parts, "id"])

    def _selected(self, record: dict[str, Any], wanted: Any) -> dict[str, Any]:
        names = {php.to_text(name) for _, name in php.items(wanted)}
        if not names or "*" in names:
            return record
        return {name: value for name, value in record.items() if name in names}
