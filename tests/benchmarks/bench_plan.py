"""Time and memory of a plan, and of ``Badges.df``, from 1,000 to 100,000 badges.

A plan of everything that there is: a tenth new, a tenth changed, a tenth to delete, the rest kept; read
from JSON, compared, shown. Both should grow linearly: the columns per badge stay level.
``Badges.df`` is compared with ``pandas.DataFrame(json["result"]["badges"])``, the least one could do.

Run it with ``python -m tests.benchmarks.bench_plan``.
"""

from __future__ import annotations

import gc
import tempfile
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import pandas as pd

from b24nb.badges import files
from b24nb.badges.badge import Badge, Badges
from b24nb.badges.changes import Step, diff

SIZES = (1_000, 3_000, 10_000, 30_000, 100_000)
ROUNDS = 15


def rows(count: int, start: int = 0, title: str = "Title") -> list[dict[str, Any]]:
    return [
        {
            "code": f"code{n}",
            "title": {"en": f"{title} {n}", "de": f"Titel {n}"} if n % 2 else f"{title} {n}",
            "value": f"value {n}",
            "type": "primary",
        }
        for n in range(start, start + count)
    ]


def plan(current: Badges, path: Path) -> list[Step]:
    return [*diff(current, files.read(path), removable=None)]


def measured(count: int, folder: Path) -> tuple[float, float]:
    """Seconds and bytes of one plan."""
    tenth = count // 10
    current = Badges(map(Badge.from_wire, rows(count)))
    wanted = [*rows(tenth, tenth, "Changed"), *rows(count - 2 * tenth, 2 * tenth), *rows(tenth, count)]
    path = files.write(Badges(map(Badge.from_wire, wanted)), folder / "b.json", portal="", at="")
    gc.collect()
    start = time.perf_counter()
    steps = plan(current, path)
    taken = time.perf_counter() - start
    assert len(steps) == count + tenth
    del steps
    tracemalloc.start()
    plan(current, path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return taken, peak


def interleaved(*ways: Callable[[], Any]) -> list[float]:
    times: list[list[float]] = [[] for _ in ways]
    for _ in range(ROUNDS):
        for way, values in zip(ways, times, strict=True):
            start = time.perf_counter()
            way()
            values.append(time.perf_counter() - start)
    return [median(values) for values in times]


def main() -> None:
    print("a plan from JSON: badges, seconds, µs per badge, peak MB, bytes per badge")
    with tempfile.TemporaryDirectory() as folder:
        for count in SIZES:
            taken, peak = measured(count, Path(folder))
            each = f"{taken / count * 1e6:8.1f}{peak / 1e6:9.1f}{peak / count:8.0f}"
            print(f"  {count:8,}{taken:9.3f}{each}")
    print("Badges.df of 10,000 fetched badges, next to pandas.DataFrame of the JSON rows, median, ms")
    for name, content in (
        ("plain texts", [row | {"title": "Title"} for row in rows(10_000)]),
        ("half of the titles localised", rows(10_000)),
    ):
        badges = Badges(map(Badge.from_wire, content))
        ours, bare = interleaved(lambda badges=badges: badges.df, lambda content=content: pd.DataFrame(content))
        ratio = f"{ours / bare:6.2f}  (target: at most 1.3)"
        print(f"  {name:30}{ours * 1e3:7.2f}{bare * 1e3:7.2f}{ratio}")


if __name__ == "__main__":
    main()
