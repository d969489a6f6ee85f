"""When a badge counts as used: the attachment rows that open configurable activities keep.

Read in the vendor's server code, but for the fields of the methods:
https://apidocs.bitrix24.com/api-reference/crm/timeline/activities/configurable/index.html
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests

from b24nb.sandbox import SandboxPortal
from tests.contract.rest import code_of, rest
from tests.fakes import FakeClock

DAY = 24 * 3600
LAYOUT: dict[str, Any] = {"icon": {"code": "info"}, "header": {"title": "Call"}, "body": {"blocks": {}}}
BADGES = [
    {"code": "vip", "title": "Client", "value": "VIP", "type": "primary"},
    {"code": "other", "title": "Other", "value": "Other", "type": "success"},
    {"code": "c" * 36, "title": "Long", "value": "Long", "type": "success"},
]
LONG = BADGES[2]["code"]


@pytest.fixture
def held(clock: FakeClock) -> Iterator[Held]:
    with SandboxPortal(badges=BADGES, clock=clock, code_limit=255) as portal:
        yield Held(portal, clock)


class Held:
    """A portal whose deal 1 has one activity with the badge ``vip``."""

    def __init__(self, portal: SandboxPortal, clock: FakeClock) -> None:
        self.portal = portal
        self.clock = clock
        self.id = self.add(badgeCode="vip").json()["result"]["activity"]["id"]

    def application(self, method: str, **params: Any) -> requests.Response:
        token = self.portal.issue_token()["access_token"]
        headers = {"Authorization": f"Bearer {token}"}
        return rest(self.portal.url + "/rest/", f"crm.activity.configurable.{method}", params, headers=headers)

    def add(self, **fields: Any) -> requests.Response:
        return self.application("add", ownerTypeId=2, ownerId=1, fields=fields, layout=LAYOUT)

    def update(self, **fields: Any) -> requests.Response:
        return self.application("update", id=self.id, fields=fields)

    def webhook(self, method: str, **params: Any) -> requests.Response:
        return rest(self.portal.webhook, method, params)

    def stage(self, stage: str) -> requests.Response:
        return self.webhook("crm.deal.update", id=1, fields={"STAGE_ID": stage})

    def in_use(self, code: str = "vip") -> bool:
        """Whether the portal refuses to delete a badge; one that it does delete comes back."""
        answer = self.webhook("crm.activity.badge.delete", code=code)
        if answer.ok:
            badge = next(badge for badge in BADGES if badge["code"] == code)
            assert self.webhook("crm.activity.badge.add", **badge).ok
            return False
        assert answer.json()["error"] == "ENTITY_WITH_BADGE_EXISTS"
        return True


RELEASES: dict[str, Callable[[Held], Any]] = {
    "the activity is completed": lambda held: held.update(completed="Y"),
    "its badge is taken off": lambda held: held.update(badgeCode=""),
    "it gets another badge": lambda held: held.update(badgeCode="other"),
    "it is deleted by a webhook": lambda held: held.webhook("crm.activity.delete", id=held.id),
    "the deal is won": lambda held: held.stage("WON"),
    "the deal is lost": lambda held: held.stage("LOSE"),
    "the deal is deleted": lambda held: held.webhook("crm.deal.delete", id=1),
    "thirty days have passed": lambda held: held.clock.advance(30 * DAY + 1),
}


@pytest.mark.parametrize("release", RELEASES)
def test_a_badge_is_free_when(held: Held, release: str) -> None:
    assert held.in_use()
    RELEASES[release](held)
    assert not held.in_use()


KEEPS: dict[str, Callable[[Held], Any]] = {
    "the deal moves on": lambda held: held.stage("EXECUTING"),
    "something else of the activity changes": lambda held: held.update(responsibleId=7),
    "twenty-nine days have passed": lambda held: held.clock.advance(29 * DAY),
}


@pytest.mark.parametrize("keep", KEEPS)
def test_a_badge_is_still_held_when(held: Held, keep: str) -> None:
    KEEPS[keep](held)
    assert held.in_use()


AGAIN: dict[str, list[Callable[[Held], Any]]] = {
    "a completed activity is opened again": [
        lambda held: held.update(completed="Y"),
        lambda held: held.update(completed="N"),
    ],
    "an activity whose row aged out is touched": [
        lambda held: held.clock.advance(31 * DAY),
        lambda held: held.update(originId="x"),
    ],
}


@pytest.mark.parametrize("again", AGAIN)
def test_a_badge_is_held_again_when(held: Held, again: str) -> None:
    let_go, attach = AGAIN[again]
    let_go(held)
    assert not held.in_use()
    assert attach(held).ok
    assert held.in_use()


def test_an_untouched_row_keeps_its_age(held: Held) -> None:
    held.clock.advance(20 * DAY)
    held.update(originId="x")
    held.clock.advance(11 * DAY)
    assert not held.in_use()


def test_the_code_stays_in_the_activity_after_completion(held: Held) -> None:
    held.update(completed="Y")
    select = {"filter": {"ID": held.id}, "select": ["ID", "PROVIDER_PARAMS"]}
    (record,) = held.webhook("crm.activity.list", **select).json()["result"]
    assert record["PROVIDER_PARAMS"]["badgeCode"] == "vip"
    fields = held.application("get", id=held.id).json()["result"]["activity"]["fields"]
    assert (fields["badgeCode"], fields["completed"]) == ("vip", True)


def test_a_code_over_30_characters_is_never_seen_as_used_and_spoils_its_activity(held: Held) -> None:
    held.id = held.add(badgeCode=LONG).json()["result"]["activity"]["id"]
    assert not held.in_use(LONG)
    answer = held.update(originId="x")
    assert code_of(answer) == (400, "100")
    text = answer.json()["error_description"]
    assert text == f"Unknown badge value: {'c' * 30} for type: rest_app_status"


def test_a_code_in_another_spelling_passes_the_check_and_fails_to_attach(held: Held) -> None:
    answer = held.add(badgeCode="VIP")
    assert code_of(answer) == (400, "100")
    assert answer.json()["error_description"] == "Unknown badge value: VIP for type: rest_app_status"


def test_a_deleted_badge_has_no_effect_any_more(held: Held) -> None:
    held.clock.advance(31 * DAY)
    assert held.webhook("crm.activity.badge.delete", code="vip").ok
    assert held.update(originId="x").ok
    assert code_of(held.add(badgeCode="vip")) == (400, "WRONG_FIELD_VALUE")


def test_an_activity_belongs_to_the_application_that_made_it(held: Held) -> None:
    other = held.portal.attach("vip", deal=2, client_id="local.other")
    assert held.application("get", id=other).ok
    assert code_of(held.application("update", id=other)) == (400, "ERROR_WRONG_APPLICATION")
    by_webhook = held.webhook("crm.activity.configurable.update", id=other)
    assert code_of(by_webhook) == (400, "ERROR_WRONG_CONTEXT")


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"completed": "maybe"}, "WRONG_FIELD_VALUE"),
        ({"completed": []}, "WRONG_FIELD_VALUE"),
        ({"isIncomingChannel": 2}, "WRONG_FIELD_VALUE"),
        (
            {"isIncomingChannel": "Y", "deadline": "2026-01-01T00:00:00+03:00"},
            "INCOMING_ACTIVITY_CAN_NOT_BE_WITH_DEADLINE",
        ),
        ({"pingOffsets": "5"}, "WRONG_FIELD_VALUE"),
        ({"pingOffsets": ["x"]}, "WRONG_FIELD_VALUE"),
        ({"responsibleId": 999}, "WRONG_FIELD_VALUE"),
        ({"badgeCode": "nothing"}, "WRONG_FIELD_VALUE"),
        ({"typeId": "OTHER"}, "WRONG_FIELD_VALUE"),
        ({"deadline": "tomorrow"}, "WRONG_DATETIME_FORMAT"),
    ],
)
def test_fields_are_checked(held: Held, fields: dict[str, Any], code: str) -> None:
    assert code_of(held.update(**fields)) == (400, code)
    assert code_of(held.add(**fields)) == (400, code)


@pytest.mark.parametrize("yes", ["Y", "y", 1, "1", True, "true"])
def test_booleans_come_in_many_spellings(held: Held, yes: Any) -> None:
    assert held.update(completed=yes).ok
    assert held.application("get", id=held.id).json()["result"]["activity"]["fields"]["completed"] is True


@pytest.mark.parametrize(
    ("layout", "code"),
    [
        ({}, "ERROR_EMPTY_LAYOUT"),
        ({"icon": {}, "header": {}}, "FIELD_IS_REQUIRED"),
        ({**LAYOUT, "body": "text"}, "FIELD_IS_REQUIRED"),
        ({**LAYOUT, "sidebar": {}}, "FIELD_IS_REDUNDANT"),
    ],
)
def test_layouts_are_checked_at_the_top(held: Held, layout: dict[str, Any], code: str) -> None:
    answer = held.application("add", ownerTypeId=2, ownerId=1, fields={}, layout=layout)
    assert code_of(answer) == (400, code)


def test_a_layout_comes_back_as_it_was(held: Held) -> None:
    layout = {**LAYOUT, "footer": {"buttons": {"ok": {"title": "Fertig <ü>"}}}}
    added = held.application("add", ownerTypeId=2, ownerId=1, fields={}, layout=layout)
    activity = held.application("get", id=added.json()["result"]["activity"]["id"]).json()["result"]["activity"]
    assert activity["layout"] == {**layout, "body": {"blocks": []}}


def test_an_owner_that_is_not_there_is_refused(held: Held) -> None:
    for owner in ({"ownerTypeId": 2, "ownerId": 99}, {"ownerTypeId": 1, "ownerId": 1}):
        assert code_of(held.application("add", **owner, fields={}, layout=LAYOUT)) == (400, "ACCESS_DENIED")


def test_an_employee_reads_and_deletes_his_own_activities_only(held: Held) -> None:
    held.portal.attach("vip", deal=1)  # the deal is the employee's
    employee = held.portal.webhooks["employee"]
    seen = rest(employee, "crm.activity.list").json()
    assert seen["total"] == 1
    assert code_of(rest(employee, "crm.activity.delete", {"id": held.id})) == (400, "")
    assert rest(employee, "crm.activity.delete", {"id": seen["result"][0]["ID"]}).json()["result"] is True


def test_activities_page_by_fifty(held: Held) -> None:
    for _ in range(59):
        held.portal.attach("other", deal=2)
    first = held.webhook("crm.activity.list", order={"ID": "DESC"}).json()
    assert (len(first["result"]), first["next"], first["total"]) == (50, 50, 60)
    second = held.webhook("crm.activity.list", order={"ID": "DESC"}, start=first["next"]).json()
    assert (len(second["result"]), "next" in second) == (10, False)
    assert second["result"][-1]["ID"] == str(held.id)
    uncounted = held.webhook("crm.activity.list", start=-1).json()
    assert (len(uncounted["result"]), "total" in uncounted, "next" in uncounted) == (50, False, False)


@pytest.mark.parametrize(
    ("filter_", "count"),
    [
        ({"COMPLETED": "N"}, 2),
        ({"=COMPLETED": "Y"}, 0),
        ({"PROVIDER_ID": "CONFIGURABLE_REST_APP", "OWNER_ID": 2}, 1),
        ({"@OWNER_ID": [1, 2]}, 2),
        ({"OWNER_ID": ["2"]}, 1),
        ({"!@OWNER_ID": [2]}, 1),
        ({"!OWNER_ID": 2}, 1),
        ({">ID": 1}, 1),
        ({"<=ID": 1}, 1),
        ({"%SUBJECT": "BADGE OTHER"}, 1),
        ({"NO_SUCH_FIELD": 1}, 2),
        ({"ID": {"nested": ["x"]}}, 0),
    ],
)
def test_filters_of_lists(held: Held, filter_: dict[str, Any], count: int) -> None:
    held.portal.attach("other", deal=2)
    assert held.webhook("crm.activity.list", filter=filter_).json()["total"] == count


def test_deals_can_be_made_moved_and_listed(held: Held) -> None:
    made = held.webhook("crm.deal.add", fields={"TITLE": "New", "OPPORTUNITY": "12.50abc"}).json()["result"]
    deal = held.webhook("crm.deal.get", id=made).json()["result"]
    assert (deal["STAGE_ID"], deal["OPPORTUNITY"], deal["ASSIGNED_BY_ID"]) == ("NEW", "12.5", "1")
    assert code_of(held.webhook("crm.deal.update", id=made, fields={"STAGE_ID": "NOWHERE"})) == (400, "")
    assert code_of(held.webhook("crm.deal.get", id=999)) == (400, "")
    listed = held.webhook("crm.deal.list", select=["ID"], filter={"STAGE_ID": "NEW"}).json()
    assert listed["result"] == [{"ID": "1"}, {"ID": str(made)}]


def test_plain_activities_know_nothing_of_badges(held: Held) -> None:
    fields = {"SUBJECT": "Call back", "OWNER_ID": 1, "RESPONSIBLE_ID": 7}
    made = held.webhook("crm.activity.add", fields=fields).json()["result"]
    assert held.webhook("crm.activity.update", id=made, fields={"COMPLETED": "Y"}).json()["result"] is True
    record = held.webhook("crm.activity.get", id=made).json()["result"]
    assert (record["SUBJECT"], record["COMPLETED"], record["PROVIDER_ID"]) == ("Call back", "Y", "CRM_TODO")
    for method, params in (
        ("get", {"id": held.id}),
        ("update", {"id": held.id, "fields": {}}),
        ("add", {"fields": {"PROVIDER_ID": "CONFIGURABLE_REST_APP"}}),
    ):
        text = held.webhook(f"crm.activity.{method}", **params).json()["error_description"]
        assert text == f"Use crm.activity.configurable.{method} for this activity provider"


def test_a_badge_is_held_while_any_activity_holds_it(held: Held) -> None:
    held.portal.attach("vip", deal=1)
    held.webhook("crm.activity.delete", id=held.id)
    assert held.in_use()
