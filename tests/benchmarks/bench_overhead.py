"""What b24nb costs beside the libraries that it stands on: importing, a call, a frame, the first list, the explorer.

Each figure is a ratio of medians; both sides are measured in turns, so that they see the same machine. The
sandbox of the calls is a process of its own; what is measured in fresh interpreters has its bytecode compiled.
"""

import compileall
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import requests

import b24nb
from b24nb.badges.badge import Badge, Badges
from tests.programs import sandbox_process

METHOD, PARAMS = "crm.activity.badge.get", {"code": "missedCall"}
FIRST_LIST = "import b24nb; b24 = b24nb.connect(b24nb.SandboxPortal()); b24.badges.list()._repr_html_()"
EXPLORER = (
    "import b24nb; from b24nb import forms; b24 = b24nb.connect(b24nb.SandboxPortal());"
    " forms.explorer(b24, run=True)._repr_mimebundle_()"
)


def milliseconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return (time.perf_counter() - started) * 1000


def in_fresh_interpreter(code: str) -> Callable[[], float]:
    """A measurement of code in an interpreter of its own, without that one's start."""
    timed = f"import time; t = time.perf_counter(); {code}; print((time.perf_counter() - t) * 1000, flush=True)"
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    command = [sys.executable, "-c", timed]
    return lambda: float(subprocess.run(command, capture_output=True, check=True, env=environment).stdout)


def compare(name: str, ours: Callable[[], float], bare: Callable[[], float], rounds: int, most: float) -> None:
    times: tuple[list[float], list[float]] = ([], [])
    for turn in range(rounds):
        for side, measure in ((0, ours), (1, bare)) if turn % 2 else ((1, bare), (0, ours)):
            times[side].append(measure())
    mine, theirs = map(statistics.median, times)
    print(f"{name:62} {mine:8.2f} {theirs:8.2f} {mine / theirs:6.2f}  at most {most:.2f}", flush=True)


def main() -> None:
    compileall.compile_dir(Path(b24nb.__file__).parent, quiet=1)
    print(f"{'milliseconds, median':62} {'b24nb':>8} {'bare':>8}  ratio  goal")
    libraries = in_fresh_interpreter("import pandas, ipywidgets")
    pair = in_fresh_interpreter("import b24nb"), in_fresh_interpreter("import requests")
    compare("import b24nb / import requests", *pair, 21, 0.3)
    with sandbox_process() as webhook, requests.Session() as session, b24nb.connect(webhook) as b24:
        url = webhook + METHOD

        def ours() -> float:
            return milliseconds(lambda: b24.call(METHOD, PARAMS))

        def bare() -> float:
            return milliseconds(lambda: session.post(url, json=PARAMS).json())

        compare("a call / Session.post(...).json()", ours, bare, 1000, 1.05)
    rows = [{"code": f"c{n}", "title": {"en": "A", "de": "B"}, "value": "v", "type": "primary"} for n in range(10_000)]
    badges = Badges(map(Badge.from_wire, rows))
    frames = (lambda: milliseconds(lambda: badges.df)), (lambda: milliseconds(lambda: pd.DataFrame(rows)))
    compare("Badges.df / pandas.DataFrame, 10,000 badges", *frames, 21, 1.0)
    compare("first list as HTML / import pandas, ipywidgets", in_fresh_interpreter(FIRST_LIST), libraries, 15, 0.5)
    compare("explorer with a result / import pandas, ipywidgets", in_fresh_interpreter(EXPLORER), libraries, 15, 1.4)


if __name__ == "__main__":
    main()
