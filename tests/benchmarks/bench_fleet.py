"""A thousand sandbox portals: the badges of all, by a fleet and by a plain loop of b24pysdk of the same width.

The portals live in a process of their own, take 100 ms for a request, and 1 % each are dead, hanging and
revoked. The shortest possible time is requests x latency / parallel; the goal is that all portals which are not
in trouble are done within 1.15 times that, plus one timeout where there are some in trouble. Printed too: when
the last of all was done; the same for the healthy portals alone, without a timeout; the client's CPU time per
portal, which depends less on what else the machine does; and what it costs per portal with 100 and with 10,000
portals whose answers cost nothing. It fails if the fleet says something wrong of a portal.

Run it with ``python -m tests.benchmarks.bench_fleet [PORTALS]``; 0 portals: the second part only.
"""

import json
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import pairwise
from typing import Any
from unittest import mock

from b24nb import Badge, Fleet
from b24nb.fleet.visit import carry_out
from tests.benchmarks.bench_bulk import sdk_over_http
from tests.benchmarks.measuring import server
from tests.fleets import simulated

LATENCY, TIMEOUT = 0.1, 3.0
PORTALS = """
import json, sys

from b24nb.sandbox import SandboxFleet

shares = {"dead": 0.01, "hanging": 0.01, "revoked": 0.01}
with SandboxFleet(int(sys.argv[1]), latency_ms=100, seed=1, **shares) as fleet:
    print(json.dumps([fleet.webhooks, fleet.trouble]), flush=True)
    sys.stdin.read()
"""
WORDS = {"dead": "unreachable", "hanging": "unreachable", "revoked": "revoked"}


#: When each portal was done, by name.
DONE: dict[str, float] = {}


def noting(executor: Any, *task: Any) -> Any:
    """Visit a portal, and note when that was done."""
    found = carry_out(executor, *task)
    DONE[task[1]] = time.perf_counter()
    return found


def plain_loop(webhooks: dict[str, str], parallel: int) -> None:
    """What a careful user writes: a thread pool, and every error caught. It speaks plain http here."""

    def ask(name: str, client: Any) -> None:
        with suppress(Exception):
            _ = client.crm.activity.badge.list(timeout=TIMEOUT).result
        DONE[name] = time.perf_counter()

    with sdk_over_http(*webhooks.values()) as clients, ThreadPoolExecutor(parallel) as pool:
        _ = [*pool.map(ask, webhooks, clients)]


def in_time(count: int, parallel: int) -> None:
    with server(PORTALS, str(count)) as (_, line):
        webhooks, trouble = json.loads(line)
        healthy = [name for name in webhooks if name not in trouble]
        status = {name: WORDS.get(trouble.get(name), "ok") for name in webhooks}

        def visit(names: Sequence[str]) -> None:
            fleet = Fleet(names, webhooks.get, parallel=parallel, timeout=(TIMEOUT, TIMEOUT))
            found = fleet.badges(progress=False)
            assert {name: one.status for name, one in found.visits.items()} == {name: status[name] for name in names}

        visit(healthy[:parallel])
        print(f"{count} portals, {parallel} at a time, {LATENCY * 1000:.0f} ms each")
        for what, work, names in (
            ("fleet, healthy ones only", lambda: visit(healthy), healthy),
            ("fleet, all", lambda: visit([*webhooks]), [*webhooks]),
            ("b24pysdk in a thread pool, all", lambda: plain_loop(webhooks, parallel), [*webhooks]),
        ):
            cpu, start = time.process_time(), time.perf_counter()
            with mock.patch("b24nb.fleet.fleet.carry_out", noting):
                work()
            took, cpu = time.perf_counter() - start, time.process_time() - cpu
            others = max(DONE[name] for name in healthy) - start
            least = len(names) * LATENCY / parallel
            allowed = 1.15 * least + (0 if names == healthy else TIMEOUT)
            print(
                f"{what:32}{others:6.2f} s, {others / least:.2f} x {least:.2f} s (goal {allowed:.2f} s);"
                f" all after {took:.2f} s; CPU of the client: {1000 * cpu / len(names):.2f} ms per portal"
            )


def per_portal() -> None:
    for count in (100, 1_000, 10_000):
        with simulated(count) as fleet:
            marks = [time.perf_counter()]
            plan = fleet.plan([Badge("vip", "V", "V", "primary")], progress=False)
            marks.append(time.perf_counter())
            report = plan.apply(progress=False)
            marks.append(time.perf_counter())
            _ = plan.df, report.df, report.status
            marks.append(time.perf_counter())
        each = " + ".join(f"{1000 * (after - before) / count:.2f}" for before, after in pairwise(marks))
        print(f"{count:6} simulated: {each} ms per portal to plan, apply, frame")


if __name__ == "__main__":
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    for parallel in (16, 32) if count else ():
        in_time(count, parallel)
    per_portal()
