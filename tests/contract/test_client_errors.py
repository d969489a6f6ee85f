"""Each error that a portal can answer, as the client raises it: class, code, text, status, hint.

Over a real socket against the sandbox, which is told to answer with each error that the catalogue describes.
"""

import re
from collections.abc import Iterator

import pytest

from b24nb import SandboxPortal, errors, explain, spec
from b24nb.credentials import Webhook
from b24nb.rest.connection import Connection
from tests.fakes import FakeClock

FACTS = spec.error_facts()
IN_BATCH = [fact for fact in FACTS if fact.section not in ("batch", "oauth")]


@pytest.fixture
def connection(portal: SandboxPortal, clock: FakeClock) -> Iterator[Connection]:
    connection = Connection(Webhook.parse(portal.webhook), clock=clock)
    yield connection
    connection.close()


def judge(error: object, fact: spec.ErrorFact, method: str, status: int | None) -> None:
    assert isinstance(error, getattr(errors, fact.kind))
    assert (error.code, error.method, error.http_status, error.hint) == (fact.code, method, status, fact.remedy)
    literal = re.split(r"\{\w+\}", fact.message)
    assert re.fullmatch(".*".join(map(re.escape, literal)), error.description)
    assert not re.search("localised_text|{(?!code|5)", error.description)  # no template
    assert (fact.code or "(empty code)") in str(error)
    assert error.hint in str(error)


@pytest.mark.parametrize("fact", FACTS, ids=lambda fact: f"{fact.code}:{fact.message[:20]}")
def test_an_error_is_raised_as_what_it_is(fact: spec.ErrorFact, portal: SandboxPortal, connection: Connection) -> None:
    method = fact.methods[0] if fact.methods else "server.time"
    portal.faults.next(fact.code, description=fact.message, times=20)
    with pytest.raises(errors.ApiError) as caught:
        connection.call(method)
    assert len(connection.calls) == (15 if fact.kind == "RateLimited" else 1)
    judge(caught.value, fact, method, fact.http_observed or fact.http_documented or 400)
    portal.faults.clear()
    assert connection.call("server.time").result


@pytest.mark.parametrize(
    ("code", "text", "kind"),
    [
        ("NOT_FOUND", "Element not found", errors.NotFound),
        ("ACCESS_DENIED", "Access denied", errors.AccessDenied),
        ("ACCESS_DENIED", "Доступ запрещен", errors.AccessDenied),
        ("BX_INVALID_VALUE", "Invalid value", errors.ApiError),
    ],
)
def test_what_another_method_answers_is_not_explained_by_badges(
    portal: SandboxPortal, connection: Connection, code: str, text: str, kind: type[errors.ApiError]
) -> None:
    portal.faults.next(code, description=text, times=2, method="crm.activity.list")
    with pytest.raises(kind) as caught:
        connection.call("crm.activity.list")
    for error in (caught.value, connection.batch({"a": ("crm.activity.list", None)})["a"]):
        assert type(error) is kind
        assert not hasattr(error, "__notes__")
        assert "badge" not in f"{error} {explain(error)!r}".replace("b24nb", "").lower()


@pytest.mark.parametrize("fact", IN_BATCH, ids=lambda fact: f"{fact.code}:{fact.message[:20]}")
def test_a_command_of_a_batch_fails_in_the_same_class(
    fact: spec.ErrorFact, portal: SandboxPortal, connection: Connection
) -> None:
    method = fact.methods[0] if fact.methods else "server.time"
    portal.faults.next(fact.code, description=fact.message, method=method)
    judge(connection.batch({"key": (method, {})})["key"], fact, method, None)
