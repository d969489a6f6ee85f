"""How many requests a portal takes, and how much working time."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from tests.contract.stage import Stage
from tests.contract.wire import *

LIMITS = page("limits")
RATE_OBSERVED = f"{LIMITS}; observed (bitrix-tools/b24-rest-docs#193)"

GET_VIP = f"{GET}?code={VIP['code']}"
TOO_MANY = refused(503, "QUERY_LIMIT_EXCEEDED", "Too many requests")
BLOCKED = refused(429, "OPERATION_TIME_LIMIT", "Method is blocked due to operation time limit.")
BLOCKED_IN_BATCH = error("OPERATION_TIME_LIMIT", "Method is blocked due to operation time limit.")

ONE = call(GET, {"code": VIP["code"]})
BY_EMPLOYEE = call(GET, {"code": VIP["code"]}, by="<employee>")
BY_APPLICATION = oauth(GET, {"code": VIP["code"]})

RATE = {"clock": True, "limits": True}
ENTERPRISE = RATE | {"tariff": "enterprise"}


def burst(fits: tuple[int, ...], request: Send = ONE, most: int = 300) -> Callable[[Stage], None]:
    """Send until the first refusal; so many have to pass. "Above X" leaves it open whether X or X + 1."""

    def step(stage: Stage) -> None:
        for passed in range(most):
            status, _, body = stage.send(request)
            if status == 503:
                assert b"QUERY_LIMIT_EXCEEDED" in body
                assert passed in fits, f" {passed} requests passed, not {fits}"
                return
        raise AssertionError(f" {most} requests passed")

    return step


def passes(count: int, request: Send = ONE) -> Callable[[Stage], None]:
    """So many in a row are not refused."""

    def step(stage: Stage) -> None:
        for number in range(count):
            status, _, body = stage.send(request)
            assert status != 503, f" request {number} got {body.decode()}"

    return step


def work(seconds: float, limit: float | bool = True, **other: Any) -> dict[str, Any]:
    """A portal where getting a badge takes so long."""
    return {"clock": True, "cost": {GET: seconds}, "operating": limit, **other}


def used(seconds: float) -> Like:
    return having(operating=Like(f"about {seconds}", lambda value: abs(value - seconds) < 0.01))


def spent(seconds: float) -> Answer:
    """A success that shows so many seconds of operating time."""
    return ok(ANYTHING, time=used(seconds))


def spent_in_batch(seconds: float) -> Answer:
    inner = used(seconds)
    return Answer(200, having(result=having(result_time={"a": inner}), time=having(operating=0)))


# fmt: off
REQUESTS = [
    fact("rate.drain", "Above 50 it is 503 with this text; two more fit after each second, 50 after 25.", RATE_OBSERVED,
         burst((50, 51)), ONE, TOO_MANY, wait(1), burst((1, 2)), wait(2), burst((3, 4)), wait(26), burst((50, 51)),
         portal=RATE),
    fact("rate.enterprise-drain", "And five more each second.", LIMITS,
         burst((250, 251)), wait(1), burst((4, 5)), portal=ENTERPRISE),
    fact("rate.per-address", "It is counted by source address.", LIMITS,
         burst((50, 51)), passes(40, replace(ONE, address="127.0.0.2")), ONE, TOO_MANY,
         portal=RATE),
    fact("rate.shared", "Webhooks and applications at one address share it.", LIMITS,
         passes(20), passes(20, BY_EMPLOYEE), burst((10, 11), BY_APPLICATION), portal=RATE),
    fact("rate.not-executed", "A refused call is not executed.", SERVER,
         burst((50, 51)), call(DELETE, {"code": VIP["code"]}), TOO_MANY, wait(30), ONE, ok({"badge": VIP}),
         portal=RATE),
    fact("rate.in-front", "It is judged before method and credentials, and counts what they refuse.", SERVER,
         passes(25, get("/rest/no.such.method")), passes(25, get("/rest/profile")),
         burst((0, 1), get("/rest/no.such.method")), portal=RATE),
    fact("rate.batch", "A batch is one request.", LIMITS, burst((50, 51), batch([GET_VIP] * 50)), portal=RATE),
    fact("rate.off", "Self-hosted portals do not limit.", LIMITS, passes(120), portal={"clock": True}),
]

WORKING_TIME = [
    fact("operating.480", "operating sums up; the call that crosses 480 s succeeds, the next is refused.", LIMITS,
         ONE, spent(100), ONE, spent(200), ONE, spent(300), ONE, ONE, ONE, BLOCKED, portal=work(100)),
    fact("operating.strictly", "At the limit it is not refused yet.", SERVER,
         ONE, ONE, ONE, BLOCKED, portal=work(64, limit=64)),
    fact("operating.method", "Only this method is refused, in whatever letters, and only to this caller.", LIMITS,
         ONE, ONE, BLOCKED, call("CRM.Activity.Badge.GET", {"code": VIP["code"]}), BLOCKED,
         call(LIST), ok({"badges": [VIP]}, total=1), BY_EMPLOYEE, spent(2),
         BY_APPLICATION, spent(2), BY_APPLICATION, BLOCKED, portal=work(2, limit=1)),
    fact("operating.short-calls", "Calls of up to 0.1 s do not count.", SERVER,
         *([ONE] * 20), ONE, spent(0), portal=work(0.09, limit=1)),
    fact("operating.baskets", "Calls of one minute are forgotten together, 600 s after the first.", SERVER,
         ONE, wait(30), ONE, spent(20), wait(545), ONE, spent(30), wait(20), ONE, spent(20), portal=work(10)),
    fact("operating.unblocks", "When old time is forgotten, it works again; a refused call adds nothing.", LIMITS,
         ONE, ONE, BLOCKED, wait(590), ONE, BLOCKED, wait(15), ONE, spent(10), portal=work(10, limit=5)),
    fact("operating.reset-at", "operating_reset_at says when the oldest time will be forgotten.", LIMITS,
         ONE, wait(290), ONE, ok(ANYTHING, time=Like("a reset 600 s after the first call",
                                lambda t: 300 <= t["operating_reset_at"] - t["start"] <= 310)), portal=work(10)),
    fact("operating.unlimited", "Self-hosted portals do not count by default.", SERVER,
         *([ONE] * 8), ONE, Answer(200), portal=work(100, limit=False)),
    fact("operating.batch-application", "An application's commands and calls share one account.", SERVER,
         call("batch", {"cmd": {"a": GET_VIP}, "auth": "<token>"}, by="/rest"), BY_APPLICATION, spent(20),
         portal=work(10)),
    fact("operating.batch-webhook", "Commands of webhooks all go to one account, apart from calls.", SERVER,
         ONE, spent(10), batch({"a": GET_VIP}), spent_in_batch(10),
         batch({"a": GET_VIP}, by="<employee>"), spent_in_batch(20), ONE, spent(20), portal=work(10)),
    fact("operating.batch-blocked", "A command over the time fails alone.", DERIVED,
         batch({"a": GET_VIP, "b": GET_VIP, "c": LIST}),
         answered({"a": {"badge": VIP}, "c": {"badges": [VIP]}}, totals={"c": 1},
                  errors={"b": BLOCKED_IN_BATCH}), portal=work(2, limit=1)),
]
# fmt: on

FACTS: list[Fact] = [*REQUESTS, *WORKING_TIME]
