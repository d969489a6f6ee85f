"""Each error that a portal can answer, as the client raises it: class, code, text, status, hint.

Over a real socket against the sandbox. What the sandbox can't be brought to answer by itself it is told to.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

import b24nb
from b24nb import errors, spec
from b24nb.credentials import Webhook
from b24nb.rest.connection import Connection
from tests.fakes import FakeClock

BAD, DENIED, WHO = errors.BadArgument, errors.AccessDenied, errors.BadCredentials
GONE = errors.PortalUnavailable
ADD, GET, LIST, DELETE = (f"crm.activity.badge.{name}" for name in ("add", "get", "list", "delete"))
NEW = {"code": "vip", "title": "t", "value": "v", "type": "primary"}
ARRAY = "Invalid value {Array} to match with parameter {%s}. Should be value of type %s."
UNSPECIFIC = errors.ApiError("SOMETHING_NEW").hint


def without(name: str) -> dict[str, Any]:
    return {key: value for key, value in NEW.items() if key != name}


@dataclass(frozen=True)
class Case:
    """A call that is refused, and how."""

    id: str
    kind: type[errors.ApiError]
    code: str
    description: str | None
    status: int
    method: str = GET
    params: dict[str, Any] = field(default_factory=lambda: {"code": "missedCall"})
    by: str = "admin"
    portal: dict[str, Any] = field(default_factory=dict)
    fault: dict[str, Any] | None = None

    def __str__(self) -> str:
        return self.id


def badge(id: str, kind: type[errors.ApiError], code: str, text: str, method: str, /, **params: Any) -> Case:
    return Case(id, kind, code, text, 400, method, params)


def access(id: str, kind: type[errors.ApiError], code: str, text: str | None, **options: Any) -> Case:
    return Case(id, kind, code, text, options.pop("status", 401), **options)


def told(kind: type[errors.ApiError], code: str, status: int, text: str, *, unusual: bool = False) -> Case:
    """An error that the sandbox is told to answer; ``unusual``: with another status or text than known."""
    fault = {"what": code, "description": text, "times": 20} | ({"status": status} if unusual else {})
    return Case(f"{code}: {text}", kind, code, text, status, fault=fault)


# fmt: off
BADGES = [
    *(badge(f"add-without-{name}", BAD, "100", f"Could not find value for parameter {{{name}}}",
            ADD, **without(name)) for name in NEW),
    badge("get-without-code", BAD, "100", "Could not find value for parameter {code}", GET),
    badge("delete-without-code", BAD, "100", "Could not find value for parameter {code}", DELETE),
    badge("code-is-a-number", BAD, "100",
          "Invalid value {5} to match with parameter {code}. Should be value of type string.", GET, code=5),
    badge("type-is-a-map", BAD, "100", ARRAY % ("type", "string"), ADD, **NEW | {"type": {}}),
    badge("settings-is-a-text", BAD, "100",
          "Invalid value {x} to match with parameter {settings}. Should be value of type array.",
          ADD, **NEW, settings="x"),
    badge("title-empty", BAD, "REQUIRED_ARG_MISSING", "Argument 'title' is required",
          ADD, **NEW | {"title": ""}),
    badge("value-empty", BAD, "REQUIRED_ARG_MISSING", "Argument 'value' is required",
          ADD, **NEW | {"value": ""}),
    badge("language", BAD, "0", "Language `xx` was not found", ADD, **NEW | {"title": {"xx": "t"}}),
    badge("language-text", BAD, "0", "Wrong value of field `value` for language en",
          ADD, **NEW | {"value": {"en": ""}}),
    badge("type", BAD, "WRONG_TYPE_VALUE", "Wrong value of field `type`",
          ADD, **NEW | {"type": "pink"}),
    badge("duplicate", errors.DuplicateCode, "BX_INVALID_VALUE", "Code must be unique",
          ADD, **NEW | {"code": "missedCall"}),
    badge("get-not-found", errors.NotFound, "NOT_FOUND", "Badge not found for code `none`", GET, code="none"),
    badge("delete-not-found", errors.NotFound, "NOT_FOUND", "Badge not found for code `none`",
          DELETE, code="none"),
    badge("in-use", errors.BadgeInUse, "ENTITY_WITH_BADGE_EXISTS",
          "There are entities with this badge. Delete them first.", DELETE, code="waitingPayment"),
    badge("unknown-action", errors.ApiError, "22002",
          r"Could not find description of update in Bitrix\Crm\Controller\Activity\Badge",
          "crm.activity.badge.update"),
    Case("empty-code", BAD, "BX_EMPTY_REQUIRED", None, 400, ADD, NEW | {"code": ""}),
    Case("add-as-employee", DENIED, "ACCESS_DENIED", "Access denied", 400, ADD, NEW, by="employee"),
    Case("delete-as-employee", DENIED, "ACCESS_DENIED", "Access denied", 400, DELETE, by="employee"),
    Case("denied-in-russian", DENIED, "ACCESS_DENIED", "Доступ запрещен", 400, DELETE,
         by="employee", portal={"language": "ru"}),
    Case("empty-code-in-russian", BAD, "BX_EMPTY_REQUIRED",
         'Не заполнено обязательное поле "CODE"', 400, ADD, NEW | {"code": ""}, portal={"language": "ru"}),
    Case("too-long", BAD, "400", "Mysql query error: (1406) Data too long for column 'CODE' at row 1", 400,
         ADD, NEW | {"code": "c" * 256}, portal={"strict_sql": True, "code_limit": 255}),
    badge("code-length", BAD, "0", "The length of the code field must not exceed 30 characters", ADD,
          **NEW | {"code": "c" * 31}),
]

ACCESS = [
    *(access(f"{name}-extranet", DENIED, "allowed_only_intranet_user", None, status=403,
             method=f"crm.activity.badge.{name}", by="extranet")
      for name in ("add", "get", "list", "delete")),
    access("wrong-code", WHO, "INVALID_CREDENTIALS", "Invalid request credentials", by="wrong"),
    access("disabled", WHO, "INVALID_CREDENTIALS", "Invalid request credentials",
           by="disabled"),
    access("scope", errors.InsufficientScope, "insufficient_scope",
           "The request requires higher privileges than provided by the webhook token", by="noscope"),
    access("plan", GONE, "ACCESS_DENIED", "REST is available only by subscription.",
           portal={"rest_available": False}),
    access("dismissed", WHO, "authorization_error", "Unable to authorize user", by="dismissed"),
    access("https", WHO, "INVALID_REQUEST", "Https required.", portal={"https_required": True}),
    access("method", errors.ApiError, "ERROR_METHOD_NOT_FOUND", "Method not found!", status=404,
           method="no.such.method"),
]

SYSTEM = [
    told(WHO, "NO_AUTH_FOUND", 401, "Wrong authorization data"),
    told(errors.InsufficientScope, "insufficient_scope", 401,
         "The request requires higher privileges than provided by the access token"),
    told(errors.TokenExpired, "expired_token", 401, "The access token provided has expired"),
    told(WHO, "invalid_token", 401, "Unable to get application by token"),
    told(WHO, "APPLICATION_NOT_FOUND", 401, "Application not found"),
    told(GONE, "CONNECTION_ERROR", 401, "Error connecting to authorization server"),
    told(DENIED, "user_access_error", 401, "The user does not have access to the application."),
    told(WHO, "ERROR_OAUTH", 401, "Application not installed"),
    told(WHO, "NOT_INSTALLED", 401, "Application not installed"),
    told(GONE, "PAYMENT_REQUIRED", 401, "Subscription has been ended"),
    told(GONE, "PAYMENT_REQUIRED", 401, "Payment required"),
    told(GONE, "OVERLOAD_LIMIT", 401, "REST API is blocked due to overload."),
    told(GONE, "ACCESS_DENIED", 401, "REST is available only on commercial plans."),
    told(DENIED, "ACCESS_DENIED", 403, "Access denied! Application context required"),
    told(DENIED, "ACCESS_DENIED", 401, "Current user can't be authorized in this context"),
    told(DENIED, "WRONG_LICENSE", 403,
         "This feature is not enabled for the current license: auth_connector"),
    told(DENIED, "WRONG_AUTH_TYPE", 403, "Current authorization type is denied for this method"),
    told(DENIED, "METHOD_CONFIRM_WAITING", 401, "Waiting for confirmation"),
    told(DENIED, "METHOD_CONFIRM_DENIED", 403, "Method call denied"),
    told(errors.OperatingTimeExceeded, "OPERATION_TIME_LIMIT", 429,
         "Method is blocked due to operation time limit."),
    told(errors.RateLimited, "QUERY_LIMIT_EXCEEDED", 503, "Too many requests"),
    told(GONE, "PORTAL_DELETED", 403, "Portal was deleted"),
    told(GONE, "INTERNAL_SERVER_ERROR", 500, "Internal server error"),
    told(GONE, "ERROR_UNEXPECTED_ANSWER", 500, "Server returned an unexpected response"),
    told(GONE, "ERROR_CORE", 500, "SQL query error!"),
    told(errors.ApiError, "WRONG_ENCODING", 200, "Wrong request encoding"),
    told(errors.ApiError, "ERROR_MANIFEST_IS_NOT_AVAILABLE", 404, "Manifest is not available"),
    told(WHO, "INVALID_CREDENTIALS", 403, "Invalid request credentials", unusual=True),
    told(errors.DuplicateCode, "400", 400, "Mysql query error: (1062) Duplicate entry 'x' for key 'CODE'",
         unusual=True),
]
# fmt: on


@pytest.fixture
def ask(clock: FakeClock) -> Iterator[Callable[[Case], Callable[[], Any]]]:
    """Prepare a portal and a connection for a case; the function that is returned makes the call."""
    opened: list[Any] = []

    def prepare(case: Case, *, in_batch: bool = False) -> Callable[[], Any]:
        portal = b24nb.SandboxPortal(**case.portal).start()
        opened.append(portal.stop)
        address = f"{portal.url}/rest/1/wrong/" if case.by == "wrong" else portal.webhooks[case.by]
        connection = Connection(Webhook.parse(address), clock=clock)
        opened.append(connection.close)
        if case.fault:
            portal.faults.next(**case.fault | ({"method": case.method} if in_batch else {}))
        if in_batch:
            return lambda: connection.batch({"key": (case.method, case.params)})["key"]
        return lambda: connection.call(case.method, case.params)

    yield prepare
    for close in reversed(opened):
        close()


def judge(error: errors.ApiError, case: Case, status: int | None) -> None:
    assert type(error) is case.kind
    assert error.code == case.code
    assert case.description in (None, error.description)
    assert error.http_status == status
    assert error.method == case.method
    assert error.hint
    assert error.hint != UNSPECIFIC
    assert case.code in str(error)
    assert error.hint in str(error)


@pytest.mark.parametrize("case", [*BADGES, *ACCESS, *SYSTEM], ids=str)
def test_an_error_is_raised_as_what_it_is(case: Case, ask: Any) -> None:
    with pytest.raises(errors.ApiError) as caught:
        ask(case)()
    judge(caught.value, case, case.status)


@pytest.mark.parametrize("case", BADGES, ids=str)
def test_a_command_of_a_batch_fails_in_the_same_class(case: Case, ask: Any) -> None:
    error = ask(case, in_batch=True)()
    if case.id == "code-is-a-number":
        assert isinstance(error, errors.NotFound), "the query of a command knows only texts"
    elif case.id in ("type-is-a-map", "settings-is-a-text", "title-empty"):
        assert isinstance(error, errors.BadArgument)
    else:
        judge(error, case, None)


def test_a_scope_that_a_command_lacks(portal: b24nb.SandboxPortal) -> None:
    connection = Connection(Webhook.parse(portal.webhooks["noscope"]))
    error = connection.batch({"a": (LIST, {}), "b": ("server.time", {})})["a"]
    connection.close()
    assert isinstance(error, errors.InsufficientScope)
    assert (error.code, error.description, error.http_status) == ("insufficient_scope", "", None)
    assert error.hint


def test_an_unknown_code_is_kept(portal: b24nb.SandboxPortal, b24: b24nb.Client) -> None:
    portal.faults.next("SOMETHING_NEW", description="Nobody knows", status=418)
    with pytest.raises(errors.ApiError) as caught:
        b24.badges.get("missedCall")
    assert type(caught.value) is errors.ApiError
    assert (caught.value.code, caught.value.description) == ("SOMETHING_NEW", "Nobody knows")
    assert caught.value.http_status == 418
    assert caught.value.hint


def test_every_error_of_the_badge_methods_is_met() -> None:
    met = {case.code for case in [*BADGES, *ACCESS]}
    wanted = {code for method in spec.METHODS.values() for code in method.errors}
    assert wanted <= met


def test_every_system_error_is_met() -> None:
    met = {case.code for case in [*BADGES, *ACCESS, *SYSTEM]}
    wanted = {fact.code for fact in spec.error_facts() if fact.section == "system"}
    assert wanted - met <= {"ERROR_ARGUMENT", "invalid_http_method"}, "what no method of the client meets"
