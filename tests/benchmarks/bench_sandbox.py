"""The sandbox portal next to a bare Tornado handler that returns the same bytes and headers.

Two comparisons, each with both servers as processes of their own, in the same run: ``badge.get`` per second
from wrk over 16 keep-alive connections (rounds interleaved), and the time from a fresh process to the first answer.

Run it with ``python -m tests.benchmarks.bench_sandbox [speed] [start]``; wrk is a Debian package.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from statistics import median

import requests

from b24nb.sandbox import SandboxPortal
from tests.benchmarks.bench_overhead import compare, interleaved, milliseconds

ROUNDS, SECONDS, STARTS = 5, 3, 21
#: Installed packages bring their bytecode; a checkout has it from its second run, unless this forbids it.
COMPILED = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
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
    server = HTTPServer(Application([("/.*", Same)], log_function=lambda handler: None))
    sockets = bind_sockets(0, "127.0.0.1")
    server.add_sockets(sockets)
    print("http://127.0.0.1:%d/" % sockets[0].getsockname()[1], flush=True)
    await asyncio.Event().wait()


asyncio.run(main())
"""


@contextmanager
def server(code: str, *args: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A server as a process of its own, and the address that it prints."""
    command = [sys.executable, "-c", code, *args]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=COMPILED)
    try:
        yield process, process.stdout.readline().strip()
    finally:
        process.terminate()
        process.communicate()


def sample() -> str:
    """An answer of the sandbox, as the bare handler shall give it."""
    with SandboxPortal() as portal:
        answer = requests.get(portal.webhook + "crm.activity.badge.get?code=missedCall", timeout=10)
    headers = {name: value for name, value in answer.headers.items() if name != "Content-Length"}
    return json.dumps({"body": answer.text, "headers": headers})


def requests_per_second(url: str) -> float:
    """How many wrk gets answered. Any refusal or error fails."""
    command = ["wrk", "-t1", "-c16", f"-d{SECONDS}s", url]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "Non-2xx" not in output, output
    assert "Socket errors" not in output, output
    return float(re.search(r"Requests/sec:\s+([\d.]+)", output)[1])


def compare_speed() -> None:
    with server(BARE, sample()) as (_, bare), server(SANDBOX) as (_, sandbox):
        speeds = interleaved({url: partial(requests_per_second, url) for url in (bare, sandbox)}, ROUNDS)
    ours, theirs = median(speeds[sandbox]), median(speeds[bare])
    print(f"badge.get, 16 keep-alive connections, median of {ROUNDS} rounds of {SECONDS} s:")
    print(f"  bare Tornado  {theirs:7.0f} requests/s")
    print(f"  sandbox       {ours:7.0f} requests/s   ratio {ours / theirs:.2f} (target: at least 0.50)")


def first_answer(code: str, *args: str) -> None:
    """Start a process, and ask it."""
    with server(code, *args) as (_, url):
        requests.get(url, timeout=10).raise_for_status()


def compare_start() -> None:
    sandbox, bare = (partial(milliseconds, partial(first_answer, *of)) for of in ((SANDBOX,), (BARE, sample())))
    sandbox()  # compiled once
    compare("from a fresh process to the first answer / bare Tornado", sandbox, bare, STARTS, 1.5)


def main() -> None:
    parts = {"speed": compare_speed, "start": compare_start}
    for name in sys.argv[1:] or parts:
        if name != "start" and not shutil.which("wrk"):
            print(f"{name}: wrk is missing (apt-get install wrk)")
            continue
        parts[name]()


if __name__ == "__main__":
    main()
