"""Answers that are no answers to the badge methods; a portal that works never gives them."""

from __future__ import annotations

from typing import Any

import pytest

import b24nb
from b24nb import errors
from b24nb.badges import evidence
from b24nb.badges.activities import find_holders
from b24nb.badges.badge import Badge, Badges
from b24nb.rest.calls import Call
from b24nb.rest.connection import Response
from tests.fakes import FakeClock

ROW = {"code": "a", "title": "t", "value": "v", "type": "primary"}


class Portal:
    """Stands for a connection whose portal always gives the same answer."""

    clock = FakeClock()
    credentials = b24nb.Webhook.parse("https://example.bitrix24.com/rest/1/abcdef0123456789/")

    def __init__(self, result: Any, total: int | None = None) -> None:
        self.envelope = {"result": result} | ({} if total is None else {"total": total})

    def call(self, method: str, params: Any = None) -> Response:
        return Response.of(self.envelope, Call(0.0, "http", method, "", {}))

    def batch(self, commands: Any) -> dict[str, Response]:
        return {}


@pytest.mark.parametrize(("rows", "total"), [([], 0), ([ROW], 1), ([ROW], None)])
def test_a_list_may_come_without_its_total(rows: Any, total: int | None) -> None:
    assert evidence.list_badges(Portal({"badges": rows}, total)) == Badges(map(Badge.from_wire, rows))


@pytest.mark.parametrize("total", [0, 2, 50])
def test_a_list_that_is_not_complete_is_refused(total: int) -> None:
    with pytest.raises(errors.BadResponse, match=f"counts {total} badges and sent 1"):
        evidence.list_badges(Portal({"badges": [ROW]}, total))


@pytest.mark.parametrize("result", [None, True, [], {}, {"badges": None}, {"badges": {}}, {"badges": [None]}])
def test_what_is_no_list_of_badges_is_refused(result: Any) -> None:
    with pytest.raises(errors.BadResponse):
        evidence.list_badges(Portal(result))


@pytest.mark.parametrize("result", [None, True, [], {}, {"badge": None}, {"badge": []}, {"badge": "a"}])
def test_what_is_no_badge_is_refused(result: Any) -> None:
    with pytest.raises(errors.BadResponse):
        evidence.get_badge(Portal(result), "a")


@pytest.mark.parametrize("result", [None, True, {}, "x"])
def test_what_is_no_list_of_activities_is_refused(result: Any) -> None:
    with pytest.raises(errors.BadResponse):
        find_holders(Portal(result), {"a"})


@pytest.mark.parametrize("params", [[], None, {"badgeCode": ["a"]}, {"badgeCode": None}, {}])
def test_activities_that_name_no_badge_hold_none(params: Any) -> None:
    assert find_holders(Portal([{"ID": "1", "PROVIDER_PARAMS": params}, {"ID": "2"}]), {"a"}) == []


def test_a_holder_without_details_is_still_named() -> None:
    (row,) = find_holders(Portal([{"ID": "1", "PROVIDER_PARAMS": {"badgeCode": "a"}}]), {"a"})
    assert (row["activity_id"], row["certainty"]) == ("1", "likely")
