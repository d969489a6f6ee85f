"""The call log: every HTTP attempt and every batch command is one row."""

from __future__ import annotations

import json
import math
import threading
from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

    from b24nb.display.charts import Chart
    from b24nb.display.snippets import Code
    from b24nb.rest.limits import Limits

KEPT = 100_000
#: Limit for the parameters of all kept rows; a row counts at least ``_ROW_BYTES``.
KEPT_BYTES = 64 * 2**20
_ROW_BYTES = 500
#: The largest epoch seconds that a timestamp of pandas can hold, or nearly so.
_LATEST = 9e9


@dataclass(slots=True, repr=False)
class Call:
    """One HTTP attempt, or one command of a batch.

    Attributes
    ----------
    at : float
        When it was sent, epoch seconds.
    kind : {"http", "command"}
        Commands have no values in the columns about HTTP.
    method, key, params
        REST method, key in the batch (``""`` if in none), parameters with secrets masked.
    attempt : int
        The number of the attempt of this call: 1, 2, ...
    http_status : int or None
        Of the answer.
    error : str or None
        The vendor's error code verbatim, or the name of an error class of this package.
    outcome : str
        ``ok``, ``error`` (the portal answered with an error), ``failed`` (no usable answer), ``lost`` (a write
        without an answer), ``seen`` (a lost write whose effect a look at the portal showed).
    client_ms, server_ms, processing_ms : float or None
        How long the caller waited; how long the portal says it worked; how long inside the method. ``None``: the
        portal did not state it, or the figure can't be trusted.
    operating_s, operating_reset_at : float or None
        Accumulated operating seconds of this method and credential, and when the oldest part stops counting.
    bytes_out, bytes_in : int or None
        Size of the bodies.
    server_ms_missing_because : str
        Why ``server_ms`` is missing although the call succeeded. Not a column of the DataFrame.

    Examples
    --------
    >>> import b24nb
    >>> with b24nb.connect(b24nb.SandboxPortal()) as b24:
    ...     badges = b24.badges.list()
    ...     b24.calls.last.method, b24.calls.last.http_status
    ('crm.activity.badge.list', 200)
    """

    at: float
    kind: str
    method: str
    key: str
    params: Mapping[str, Any]
    attempt: int = 1
    http_status: int | None = None
    error: str | None = None
    outcome: str = "ok"
    client_ms: float | None = None
    server_ms: float | None = None
    processing_ms: float | None = None
    operating_s: float | None = None
    operating_reset_at: float | None = None
    bytes_out: int | None = None
    bytes_in: int | None = None
    server_ms_missing_because: str = ""

    def note_times(self, time: Any, headers: Mapping[str, str], waited_ms: float | None) -> None:
        """Take the portal's figures that can be trusted from its ``time`` block and headers.

        In current builds ``start`` and ``processing`` are whole seconds, which makes ``duration`` up to a
        second too long. The header that cloud portals send is exact. A figure that is larger than the time
        the caller waited must be wrong, so it is left out.

        Parameters
        ----------
        time : dict
            The block ``time`` of the answer; anything else counts as an empty one.
        headers : mapping
            Of the answer.
        waited_ms : float or None
            How long the caller waited for it, in milliseconds.
        """
        time = time if isinstance(time, dict) else {}
        exact, duration = _number(headers.get("X-Bitrix-Rest-Time")), _number(time.get("duration"))
        stated = duration if exact is None and isinstance(time.get("start"), float) else exact
        self.server_ms = _within(stated, waited_ms)
        if self.server_ms is None and stated is not None:
            self.server_ms_missing_because = "the portal's figure is more than the caller waited"
        elif self.server_ms is None:
            whole = "the portal counts in whole seconds and sends no exact header"
            self.server_ms_missing_because = "the portal states none" if duration is None else whole
        processing = time.get("processing")
        self.processing_ms = _within(processing if isinstance(processing, float) else None, waited_ms)
        self.operating_s = _number(time.get("operating"), below=_LATEST)
        self.operating_reset_at = _number(time.get("operating_reset_at"), below=_LATEST)

    def as_code(self, flavour: str = "curl", *, oauth: bool = False, shell: str = "bash") -> Code:
        """This call in another language; host and secret are placeholders.

        Parameters
        ----------
        flavour, oauth, shell
            See :func:`b24nb.as_code`.

        Returns
        -------
        Code
            A text that shows itself as code.

        Raises
        ------
        InvalidInput
            If there is no such flavour, or it can't write this call.

        Examples
        --------
        >>> import b24nb
        >>> with b24nb.connect() as b24:
        ...     badges = b24.badges.list()
        >>> "BX24.callMethod('crm.activity.badge.list'" in b24.calls.last.as_code("bx24js")
        True
        """
        from b24nb.display.snippets import as_code

        return as_code(self.method, self.params, flavour, oauth=oauth, shell=shell)

    def __repr__(self) -> str:
        return f"<Call {self.method}: {', '.join(text for _, text in self._labelled())}>"

    def _repr_html_(self) -> str:
        from b24nb.display import html

        text = json.dumps(self.params, ensure_ascii=False, default=str)
        return html.page(html.card(self.method, [*self._labelled(), ("parameters", html.shortened(text))]))

    def _labelled(self) -> list[tuple[str, str]]:
        """What is known of the call, as pairs of label and text."""
        at = datetime.fromtimestamp(self.at, UTC)
        known = {
            "at": f"{at:%Y-%m-%d %H:%M:%S} UTC",
            "attempt": str(self.attempt) if self.attempt > 1 else "",
            "outcome": " ".join(filter(None, (self.outcome, self.error))),
            "status": f"HTTP {self.http_status}" if self.http_status else "",
            "waited": "" if self.client_ms is None else f"{self.client_ms:.1f} ms",
            "in the portal": "" if self.server_ms is None else f"{self.server_ms:.1f} ms in the portal",
        }
        return [(label, text) for label, text in known.items() if text]


