"""One request to the REST API, from the name of the method to the envelope.

The order is the portal's: the method is looked up before anybody asks who is calling, so an unknown
method answers 404 even without credentials.
"""

from __future__ import annotations

import base64
import hmac
import inspect
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from b24nb.sandbox import access, activities, badges, batch, configurable, deals, general, php
from b24nb.sandbox.accounts import Accounts
from b24nb.sandbox.calls import (
    Answer,
    Call,
    Caller,
    Method,
    Params,
    Refusal,
    find,
    method_not_found,
)
from b24nb.sandbox.envelope import envelope, time_block
from b24nb.sandbox.faults import Faults
from b24nb.sandbox.limits import OperatingTime
from b24nb.sandbox.wire import Request

#: Importing a module of methods registers them.
_METHOD_MODULES = (activities, badges, batch, configurable, deals, general)
#: Names are cut to this where they are remembered.
REMEMBERED_NAME = 100


class Outcome(NamedTuple):
    """What became of a request: status and envelope, who sent it, how often a batch called what."""

    status: int
    payload: dict[str, Any]
    caller: Caller | None
    commands: Mapping[str, int]


class Api:
    """The REST API of one portal; ``sleep`` lets time pass, in seconds."""

    def __init__(self, accounts: Accounts, faults: Faults, sleep: Callable[[float], Awaitable[None]]) -> None:
        self.accounts = accounts
        self.store = accounts.store
        self.switches = accounts.store.switches
        self.faults = faults
        self.sleep = sleep
        self._operating: dict[tuple[str, str, str], OperatingTime] = {}

    async def answer(self, request: Request) -> Outcome:
        """Carry out a request; a refusal is an outcome too."""
        start = self.switches.clock()
        caller = None
        commands: dict[str, int] = {}
        try:
            if request.link_token:
                raise Refusal("ACCESS_DENIED", "Access denied! Link check failed", 403)
            method = find(request.method)
            caller = access.authenticate(request.credentials, method.scopes, self.accounts)
            call = Call(
                store=self.store,
                caller=caller,
                params=request.params,
                verb=request.verb,
                start=request.start,
                state=request.state,
                execute=self._command,
                commands=commands,
            )
            answer, time = await self._run(method, call, start)
            body = envelope(answer, time, self._signature(method, call))
            return Outcome(answer.status, body, caller, commands)
        except Refusal as refusal:
            return Outcome(refusal.status, refusal.envelope, caller, commands)

    async def _command(self, outer: Call, name: str, params: Params) -> tuple[Answer, dict[str, Any]]:
        """A command of a batch: same caller, same checks but for the credentials."""
        arrived = self.switches.clock()
        counted = name[:REMEMBERED_NAME].lower()
        outer.commands[counted] = outer.commands.get(counted, 0) + 1
        if not name or name.startswith("/"):
            raise method_not_found()
        fault = self.faults.take(name, command=True)
        method = find(name)
        if not access.allows(outer.caller, method.scopes):
            raise Refusal("insufficient_scope", "", 401)
        start = params.pop("start", None)
        call = replace(
            outer,
            params={key: value for key, value in params.items() if key not in access.RESERVED},
            start=None if start is None else php.to_int(start),
            depth=outer.depth + 1,
        )
        if fault and fault.refusal and fault.effect == "none":
            raise fault.refusal
        done = await self._run(method, call, arrived)
        if fault and fault.refusal:
            raise fault.refusal
        return done

    async def _run(self, method: Method, call: Call, start: float) -> tuple[Answer, dict[str, Any]]:
        """Run a method that the caller may call, and measure it."""
        clock = self.switches.clock
        work = self._work(method, call) if self.switches.operating is not False else None
        if work and work.seconds(clock()) > self.switches.operating_limit:
            raise Refusal("OPERATION_TIME_LIMIT", "Method is blocked due to operation time limit.", 429)
        processing = clock()
        try:
            if cost := self.switches.cost.get(method.name):
                await self.sleep(cost)
            result = method.run(call)
            if inspect.isawaitable(result):
                result = await result
        finally:
            finish = clock()
            if work and method.name != "batch":
                work.add(finish - processing, finish)
        time = time_block(self.switches, start, processing, finish, work)
        return result if isinstance(result, Answer) else Answer(result), time

    def _work(self, method: Method, call: Call) -> OperatingTime:
        """The account of a method and credential; commands of a webhook's batch share a common one."""
        lost = call.in_batch and not call.caller.is_application
        key = (call.caller.kind, "" if lost else call.caller.credential, method.name)
        return self._operating.setdefault(key, OperatingTime())

    def _signature(self, method: Method, call: Call) -> str | None:
        """For an application that sent ``state``. Assumed: the vendor's format is not public."""
        if not (method.signed and call.state and call.caller.is_application):
            return None
        secret = self.accounts.application["client_secret"]
        return base64.b64encode(hmac.digest(secret.encode(), call.state.encode(), "sha256")).decode()
