"""How quick the list form is with 10,000 badges.

Run: ``python -m tests.benchmarks.bench_forms``. The portal is a process of its own; printed are medians and
the best round. ipywidgets keeps every form alive, so the forms of a round are closed, and garbage is
collected, before the next is timed: else each measures what those before it left behind.
"""

from __future__ import annotations

import gc
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd
import requests

import b24nb
from b24nb import forms

BADGES = 10_000
ROUNDS = 15
LIST = "crm.activity.badge.list"
#: What one types; each is a keystroke in the filter box.
TYPED = ("b", "ba", "bad", "badge 99", "primary", "kunde 12", "zzz", "")


def main() -> None:
    with TemporaryDirectory() as directory:
        database = str(Path(directory) / "portal.db")
        _fill(database)
        command = [sys.executable, "-u", "-m", "b24nb", "sandbox", "--db", database]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as portal:
            try:
                assert portal.stdout
                lines = iter(portal.stdout.readline, "")
                webhook = next(line for line in lines if "B24_WEBHOOK" in line).strip().partition("=")[2]
                _measure(webhook)
            finally:
                portal.terminate()


def _fill(database: str) -> None:
    rows = [
        {
            "code": f"badge{n}",
            "title": {"en": f"Client {n}", "de": f"Kunde {n}"} if n % 2 else f"Title {n}",
            "value": f"Pill {n}",
            "type": list(b24nb.BadgeType)[n % 5],
        }
        for n in range(BADGES)
    ]
    with b24nb.SandboxPortal(db=database, badges=rows):
        pass


def _measure(webhook: str) -> None:
    session = requests.Session()
    with b24nb.connect(webhook) as b24:
        form = forms.list_form(b24)
        made: list[Any] = []

        def bare() -> None:
            pd.DataFrame(session.post(webhook + LIST, json={}).json()["result"]["badges"])

        def first_page() -> None:
            made.append(forms.list_form(b24, run=True))

        def again() -> None:
            form.run()

        times: dict[Callable[[], None], list[float]] = {bare: [], first_page: [], again: []}
        for _ in range(ROUNDS):
            for action, taken in times.items():
                gc.collect()
                taken.append(_milliseconds(action))
                while made:
                    _close(made.pop())
        base = statistics.median(times[bare])
        print(f"{BADGES:,} badges, median of {ROUNDS} interleaved rounds")
        print(f"bare call and DataFrame      {base:7.1f} ms   best {min(times[bare]):.1f}")
        for action, name in ((first_page, "list_form(run=True)"), (again, "List badges, clicked")):
            median = statistics.median(times[action])
            best = min(times[action])
            print(f"{name:28} {median:7.1f} ms   best {best:.1f}   {median / base:.2f} times")
        _measure_fields(form)


def _measure_fields(form: Any) -> None:
    for name, field, values in (
        ("filter, a keystroke", form.words, TYPED),
        ("sort", form.order, ("title", "code", "type", "as registered")),
        ("next page", None, range(5)),
    ):
        taken = [
            _milliseconds(partial(setattr, field, "value", value) if field else form.next_button.click)
            for value in values
        ]
        print(f"{name:28} {statistics.median(taken):7.1f} ms   at most {max(taken):.1f} ms")
    assert form.last_error is None


def _close(widget: Any) -> None:
    for child in getattr(widget, "children", ()):
        _close(child)
    widget.close()


def _milliseconds(action: Callable[[], object]) -> float:
    started = time.perf_counter()
    action()
    return (time.perf_counter() - started) * 1000


if __name__ == "__main__":
    main()
