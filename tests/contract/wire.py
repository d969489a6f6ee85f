"""Facts about the wire as data, and the runner that holds a portal against them.

A :class:`Fact` is one statement about what a portal answers: an id, the statement in one line, where it
comes from, and what to send and to expect, as raw and as literal as possible. Nothing here knows how the
client or the sandbox work; requests go out through :mod:`http.client` and answers are compared byte by
byte, key by key in order, and type by type (``1`` is not ``True`` and not ``1.0``).

In texts, ``<admin>`` stands for the path of the administrator's webhook (``/rest/1/code``), ``<employee>``,
``<noscope>``... for the others, ``<user>`` and ``<secret>`` for the two segments of the first, ``<token>``,
``<refresh>``, ``<client>``, ``<client_secret>`` for the application's; ``keep`` adds values of an answer.
"""

from __future__ import annotations

import http.client
import json
import logging
import re
import ssl
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import quote, urlsplit
from xml.etree import ElementTree

from b24nb.sandbox import SandboxPortal
from tests.fakes import FakeClock

# -- where facts come from ------------------------------------------------------------------------


def page(path: str) -> str:
    """Address of a page of the vendor's documentation."""
    return f"https://apidocs.bitrix24.com/{path}.html"


SERVER = "vendor server code"
#: Follows from the vendor's code by the rules of PHP and SQL; nobody has been seen observing it.
DERIVED = "derived from vendor server code"

# -- what is compared -----------------------------------------------------------------------------


@dataclass(frozen=True)
class Like:
    """A value that is not literal: what it has to look like."""

    what: str
    fits: Callable[[Any], bool]

    def __repr__(self) -> str:
        return f"<{self.what}>"


ANYTHING = Like("anything", lambda value: True)
INTEGER = Like("an integer", lambda value: type(value) is int)
TEXT = Like("a text", lambda value: type(value) is str)


def matching(pattern: str) -> Like:
    """A text that fits a regular expression from end to end."""
    return Like(
        f"a text like {pattern}", lambda value: isinstance(value, str) and bool(re.fullmatch(pattern, value))
    )


def having(**expected: Any) -> Like:
    """A map with at least these keys and values."""
    return Like(
        f"a map with {expected}",
        lambda value: (
            isinstance(value, dict)
            and all(key in value and difference(want, value[key]) is None for key, want in expected.items())
        ),
    )


def difference(expected: Any, actual: Any, where: str = "") -> str | None:
    """What differs first between a literal and an answer, ``None`` if nothing does."""
    if isinstance(expected, Like):
        return None if expected.fits(actual) else f"{where or 'it'} is {actual!r}, not {expected!r}"
    if type(expected) is not type(actual):
        return f"{where or 'it'} is {actual!r}, not {expected!r}"
    if isinstance(expected, dict):
        if list(expected) != list(actual):
            return f"the keys of {where or 'it'} are {list(actual)}, not {list(expected)}"
        pairs = [(f"{where}[{key!r}]", expected[key], actual[key]) for key in expected]
    elif isinstance(expected, list):
        if len(expected) != len(actual):
            return f"{where or 'it'} has {len(actual)} items, not {len(expected)}: {actual!r}"
        pairs = [(f"{where}[{i}]", *both) for i, both in enumerate(zip(expected, actual, strict=True))]
    else:
        return None if expected == actual else f"{where or 'it'} is {actual!r}, not {expected!r}"
    return next(filter(None, (difference(want, got, path) for path, want, got in pairs)), None)


TIME_KEYS = ["start", "finish", "duration", "processing", "date_start", "date_finish"]
LOAD_KEYS = ["operating_reset_at", "operating"]
_DATE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d")


def _is_time(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and list(value) in (TIME_KEYS, TIME_KEYS + LOAD_KEYS)
        and all(type(value[key]) in (int, float) for key in value if not key.startswith("date_"))
        and all(_DATE.fullmatch(value[key]) for key in ("date_start", "date_finish"))
        and value["start"] <= value["finish"]
        and abs(value["finish"] - value["start"] - value["duration"]) < 1e-3
    )


#: The ``time`` block of any build, cloud or self-hosted. Rows of their own pin its exact types.
TIME = Like("a time block", _is_time)

# -- requests -------------------------------------------------------------------------------------

JSON_TYPE = "application/json"
FORM_TYPE = "application/x-www-form-urlencoded"


