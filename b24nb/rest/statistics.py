"""Statistics of a call log that are missing where they would mislead."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from b24nb.errors import InvalidInput

if TYPE_CHECKING:
    import pandas as pd

#: Percentile -> how many values it needs to mean something.
NEEDED = {"p50": 5, "p90": 20, "p95": 20, "p99": 100}
_TIMES = {
    "client": "client_ms",
    "server": "server_ms",
    "processing": "processing_ms",
    "network": "network_ms",
}
_GROUPS = ("method", "outcome", "error", "http_status", "kind", "attempt")


def summary(df: pd.DataFrame, by: str | Sequence[str] = "method") -> pd.DataFrame:
    """Statistics of HTTP attempts; commands of a batch only count for ``commands_per_request``.

    Parameters
    ----------
    df : DataFrame
        ``CallLog.df``.
    by : str or sequence of str
        Columns to group by: ``method``, ``outcome``, ``error``, ``http_status``, ``attempt``.

    Returns
    -------
    DataFrame
        A row per group, indexed by it. Columns: ``n, errors, retries``; ``client_p50``, ``..._p90``,
        ``..._p95``, ``..._p99``, ``..._max`` in ms, likewise ``server``, ``processing`` and ``network``
        (client minus server); ``network_share``, of the time waited; ``bytes_out, bytes_in``;
        ``commands_per_request``, what a batch saves. A percentile is NA below 5 values (p50), 20 (p90,
        p95) or 100 (p99), and a figure that the portal did not state, or that can't be trusted, counts
        as no value.

    Raises
    ------
    InvalidInput
        For another column.
    """
    import pandas as pd

    keys = [by] if isinstance(by, str) else list(by)
    if wrong := [key for key in keys if key not in _GROUPS]:
        raise InvalidInput(f"Can't group by {wrong[0]!r}.", field="by", hint=f"One of: {', '.join(_GROUPS)}.")
    http = df[df["kind"] == "http"].copy()
    http["network_ms"] = http["client_ms"] - http["server_ms"]
    commands = int((df["kind"] == "command").sum())
    batches = int((http["method"] == "batch").sum())
    rows = []
    groups = list(http.groupby(keys, dropna=False, sort=True))
    for _, group in groups:
        row: dict[str, object] = {
            "n": len(group),
            "errors": int(group["error"].notna().sum()),
            "retries": int((group["attempt"] > 1).sum()),
        }
        for name, column in _TIMES.items():
            row |= _percentiles(name, group[column].dropna())
        both = group.dropna(subset=["network_ms"])
        waited = both["client_ms"].sum()
        row["network_share"] = both["network_ms"].sum() / waited if waited else pd.NA
        row["bytes_out"], row["bytes_in"] = group["bytes_out"].sum(), group["bytes_in"].sum()
        only_batches = (group["method"] == "batch").all()
        row["commands_per_request"] = commands / batches if only_batches and batches else 1.0
        rows.append(row)
    index = (
        pd.Index([key[0] for key, _ in groups], name=keys[0], dtype=http[keys[0]].dtype)
        if len(keys) == 1
        else pd.MultiIndex.from_tuples([key for key, _ in groups], names=keys)
    )
    frame = pd.DataFrame(rows, index=index, columns=_columns())
    whole = ["n", "errors", "retries", "bytes_out", "bytes_in"]
    return frame.astype({name: "Int64" if name in whole else "Float64" for name in frame.columns})


def _columns() -> list[str]:
    times = [f"{name}_{figure}" for name in _TIMES for figure in (*NEEDED, "max")]
    return [
        "n",
        "errors",
        "retries",
        *times,
        "network_share",
        "bytes_out",
        "bytes_in",
        "commands_per_request",
    ]


def _percentiles(name: str, values: pd.Series) -> dict[str, object]:
    import pandas as pd

    numbers = values.astype(float)
    found: dict[str, object] = {
        f"{name}_{figure}": numbers.quantile(int(figure[1:]) / 100) if len(numbers) >= needed else pd.NA
        for figure, needed in NEEDED.items()
    }
    found[f"{name}_max"] = numbers.max() if len(numbers) else pd.NA
    return found
