"""The table of many portals, and the results of visits: a DataFrame of all, a row per portal with its status."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import copy
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from b24nb.badges.badge import FIELDS, SHOWN, Badge, flat_frame, frame, frame_html, frame_text, grouped, listed
from b24nb.badges.bulk import INTERRUPTED, RunOptions, in_threads
from b24nb.badges.files import csv_lines
from b24nb.errors import Interrupted, InvalidInput
from b24nb.fleet.visit import NOT_VISITED, OK, Visit, prepare
from b24nb.secret import TOKEN_NAMES, Secret, redact

if TYPE_CHECKING:
    import pandas as pd

    from b24nb.fleet.fleet import Fleet

PortalRow = tuple[str, Iterable[Any]]
STATUS = ("status", "error", "detail")
#: The options of a run that visits portals.
VISIT_OPTIONS = ("progress", "parallel", "cancel")


def run_options(given: Mapping[str, Any], known: Iterable[str]) -> RunOptions:
    """The options of a run; one that is not known is refused in words."""
    if other := [*given.keys() - {*known}]:
        raise TypeError(f"There is no option {other[0]}=. There are {', '.join(known)}.")
    return RunOptions(**given)


class FleetResults:
    """The results of visits to the portals of a fleet.

    Attributes
    ----------
    visits : mapping of str to Visit
        By name, in the order of the fleet.
    """

    what = "Visits"
    _columns: Sequence[str] = STATUS
    _takes: Sequence[str] = VISIT_OPTIONS
    #: The column whose values are counted in the heading; ``""``: none.
    _counted_column = "status"

    def __init__(
        self, fleet: Fleet, work: Any, options: Mapping[str, Any], names: Sequence[str] | None = None, **limits: Any
    ) -> None:
        self._fleet, self._work, self._failures = fleet, work, limits.get("failures")
        self._options = run_options({"parallel": fleet.parallel, **options}, self._takes)
        self._names = fleet.names if names is None else names
        self.visits: dict[str, Visit] = dict.fromkeys([*self._names, *limits.get("unvisited", ())], Visit(NOT_VISITED))
        self._visit(self._names)

    def _visit(self, names: Sequence[str]) -> None:
        """Visit these portals; a failed visit is a result, too. Raises what the caller's ``cancel`` has raised."""
        prepare(self._fleet._executor, self._fleet._access)
        remaining, found, failed, stopped = iter(names), dict[str, Visit](), list[str](), list[str]()
        end: BaseException | None = None

        def visit_remaining() -> None:
            for name in remaining:  # the threads share this iterator
                if self._options.cancelled:
                    stopped.append("cancelled")
                elif self._failures is not None and len(failed) > self._failures:
                    stopped.append("stopped after too many failures")
                if stopped:
                    break
                found[name] = self._work(name)
                if found[name].failure:
                    failed.append(name)

        try:
            in_threads(visit_remaining, self._options, stopped.append, found, len(names), self.what, "portal")
        except BaseException as error:  # noqa: BLE001 - Ctrl-C, raised by `cancel`, or a bug of this package
            end = error
        self._stopped = INTERRUPTED if INTERRUPTED in stopped else next(iter(stopped), "")
        self.visits = self.visits | found
        if end:
            end.add_note(repr(self))
            raise Interrupted(self) if isinstance(end, KeyboardInterrupt) else end

    @property
    def status(self) -> pd.DataFrame:
        """A row per portal, in the order of the fleet.

        Columns: ``portal``, the labels, ``status`` (``ok, revoked, no access, unreachable, limit, changed,
        unknown, not visited``), ``error`` (the vendor's code, or the name of an error class), ``detail``.
        """
        return self._frame(FleetResults._rows(self), STATUS)

    @property
    def failed(self) -> pd.DataFrame:
        """The rows of :attr:`status` that are not ``ok``, or have an error, such as a refused step."""
        return self.status.loc[lambda table: (table["status"] != OK) | (table["error"] != "")].reset_index(drop=True)

    @property
    def missing(self) -> dict[str, str]:
        """Status of the portals that are not ``ok``, by name."""
        return {name: one.status for name, one in self.visits.items() if one.status != OK}

    @property
    def df(self) -> pd.DataFrame:
        """The results. ``.attrs``: ``portals`` (how many there are), ``missing`` (status of those that are not ok)."""
        return self._marked(self._frame(self._rows(), self._columns))

    @property
    def counts(self) -> dict[str, int]:
        """How many rows there are of each action, verdict or status."""
        if not self._counted_column:
            return dict(Counter(one.status for one in self.visits.values()))
        place = self._columns.index(self._counted_column)
        return dict(Counter([*cells][place] for _, cells in self._rows()))

    def retry(self) -> Self:
        """Visit the portals of this run that failed once more, with the same ``first`` and ``max_failures``.

        Returns
        -------
        FleetResults
            The results of all portals, old and new.
        """
        new, failed = copy(self), {*self.failed["portal"]}
        new._visit([name for name in self._names if name in failed])
        return new

    def _frame(self, rows: Iterable[PortalRow], columns: Iterable[str]) -> pd.DataFrame:
        """A DataFrame whose rows begin with the name and the labels of a portal."""
        table, found = self._fleet._table, frame(((name, *cells) for name, cells in rows), ["portal", *columns])
        suffix = "_label" * (1 + max(str(label).count("_label") for label in table))  # longer than any there
        return table.merge(found, on="portal", how="right", suffixes=(suffix, ""))

    def _answered(self) -> Iterator[tuple[str, Any]]:
        return ((name, one.value) for name, one in self.visits.items() if one.status == OK)

    def _rows(self) -> Iterable[PortalRow]:
        """The rows of :attr:`df`: the name of the portal, and the other cells."""
        return ((name, one.why) for name, one in self.visits.items())

    def _marked(self, table: pd.DataFrame) -> pd.DataFrame:
        table.attrs = {"portals": len(self.visits), "missing": self.missing}
        return table

    def _matrix(self, cells: Iterable[tuple[str, str, str]], absent: str) -> pd.DataFrame:
        """A row per code and a column per portal that answered; ``absent`` where ``cells`` has no such pair.

        ``cells``: name of the portal, code, content of the cell.
        """
        table = frame(cells, ["portal", "code", "cell"])
        wide = table.pivot(index="code", columns="portal", values="cell")
        names = [name for name, _ in self._answered()]
        return self._marked(wide.reindex(table["code"].drop_duplicates(), columns=names).fillna(absent))

    def _head(self) -> str:
        counts = ", ".join(f"{count:,} {word}" for word, count in self.counts.items()) if self._counted_column else ""
        answered = f"{len(self.visits) - len(self.missing):,} of {counted(len(self.visits), 'portal')}"
        return f"{self.what} of {answered}{counts and f': {counts}'}"

    def _notes(self) -> list[str]:
        groups = grouped((status, name) for name, status in self.missing.items())
        text = "; ".join(f"{len(names):,} {status} ({listed(names)})" for status, names in groups.items())
        return [f"Not complete: {text}. {self._stopped and f'The run was {self._stopped}.'}".strip()] if text else []

    def _shown(self) -> pd.DataFrame:
        return self.df

    def __repr__(self) -> str:
        table = self._shown()
        more = [f"{len(table) - SHOWN:,} more rows not shown; .df has all."] if len(table) > SHOWN else []
        rows = [frame_text(table.head(SHOWN))] if len(table) else []
        return "\n".join([self._head(), *rows, *more, *self._notes()])

    def _repr_html_(self) -> str:
        return frame_html(self._shown(), self._head(), self._notes())


