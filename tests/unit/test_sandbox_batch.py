"""References between the commands of a batch.

Vendor page: https://apidocs.bitrix24.com/settings/how-to-call-rest-api/batch.html; how far a reference
reaches was read in the vendor's server code.
"""

from __future__ import annotations

from typing import Any

import pytest

from b24nb.sandbox.batch_method import resolve

RESULTS: dict[str, Any] = {
    "result": {
        "badge": {"badge": {"code": "vip", "title": {"en": "Client"}}},
        "list": {"badges": [{"code": "first"}, {"code": "second"}]},
        "number": 5,
        "yes": True,
        0: "zero",
    },
    "error": {"bad": {"error": "NOT_FOUND"}},
    "total": {"list": 2},
    "next": {},
    "time": {"number": {"duration": 0.5}},
}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("$result[badge][badge][code]", "vip"),
        ("$result[list][badges][1][code]", "second"),
        ("$result[0]", "zero"),
        ("$total[list]", 2),
        ("$error[bad][error]", "NOT_FOUND"),
        ("$time[number][duration]", 0.5),
        # alone, it keeps its type
        ("$result[number]", 5),
        ("$result[yes]", True),
        ("$result[badge][badge][title]", {"en": "Client"}),
        # inside a text: numbers and texts only
        ("no $result[number] of $total[list] !", "no 5 of 2 !"),
        ("is $result[yes]", "is $result[yes]"),
        ("is $result[badge]", "is $result[badge]"),
        # what is glued behind the last bracket goes
        ("$result[badge][badge][code]-copy", "vip"),
        ("a $result[badge][badge][code]-copy b", "a vip b"),
        # the deepest level that was found
        ("$result[badge][nothing][code]", {"badge": {"code": "vip", "title": {"en": "Client"}}}),
        ("$next[list]", {}),
        ("$result[number][deeper]", 5),
        # no reference
        ("$result", "$result"),
        ("$result[]", "$result[]"),
        ("$other[number]", "$other[number]"),
        ("5 $", "5 $"),
        # inside arrays
        ({"en": "$result[number]", "de": "x"}, {"en": 5, "de": "x"}),
        (["$result[yes]"], [True]),
        (7, 7),
    ],
)
def test_references(value: Any, expected: Any) -> None:
    found = resolve(value, RESULTS)
    assert found == expected
    assert type(found) is type(expected)
