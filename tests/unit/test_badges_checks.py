"""What can be known before sending, by field; limits as in the vendor's tables and server code."""

from typing import Any

import pytest

from b24nb.badges.badge import Badge
from b24nb.badges.changes import problems
from b24nb.errors import InvalidInput
from b24nb.spec import BadgeType

GOOD: dict[str, Any] = {"code": "vip", "title": "Client", "value": "VIP", "type": "primary"}


@pytest.mark.parametrize(
    "change",
    [
        {},
        # A portal takes an empty map, and shows nothing; two quotes are stored with the long text.
        *({"title": title} for title in ({"en": "Client", "de": "Kunde"}, {}, "x" * 3998)),
        *({"code": code} for code in (" ", "ю" * 30)),
        *({"type": type_} for type_ in BadgeType),
    ],
)
def test_what_a_portal_takes_is_taken(change: dict[str, Any]) -> None:
    assert [*problems(Badge(**GOOD | change))] == []


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
    problem, *_ = problems(Badge(**GOOD | {field: wrong}))
    assert isinstance(problem, InvalidInput)
    assert problem.field == field
    assert isinstance(problem, ValueError)