class FleetCheck(FleetResults):
    """Whether each portal answers, and our user and rights there.

    ``.df`` has a row per portal: ``portal``, the labels, ``kind`` (``SANDBOX, LIVE``), ``host, user, admin``
    (``boolean``: whether the user is an administrator, which changes need), ``scopes, status, error, detail``; NA or
    ``None`` where the portal did not say.

    Examples
    --------
    >>> import b24nb
    >>> from b24nb.sandbox import SandboxFleet
    >>> with SandboxFleet(3) as sandboxes:
    ...     fleet = b24nb.Fleet(sandboxes.names, vault=sandboxes.webhooks.get)
    ...     fleet.check(progress=False).df[["portal", "admin", "status"]]
            portal  admin status
    0  portal-0001   True     ok
    1  portal-0002   True     ok
    2  portal-0003   True     ok
    """

    what = "Check"
    _columns = ("kind", "host", "user", "admin", "scopes", *STATUS)

    def _rows(self) -> Iterable[PortalRow]:
        for name, one in self.visits.items():
            *facts, scopes = (getattr(one.portal, column, None) for column in self._columns[:5])
            yield name, (*facts, scopes and ", ".join(scopes), *one.why)

    @property
    def df(self) -> pd.DataFrame:
        """The results; see the class."""
        return self._marked(super().df.astype({"admin": "boolean"}))


