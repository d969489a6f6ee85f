"""What visits to many portals found: a frame of all, and a row per portal that says what became of it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from copy import copy
from os import PathLike
from typing import TYPE_CHECKING, Any, Self

from b24nb.badges.badge import FIELDS, SHOWN, Badge, frame
from b24nb.display import html
from b24nb.errors import InvalidInput
from b24nb.fleet.visit import NOT_VISITED, OK, Visit
from b24nb.secret import redact

if TYPE_CHECKING:
    import pandas as pd

Visits = Mapping[str, Visit]
Again = Callable[[Iterable[str]], Visits]
Row = tuple[str, Iterable[Any]]
#: Names of portals that one sentence has.
_NAMED = 5


class Portals:
    """The names of portals, in their order, and labels that the user gave them."""

    def __init__(self, given: Any) -> None:
        import pandas as pd

        if isinstance(given, str | PathLike):
            try:
                given = pd.read_csv(given, dtype=str, keep_default_na=False, sep=None, engine="python")
            except (OSError, ValueError) as error:
                self._refuse(f"This file of portals can't be read: {error}")
        if isinstance(given, Mapping | bytes) or not isinstance(given, Iterable):
            self._refuse(f"portals is a list of names, or a table with the column `portal`, not a {type(given)}.")
        self._table = given.reset_index(drop=True) if hasattr(given, "columns") else pd.DataFrame({"portal": [*given]})
        if "portal" not in self._table:
            self._refuse("The table has no column `portal`.")
        self.names: tuple[str, ...] = tuple(self._table["portal"])
        if not all(isinstance(name, str) and name.strip() for name in self.names):
            self._refuse("The names of portals are texts.")
        if again := [name for name, count in Counter(self.names).items() if count > 1]:
            self._refuse(f"Portals are named twice: {listed(again)}.")
        text = self._table.to_csv()
        if redact(text) != text:
            self._refuse("The portals hold an address with its secret. The vault gives the credentials for a name.")

    def frame(self, rows: Iterable[Row], columns: Iterable[str]) -> pd.DataFrame:
        """A table whose rows begin with the name and the labels of a portal."""
        found = frame(((name, *cells) for name, cells in rows), ["portal", *columns])
        return self._table.merge(found, on="portal", how="right", suffixes=("_label", ""))

    @staticmethod
    def _refuse(text: str) -> None:
        raise InvalidInput(text, field="portals")


class Found:
    """What came of visiting the portals of a fleet.

    Attributes
    ----------
    visits : mapping of str to Visit
        By name, in the order of the fleet.
    """

    what = "Visits"
    _columns: Sequence[str] = ("status", "error", "detail")

    def __init__(self, portals: Portals, found: Visits, again: Again, why: str = "") -> None:
        self._portals, self._again, self._why = portals, again, why
        self.visits = {name: found.get(name, Visit(NOT_VISITED)) for name in portals.names}

    @property
    def status(self) -> pd.DataFrame:
        """A row per portal, in the order of the fleet.

        Columns: ``portal``, the labels, ``status`` (``ok, revoked, no access, unreachable, limit, changed,
        unknown, not visited``)``, error`` (the vendor's code, or the class of our error)``, detail``.
        """
        rows = ((name, (one.status, one.error, str(one.failure or ""))) for name, one in self.visits.items())
        return self._portals.frame(rows, Found._columns)

    @property
    def failed(self) -> pd.DataFrame:
        """The rows of :attr:`status` that are not ``ok``."""
        status = self.status
        return status[status["status"] != OK].reset_index(drop=True)

    @property
    def missing(self) -> dict[str, str]:
        """Status of the portals that are not ``ok``, by name."""
        return {name: one.status for name, one in self.visits.items() if one.status != OK}

    @property
    def df(self) -> pd.DataFrame:
        """What was found; ``.attrs`` has ``portals``, how many were asked, and ``missing``, which are not in it."""
        return self._marked(self._portals.frame(self._rows(), self._columns))

    def retry(self) -> Self:
        """Visit the portals that are not ``ok`` once more.

        Returns
        -------
        Found
            A new one of all portals.
        """
        new = copy(self)
        new.visits = {**self.visits, **self._again(self.missing)}
        return new

    def _answered(self) -> Iterator[tuple[str, Any]]:
        return ((name, one.value) for name, one in self.visits.items() if one.status == OK)

    def _rows(self) -> Iterable[Row]:
        raise NotImplementedError

    def _marked(self, table: pd.DataFrame) -> pd.DataFrame:
        table.attrs = {"portals": len(self.visits), "missing": self.missing}
        return table

    def _matrix(self, cells: Iterable[tuple[str, str, str]]) -> pd.DataFrame:
        """A row per code and a column per portal that answered, of portal, code, cell."""
        table = frame(cells, ["portal", "code", "cell"])
        names = [name for name, _ in self._answered()]
        wide = table.pivot(index="code", columns="portal", values="cell")
        wide = wide.reindex(index=table["code"].drop_duplicates(), columns=names).fillna("missing")
        return self._marked(wide.rename_axis(columns=None))

    def _head(self) -> str:
        return f"{self.what} of {len(self.visits) - len(self.missing):,} of {counted(len(self.visits), 'portal')}"

    def _notes(self) -> list[str]:
        groups: dict[str, list[str]] = {}
        for name, status in self.missing.items():
            groups.setdefault(status, []).append(name)
        told = "; ".join(f"{len(names):,} {status} ({listed(names)})" for status, names in groups.items())
        return [f"Not complete: {told}. {self._why and f'The run was {self._why}.'}".strip()] if told else []

    def _shown(self) -> pd.DataFrame:
        return self.df

    def __repr__(self) -> str:
        return "\n".join([self._head(), self._shown().head(SHOWN).to_string(index=False), *self._notes()])

    def _repr_html_(self) -> str:
        notes = (html.message("check", note) for note in self._notes())
        return html.page(html.frame(self._shown(), caption=self._head(), limit=SHOWN), *notes)


class FleetCheck(Found):
    """Who we are on each portal, what we may do there, and whether it answers.

    ``.df`` has a row per portal: ``portal``, the labels, ``status, kind`` (``SANDBOX, LIVE``)``, host, user,
    admin`` (whether the user is an administrator, which changes take)``, scopes, error, detail``; ``None``
    where the portal did not tell.
    """

    what = "Access"
    _columns = ("status", "kind", "host", "user", "admin", "scopes", "error", "detail")

    def _rows(self) -> Iterable[Row]:
        for name, one in self.visits.items():
            told = [getattr(one.value, column, None) for column in self._columns[1:6]]
            told[4] = told[4] and ", ".join(told[4])
            yield name, (one.status, *told, one.error, str(one.failure or ""))


class FleetBadges(Found):
    """The badges of all portals that answered; the value of a visit is a :class:`~b24nb.Badges`.

    ``.df`` has a row per portal and badge: ``portal``, the labels, ``code, title, value, type``.
    """

    what = "Badges"
    _columns = FIELDS

    def _rows(self) -> Iterable[Row]:
        return ((name, badge.to_wire().values()) for name, badges in self._answered() for badge in badges)

    @property
    def matrix(self) -> pd.DataFrame:
        """A row per code and a column per portal that answered: ``same, differs, missing``.

        ``same`` is as on most portals; where two versions are as frequent, as on the first portal.
        """
        found = [(name, badge) for name, badges in self._answered() for badge in badges]
        versions: dict[str, Counter[str]] = {}
        for _, badge in found:
            versions.setdefault(badge.code, Counter())[_text(badge)] += 1
        usual = {code: counts.most_common(1)[0][0] for code, counts in versions.items()}
        same = ((name, one.code, "same" if _text(one) == usual[one.code] else "differs") for name, one in found)
        return self._matrix(same)


class FleetValues(Found):
    """What a function gave on each portal.

    ``.df`` has a row per portal: ``portal``, the labels, ``value`` (``None`` without one)``, status, error, detail``.
    """

    what = "Results"
    _columns = ("value", *Found._columns)

    @property
    def values(self) -> dict[str, Any]:
        """By the name of the portal: what the function returned, or its error."""
        return {name: one.value if one.status == OK else one.failure for name, one in self.visits.items()}

    def _rows(self) -> Iterable[Row]:
        rows = self.visits.items()
        return ((name, (one.value, one.status, one.error, str(one.failure or ""))) for name, one in rows)


def _text(badge: Badge) -> str:
    """The same for equal badges, which may not be hashed by more than their code."""
    return json.dumps(badge.to_wire(), sort_keys=True)


def counted(count: int, noun: str) -> str:
    """``1 portal``, ``1,204 portals``."""
    return f"{count:,} {noun}{'s' * (count != 1)}"


def listed(names: Sequence[str]) -> str:
    """The first names, and how many more there are."""
    return ", ".join(names[:_NAMED]) + (f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else "")
