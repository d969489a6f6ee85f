"""What the client adds to a call: ``badges``' wire ``get`` beside a bare ``Session.post(...).json()``.

The sandbox is a process of its own; the calls are interleaved, so that both see the same machine.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import requests

import b24nb

PAIRS = 500
METHOD, PARAMS = "crm.activity.badge.get", {"code": "missedCall"}


@contextmanager
def sandbox_process(*arguments: str) -> Iterator[str]:
    """The webhook of a ``b24nb sandbox`` that runs meanwhile."""
    command = [sys.executable, "-m", "b24nb", "sandbox", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            process.stdout.readline()
            yield process.stdout.readline().strip().removeprefix("B24_WEBHOOK=")
        finally:
            process.terminate()


def measured(call: Callable[[], object]) -> float:
    started = time.perf_counter()
    call()
    return (time.perf_counter() - started) * 1000


def main() -> None:
    with sandbox_process() as webhook, requests.Session() as session, b24nb.connect(webhook) as b24:
        url = webhook + METHOD

        def bare() -> object:
            return session.post(url, json=PARAMS).json()

        def client() -> object:
            return b24.call(METHOD, PARAMS)

        times: dict[str, list[float]] = {"bare": [], "client": []}
        for call in (bare, client) * 20:
            call()
        for pair in range(PAIRS):
            order = [("bare", bare), ("client", client)]
            for name, call in order if pair % 2 else reversed(order):
                times[name].append(measured(call))
    medians = {name: statistics.median(values) for name, values in times.items()}
    print(f"bare Session.post(...).json()  {medians['bare']:.3f} ms")
    print(
        f"Client.call                    {medians['client']:.3f} ms   "
        f"ratio {medians['client'] / medians['bare']:.2f} (target: at most 1.10)"
    )


if __name__ == "__main__":
    main()