class FleetBadges(FleetResults):
    """The badges of all portals that answered; the value of a visit is a :class:`~b24nb.Badges`.

    ``.df`` has a row per portal and badge: ``portal``, the labels, ``code, title, value, type``; ``.flat`` has plain
    cells, for files, databases and grouping.

    Examples
    --------
    >>> import b24nb
    >>> from b24nb.sandbox import SandboxFleet
    >>> with SandboxFleet(3) as sandboxes:
    ...     fleet = b24nb.Fleet(sandboxes.names, vault=sandboxes.webhooks.get)
    ...     with b24nb.connect(sandboxes.portals["portal-0002"]) as b24:
    ...         badge = b24.badges.delete("newsletter")
    ...     fleet.badges(progress=False).matrix.loc["newsletter"].to_dict()
    {'portal-0001': 'same', 'portal-0002': 'missing', 'portal-0003': 'same'}
    """

    what = "Badges"
    _columns = FIELDS
    _counted_column = ""

    def _rows(self) -> Iterable[PortalRow]:
        return ((name, badge.to_wire().values()) for name, badges in self._answered() for badge in badges)

    @property
    def flat(self) -> pd.DataFrame:
        """As :attr:`df`, with plain cells only: a column per language, as :attr:`b24nb.Badges.flat` has them."""
        found = [(name, badge.cells()) for name, badges in self._answered() for badge in badges]
        table = flat_frame([cells for _, cells in found])
        rows = zip((name for name, _ in found), table.itertuples(index=False, name=None), strict=True)
        return self._marked(self._frame(rows, table.columns))

    @property
    def matrix(self) -> pd.DataFrame:
        """A row per code and a column per portal that answered: ``same, differs, missing``.

        ``same``: as on most portals. If two versions are equally frequent, as on the first of these portals. Codes
        are compared as they are spelled; plans compare them as portals do.
        """
        found = [(name, badge.code, _text(badge)) for name, badges in self._answered() for badge in badges]
        versions = Counter((code, text) for _, code, text in found).most_common()
        usual = dict(version for version, _ in reversed(versions))  # by code; the most frequent comes last, so it stays
        cells = ((name, code, "same" if usual[code] == text else "differs") for name, code, text in found)
        return self._matrix(cells, absent="missing")