#: A list to which this context's calls and warnings are appended. A form sets it, and shows them itself.
event_list: ContextVar[list[Call | Warning] | None] = ContextVar("event_list", default=None)


def _number(value: Any, below: float = math.inf) -> float | None:
    """The value as a number, if it is one and not negative."""
    if isinstance(value, int | float | str) and not isinstance(value, bool):
        with suppress(ValueError, OverflowError):
            return float(value) if 0 <= float(value) < below else None
    return None


def _within(seconds: float | None, waited_ms: float | None) -> float | None:
    """The seconds in milliseconds; ``None`` if they are more than the caller waited."""
    if seconds is None or not 0 <= seconds * 1000 <= (waited_ms or math.inf):
        return None
    return seconds * 1000


class CallLog(Sequence[Call]):
    """Every call of a client, in the order in which they ended; the last 100,000 are kept, fewer if they are large.

    Attributes
    ----------
    dropped : int
        How many older rows were dropped.
    limits : Limits
        How near the limits of the portal are.
    """

    def __init__(self, limits: Limits) -> None:
        self._rows: deque[tuple[Call, int]] = deque()
        self._lock = threading.Lock()
        self.limits = limits
        self.clear()

    def record(self, call: Call, size: int = 0) -> None:
        """Add a row, and report its operating time to the limits; the oldest rows are dropped if there are too many.

        Parameters
        ----------
        call : Call
            An attempt, or a command of a batch.
        size : int
            Size of its parameters in bytes.
        """
        counted = call.method if call.kind == "http" else f"{call.method} in a batch"
        if call.error == "OPERATION_TIME_LIMIT":
            self.limits.note_blocked(counted)
        if (listener := event_list.get()) is not None:
            listener.append(call)
        self.limits.note_reported(counted, call.operating_s, call.operating_reset_at, (call.client_ms or 0) / 1000)
        size += _ROW_BYTES
        with self._lock:
            self._rows.append((call, size))
            self._bytes += size
            while len(self._rows) > KEPT or (self._bytes > KEPT_BYTES and len(self._rows) > 1):
                self._bytes -= self._rows.popleft()[1]
                self.dropped += 1

    def clear(self) -> None:
        """Delete all rows. The limits stay as they are, since the portal still counts these calls."""
        with self._lock:
            self._rows.clear()
            self._bytes = self.dropped = 0

    @property
    def last(self) -> Call | None:
        """The newest HTTP attempt."""
        return next((call for call in reversed(self[:]) if call.kind == "http"), None)

    @property
    def df(self) -> pd.DataFrame:
        """A row per call, in the order in which they ended.

        Columns as the attributes of :class:`Call`, and ``network_ms`` (client minus server); times are UTC
        timestamps, missing figures are NA, ``params`` is JSON text.

        Excel has no time zones; drop them before ``to_excel``:
        ``df.assign(**{name: df[name].dt.tz_localize(None) for name in df.select_dtypes("datetimetz")})``.
        """
        return calls_frame(self[:])

    def summary(self, by: str | Sequence[str] = "method", *, full: bool = False) -> pd.DataFrame:
        """Statistics of HTTP attempts per method, or by other columns: how many, errors, percentiles of the times.

        Parameters
        ----------
        by : str or sequence of str
            Columns to group by: ``method``, ``outcome``, ``error``, ``http_status``, ``attempt``.
        full : bool
            All columns, not only the eight of the default.

        Returns
        -------
        pandas.DataFrame
            A row per group, indexed by it. Columns: ``n, errors, retries``; ``client_p50, client_p95,
            client_max, server_p50`` in ms; ``network_share``, the network's share of the time waited. With ``full``
            also ``..._p90`` and ``..._p99`` of them, the same of ``processing`` and ``network`` (client minus server),
            ``bytes_out, bytes_in``, and ``commands_per_request``: 1, for a batch that was answered the number of its
            commands, for any other batch NA; of several requests the mean. Commands of a batch count nowhere else.
            A percentile is NA below 5 values (p50), 20 (p90, p95) or 100 (p99). A figure that the portal did not
            state, or that can't be trusted, is not counted as a value.

        Raises
        ------
        InvalidInput
            ``by`` names another column.

        Examples
        --------
        >>> import b24nb
        >>> with b24nb.connect(b24nb.SandboxPortal()) as b24:
        ...     badges = [b24.badges.get(code) for code in ("missedCall", "birthday")]
        ...     b24.calls.summary()["n"].to_dict()
        {'crm.activity.badge.get': 2}
        """
        from b24nb.rest.statistics import summary

        return summary(self.df, by, full=full)

    def plot(self) -> Chart:
        """A chart of the last 40 HTTP attempts, the oldest at the top; commands of a batch are part of their request.

        Returns
        -------
        Chart
            A bar per attempt: how long the caller waited in milliseconds, and the portal's share of it. Retries are
            hatched, errors have a cross and their code; attempts without a measured time have no bar.

        Raises
        ------
        ImportError
            Matplotlib is not installed.

        Examples
        --------
        >>> import b24nb
        >>> with b24nb.connect(b24nb.SandboxPortal()) as b24:
        ...     badges = b24.badges.list()
        ...     b24.calls.plot().alt.partition(",")[0]
        'Timeline of 1 HTTP attempt'
        """
        from b24nb.display.charts import timeline

        return timeline(self.df)

    def __getitem__(self, index: Any) -> Any:
        with self._lock:
            return [call for call, _ in self._rows][index] if isinstance(index, slice) else self._rows[index][0]

    def __iter__(self) -> Iterator[Call]:
        return iter(self[:])

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def counted(self) -> str:
        """``12 calls``, and how many older ones were dropped."""
        older = f" ({self.dropped} older ones were dropped)" if self.dropped else ""
        return f"{_calls(len(self))}{older}"

    def __repr__(self) -> str:
        return f"<CallLog: {self.counted}; .df, .summary(), .plot()>"

    def _repr_html_(self) -> str:
        from b24nb.display import html

        shown = html.calls_table(self[-_SHOWN:], f"The last of {self.counted}; .df has all columns", _SHOWN)
        return html.page(shown, *(html.Message("note", reason) for reason in self.missing("server_ms")))

    def missing(self, *columns: str) -> list[str]:
        """Sentences that say why times of the portal are missing (NA) in calls that succeeded.

        Parameters
        ----------
        *columns : {"server_ms", "processing_ms"}
            Which of them; both if none is named.

        Returns
        -------
        list of str
            Empty if nothing is missing.
        """
        done = [call for call in self[:] if call.kind == "http" and call.outcome == "ok"]
        reasons = Counter(call.server_ms_missing_because for call in done if call.server_ms_missing_because)
        server = [f"No server time for {_calls(count)}: {why}." for why, count in reasons.items()]
        lacking = sum(call.processing_ms is None and not call.server_ms_missing_because for call in done)
        why = "the portal counts it in whole seconds, or states none that can be right"
        inside = [f"No processing time for {_calls(lacking)}: {why}."] if lacking else []
        said = {"server_ms": server, "processing_ms": inside}
        return [reason for column in columns or said for reason in said[column]]


