"""A REST method inside the portal: its name, the scopes that may call it, and a function of a call.

There are two kinds, as on a real portal. *Classic* methods are listed by ``methods`` and accept any HTTP verb.
*Controller* methods (all those of badges and configurable activities) check their arguments by name and type before
they run, accept only GET and POST, and are not listed by ``methods``.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from b24nb.sandbox import php

if TYPE_CHECKING:
    from b24nb.sandbox.store import Store
    from b24nb.sandbox.switches import Switches

Params = dict[str | int, Any]


class Refusal(Exception):
    """An error that the portal answers instead of a result."""

    def __init__(self, code: str, description: str, status: int = 400, **extra: str) -> None:
        super().__init__(code, description)
        self.code = code
        self.description = description
        self.status = status
        self.extra = extra

    @property
    def envelope(self) -> dict[str, str]:
        return {"error": self.code, "error_description": self.description, **self.extra}


def scope_missing(kind: str) -> Refusal:
    """The error for a missing scope; ``kind`` of token: ``webhook`` or ``access``."""
    text = f"The request requires higher privileges than provided by the {kind} token"
    return Refusal("insufficient_scope", text, 401)


def method_not_found() -> Refusal:
    return Refusal("ERROR_METHOD_NOT_FOUND", "Method not found!", 404)


class Answer(NamedTuple):
    """A result, and other keys of the envelope."""

    result: Any
    total: int | None = None
    next: int | None = None
    status: int = 200


class User(NamedTuple):
    """A user of the portal. ``kind`` is ``intranet`` or ``extranet``."""

    id: int
    login: str
    name: str
    last_name: str
    admin: bool
    kind: str
    active: bool


class Caller(NamedTuple):
    """The user and credential of a call. ``credential`` is the webhook's id or the application's client id."""

    user: User
    kind: str
    credential: str
    scopes: tuple[str, ...]
    expires: float = math.inf

    @property
    def is_application(self) -> bool:
        return self.kind == "oauth"

    def may_use(self, method: Method) -> bool:
        """Whether the credential has one of the scopes that the method needs."""
        return not method.scopes or any(scope in self.scopes for scope in method.scopes)


@dataclass(slots=True, kw_only=True, eq=False, repr=False)
class Call:
    """One call of one method, alone or as a command of a batch."""

    store: Store
    caller: Caller
    params: Params
    verb: str = "POST"
    start: int | None = None
    state: str | None = None
    depth: int = 0
    execute: Execute
    commands: list[str] = field(default_factory=list)

    @property
    def switches(self) -> Switches:
        return self.store.switches

    @property
    def in_batch(self) -> bool:
        return self.depth > 0

    def counted(self, total: int) -> int | None:
        """The total, unless the caller asked by ``start=-1`` not to count."""
        return None if self.start == -1 else total

    def get(self, name: str) -> Any:
        """A parameter of a classic method, whose name may be in lower or upper case."""
        return self.params.get(name, self.params.get(name.upper()))


#: Runs a command of a batch for the caller of the batch; returns its answer and its ``time`` block.
Execute = Callable[[Call, str, Params], Awaitable[tuple[Answer, dict[str, Any]]]]
Handler = Callable[[Call], Any]


class Method(NamedTuple):
    """A REST method. One of ``scopes`` is enough to call it; without any, every credential may call it."""

    name: str
    run: Handler
    scopes: tuple[str, ...] = ()
    controller: bool = False
    signed: bool = False


METHODS: dict[str, Method] = {}
#: Controllers: the prefix of their methods -> their name in the portal's errors.
CONTROLLERS: Mapping[str, str] = {
    "crm.activity.badge": "Bitrix\\Crm\\Controller\\Activity\\Badge",
    "crm.activity.configurable": "Bitrix\\Crm\\Controller\\Activity\\Configurable",
}


def classic(name: str, *scopes: str, signed: bool = False) -> Callable[[Handler], Handler]:
    """Register a classic method."""

    def register(run: Handler) -> Handler:
        METHODS[name] = Method(name=name, run=run, scopes=scopes, signed=signed)
        return run

    return register


class Argument(NamedTuple):
    """An argument of a controller method, parsed from a declaration like PHP's: ``?array settings`` may be left out
    or null, ``mixed title`` accepts any value."""

    type: str
    name: str
    optional: bool

    @classmethod
    def parse(cls, declaration: str) -> Self:
        kind, name = declaration.split()
        return cls(kind.removeprefix("?"), name, kind.startswith("?"))

    def check(self, params: Params) -> None:
        """Refuse a missing or wrong argument with the portal's error."""
        if self.name not in params:
            if self.optional:
                return
            raise Refusal("100", f"Could not find value for parameter {{{self.name}}}")
        value = params[self.name]
        if not (value is None and self.optional) and not _TYPES[self.type](value):
            raise Refusal(
                "100",
                f"Invalid value {{{php.to_text(value)}}} to match with parameter {{{self.name}}}."
                f" Should be value of type {self.type}.",
            )


def _is_integer(value: Any) -> bool:
    if isinstance(value, str):
        return isinstance(php.array_key(value), int)
    return isinstance(value, int) and not isinstance(value, bool)


_TYPES: Mapping[str, Callable[[Any], bool]] = {
    "mixed": lambda value: True,
    "string": lambda value: isinstance(value, str),
    "int": _is_integer,
    "array": lambda value: isinstance(value, list | dict),
}


def controller(name: str, *declarations: str) -> Callable[[Handler], Handler]:
    """Register a controller method; its arguments (see :class:`Argument`) are checked before it runs."""
    arguments = [Argument.parse(declaration) for declaration in declarations]

    def register(run: Handler) -> Handler:
        def action(call: Call) -> Any:
            if call.verb not in ("GET", "POST"):
                raise Refusal("invalid_http_method", "Wrong method for current action")
            if call.caller.user.kind != "intranet":
                raise Refusal("allowed_only_intranet_user", "Access is allowed to intranet users only", 403)
            for argument in arguments:
                argument.check(call.params)
            return run(call)

        METHODS[name] = Method(name=name, run=action, scopes=("crm",), controller=True)
        return run

    return register


def find(name: str) -> Method:
    """The method of a name; an unknown action of a known controller fails when it is run.

    Raises
    ------
    Refusal
        ``ERROR_METHOD_NOT_FOUND``, which comes before the check of the credentials.
    """
    name = name.lower()
    if name in METHODS:
        return METHODS[name]
    prefix, _, action = name.rpartition(".")
    if prefix not in CONTROLLERS or not action:
        raise method_not_found()

    def no_such_action(call: Call) -> Any:
        raise Refusal("22002", f"Could not find description of {action} in {CONTROLLERS[prefix]}")

    # Named after the controller, so that the operating times, kept per name, don't grow with each misspelled action.
    return Method(name=prefix, run=no_such_action, scopes=("crm",), controller=True)
