"""The vendor's facts hang together, and every one of them becomes the right exception."""

import inspect
import re

import pytest

from b24nb import errors, explain, spec

FACTS = spec.error_facts()

#: The system errors that the vendor prints under every method.
SYSTEM_PAGE = {
    400: {"ERROR_BATCH_LENGTH_EXCEEDED", "INVALID_REQUEST"},
    401: {"NO_AUTH_FOUND", "expired_token"},
    403: {"ACCESS_DENIED", "INVALID_CREDENTIALS", "insufficient_scope", "user_access_error"},
    404: {"ERROR_MANIFEST_IS_NOT_AVAILABLE"},
    405: {"ERROR_BATCH_METHOD_NOT_ALLOWED"},
    500: {"INTERNAL_SERVER_ERROR", "ERROR_UNEXPECTED_ANSWER", "PORTAL_DELETED"},
    503: {"QUERY_LIMIT_EXCEEDED", "OVERLOAD_LIMIT"},
}


@pytest.mark.parametrize("fact", FACTS, ids=lambda fact: f"{fact.code or 'empty'}-{fact.message[:24]}")
def test_each_fact_is_complete(fact: spec.ErrorFact) -> None:
    cls = getattr(errors, fact.kind)
    assert issubclass(cls, errors.ApiError)
    for sentence in (fact.meaning, fact.cause, fact.remedy):
        assert sentence.endswith("."), sentence
    assert fact.repeat in {"yes", "after waiting", "after a change", "look first", "no"}
    assert fact.section in {"method", "system", "batch", "oauth", "neighbour"}
    assert fact.http_documented or fact.http_observed or fact.source == "docs"


def test_the_vendors_page_of_system_errors_is_all_there() -> None:
    documented = {fact.code: fact.http_documented for fact in FACTS if fact.system_page}
    assert documented == {code: status for status, codes in SYSTEM_PAGE.items() for code in codes}


@pytest.mark.parametrize("method", spec.METHODS.values(), ids=lambda method: method.name)
def test_each_methods_errors_are_described(method: spec.Method) -> None:
    known = {fact.code for fact in FACTS}
    assert set(method.documented_errors) | set(method.errors) <= known


def test_the_tree_is_drawn_as_it_is() -> None:
    drawn = dict(re.findall(r"^\W*(\w+)(?: \(also a ValueError\))?  +(\w.+)$", errors.__doc__, re.M))
    ours = [value for value in vars(errors).values() if getattr(value, "__module__", "") == errors.__name__]
    public = {one.__name__ for one in ours if inspect.isclass(one) and issubclass(one, errors.B24Error)}
    assert public - {"B24Error", "TransportError", "ApiError"} <= set(drawn)
    assert set(drawn) <= public


@pytest.mark.parametrize(
    ("description", "hint"),
    [
        ("The length of the code field must not exceed 30 characters", "at most 30 characters"),
        ("Language `xx` was not found", "language codes of the portal"),
        ("Wrong value of field `title` for language de", "the text for the language"),
        ("Something that nobody has described", "Read the portal's message"),
        ("", "Read the portal's message"),
    ],
)
def test_the_hint_of_error_0_fits_what_the_portal_said(description: str, hint: str) -> None:
    error = errors.from_answer("0", description, http_status=400, method="crm.activity.badge.add")
    assert type(error) is errors.BadArgument
    assert hint in error.hint
    assert hint in repr(explain(error))


def test_messages_speak_to_the_reader() -> None:
    error = errors.ApiError("", "", http_status=400, method="crm.activity.get", hint="Do this.")
    assert str(error) == "(empty code) (crm.activity.get, HTTP 400). Do this."
