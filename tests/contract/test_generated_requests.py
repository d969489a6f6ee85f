"""Whatever is sent, the sandbox answers as a portal would: no 500 and no traceback in its log.

``GENERATED_SEED=7 pytest -m "slow or not slow" tests/contract/test_generated_requests.py`` tries other
requests; a failure names its seed and the number of the request.
"""

from __future__ import annotations

import http.client
import json
import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

import pytest

import b24nb
from tests.contract.grammar import Generated, Grammar
from tests.contract.stage import no_traceback_in_the_log

SEED = int(os.environ.get("GENERATED_SEED", "20260824"))
#: What the vendor's server and a web server in front of it may say to such requests.
STATUSES = {200, 302, 400, 401, 403, 404, 405, 411, 413, 414, 431, 501}


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Wire:
    """A socket that is opened again whenever the other side closes it."""

    def __init__(self, address: tuple[str, int]) -> None:
        self.address = address
        self.socket: socket.socket | None = None

    def ask(self, request: Generated) -> Answer | None:
        """The answer; ``None`` where the connection was closed without one."""
        fresh = self.socket is None or not request.sound
        if fresh:
            self.close()
            self.socket = socket.create_connection(self.address, timeout=20)
        assert self.socket is not None
        response = http.client.HTTPResponse(self.socket, method=request.verb)
        try:
            self.socket.sendall(request.raw)
            if not request.sound:
                self.socket.shutdown(socket.SHUT_WR)
            response.begin()
            answer = Answer(response.status, response.headers, response.read())
        except OSError:  # reset, closed, or closed before we could end our half
            self.close()
            return None if fresh else self.ask(request)
        if response.will_close or not request.sound:
            self.close()
        return answer

    def close(self) -> None:
        if self.socket:
            self.socket.close()
        self.socket = None


def judge(request: Generated, answer: Answer | None) -> str | None:
    """What is wrong with an answer."""
    if answer is None:
        return "no answer" if request.deserves_an_answer else None
    status, body = answer.status, answer.body
    if status not in STATUSES:
        return f"HTTP {status}: {body[:300]!r}"
    if b"Traceback" in body:
        return f"a traceback: {body[:300]!r}"
    if request.sound and "X-Sandbox" not in answer.headers:
        return f"HTTP {status} without X-Sandbox: {body[:300]!r}"
    if answer.headers.get("Content-Type", "").startswith("application/json") and body:
        decoded = json.loads(body)
        if "error" in decoded:
            fits = isinstance(decoded["error"], str | dict) and status >= 200
        else:
            # 403: a batch with a command that an extranet user may not call.
            fits = status in (200, 403) and ("result" in decoded or "access_token" in decoded)
        return None if fits else f"HTTP {status}: {body[:300]!r}"
    return None


def run(seed: int, count: int) -> None:
    __tracebackhide__ = True
    with no_traceback_in_the_log(), b24nb.SandboxPortal(seed=seed) as portal:
        parts = urlsplit(portal.url)
        paths = [urlsplit(url).path.rstrip("/") for url in portal.webhooks.values()]
        grammar = Grammar(seed, paths, portal.oauth["access_token"])
        wire = Wire((parts.hostname or "", parts.port or 0))
        try:
            for number in range(count):
                request = grammar.request()
                wrong = judge(request, wire.ask(request))
                again = f"GENERATED_SEED={seed}, request {number}"
                assert wrong is None, f"{again}: {wrong}\n  to {request.raw[:2000]!r}"
        finally:
            wire.close()
        with b24nb.connect(portal) as b24:
            assert [badge.code for badge in b24.badges.list()] == [row["code"] for row in portal.badges]


def test_generated_requests() -> None:
    run(SEED, 500)


@pytest.mark.slow
@pytest.mark.parametrize("part", range(8))
def test_20_000_generated_requests(part: int) -> None:
    run(SEED + 1 + part, 2_500)


def test_the_judge_can_find_fault() -> None:
    sound = Generated(b"GET / HTTP/1.1\r\n\r\n", "GET", sound=True)
    json_of_the_sandbox = {"X-Sandbox": "b24nb", "Content-Type": "application/json"}
    assert judge(sound, None)
    assert judge(sound, Answer(500, json_of_the_sandbox, b""))
    assert judge(sound, Answer(200, {"X-Sandbox": "b24nb"}, b"Traceback (most recent call last)"))
    assert judge(sound, Answer(200, {}, b""))
    assert judge(sound, Answer(400, json_of_the_sandbox, b'{"result":1}'))
    assert judge(sound, Answer(200, json_of_the_sandbox, b'{"error":5}'))
    assert judge(sound, Answer(200, json_of_the_sandbox, b'{"result":1,"time":{}}')) is None


def test_a_seed_makes_the_same_requests() -> None:
    first, second = (Grammar(5, ["/rest/1/x"], "t") for _ in range(2))
    assert [first.request().raw for _ in range(200)] == [second.request().raw for _ in range(200)]
