"""Deleting 500 badges: b24nb next to b24pysdk and fast_bitrix24, on one sandbox process.

The portal takes 50 ms for a request and has its limits off; all three speak plain http to it, so that
what is compared is the work of the clients. Printed are median and best of the rounds.
A second part sends 5,000 commands by ``batch`` to a portal without a limiter, next to the same requests bare.

Run it with ``python -m tests.benchmarks.bench_bulk``.
"""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock
from urllib.parse import urlsplit

import requests
from b24pysdk import BitrixWebhook, Client
from b24pysdk.api.callers.call_method import _MethodCaller
from fast_bitrix24 import Bitrix

import b24nb
from b24nb import connect, spec
from tests.benchmarks.measuring import in_turns, seconds, server, tell, tell_ratio

COUNT, ROUNDS, LATENCY_MS = 500, 7, 50
FAST = ["fast_bitrix24 call", "fast_bitrix24 list"]
DELETE, LIST, GET = (f"crm.activity.badge.{name}" for name in ("delete", "list", "get"))
PORTAL = """
import sys

from b24nb.sandbox import serve
from tests.fakes import rows

count, latency = map(int, sys.argv[1:])
serve(badges=rows(count), latency_ms=latency, operating=False,
      on_ready=lambda portal: print(portal.webhook, flush=True))
"""


@contextmanager
def sdk_over_http(*webhooks: str) -> Iterator[list[Client]]:
    """Clients of b24pysdk, which builds https addresses only: the scheme is all that is changed."""
    parts = [urlsplit(webhook) for webhook in webhooks]
    found = [BitrixWebhook(domain=one.netloc, webhook_token="/".join(one.path.split("/")[2:4])) for one in parts]
    with mock.patch.object(_MethodCaller, "_base_url", property(lambda self: f"http://{self._domain}/rest")):
        yield [*map(Client, found)]


def compare(webhook: str, b24: b24nb.Client) -> dict[str, list[float]]:
    """Seconds of each way and round; every one starts with all badges there."""

    def timed(name: str) -> float:
        taken = seconds(ways[name])
        left = len(b24.badges.list())
        assert left == (COUNT if name.endswith("list") else 0), (name, left)
        b24.badges.plan(everything).apply(parallel=10, progress=False)
        return taken

    codes = [badge.code for badge in b24.badges.list()]
    fast = Bitrix(webhook, verbose=False, respect_velocity_policy=False)

    def b24pysdk() -> None:
        with sdk_over_http(webhook) as (sdk,):
            answer = sdk.call_batches([sdk.crm.activity.badge.delete(code) for code in codes]).response
        assert not answer.result.result_error

    ways: dict[str, Callable[[], Any]] = {
        "b24nb": lambda: b24.badges.delete_many(codes, progress=False),
        "b24nb, parallel=10": lambda: b24.badges.delete_many(codes, parallel=10, progress=False),
        "b24pysdk call_batches": b24pysdk,
        "fast_bitrix24 call": lambda: fast.call(DELETE, [{"code": code} for code in codes]),
        "fast_bitrix24 list": lambda: fast.call(LIST, raw=True),
    }
    everything = b24.badges.list()
    return in_turns({name: partial(timed, name) for name in ways}, ROUNDS)


def without_a_limiter(webhook: str, b24: b24nb.Client, count: int) -> dict[str, list[float]]:
    """Seconds of so many commands by ``batch``, and of the same requests bare."""
    commands = {str(n): (GET, {"code": "c0001"}) for n in range(count)}
    session = requests.Session()

    def bare() -> None:
        for start in range(0, count, spec.BATCH_SIZE):
            cmd = {f"k{n}": f"{GET}?code=c0001" for n in range(start, start + spec.BATCH_SIZE)}
            session.post(f"{webhook}batch", json={"halt": 0, "cmd": cmd}).json()

    ways = {"b24nb": lambda: seconds(lambda: b24.batch(commands)), "bare requests": lambda: seconds(bare)}
    return in_turns(ways, ROUNDS)


def main() -> None:
    with (
        tempfile.TemporaryDirectory() as folder,
        server(PORTAL, str(COUNT), str(LATENCY_MS)) as (_, webhook),
        connect(webhook, tariff="self-hosted", journal=Path(folder) / "journal.db") as b24,
    ):
        found = compare(webhook, b24)
        batches = without_a_limiter(webhook, b24, 5000)
    print(f"{COUNT} deletes, {LATENCY_MS} ms per request, {ROUNDS} rounds: median and best, seconds")
    tell(found)
    tell_ratio("sequential / b24pysdk", found["b24nb"], [found["b24pysdk call_batches"]], 1.15)
    both = [found[name] for name in FAST]
    tell_ratio("parallel=10 / (fast_bitrix24 + its list)", found["b24nb, parallel=10"], both, 1.25)
    print("5,000 commands by batch on a portal without a limiter, seconds")
    tell(batches)
    tell_ratio("b24nb / bare requests", batches["b24nb"], [batches["bare requests"]], 1.2)


if __name__ == "__main__":
    main()
