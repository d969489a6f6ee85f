"""When a badge counts as used: the attachment rows that open configurable activities keep.

Read in the vendor's server code, but for the fields of the methods:
https://apidocs.bitrix24.com/api-reference/crm/timeline/activities/configurable/index.html
"""

from __future__ import annotations

from collections.abc import Iterator
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
]


@pytest.fixture
def held(clock: FakeClock) -> Iterator[Held]:
    with SandboxPortal(badges=BADGES, clock=clock) as portal:
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

    def in_use(self, code: str = "vip") -> bool:
        """Whether the portal refuses to delete a badge; one that it does delete comes back."""
        answer = self.webhook("crm.activity.badge.delete", code=code)
        if answer.ok:
            badge = next(badge for badge in BADGES if badge["code"] == code)
            assert self.webhook("crm.activity.badge.add", **badge).ok
            return False
        assert answer.json()["error"] == "ENTITY_WITH_BADGE_EXISTS"
        return True


def test_an_untouched_row_keeps_its_age(held: Held) -> None:
    held.clock.advance(20 * DAY)
    held.update(originId="x")
    held.clock.advance(11 * DAY)
    assert not held.in_use()


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
        ({"completed": []}, "WRONG_FIELD_VALUE"),
        ({"isIncomingChannel": 2}, "WRONG_FIELD_VALUE"),
        ({"pingOffsets": "5"}, "WRONG_FIELD_VALUE"),
        ({"deadline": "tomorrow"}, "WRONG_DATETIME_FORMAT"),
    ],
)
def test_fields_of_an_update_are_checked(held: Held, fields: dict[str, Any], code: str) -> None:
    assert code_of(held.update(**fields)) == (400, code)


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


def test_plain_activities_are_made_and_completed(held: Held) -> None:
    fields = {"SUBJECT": "Call back", "OWNER_ID": 1, "RESPONSIBLE_ID": 7}
    made = held.webhook("crm.activity.add", fields=fields).json()["result"]
    assert held.webhook("crm.activity.update", id=made, fields={"COMPLETED": "Y"}).json()["result"] is True
    record = held.webhook("crm.activity.get", id=made).json()["result"]
    assert (record["SUBJECT"], record["COMPLETED"], record["PROVIDER_ID"]) == ("Call back", "Y", "CRM_TODO")
