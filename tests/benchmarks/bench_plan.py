"""Time and memory of a plan, from 1,000 to 100,000 badges.

A plan of everything that there is: a tenth new, a tenth changed, a tenth to delete, the rest kept; read
from JSON, compared, shown. Both should grow linearly: the columns per badge stay level.

Run it with ``python -m tests.benchmarks.bench_plan``.
"""

import gc
import tempfile
import tracemalloc
from pathlib import Path

from b24nb.badges import files
from b24nb.badges.badge import Badge, Badges
from b24nb.badges.changes import diff
from tests.benchmarks.measuring import seconds
from tests.fakes import translated

SIZES = (1_000, 3_000, 10_000, 30_000, 100_000)


def measured(count: int, folder: Path) -> tuple[float, float]:
    """Seconds and bytes of one plan."""
    tenth = count // 10
    current = Badges(map(Badge.from_wire, translated(range(count))))
    wanted = [*translated(range(tenth, 2 * tenth), "Changed"), *translated(range(2 * tenth, count + tenth))]
    path = files.write(Badges(map(Badge.from_wire, wanted)), folder / "b.json", portal="", at="")

    def plan() -> None:
        steps = [*diff(current, files.read(path), removable=None)]
        assert len(steps) == count + tenth

    gc.collect()
    taken = seconds(plan)
    tracemalloc.start()
    plan()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return taken, peak


def main() -> None:
    print("a plan from JSON: badges, seconds, µs per badge, peak MB, bytes per badge")
    with tempfile.TemporaryDirectory() as folder:
        for count in SIZES:
            taken, peak = measured(count, Path(folder))
            each = f"{taken / count * 1e6:8.1f}{peak / 1e6:9.1f}{peak / count:8.0f}"
            print(f"  {count:8,}{taken:9.3f}{each}")


if __name__ == "__main__":
    main()