class FleetValues(FleetResults):
    """What a function returned for each portal.

    ``.df`` has a row per portal: ``portal``, the labels, ``value`` (``None`` without one), ``status, error, detail``.

    Examples
    --------
    >>> import b24nb
    >>> from b24nb.sandbox import SandboxFleet
    >>> with SandboxFleet(3) as sandboxes:
    ...     fleet = b24nb.Fleet(sandboxes.names, vault=sandboxes.webhooks.get)
    ...     fleet.map(lambda b24: len(b24.badges.list()), progress=False).values
    {'portal-0001': 12, 'portal-0002': 12, 'portal-0003': 12}
    """

    what = "Results"
    _columns = ("value", *STATUS)

    @property
    def values(self) -> dict[str, Any]:
        """By name of the portal: what the function returned, or its error."""
        return {name: one.value if one.status == OK else one.failure for name, one in self.visits.items()}

    def _rows(self) -> Iterable[PortalRow]:
        return ((name, (one.value, *one.why)) for name, one in self.visits.items())

    def _shown(self) -> pd.DataFrame:
        table, plain = self.df, int | float | None  # others, such as lists of badges, may be long
        texts = [one if isinstance(one, plain) or len(str(one)) <= 200 else f"{one!s:.200}…" for one in table["value"]]
        return table.assign(value=frame(([one] for one in texts), ["value"])["value"])


def _text(badge: Badge) -> str:
    """A text that is the same for equal badges; their hash is that of the code only."""
    return json.dumps(badge.to_wire(), sort_keys=True)


def odd_portals(fleet: Fleet) -> list[str]:
    """Remarks on sandboxes among live portals, and on several names for one portal."""
    seen = [(name, fleet.seen[name]) for name in fleet.names if name in fleet.seen]
    sandboxes = [name for name, portal in seen if portal.kind != "LIVE"]
    mixed = [f"Sandboxes among live portals: {listed(sandboxes)}."] if 0 < len(sandboxes) < len(seen) else []
    hosts = grouped((portal.host, name) for name, portal in seen)
    same = ((listed(names), host) for host, names in hosts.items() if names[1:])
    return [*mixed, *(f"One portal under several names: {names} are {host}." for names, host in same)]


def counted(count: int, noun: str) -> str:
    """``1 portal``, ``1,204 portals``."""
    return f"{count:,} {noun}{'s' * (count != 1)}"


def table_of(secret: Secret) -> pd.DataFrame:
    """A table with the names of the portals, in their order, and the user's labels."""
    portals: Any = secret.reveal()[0]  # in a list: a name of a portal is none of the secrets that are masked
    try:
        if isinstance(portals, str | PathLike):
            _, names = next(lines := csv_lines(Path(portals).expanduser(), "portal"), ("", []))
            portals = frame((cells for _, cells in lines), names)
        portals = portals if hasattr(portals, "columns") else frame(([one] for one in portals), ["portal"])
        table: pd.DataFrame = portals.reset_index(drop="portal" in portals or "portal" not in portals.index.names)
        table = table.rename(columns=lambda one: "portal" if str(one).strip().lower() == "portal" else one)
        if {*STATUS} <= {*table}:  # of an earlier run, as in Fleet(found.failed)
            table = table.drop(columns=[*STATUS])
        given = table["portal"].to_list()  # an AttributeError if there are several such columns
        names = [one.strip() if isinstance(one, str) else "" for one in given]
        again = [name for name, count in Counter(names).items() if count > 1]
        text = table.to_csv()
        tokens = [name for name in map(str, table) if name.strip().lower() in TOKEN_NAMES]
        wrong = [f"The column {name!r} holds secrets, which belong in the vault." for name in tokens]
        wrong += ["They hold an address with a secret, which belongs in the vault."] if redact(text) != text else []
        wrong += [f"Names are texts; number {n} is {one!r:.50}." for n, one in enumerate(given, 1) if not names[n - 1]]
        wrong += [f"Some are named twice: {listed(again)}."] if again else []
    except InvalidInput:  # of the file's encoding, or of one of its lines
        raise
    except OSError as error:
        wrong = [f"{str(portals)!r} is no list of names, and can't be read as a file: {error.strerror}."]
    except (RuntimeError, ValueError, TypeError, KeyError, AttributeError):
        wrong = ["There is no list of names, nor a table with one column `portal`."]
    if wrong:
        raise InvalidInput(f"portals: {wrong[0]}", field="portals")
    return table.assign(portal=table["portal"].astype(object).str.strip())
