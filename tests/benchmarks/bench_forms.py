"""How quick the list form is with 10,000 badges: in the kernel, and in a browser.

Run: ``python -m tests.benchmarks.bench_forms``. The portal is a process of its own; printed are medians and
the best round. In the browser, the table is alone in a page: a keystroke in the filter, a click on a header
and so on, until the page is laid out anew. ipywidgets keeps every form alive, so the forms of a round are
closed, and garbage is collected, before the next is timed: else each measures what those before it left.
"""

import gc
import shutil
import statistics
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd
import requests

from b24nb import Badges, BadgeType, SandboxPortal, connect, forms
from b24nb.display import html
from b24nb.forms.table import Table
from tests.benchmarks.bench_overhead import interleaved, milliseconds
from tests.browser.lab import chromium
from tests.browser.test_table import SHOW, TRAITS
from tests.programs import sandbox_process

BADGES = 10_000
ROUNDS = 15
LIST = "crm.activity.badge.list"
#: What is done in the browser; ``turn`` counts.
ACTIONS = {
    "a keystroke in the filter": """
      const box = document.querySelector("input[type=search]");
      box.value = ["b", "ba", "bad", "badge 99", "primary", "kunde 12", "zzz", ""][turn % 8];
      box.dispatchEvent(new Event("input"));""",
    "a click on a header": "document.querySelectorAll('th button')[turn % 4].click();",
    "the next page": "document.querySelectorAll('.b24nb-bar')[1].querySelectorAll('button')[2].click();",
    "select all": "document.querySelector('thead input').click();",
}
TIMED = """(turn) => {
  const started = performance.now();
  ACTION
  document.body.getBoundingClientRect(); // lays the page out
  return performance.now() - started;
}"""


def main() -> None:
    numbers = range(BADGES)
    texts = [{"en": f"Client {n}", "de": f"Kunde {n}"} if n % 2 else f"Title {n}" for n in numbers]
    kinds = [*BadgeType]
    rows = [{"code": f"badge{n}", "title": texts[n], "value": f"Pill {n}", "type": kinds[n % 5]} for n in numbers]
    with TemporaryDirectory() as directory:
        database = str(Path(directory) / "portal.db")
        with SandboxPortal(db=database, badges=rows):
            pass
        with sandbox_process("--db", database) as webhook:
            _measure(webhook)


def _measure(webhook: str) -> None:
    session = requests.Session()
    with connect(webhook) as b24:
        form = forms.list_form(b24)

        def bare() -> None:
            pd.DataFrame(session.post(webhook + LIST, json={}).json()["result"]["badges"])

        def of(action: Callable[[], Any]) -> float:
            gc.collect()
            taken = milliseconds(lambda: made.append(action()))
            for widget in filter(None, [*_all(made.pop())]):
                widget.close()
            return taken

        made: list[Any] = []
        ways = {
            "bare call and DataFrame": bare,
            "list_form(run=True)": lambda: forms.list_form(b24, run=True),
            "List badges, clicked": form.run,
        }
        times = interleaved({name: partial(of, way) for name, way in ways.items()}, ROUNDS)
        base, *_ = medians = [statistics.median(taken) for taken in times.values()]
        print(f"{BADGES:,} badges, median of {ROUNDS} interleaved rounds")
        for (name, taken), median in zip(times.items(), medians, strict=True):
            print(f"{name:28} {median:7.1f} ms   best {min(taken):.1f}   {median / base:.2f} times")
        _measure_browser(form.table.badges)


def _measure_browser(badges: Badges) -> None:
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        print("the browser's part needs chromium")
        return
    table = Table()
    table.show(badges)
    traits = {name: getattr(table, name) for name in TRAITS}
    with chromium(program) as browser:
        page = browser.new_page()
        page.set_content(f"{html.css()}<style>{Table._css}</style><div id='table'></div>")
        page.evaluate(SHOW, [Table._esm, traits])
        page.get_by_text(f"{len(badges):,} badges").wait_for()
        for name, action in ACTIONS.items():
            taken = [page.evaluate(TIMED.replace("ACTION", action), turn) for turn in range(20)]
            median = statistics.median(taken)
            print(f"in the browser, {name:24} {median:7.1f} ms   at most {max(taken):.1f} ms")


def _all(widget: Any) -> Iterator[Any]:
    """A widget and all in it, hidden or not."""
    yield widget
    for child in getattr(widget, "children", ()):
        yield from _all(child)


if __name__ == "__main__":
    main()
