"""What b24nb costs beside the libraries that it stands on: importing, a call, a frame, the first list, the explorer.

Each figure is a ratio of medians; both sides are measured in turns, so that they see the same machine. The
sandbox of the calls is a process of its own; what is measured in fresh interpreters has its bytecode compiled.
"""

import compileall
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median

import pandas as pd
import requests

import b24nb
from b24nb.badges.badge import Badge, Badges
from tests.benchmarks.measuring import COMPILED, in_turns, milliseconds
from tests.programs import sandbox_process

METHOD, PARAMS = "crm.activity.badge.get", {"code": "missedCall"}
FIRST_LIST = "import b24nb; b24 = b24nb.connect(b24nb.SandboxPortal()); b24.badges.list()._repr_html_()"
EXPLORER = (
    "import b24nb; from b24nb import forms; b24 = b24nb.connect(b24nb.SandboxPortal());"
    " forms.explorer(b24, run=True)._repr_mimebundle_()"
)


def in_fresh_interpreter(code: str) -> Callable[[], float]:
    """A measurement of code in an interpreter of its own, without that one's start."""
    timed = f"import time; t = time.perf_counter(); {code}; print((time.perf_counter() - t) * 1000, flush=True)"
    command = [sys.executable, "-c", timed]
    return lambda: float(subprocess.run(command, capture_output=True, check=True, env=COMPILED).stdout)


def compare(name: str, ours: Callable[[], float], bare: Callable[[], float], rounds: int, most: float) -> None:
    mine, theirs = map(median, in_turns({"ours": ours, "bare": bare}, rounds).values())
    print(f"{name:62} {mine:8.2f} {theirs:8.2f} {mine / theirs:6.2f}  at most {most:.2f}", flush=True)


def main() -> None:
    compileall.compile_dir(Path(b24nb.__file__).parent, quiet=1)
    print(f"{'milliseconds, median':62} {'b24nb':>8} {'bare':>8}  ratio  goal")
    libraries = in_fresh_interpreter("import pandas, ipywidgets")
    pair = in_fresh_interpreter("import b24nb"), in_fresh_interpreter("import requests")
    compare("import b24nb / import requests", *pair, 21, 0.3)
    with sandbox_process() as webhook, requests.Session() as session, b24nb.connect(webhook) as b24:
        ours = partial(milliseconds, lambda: b24.call(METHOD, PARAMS))
        bare = partial(milliseconds, lambda: session.post(webhook + METHOD, json=PARAMS).json())
        compare("a call / Session.post(...).json()", ours, bare, 1000, 1.05)
    rows = [{"code": f"c{n}", "title": {"en": "A", "de": "B"}, "value": "v", "type": "primary"} for n in range(10_000)]
    badges = Badges(map(Badge.from_wire, rows))
    frames = partial(milliseconds, lambda: badges.df), partial(milliseconds, lambda: pd.DataFrame(rows))
    compare("Badges.df / pandas.DataFrame, 10,000 badges", *frames, 21, 1.0)
    compare("first list as HTML / import pandas, ipywidgets", in_fresh_interpreter(FIRST_LIST), libraries, 15, 0.5)
    compare("explorer with a result / import pandas, ipywidgets", in_fresh_interpreter(EXPLORER), libraries, 15, 1.4)


if __name__ == "__main__":
    main()