@dataclass(frozen=True)
class Send:
    """One HTTP request. ``body`` is text or bytes as they go out; ``json`` is encoded when sent.

    ``keep`` remembers a value of the answer's result under a name: ``("activity", "activity", "id")``.
    """

    verb: str
    path: str
    body: str | bytes | None = None
    json: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    address: str = "127.0.0.1"
    keep: tuple[str, ...] = ()

    def __str__(self) -> str:
        body = json.dumps(self.json, ensure_ascii=False) if self.json is not None else self.body
        lines = [f"{self.verb} {self.path}", *(f"{key}: {value}" for key, value in self.headers.items())]
        return "\n    ".join([*lines, *([str(body)] if body is not None else [])])


def get(path: str, **headers: str) -> Send:
    """A GET; keyword names become header names (``if_match`` -> ``if-match``)."""
    return Send("GET", path, headers=_headers(headers))


def post(path: str, body: str | bytes = "", kind: str | None = FORM_TYPE, **headers: str) -> Send:
    """A POST with a body as it stands; ``kind`` is its ``Content-Type``, ``None`` for none."""
    typed = {} if kind is None else {"Content-Type": kind}
    return Send("POST", path, body, headers=typed | _headers(headers))


def call(
    method: str,
    params: Any = None,
    *,
    by: str = "<admin>",
    keep: tuple[str, ...] = (),
    address: str = "127.0.0.1",
    **headers: str,
) -> Send:
    """The usual call: a POST with a JSON body; ``by`` is a webhook's path, ``/rest`` for none."""
    return Send(
        "POST",
        f"{by}/{method}",
        json={} if params is None else params,
        headers={"Content-Type": JSON_TYPE} | _headers(headers),
        address=address,
        keep=keep,
    )


def oauth(method: str, params: Any = None, *, token: str = "<token>", keep: tuple[str, ...] = ()) -> Send:
    """The same call by an application, its access token in the header."""
    return call(method, params, by="/rest", keep=keep, authorization=f"Bearer {token}")


def batch(cmd: Any, halt: Any = None, *, by: str = "<admin>") -> Send:
    """A batch in a JSON body."""
    return call("batch", {"cmd": cmd} if halt is None else {"cmd": cmd, "halt": halt}, by=by)


def _headers(named: Mapping[str, str]) -> dict[str, str]:
    return {name.replace("_", "-").title(): value for name, value in named.items()}


# -- answers --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Answer:
    """What has to come back. ``body`` is decoded JSON, or bytes for an answer that is something else."""

    status: int
    body: Any = ANYTHING
    headers: Mapping[str, str | re.Pattern[str] | None] = field(default_factory=dict)
    bytes_within: tuple[bytes, ...] = ()
    xml: Mapping[str, str] | None = None

    def with_headers(self, **expected: str | re.Pattern[str] | None) -> Answer:
        """Also these headers; ``None``: absent."""
        return replace(
            self, headers={name.replace("_", "-"): value for name, value in expected.items()} | self.headers
        )

    def with_bytes(self, *literals: str) -> Answer:
        """Also these pieces of the body, byte for byte."""
        return replace(self, bytes_within=tuple(literal.encode() for literal in literals))


def ok(result: Any, *, time: Any = TIME, **lifted: Any) -> Answer:
    """Success. ``next``, ``total`` and ``signature`` stand between ``result`` and ``time``, in this order."""
    order = ("next", "total", "signature")
    return Answer(
        200, {"result": result, **{key: lifted[key] for key in order if key in lifted}, "time": time}
    )


def refused(status: int, code: str, description: Any) -> Answer:
    """An error envelope: these two keys, both texts, and nothing beside them."""
    return Answer(status, {"error": code, "error_description": description})


def answered(result: Any, *, errors: Any = (), totals: Any = (), nexts: Any = ()) -> Answer:
    """A batch: all five maps, an empty one as ``[]``; each command that succeeded has its own time."""
    times = [TIME for _ in result] if isinstance(result, list) else dict.fromkeys(result, TIME)
    maps = {
        "result": result,
        "result_error": list(errors) if errors == () else errors,
        "result_total": list(totals) if totals == () else totals,
        "result_next": list(nexts) if nexts == () else nexts,
        "result_time": times,
    }
    return ok(maps)


