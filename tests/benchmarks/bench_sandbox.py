"""The sandbox portal next to a bare Tornado handler that returns the same bytes and headers.

Three comparisons, each with both servers as processes of their own, in the same run: ``badge.get`` per
second from wrk over 16 keep-alive connections (rounds interleaved), memory after 20,000 and after 200,000
requests, and the time from a fresh process to the first answer.

Run it with ``python -m tests.benchmarks.bench_sandbox [speed] [memory] [start]``; wrk is a Debian package.
"""

import json
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import requests

from b24nb.sandbox import SandboxPortal
from tests.benchmarks.measuring import COMPILED, in_turns, server

ROUNDS, SECONDS, STARTS = 5, 3, 21
SANDBOX = """
from b24nb.sandbox import serve

serve(on_ready=lambda portal: print(portal.webhook + "crm.activity.badge.get?code=missedCall", flush=True))
"""
BARE = """
import asyncio, json, sys

from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application, RequestHandler

answer = json.loads(sys.argv[1])
body = answer["body"].encode()


class Same(RequestHandler):
    def get(self):
        for name, value in answer["headers"].items():
            self.set_header(name, value)
        self.finish(body)

    def compute_etag(self):
        return None


async def main():
    sockets = bind_sockets(0, "127.0.0.1")
    HTTPServer(Application([("/.*", Same)], log_function=lambda handler: None)).add_sockets(sockets)
    print("http://127.0.0.1:%d/" % sockets[0].getsockname()[1], flush=True)
    await asyncio.Event().wait()


asyncio.run(main())
"""


def sample() -> str:
    """An answer of the sandbox, as the bare handler shall give it."""
    with SandboxPortal() as portal:
        answer = requests.get(portal.webhook + "crm.activity.badge.get?code=missedCall", timeout=10)
    headers = {name: value for name, value in answer.headers.items() if name != "Content-Length"}
    return json.dumps({"body": answer.text, "headers": headers})


def wrk(url: str, seconds: float) -> tuple[int, float]:
    """How many requests were answered, and how many per second. Any refusal or error fails."""
    command = ["wrk", "-t1", "-c16", f"-d{seconds}s", url]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found = re.search(r"(\d+) requests in.+Requests/sec:\s+([\d.]+)", output, re.DOTALL)
    assert found, output
    assert not re.search("Non-2xx|Socket errors", output), output
    return int(found[1]), float(found[2])


def tell_both(title: str, target: str, found: dict[str, list[float]]) -> None:
    theirs, ours = map(median, found.values())
    print(f"{title}: bare Tornado {theirs:.1f}, sandbox {ours:.1f}, ratio {ours / theirs:.2f} (target: {target})")


def compare_speed() -> None:
    with server(BARE, sample()) as (_, bare), server(SANDBOX) as (_, sandbox):
        found = in_turns({"bare": lambda: wrk(bare, SECONDS)[1], "sandbox": lambda: wrk(sandbox, SECONDS)[1]}, ROUNDS)
    title = f"badge.get per second, 16 keep-alive connections, median of {ROUNDS} rounds of {SECONDS} s"
    tell_both(title, "at least 0.50", found)


def compare_memory() -> None:
    with server(SANDBOX) as (process, url):
        done, resident = 0, []
        for target in (20_000, 200_000):
            while done < target:
                done += wrk(url, 2)[0]
            status = Path(f"/proc/{process.pid}/status").read_text()
            resident.append(int(status.partition("VmRSS:")[2].split()[0]) / 1024)
            print(f"memory of the sandbox process after {done:7,} requests: {resident[-1]:6.1f} MB")
    print(f"  {resident[1] / resident[0] - 1:+.1%} (target: within 5 %)")


def first_answer(code: str, *args: str) -> float:
    """Milliseconds from starting a process to its first answer."""
    start = time.perf_counter()
    with server(code, *args) as (_, url):
        requests.get(url, timeout=10).raise_for_status()
        return (time.perf_counter() - start) * 1000


def warm_answer() -> float:
    """The same where everything is imported: start a portal in this process and ask it."""
    start = time.perf_counter()
    with SandboxPortal() as portal:
        requests.get(portal.webhook + "profile", timeout=10).raise_for_status()
        return (time.perf_counter() - start) * 1000


def compare_start() -> None:
    same = sample()
    ways = {"bare": lambda: first_answer(BARE, same), "sandbox": lambda: first_answer(SANDBOX)}
    in_turns(ways, 1)  # compiled once
    title = f"from a fresh process to the first answer, ms, median of {STARTS}"
    tell_both(title, "at most 1.50", in_turns(ways, STARTS))
    warm = median(warm_answer() for _ in range(STARTS))
    print(f"  sandbox where tornado is imported: {warm:.1f} ms (target: at most 150)")


def main() -> None:
    parts = {"speed": compare_speed, "memory": compare_memory, "start": compare_start}
    with TemporaryDirectory() as COMPILED["PYTHONPYCACHEPREFIX"]:
        for name in sys.argv[1:] or parts:
            if name != "start" and not shutil.which("wrk"):
                print(f"{name}: wrk is missing (apt-get install wrk)")
            else:
                parts[name]()


if __name__ == "__main__":
    main()
