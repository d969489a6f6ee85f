"""Filter, order, select and pages of the classic ``*.list`` methods.

Vendor page: https://apidocs.bitrix24.com/settings/how-to-call-rest-api/list-methods-pecularities.html
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from b24nb.sandbox import php
from b24nb.sandbox.calls import Answer, Call

PAGE = 50
_FILTER_KEY = re.compile(r"(!=|>=|<=|!@|!|=|@|>|<|%)?([A-Z_]+)")
_OPERATORS = {"": "=", "=": "=", "!": "<>", "!=": "<>", ">": ">", ">=": ">=", "<": "<", "<=": "<="}


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """One table as a list method shows it: wire names by column, and how a row becomes a record."""

    table: str
    columns: Mapping[str, str]
    record: Callable[[sqlite3.Row], dict[str, Any]]

    def answer(self, call: Call, *, where: str = "1", values: tuple[Any, ...] = ()) -> Answer:
        """The page that a call asks for; ``where`` limits it to what the caller may see."""
        conditions, parameters = self._conditions(call.get("filter"))
        clause = " AND ".join((where, *conditions))
        parameters = (*values, *parameters)
        total = call.store.count(f"SELECT count(*) FROM {self.table} WHERE {clause}", parameters)  # noqa: S608
        start = call.offset()
        page = f"SELECT * FROM {self.table} WHERE {clause} ORDER BY {self._order(call.get('order'))}"  # noqa: S608
        rows = call.store.rows(f"{page} LIMIT {PAGE} OFFSET ?", (*parameters, min(start, 2**62)))
        return Answer(
            [self._selected(self.record(row), call.get("select")) for row in rows],
            total=call.counted(total),
            next=start + PAGE if start + PAGE < total and call.start != -1 else None,
        )

    def _conditions(self, wanted: Any) -> tuple[list[str], tuple[Any, ...]]:
        conditions: list[str] = []
        parameters: list[Any] = []
        for key, value in php.items(wanted if isinstance(wanted, list | dict) else []):
            found = _FILTER_KEY.fullmatch(str(key).upper())
            if not found or found[2] not in self.columns:
                continue  # a portal ignores what it can't filter by
            column, operator = self.columns[found[2]], found[1] or ""
            if isinstance(value, list | dict) or "@" in operator:
                texts = [
                    php.to_text(inner)
                    for _, inner in php.items(value if isinstance(value, list | dict) else [value])
                ]
                negated = "NOT " if operator.startswith("!") else ""
                conditions.append(f"{column} {negated}IN ({', '.join('?' * len(texts))})")
                parameters += texts
            elif operator == "%":
                conditions.append(f"instr(lower({column}), lower(?)) > 0")
                parameters.append(php.to_text(value))
            else:
                conditions.append(f"{column} {_OPERATORS[operator]} ?")
                parameters.append(php.to_text(value))
        return conditions, tuple(parameters)

    def _order(self, wanted: Any) -> str:
        parts = [
            f"{self.columns[str(key).upper()]} {'DESC' if php.to_text(way).upper() == 'DESC' else 'ASC'}"
            for key, way in php.items(wanted if isinstance(wanted, list | dict) else [])
            if str(key).upper() in self.columns
        ]
        return ", ".join([*parts, "id"])

    def _selected(self, record: dict[str, Any], wanted: Any) -> dict[str, Any]:
        names = (
            {php.to_text(name) for _, name in php.items(wanted)} if isinstance(wanted, list | dict) else set()
        )
        if not names or "*" in names:
            return record
        return {name: value for name, value in record.items() if name in names}
