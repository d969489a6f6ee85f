"""The call log: every HTTP attempt and every batch command is one row."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from b24nb.credentials import MASK
from b24nb.errors import InvalidInput

if TYPE_CHECKING:
    import pandas as pd

    from b24nb.display.charts import Chart
    from b24nb.display.snippets import Code
    from b24nb.rest.limits import Limits

KEPT = 100_000
_SECRET_NAMES = frozenset(
    {"auth", "access_token", "refresh_token", "client_secret", "ap", "sessid", "authorization"}
)


@dataclass(slots=True)
class Call:
    """One HTTP attempt, or one command of a batch.

    Attributes
    ----------
    at : float
        When it was sent, epoch seconds.
    kind : {"http", "command"}
        The columns about HTTP are missing on commands.
    method, key, params
        REST method, key in the batch (``""`` else), parameters with secrets masked.
    attempt : int
        1, 2, ... of the same call.
    http_status : int or None
        Of the answer.
    error : str or None
        The vendor's code verbatim, or the class of our error.
    outcome : str
        ``ok``, ``error`` (the portal said no), ``failed`` (no usable answer), ``lost`` (a write without an
        answer), ``seen`` (lost, but its effect was seen by looking).
    client_ms, server_ms, processing_ms : float or None
        What the caller waited; what the portal says it worked; inside the method. ``None``: not to be
        trusted, or not stated.
    operating_s, operating_reset_at : float or None
        Accumulated seconds of this method and credential, and when the oldest part is forgotten.
    bytes_out, bytes_in : int or None
        Of the bodies.
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

    def note_times(self, time: Any, headers: Mapping[str, str]) -> None:
        """Take the portal's figures that can be trusted from its ``time`` block and headers.

        In current builds ``start`` and ``processing`` are whole seconds, which makes ``duration`` up to a
        second too long. The header that cloud portals send is exact. A figure above what the caller
        waited contradicts the clock, and is missing rather than wrong.
        """
        time = time if isinstance(time, dict) else {}
        exact = _number(headers.get("X-Bitrix-Rest-Time"))
        if exact is None and isinstance(time.get("start"), float):
            exact = _number(time.get("duration"))
        processing = time.get("processing")
        self.server_ms = self._believed(exact)
        self.processing_ms = self._believed(processing if isinstance(processing, float) else None)
        self.operating_s = _number(time.get("operating"))
        self.operating_reset_at = _number(time.get("operating_reset_at"))

    def _believed(self, seconds: float | None) -> float | None:
        if seconds is None or seconds < 0 or seconds * 1000 > (self.client_ms or float("inf")):
            return None
        return seconds * 1000

    def as_code(self, flavour: str = "curl") -> Code:
        """This call in another language; host and secret are placeholders.

        Parameters
        ----------
        flavour : str
            See :func:`b24nb.as_code`.
        """
        from b24nb.display.snippets import as_code

        return as_code(self.method, self.params, flavour)


def masked(params: Mapping[str, Any]) -> Mapping[str, Any]:
    """Parameters without secrets, also those inside of maps."""
    if not any(name.lower() in _SECRET_NAMES or isinstance(value, dict) for name, value in params.items()):
        return dict(params)
    return {
        name: MASK if name.lower() in _SECRET_NAMES else (masked(value) if isinstance(value, dict) else value)
        for name, value in params.items()
    }


def _number(value: Any) -> float | None:
    try:
        return None if value is None or isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        return None


class CallLog(Sequence[Call]):
    """Every call of a client, oldest first; the last 100,000 are kept.

    Attributes
    ----------
    dropped : int
        How many older rows were let go.
    """

    def __init__(self, limits: Limits, kept: int = KEPT) -> None:
        self._rows: deque[Call] = deque(maxlen=kept)
        self._lock = threading.Lock()
        self.dropped = 0
        self.limits = limits

    def record(self, call: Call) -> None:
        """Add a row."""
        with self._lock:
            self.dropped += len(self._rows) == self._rows.maxlen
            self._rows.append(call)

    def clear(self) -> None:
        """Forget all rows. The limits stay: the portal does not forget either."""
        with self._lock:
            self._rows.clear()
            self.dropped = 0

    @property
    def last(self) -> Call | None:
        """The newest HTTP attempt."""
        return next((call for call in reversed(self._snapshot()) if call.kind == "http"), None)

    def _snapshot(self) -> list[Call]:
        with self._lock:
            return list(self._rows)

    @property
    def df(self) -> pd.DataFrame:
        """A row per call, oldest first.

        Columns as the attributes of :class:`Call`; times are UTC timestamps, missing figures are NA.
        """
        import pandas as pd

        rows = self._snapshot()
        columns = {field.name: [getattr(call, field.name) for call in rows] for field in fields(Call)}
        frame = pd.DataFrame(columns)
        for name in ("at", "operating_reset_at"):
            frame[name] = pd.to_datetime(frame[name].astype("Float64"), unit="s", utc=True)
        return frame.astype(_DTYPES)

    def summary(self, by: str | Sequence[str] = "method") -> pd.DataFrame:
        """Statistics; see :func:`b24nb.rest.statistics.summary`."""
        from b24nb.rest.statistics import summary

        return summary(self.df, by)

    def plot(self, kind: str = "timeline") -> Chart:
        """A picture of the calls.

        Parameters
        ----------
        kind : {"timeline", "distribution"}
            A bar per attempt with the portal's part inside, or how the times of each method spread.

        Raises
        ------
        InvalidInput
            For another kind.
        """
        from b24nb.display import charts

        kinds = {"timeline": charts.timeline, "distribution": charts.distribution}
        if kind not in kinds:
            raise InvalidInput(
                f"There is no chart {kind!r}.", field="kind", hint=f"One of: {', '.join(kinds)}."
            )
        return kinds[kind](self.df)

    def __getitem__(self, index: Any) -> Any:
        return self._snapshot()[index]

    def __len__(self) -> int:
        return len(self._rows)

    def _told(self) -> str:
        older = f" ({self.dropped} older ones were dropped)" if self.dropped else ""
        return f"{len(self)} calls{older}"

    def __repr__(self) -> str:
        return f"<CallLog: {self._told()}; .df, .summary(), .plot()>"

    def _repr_html_(self) -> str:
        from b24nb.display import html

        return html.page(html.frame(self.df.tail(20), caption=f"The last of {self._told()}"))


_DTYPES = {
    **dict.fromkeys(("kind", "method", "key", "error", "outcome"), "string"),
    "params": "object",
    **dict.fromkeys(("attempt", "http_status", "bytes_out", "bytes_in"), "Int64"),
    **dict.fromkeys(("client_ms", "server_ms", "processing_ms", "operating_s"), "Float64"),
}
