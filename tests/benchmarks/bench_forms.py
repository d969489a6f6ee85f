"""How quick the list form is with 10,000 badges: in the kernel, and in a browser.

Run: ``python -m tests.benchmarks.bench_forms``. The portal is a process of its own; printed are medians and
the best round. In the browser, the table is alone in a page: a keystroke in the filter, a click on a header
and so on, until the page is laid out anew. ipywidgets keeps every form alive, so the forms of a round are
closed, and garbage is collected, before the next is timed: else each measures what those before it left.
"""

import gc
import json
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd
import requests

from b24nb import Badge, BadgeType, SandboxPortal, connect, forms
from b24nb.display import html
from b24nb.forms.table import Table
from tests.benchmarks.measuring import in_turns, milliseconds, tell
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
    with TemporaryDirectory() as directory:
        database = str(Path(directory) / "portal.db")
        titles = [{"en": f"Client {n}", "de": f"Kunde {n}"} if n % 2 else f"Title {n}" for n in range(BADGES)]
        types = [*BadgeType] * (BADGES // 5)
        badges = [Badge(f"badge{n}", titles[n], f"Pill {n}", types[n]).to_wire() for n in range(BADGES)]
        SandboxPortal(db=database, badges=badges).start().stop()
        with sandbox_process("--db", database) as webhook:
            _measure(webhook)


def _measure(webhook: str) -> None:
    session = requests.Session()
    with connect(webhook) as b24:
        form = forms.list_form(b24)
        made: list[Any] = []

        def timed(action: Callable[[], object]) -> float:
            gc.collect()
            taken = milliseconds(action)
            for widget in _widgets(*made):
                widget.close()
            made.clear()
            return taken

        ways: dict[str, Callable[[], object]] = {
            "bare call and DataFrame": lambda: pd.DataFrame(session.post(webhook + LIST).json()["result"]["badges"]),
            "list_form(run=True)": lambda: made.append(forms.list_form(b24, run=True)),
            "List badges, clicked": form.run,
        }
        times = in_turns({name: partial(timed, way) for name, way in ways.items()}, ROUNDS)
        print(f"{BADGES:,} badges, milliseconds, median and best of {ROUNDS} interleaved rounds")
        tell(times)
        _measure_browser(form.table)
        states = [json.dumps(one.get_state(), indent=1, default=str) for one in _widgets(forms.explorer(b24, run=True))]
        print(f"state of an explorer that has listed, as a notebook keeps it: {sum(map(len, states)) / 1e6:.2f} MB")


def _measure_browser(table: Table) -> None:
    traits = {name: getattr(table, name) for name in TRAITS}
    with chromium(shutil.which("chromium") or "google-chrome") as browser:
        page = browser.new_page()
        page.set_content(f"{html.css()}<style>{Table._css}</style><div id='table'></div>")
        page.evaluate(SHOW, [Table._esm, traits])
        page.get_by_text(f"{len(table.badges):,} badges").wait_for()
        for name, action in ACTIONS.items():
            taken = [page.evaluate(TIMED.replace("ACTION", action), turn) for turn in range(20)]
            print(f"in the browser, {name:24} {median(taken):7.1f} ms   at most {max(taken):.1f} ms")


def _widgets(*forms: Any) -> list[Any]:
    """All widgets of some forms, with their layouts."""
    found, todo = dict[str, Any](), [*forms]
    while todo:
        widget = todo.pop()
        if found.setdefault(widget.model_id, widget) is widget:
            todo += filter(None, (*getattr(widget, "children", ()), getattr(widget, "layout", None)))
    return [*found.values()]


if __name__ == "__main__":
    main()
