"""Deleting 500 badges: b24nb next to b24pysdk and fast_bitrix24, on one sandbox process.

The portal takes 50 ms for a request and has its limits off; all three speak plain http to it, so that
what is compared is the work of the clients. Rounds are interleaved. Printed are median and best of the
rounds; on a machine that has other work to do, the best says more.
A second part sends 5,000 commands by ``batch``, next to the same requests bare.

Run it with ``python -m tests.benchmarks.bench_bulk``.
"""

import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any
from unittest import mock
from urllib.parse import urlsplit

import requests
from b24pysdk import BitrixWebhook, Client
from b24pysdk.api.callers.call_method import _MethodCaller
from fast_bitrix24 import Bitrix

import b24nb
from b24nb import connect, spec
from tests.benchmarks.bench_overhead import compare, interleaved, milliseconds

COUNT, ROUNDS, LATENCY_MS = 500, 7, 50
FAST = ["fast_bitrix24 call", "fast_bitrix24 list"]
DELETE, LIST, GET = (f"crm.activity.badge.{name}" for name in ("delete", "list", "get"))
PORTAL = """
import sys

from b24nb.sandbox import serve

count, latency = map(int, sys.argv[1:])
rows = [{"code": f"code{n:04}", "title": f"Title {n}", "value": "v", "type": "primary"} for n in range(count)]
serve(badges=rows, latency_ms=latency, operating=False,
      on_ready=lambda portal: print(portal.webhook, flush=True))
"""


@contextmanager
def sdk_over_http(*webhooks: str) -> Iterator[list[Client]]:
    """Clients of b24pysdk, which builds https addresses only: the scheme is all that is changed."""
    parts = [urlsplit(webhook) for webhook in webhooks]
    found = [BitrixWebhook(domain=one.netloc, webhook_token="/".join(one.path.split("/")[2:4])) for one in parts]
    with mock.patch.object(_MethodCaller, "_base_url", property(lambda self: f"http://{self._domain}/rest")):
        yield [*map(Client, found)]


def deletes(webhook: str, b24: b24nb.Client) -> None:
    """Delete all badges in each way; every one starts with all of them there."""
    everything = b24.badges.list()
    codes = [badge.code for badge in everything]
    fast = Bitrix(webhook, verbose=False, respect_velocity_policy=False)

    def b24pysdk() -> None:
        with sdk_over_http(webhook) as (sdk,):
            answer = sdk.call_batches([sdk.crm.activity.badge.delete(code) for code in codes]).response
        assert not answer.result.result_error

    def measured(name: str) -> float:
        taken = milliseconds(ways[name])
        left = len(b24.badges.list())
        assert left == (COUNT if name.endswith("list") else 0), (name, left)
        b24.badges.plan(everything).apply(parallel=10, progress=False)
        return taken

    ways: dict[str, Callable[[], Any]] = {
        "b24nb": lambda: b24.badges.delete_many(codes, progress=False),
        "b24nb, parallel=10": lambda: b24.badges.delete_many(codes, parallel=10, progress=False),
        "b24pysdk call_batches": b24pysdk,
        "fast_bitrix24 call": lambda: fast.call(DELETE, [{"code": code} for code in codes]),
        "fast_bitrix24 list": lambda: fast.call(LIST, raw=True),
    }
    times = interleaved({name: partial(measured, name) for name in ways}, ROUNDS)
    print(f"{COUNT} deletes, {LATENCY_MS} ms per request, {ROUNDS} rounds: median and best, milliseconds")
    for name, values in times.items():
        print(f"  {name:42}{median(values):8.0f}{min(values):8.0f}")
    for title, ours, theirs, target in (
        ("sequential / b24pysdk", "b24nb", ["b24pysdk call_batches"], 1.15),
        ("parallel=10 / (fast_bitrix24 + its list)", "b24nb, parallel=10", FAST, 1.25),
    ):
        ratios = [which(times[ours]) / sum(which(times[name]) for name in theirs) for which in (median, min)]
        print(f"  {title:42}{ratios[0]:8.2f}{ratios[1]:8.2f}  (target: at most {target})")


def batches(webhook: str, b24: b24nb.Client) -> None:
    commands = {str(n): (GET, {"code": "code0001"}) for n in range(5000)}
    pack = {"halt": 0, "cmd": {f"k{n}": f"{GET}?code=code0001" for n in range(spec.BATCH_SIZE)}}
    session = requests.Session()

    def bare() -> None:
        for _ in range(len(commands) // spec.BATCH_SIZE):
            session.post(f"{webhook}batch", json=pack).json()

    ours, theirs = (partial(milliseconds, way) for way in (lambda: b24.batch(commands), bare))
    compare("5,000 commands by batch / the same requests bare, ms", ours, theirs, ROUNDS, 1.2)


def main() -> None:
    command = [sys.executable, "-c", PORTAL, str(COUNT), str(LATENCY_MS)]
    with (
        tempfile.TemporaryDirectory() as folder,
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as portal,
    ):
        webhook = portal.stdout.readline().strip()
        try:
            with connect(webhook, tariff="self-hosted", journal=Path(folder) / "journal.db") as b24:
                deletes(webhook, b24)
                batches(webhook, b24)
        finally:
            portal.terminate()


if __name__ == "__main__":
    main()
