"""Facts about the wire as data: what is sent, what has to come back, and how the two are written down.

A :class:`Fact` is one statement about what a portal answers: an id, the statement in one line, where it
comes from, and what to send and to expect, as raw and as literal as possible. Answers are compared byte by
byte, key by key in order, and type by type (``1`` is not ``True`` and not ``1.0``). ``stage.py`` holds
portals against facts; nothing here knows how the client or the sandbox work.

In texts, ``<admin>`` stands for the path of the administrator's webhook (``/rest/1/code``), ``<employee>``,
``<noscope>``... for the others, ``<user>`` and ``<secret>`` for the two segments of the first, ``<token>``,
``<refresh>``, ``<client>``, ``<client_secret>`` for the application's; ``keep`` adds values of an answer.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from tests.contract.stage import Stage

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
    return Like(f"a text like {pattern}", lambda value: isinstance(value, str) and bool(re.fullmatch(pattern, value)))


def having(**expected: Any) -> Like:
    """A map with at least these keys and values."""

    def fits(value: Any) -> bool:
        wanted = expected.items() if isinstance(value, dict) else [("", "a map")]
        return all(key in value and difference(want, value[key]) is None for key, want in wanted)

    return Like(f"a map with {expected}", fits)


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


def call(method: str, params: Any = None, *, by: str = "<admin>", keep: tuple[str, ...] = (), **headers: str) -> Send:
    """The usual call: a POST with a JSON body; ``by`` is a webhook's path, ``/rest`` for none."""
    typed = {"Content-Type": JSON_TYPE} | _headers(headers)
    return Send("POST", f"{by}/{method}", json={} if params is None else params, headers=typed, keep=keep)


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
        return replace(self, headers={name.replace("_", "-"): value for name, value in expected.items()} | self.headers)

    def with_bytes(self, *literals: str) -> Answer:
        """Also these pieces of the body, byte for byte."""
        return replace(self, bytes_within=tuple(literal.encode() for literal in literals))


def ok(result: Any, *, time: Any = TIME, **lifted: Any) -> Answer:
    """Success. ``next``, ``total`` and ``signature`` stand between ``result`` and ``time``, in this order."""
    order = ("next", "total", "signature")
    return Answer(200, {"result": result, **{key: lifted[key] for key in order if key in lifted}, "time": time})


def refused(status: int, code: str, description: Any) -> Answer:
    """An error envelope: these two keys, both texts, and nothing beside them."""
    return Answer(status, {"error": code, "error_description": description})


def answered(result: Any, *, errors: Any = (), totals: Any = (), nexts: Any = ()) -> Answer:
    """A batch: all five maps, an empty one as ``[]``; each command that succeeded has its own time."""
    times = [TIME for _ in result] if isinstance(result, list) else dict.fromkeys(result, TIME)
    parts = {"result_error": errors, "result_total": totals, "result_next": nexts}
    maps = {name: [] if part == () else part for name, part in parts.items()}
    return ok({"result": result, **maps, "result_time": times})


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


def missing(name: str) -> Answer:
    """The refusal of a controller whose parameter is not there; its code is a text (documented: a number)."""
    return refused(400, "100", f"Could not find value for parameter {{{name}}}")


#: The four badge methods, and answers that more than one table expects.
ADD, GET, LIST, DELETE = (f"crm.activity.badge.{name}" for name in ("add", "get", "list", "delete"))
FOUND = ok({"badge": VIP})
NO_AUTH = refused(401, "NO_AUTH_FOUND", "Wrong authorization data")
NO_SCOPE = Answer(401, having(error="insufficient_scope"))
UNKNOWN_METHOD = refused(404, "ERROR_METHOD_NOT_FOUND", "Method not found!")
IN_USE = refused(400, "ENTITY_WITH_BADGE_EXISTS", "There are entities with this badge. Delete them first.")

# -- actions between requests ---------------------------------------------------------------------


def wait(seconds: float) -> Callable[[Stage], None]:
    """Let time pass, without waiting."""
    return lambda stage: stage.clock.advance(seconds)


def fault(what: str, **options: Any) -> Callable[[Stage], None]:
    """Make the portal's next request fail like that."""
    return lambda stage: stage.portal.faults.next(what, **options)


def sixty_activities(stage: Stage) -> None:
    """More activities with a badge than a page holds."""
    for _ in range(60):
        stage.portal.attach(VIP["code"])


def webhook(name: str, user: str = "anna", scopes: tuple[str, ...] = ()) -> Callable[[Stage], None]:
    """Make one more webhook and remember its path under a name."""

    def step(stage: Stage) -> None:
        address = stage.portal.add_webhook(name, user=user, scopes=scopes)
        stage.names[name] = urlsplit(address).path.rstrip("/")

    return step


def issue(name: str, key: str = "access_token", **options: Any) -> Callable[[Stage], None]:
    """Give the application another token and remember it under a name."""

    def step(stage: Stage) -> None:
        stage.names[name] = stage.portal.issue_token(**options)[key]

    return step