def error(code: str, description: Any) -> dict[str, Any]:
    """One entry of ``result_error``."""
    return {"error": code, "error_description": description}


# -- facts ----------------------------------------------------------------------------------------

#: All badges of these tables have codes that start like this, so that a live run can clean up.
PREFIX = "b24nb_test_"


def badge(name: str = "vip", title: Any = "Client", value: Any = "VIP", type: str = "primary") -> dict:
    """A badge as the wire shows it: four keys in this order, no id."""
    return {"code": PREFIX + name, "title": title, "value": value, "type": type}


VIP = badge()

Step = Send | Answer | Callable[["Stage"], None]


@dataclass(frozen=True)
class Fact:
    """One statement about the wire.

    Attributes
    ----------
    id
        ``topic.detail``; stable, since findings name it.
    says
        The statement, in one line.
    source
        A page of the vendor's documentation, ``vendor server code``, ``observed (...)``, or derived.
    steps
        Requests, each followed by its answer (a request without one only has to succeed), and actions.
    badges
        What the portal holds at the start; ``None`` for the sandbox's own seed.
    portal
        Switches of the sandbox. ``clock`` stands for a clock that only moves when told to.
    live
        Whether it also holds, and can be checked harmlessly, on a real portal.
    """

    id: str
    says: str
    source: str
    steps: tuple[Step, ...]
    badges: tuple[Mapping[str, Any], ...] | None = (VIP,)
    portal: Mapping[str, Any] = field(default_factory=dict)
    live: bool = False

    def __str__(self) -> str:
        return self.id


def fact(id: str, says: str, source: str, *steps: Step, **options: Any) -> Fact:
    """A row of a table, for the sandbox."""
    return Fact(id, says, source, steps, **options)


def live(id: str, says: str, source: str, *steps: Step, **options: Any) -> Fact:
    """A row that also holds, and can be checked harmlessly, on a real portal."""
    return Fact(id, says, source, steps, **options, live=True)


# -- actions between requests ---------------------------------------------------------------------


def wait(seconds: float) -> Callable[[Stage], None]:
    """Let time pass, without waiting."""
    return lambda stage: stage.clock.advance(seconds)


def fault(what: str, **options: Any) -> Callable[[Stage], None]:
    """Make the portal's next request fail like that."""
    return lambda stage: stage.portal.faults.next(what, **options)


def issue(name: str, key: str = "access_token", **options: Any) -> Callable[[Stage], None]:
    """Give the application another token and remember it under a name."""

    def step(stage: Stage) -> None:
        stage.names[name] = stage.portal.issue_token(**options)[key]

    return step


# -- the runner -----------------------------------------------------------------------------------


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
        url = urlsplit(self.origin)
        if url.scheme == "https":
            connection: http.client.HTTPConnection = http.client.HTTPSConnection(
                url.netloc, timeout=60, context=ssl.create_default_context()
            )
        else:
            connection = http.client.HTTPConnection(
                url.netloc, timeout=20, source_address=(request.address, 0)
            )
        if request.json is not None:
            body: str | bytes | None = json.dumps(self.fill(request.json), ensure_ascii=False).encode()
        else:
            body = self.fill(request.body)
        try:
            connection.request(
                request.verb,
                quote(self.fill(request.path), safe="/?&=%$[]+:.,;-_~!*'()@#"),
                body.encode() if isinstance(body, str) else body,
                self.fill(dict(request.headers)),
            )
            response = connection.getresponse()
            return response.status, response.headers, response.read()
        finally:
            connection.close()


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


@contextmanager
def no_traceback_in_the_log() -> Iterator[None]:
    """Fail if the server logs an exception meanwhile."""
    records: list[str] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            records.append(self.format(record))

    keep = Keep(level=logging.ERROR)
    logs = [logging.getLogger(name) for name in ("tornado.application", "tornado.general", "asyncio")]
    for log in logs:
        log.addHandler(keep)
    try:
        yield
    finally:
        for log in logs:
            log.removeHandler(keep)
    assert not records, "the server logged:\n" + "\n".join(records)


def check(fact: Fact) -> None:
    """Hold a sandbox portal against a fact."""
    __tracebackhide__ = True
    with no_traceback_in_the_log(), sandbox(fact) as stage:
        try:
            play(stage, fact.steps)
        except AssertionError as wrong:
            raise AssertionError(f"{fact.id}: {fact.says} ({fact.source}){wrong}") from None
