"""Where facts are held against portals: requests out through :mod:`http.client`, answers compared."""

import errno
import http.client
import json
import re
import ssl
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest import TestCase
from urllib.parse import quote, urlsplit
from xml.etree import ElementTree

from b24nb.sandbox import SandboxPortal
from tests.contract.wire import ANYTHING, Answer, Fact, Send, Step, difference
from tests.fakes import FakeClock
from tests.layers import require

#: What a path may hold unescaped; all else is sent as %XX.
AS_THEY_ARE = "/?&=%$[]+:.,;-_~!*'()@#"


@dataclass
class Stage:
    """One portal, real or not, while a fact is held against it."""

    origin: str
    names: dict[str, Any]
    portal: Any = None
    clock: Any = None
    last: Mapping[str, Any] = field(default_factory=dict)

    def fill(self, value: Any) -> Any:
        """Put values in for ``<name>``; one that stands alone keeps its type."""
        if isinstance(value, dict):
            return {self.fill(key): self.fill(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self.fill(item) for item in value]
        if not isinstance(value, str):
            return value
        if value[:1] == "<" and value[-1:] == ">" and value[1:-1] in self.names:
            return self.names[value[1:-1]]
        for name, known in self.names.items():
            value = value.replace(f"<{name}>", str(known))
        return value

    def send(self, request: Send) -> tuple[int, Mapping[str, str], bytes]:
        """Send it; status, headers and body of the answer."""
        body = request.body
        if request.json is not None:
            body = json.dumps(self.fill(request.json), ensure_ascii=False)
        if isinstance(body, str):
            body = self.fill(body).encode()
        connection = self._connect(request)
        try:
            path = quote(self.fill(request.path), safe=AS_THEY_ARE)
            connection.request(request.verb, path, body, self.fill(dict(request.headers)))
            response = connection.getresponse()
            return response.status, response.headers, response.read()  # type: ignore[return-value]
        except OSError as trouble:
            if trouble.errno == errno.EADDRNOTAVAIL:
                require(False, f"the loopback address {request.address}")
            raise
        finally:
            connection.close()

    def _connect(self, request: Send) -> http.client.HTTPConnection:
        url = urlsplit(self.origin)
        if url.scheme == "https":
            trust = ssl.create_default_context()
            return http.client.HTTPSConnection(url.netloc, timeout=60, context=trust)
        return http.client.HTTPConnection(url.netloc, timeout=20, source_address=(request.address, 0))


#: What prepares a portal for a fact.
Place = Callable[[Fact], AbstractContextManager[Stage]]


def play(stage: Stage, steps: Iterable[Step]) -> None:
    """Do the steps of a fact; an AssertionError names the step that went another way."""
    __tracebackhide__ = True
    pending: Send | None = None
    for step in [*steps, None]:
        if pending is not None:
            expected = step if isinstance(step, Answer) else Answer(200)
            wrong = _exchange(stage, pending, expected)
            assert wrong is None, f"\n  sent\n    {pending}\n  and {wrong}"
            pending = None
        if isinstance(step, Send):
            pending = step
        elif step is not None and not isinstance(step, Answer):
            step(stage)


def _exchange(stage: Stage, request: Send, expected: Answer) -> str | None:
    status, headers, body = stage.send(request)
    shown = body[:600].decode(errors="replace")
    if status != expected.status:
        return f"got HTTP {status}, not {expected.status}: {shown}"
    for name, value in expected.headers.items():
        got = headers.get(name)
        fits = value.fullmatch(got or "") if isinstance(value, re.Pattern) else got == value
        if not fits:
            return f"the header {name} is {got!r}, not {value!r}"
    for literal in expected.bytes_within:
        if literal not in body:
            return f"{literal.decode()} is not in {shown}"
    if expected.xml is not None:
        return _xml_difference(expected.xml, headers, body)
    if isinstance(expected.body, bytes):
        return None if body == expected.body else f"the body is {shown!r}, not {expected.body!r}"
    if expected.body is ANYTHING and not request.keep:
        return None
    if headers.get("Content-Type") != "application/json; charset=utf-8":
        return f"the answer is {headers.get('Content-Type')}: {shown}"
    decoded = json.loads(body)
    stage.last = decoded
    if request.keep:
        name, *path = request.keep
        for key in ("result", *path):
            decoded = decoded[key]
        stage.names[name] = decoded
    wrong = difference(stage.fill(expected.body), stage.last)
    return wrong and f"{wrong}\n  in {shown}"


def _xml_difference(expected: Mapping[str, str], headers: Mapping[str, str], body: bytes) -> str | None:
    if headers.get("Content-Type") != "text/xml; charset=utf-8":
        return f"the answer is {headers.get('Content-Type')}"
    root = ElementTree.fromstring(body)
    if root.tag != "response":
        return f"the root is {root.tag}"
    for path, text in expected.items():
        got = root.find(path)
        if got is None or (got.text or "") != text:
            return f"{path} is {got if got is None else got.text!r}, not {text!r}: {body.decode()}"
    return None


@contextmanager
def sandbox(fact: Fact) -> Iterator[Stage]:
    """A sandbox as the fact wants it."""
    options = dict(fact.portal)
    clock = FakeClock() if options.pop("clock", False) else None
    if clock:
        options["clock"] = clock
    with SandboxPortal(badges=fact.badges, **options) as portal:
        paths = {name: urlsplit(url).path.rstrip("/") for name, url in portal.webhooks.items()}
        _, _, user, secret = paths["admin"].split("/")
        tokens = portal.oauth
        names = paths | {"user": user, "secret": secret, "host": urlsplit(portal.url).netloc}
        names |= {"token": tokens["access_token"], "refresh": tokens["refresh_token"]}
        names |= {"client": tokens["client_id"], "client_secret": tokens["client_secret"]}
        yield Stage(portal.url, names, portal, clock)


def check(fact: Fact, place: Place = sandbox) -> None:
    """Hold a portal against a fact; a sandbox logs no exception meanwhile."""
    __tracebackhide__ = True
    with TestCase().assertNoLogs(level="ERROR"), place(fact) as stage:
        try:
            play(stage, fact.steps)
        except AssertionError as wrong:
            raise AssertionError(f"{fact.id}: {fact.says} ({fact.source}){wrong}") from None
