"""What can be known before sending, by field; limits as in the vendor's tables and server code."""

from __future__ import annotations

import warnings
from typing import Any

import pytest

from b24nb.badges.badge import Badge
from b24nb.badges.changes import NotRestorable, check, check_code, not_restorable, problems, warn_if_not_restorable
from b24nb.errors import InvalidInput
from b24nb.spec import BadgeType

GOOD: dict[str, Any] = {"code": "vip", "title": "Client", "value": "VIP", "type": "primary"}


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"title": {"en": "Client", "de": "Kunde"}},
        {"title": {}},  # a portal takes it, and shows nothing
        {"code": " "},
        {"code": "ю" * 30},
        {"title": "x" * 3998},  # two quotes are stored with it
        *({"type": type_} for type_ in BadgeType),
    ],
)
def test_what_a_portal_takes_is_taken(change: dict[str, Any]) -> None:
    check(Badge(**GOOD | change))


@pytest.mark.parametrize(
    ("field", "wrong"),
    [
        *((field, wrong) for field in ("title", "value") for wrong in ("", None, 5, True, ["a"], {"en": ""})),
        *((field, wrong) for field in ("title", "value") for wrong in ({"en": 5}, {5: "a"}, {"": "a"})),
        *((field, wrong) for field in ("title", "value") for wrong in ("x" * 3999, "ю" * 667, "\ud800")),
        ("title", {"en": "x" * 4000}),
        ("title", {"en": "\ud800"}),
        *(("type", wrong) for wrong in ("", "Primary", "pink", None, 5, ["primary"])),
        *(("code", wrong) for wrong in ("", None, 7, ["a"], "x" * 31, "\ud800")),
    ],
)
def test_what_a_portal_would_refuse_is_named_by_field(field: str, wrong: Any) -> None:
    with pytest.raises(InvalidInput) as caught:
        check(Badge(**GOOD | {field: wrong}))
    assert caught.value.field == field
    assert isinstance(caught.value, ValueError)


def test_all_problems_are_found_in_the_order_of_the_portal() -> None:
    wrong = Badge("", "", {"en": ""}, "pink")
    assert [problem.field for problem in problems(wrong)] == ["title", "value", "type", "code"]


def test_a_new_code_over_30_characters_is_refused_with_the_limit() -> None:
    with pytest.raises(InvalidInput, match=r"31 characters.* at most 30 .*shorter"):
        check(Badge(**GOOD | {"code": "x" * 31}))


def test_an_older_portal_can_be_asked_to_take_a_long_code_back() -> None:
    assert not [*problems(Badge(**GOOD | {"code": "x" * 255}), code_limit=255)]


def test_a_missing_badge_may_be_asked_for_by_a_long_code() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_code("x" * 300)


def test_what_add_would_refuse_is_not_restorable() -> None:
    assert not_restorable(Badge(**GOOD)) == not_restorable(None) == ""
    odd = Badge(**GOOD | {"title": 123})
    assert not_restorable(odd).startswith("not restorable: The title")
    with pytest.warns(NotRestorable, match="'vip'"):
        warn_if_not_restorable([Badge("fine", "t", "v", "primary"), odd])
    warn_if_not_restorable([Badge(**GOOD)])