def calls_frame(rows: Sequence[Call]) -> pd.DataFrame:
    """A row per call, as in :attr:`CallLog.df`."""
    import pandas as pd

    columns = {name: [getattr(call, name) for call in rows] for name in _COLUMNS}
    columns["params"] = [json.dumps(call.params, ensure_ascii=False, default=str) for call in rows]
    frame = pd.DataFrame(columns)
    for name in ("at", "operating_reset_at"):
        frame[name] = pd.to_datetime(frame[name].astype("Float64"), unit="s", utc=True).dt.as_unit("us")
    frame = frame.astype(_DTYPES)
    network = frame["client_ms"] - frame["server_ms"]
    frame.insert(list(frame).index("processing_ms"), "network_ms", network)
    return frame


def _calls(count: int) -> str:
    return f"{count:,} call{'' if count == 1 else 's'}"


_SHOWN = 20
_COLUMNS = tuple(field.name for field in fields(Call) if field.name != "server_ms_missing_because")
_DTYPES = {
    **dict.fromkeys(("kind", "method", "key", "params", "error", "outcome"), "string"),
    **dict.fromkeys(("attempt", "http_status", "bytes_out", "bytes_in"), "Int64"),
    **dict.fromkeys(("client_ms", "server_ms", "processing_ms", "operating_s"), "Float64"),
}
