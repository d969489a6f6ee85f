"""What size costs: a plan from 1,000 to 100,000 badges, in time and memory; and to scrub 300 KB of echoed text.

A plan of everything that there is: a tenth new, a tenth changed, a tenth to delete, the rest kept; read
from JSON, compared, shown. Both should grow linearly: the columns per badge stay level. The text echoes an
address in each way that an echo is spelled.

Run it with ``python -m tests.benchmarks.bench_sizes``.
"""

import gc
import tempfile
import tracemalloc
from pathlib import Path
from urllib.parse import quote

from b24nb.badges import files
from b24nb.badges.badge import Badge, Badges
from b24nb.badges.changes import diff
from b24nb.secret import Secret, redact
from tests.benchmarks.measuring import milliseconds, seconds
from tests.fakes import translated

SIZES = (1_000, 3_000, 10_000, 30_000, 100_000)
CODE = "s3cr3tc0deabcdef"
URL = f"https://example.bitrix24.com/rest/1/{CODE}/crm.activity.badge.get "
ECHOES = {
    "plain text": "There is no badge with this code. ",
    "address": URL,
    "bare": f"{CODE} ",
    "upper case": URL.upper(),
    "percent-encoded": quote(URL, safe=""),
    "all percent": "".join(f"%{ord(sign):02x}" for sign in URL),
    "HTML references": "".join(f"&#{ord(sign)};" for sign in URL),
    "\\u escapes": "".join(f"\\u{ord(sign):04x}" for sign in URL),
    "beginnings": "/rest/1/",
    "names": "&code=",
}


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
    print("to scrub 300 KB of echoed text, best of 7 (target: at most 20 ms)")
    for name, echo in ECHOES.items():
        text, secrets = (echo * (300_000 // len(echo) + 1))[:300_000], (Secret(CODE),)
        assert CODE not in redact(text, secrets).lower()
        print(f"  {name:16}{min(milliseconds(lambda: redact(text, secrets)) for _ in range(7)):6.1f} ms")  # noqa: B023


if __name__ == "__main__":
    main()
