"""Statistics of a call log; a figure that would mislead is left out (NA)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from b24nb.errors import InvalidInput

if TYPE_CHECKING:
    import pandas as pd

#: Percentile -> how many values are needed to compute it.
LEAST_VALUES = {"p50": 5, "p90": 20, "p95": 20, "p99": 100}
_TIMES = ("client", "server", "processing", "network")
_WHOLE = ("n", "errors", "retries", "bytes_out", "bytes_in")
#: The columns that are shown by default; ``full`` shows all.
DEFAULT_COLUMNS = ("n", "errors", "retries", "client_p50", "client_p95", "client_max", "server_p50", "network_share")
_GROUPS = ("method", "outcome", "error", "http_status", "attempt")


def summary(df: pd.DataFrame, by: str | Sequence[str] = "method", *, full: bool = False) -> pd.DataFrame:
    """Statistics of ``CallLog.df``, as :meth:`CallLog.summary` describes them."""
    keys = [by] if isinstance(by, str) or by is None else list(by)
    if wrong := [key for key in keys or [""] if key not in _GROUPS]:
        raise InvalidInput(f"Can't group by {wrong[0]!r}.", field="by", hint=f"One of: {', '.join(_GROUPS)}.")
    http = df[df["kind"] == "http"].reset_index(drop=True)
    batch = http["method"] == "batch"
    # The rows of the commands have the time of their request.
    times = http["at"][batch & http["error"].isna()]
    commands = times.map(df["at"][df["kind"] == "command"].value_counts()) / times.map(times.value_counts())
    http = http.assign(
        waited_ms=http["client_ms"].where(http["network_ms"].notna()),
        failed=http["error"].notna(),
        again=http["attempt"] > 1,
        commands=commands.reindex(http.index).where(batch, 1.0),
    )
    groups = http.groupby(keys, dropna=False)
    frame = groups.agg(n=("kind", "size"), errors=("failed", "sum"), retries=("again", "sum"))
    for name in _TIMES:
        values = groups[f"{name}_ms"]
        for figure, needed in LEAST_VALUES.items():
            frame[f"{name}_{figure}"] = values.quantile(int(figure[1:]) / 100).where(values.count() >= needed)
        frame[f"{name}_max"] = values.max()
    frame["network_share"] = groups["network_ms"].sum() / groups["waited_ms"].sum().replace(0, None)
    frame["bytes_out"], frame["bytes_in"] = groups["bytes_out"].sum(), groups["bytes_in"].sum()
    frame["commands_per_request"] = groups["commands"].mean()
    frame = frame.astype({name: "Int64" if name in _WHOLE else "Float64" for name in frame.columns})
    return frame if full else frame[[*DEFAULT_COLUMNS]]
