"""What the benchmarks share: ways that are measured in turns, so that all see the same machine, and servers."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from statistics import median
from typing import Any

#: Installed packages bring their bytecode; a checkout has it from its second run, unless this forbids it.
COMPILED = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def seconds(work: Callable[[], Any]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def milliseconds(work: Callable[[], Any]) -> float:
    return seconds(work) * 1000


def in_turns(ways: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, list[float]]:
    """What each way measures in each round."""
    found: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(rounds):
        for name in [*ways][:: 1 if turn % 2 else -1]:
            found[name].append(ways[name]())
    return found


def tell(found: Mapping[str, list[float]]) -> None:
    """Print median and best of each way; on a machine that has other work to do, the best says more."""
    for name, values in found.items():
        print(f"  {name:42}{median(values):8.3f}{min(values):8.3f}")


def tell_ratio(title: str, ours: list[float], theirs: list[list[float]], most: float) -> None:
    """Print how many times as long as some others together ours takes, by median and by best."""
    ratios = [which(ours) / sum(map(which, theirs)) for which in (median, min)]
    print(f"  {title:42}{ratios[0]:8.2f}{ratios[1]:8.2f}  (target: at most {most})")


@contextmanager
def server(code: str, *args: str) -> Iterator[Any]:
    """A program that serves in a process of its own, and the line that it prints once it does."""
    command = [sys.executable, "-c", code, *args]
    with subprocess.Popen(command, stdin=-1, stdout=-1, text=True, env=COMPILED) as process:
        assert process.stdout is not None
        try:
            yield process, process.stdout.readline().strip()
        finally:
            process.terminate()
