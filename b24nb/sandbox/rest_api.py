"""Handles a request to the REST API, from the name of the method to the envelope.

The order is the portal's: the method is looked up before the credentials are checked, so an unknown method answers
404 even without credentials.
"""

from __future__ import annotations

import base64
import hmac
import inspect
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

from b24nb.sandbox import badge_methods, batch_method, configurable_activities, crm_methods, portal_methods
from b24nb.sandbox.accounts import RESERVED, Accounts
from b24nb.sandbox.faults import Faults
from b24nb.sandbox.http_messages import Request
from b24nb.sandbox.php import int_if_whole, iso, to_int
from b24nb.sandbox.rate_limits import OperatingTime
from b24nb.sandbox.rest_method import Answer, Call, Method, Params, Refusal, find, method_not_found
from b24nb.sandbox.switches import Switches

#: Importing a module of methods registers them.
_METHOD_MODULES = (badge_methods, batch_method, configurable_activities, crm_methods, portal_methods)


class RestApi:
    """The REST API of one portal; ``sleep`` waits for some seconds."""

    def __init__(self, accounts: Accounts, faults: Faults, sleep: Callable[[float], Awaitable[None]]) -> None:
        self.accounts = accounts
        self.store = accounts.store
        self.switches = accounts.store.switches
        self.faults = faults
        self.sleep = sleep
        self._operating: dict[tuple[str, str, str], OperatingTime] = {}

    async def answer(self, request: Request) -> tuple[int, dict[str, Any]]:
        """Carry out a request; returns status and envelope. Writes caller and commands into ``request``."""
        start = self.switches.clock()
        try:
            if request.credentials.text("token"):
                raise Refusal("ACCESS_DENIED", "Access denied! Link check failed", 403)
            method = find(request.method)
            request.caller = self.accounts.authenticate(request.credentials, method)
            call = Call(
                store=self.store,
                caller=request.caller,
                params=request.params,
                verb=request.verb,
                start=request.start,
                state=request.state,
                execute=self._command,
                commands=request.commands,
            )
            answer, time = await self._run(method, call, start)
            return answer.status, envelope(answer, time, self._signature(method, call))
        except Refusal as refusal:
            return refusal.status, refusal.envelope

    async def _command(self, outer: Call, name: str, params: Params) -> tuple[Answer, dict[str, Any]]:
        """Run a command of a batch: for the same caller, with the same checks except that of the credentials."""
        arrived = self.switches.clock()
        outer.commands.append(name)
        if not name or name.startswith("/"):
            raise method_not_found()
        fault = self.faults.take(name, command=True)
        method = find(name)
        if not outer.caller.may_use(method):
            raise Refusal("insufficient_scope", "", 401)
        start = params.pop("start", None)
        call = replace(
            outer,
            params={key: value for key, value in params.items() if key not in RESERVED},
            start=None if start is None else to_int(start),
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
        """The operating time of a method and credential; all webhooks share one for commands of batches."""
        lost = call.in_batch and not call.caller.is_application
        key = (call.caller.kind, "" if lost else call.caller.credential, method.name)
        return self._operating.setdefault(key, OperatingTime())

    def _signature(self, method: Method, call: Call) -> str | None:
        """The signature for an application that sent ``state``. Its format is assumed, since it is not public."""
        if not (method.signed and call.state and call.caller.is_application):
            return None
        secret = self.accounts.application["client_secret"]
        return base64.b64encode(hmac.digest(secret.encode(), call.state.encode(), "sha256")).decode()


def time_block(
    switches: Switches, start: float, processing: float, finish: float, work: OperatingTime | None
) -> dict[str, Any]:
    """The ``time`` block of an answer, from the times when a call arrived, began to run, and ended.

    Newer builds have whole seconds in ``start`` and ``processing``, which makes ``duration`` (finish minus
    start) up to a second too long. ``work`` is ``None`` if the portal does not count operating time.
    """
    mark = int if switches.integer_time else float
    block = {
        "start": int_if_whole(mark(start)),
        "finish": int_if_whole(finish),
        "duration": int_if_whole(finish - mark(start)),
        "processing": int_if_whole(mark(finish) - mark(processing)),
        "date_start": iso(start),
        "date_finish": iso(finish),
    }
    if work:
        block["operating_reset_at"] = int(work.reset_at(finish))
        block["operating"] = int_if_whole(work.seconds(finish))
    return block


def envelope(answer: Answer, time: dict[str, Any], signature: str | None) -> dict[str, Any]:
    """The envelope of a result, with keys in the portal's order; values that are ``None`` have no key."""
    lifted = {"next": answer.next, "total": answer.total, "signature": signature}
    present = {key: value for key, value in lifted.items() if value is not None}
    return {"result": answer.result, **present, "time": time}
