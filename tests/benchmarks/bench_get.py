"""What the client adds to a ``get``: ``call`` and ``badges.get`` beside a bare ``Session.post(...).json()``.

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

        def badge() -> object:
            return b24.badges.get(PARAMS["code"])

        names = {bare: "bare Session.post(...).json()", client: "Client.call", badge: "Client.badges.get"}
        times: dict[Callable[[], object], list[float]] = {call: [] for call in names}
        for call in [*names] * 20:
            call()
        for pair in range(PAIRS):
            for call in names if pair % 2 else reversed(names):
                times[call].append(measured(call))
    medians = {call: statistics.median(values) for call, values in times.items()}
    for call, name in names.items():
        ratio = f"ratio {medians[call] / medians[bare]:.2f} (target: at most 1.10)" if call is not bare else ""
        print(f"{name:30} {medians[call]:.3f} ms   {ratio}".rstrip())


if __name__ == "__main__":
    main()
