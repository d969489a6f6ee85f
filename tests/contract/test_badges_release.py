"""Badges are released from the activities that hold them: by a webhook, and by the application that made them."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from b24nb import Badge, Client, OAuthToken, SandboxPortal, connect, errors
from b24nb.badges.activities import Activity, ActivityStep, add_titles, find_holders
from b24nb.badges.changes import Outcome, Verdict
from b24nb.badges.journal_store import ChangeSet
from b24nb.rest.calls import Call
from b24nb.rest.response import Response
from tests.fakes import FakeClock, applier_of, leave_unfinished
from tests.servers import TOO_MANY, Envelope, answering, through

HELD = "waitingPayment"  # by the activities 2 and 3, of the deals 3 and 4
DELETE, UPDATE = "crm.activity.delete", "crm.activity.configurable.update"
WRITES = {DELETE, UPDATE}


@pytest.fixture
def app(portal: SandboxPortal) -> Iterator[Client]:
    """The application that made the activities of the sandbox."""
    with connect(token_of(portal)) as client:
        yield client


def token_of(portal: SandboxPortal, **changed: str) -> OAuthToken:
    return OAuthToken(**{**portal.issue_token(), **changed})


def sent(portal: SandboxPortal) -> int:
    """How many commands that change activities have reached the portal."""
    asked = [item for one in portal.requests for item in (one.commands or {one.method: 1}).items()]
    return sum(times for name, times in asked if name in WRITES)


def numbers(b24: Client, code: str = HELD) -> list[str]:
    return list(b24.badges.holders(code)["activity_id"])


def test_badges_and_rows_of_holders_are_released_as_well_as_codes(b24: Client) -> None:
    badges, holders = b24.badges.list(), b24.badges.holders(HELD)
    held = {row.code for row in badges if numbers(b24, row.code)}
    assert {step.code for step in b24.badges.release(badges).steps} == held
    assert {step.code for step in b24.badges.release(badges[HELD]).steps} == {HELD}
    some = holders[holders["owner_id"] == "4"]
    for rows in (some, some.set_index("activity_id"), some.set_index(["code", "activity_id"])):
        assert [step.before.id for step in b24.badges.release(rows).steps] == [3], "only those of the given rows"


# -- who holds it -----------------------------------------------------------------------------------------


def activity(owner: str, number: Any, **more: Any) -> dict[str, Any]:
    return {"ID": "7", "OWNER_TYPE_ID": owner, "OWNER_ID": number, "PROVIDER_PARAMS": {"badgeCode": "vip"}, **more}


def test_leads_contacts_and_companies_have_their_names_and_links_too() -> None:
    rows = [activity("1", "5"), activity("3", "6"), activity("4", "7"), activity("174", "8"), activity("2", "../x")]
    rows = [{**row, "ID": str(place)} for place, row in enumerate(rows, start=1)]
    result = {
        "k0": [{"ID": 6, "NAME": "Ada", "LAST_NAME": "Lane"}],
        "k1": [{"ID": "5", "TITLE": "A lead"}, "odd", {"ID": None}],
        "k2": [],
    }
    refused = {"k3": {"error": "insufficient_scope", "error_description": ""}}
    batch = {"result": {"result": result, "result_error": refused, "result_total": [], "result_next": []}}
    with answering({"result": rows, "total": 5}, batch) as (connection, _):
        found = add_titles(connection, find_holders(connection, {"vip"}))
        origin = connection.credentials.origin
    assert [row["title"] for row in found] == ["A lead", "Ada Lane", "", "", ""]
    links = [f"{origin}/crm/{place}/" for place in ("lead/details/5", "contact/details/6", "company/details/7")]
    assert [row["link"] for row in found] == [*links, "", ""]


def test_holders_are_named_although_no_title_can_be_read(portal: SandboxPortal, b24: Client) -> None:
    portal.faults.next("ACCESS_DENIED", method="batch")
    assert list(b24.badges.holders(HELD)["title"]) == ["", ""]


def test_an_empty_code_of_the_portal_is_no_missing_error(portal: SandboxPortal, b24: Client) -> None:
    plan = b24.badges.release("onHold")
    portal.faults.next("", method="crm.activity.delete", description="Access denied.")
    report = plan.apply(confirm=1, progress=False)
    assert list(report.df["error"]) == list(b24.journal.df["error"]) == [type(report[0].error).__name__]


# -- by a webhook -----------------------------------------------------------------------------------------


def test_a_webhook_deletes_activities_for_good_once_confirmed(portal: SandboxPortal, b24: Client) -> None:
    plan = b24.badges.release(HELD)
    assert "None of the activities that name it is chosen." in repr(plan.only([]))
    assert list(plan.df["action"]) == ["delete activity"] * 2
    for says in ("can't be undone", "close it in the portal", ".apply(confirm=2)"):
        assert says in repr(plan)
    for wrong in (None, 1, 3, True):
        with pytest.raises(errors.InvalidInput, match="deletes 2 activities") as caught:
            plan.apply(confirm=wrong, progress=False)
        assert "confirm=2" in caught.value.hint
    assert sent(portal) == 0

    report = plan.apply(confirm=2, progress=False)
    assert report.ok
    assert b24.badges.release(HELD).apply(confirm=2, progress=False) == (), "the same cell once more"
    assert list(report.df["verdict"]) == ["released", "released"]
    assert list(report.df["detail"]) == ["activity 2 of deal 3", "activity 3 of deal 4"]
    assert b24.badges.delete(HELD).code == HELD
    rows = b24.journal.df
    assert list(rows["kind"]) == ["release", "release", "delete"]
    assert [json.loads(row)["id"] for row in rows["before"][:2]] == [2, 3]
    undo = b24.journal.plan_undo(2)
    assert [step.code for step in undo.steps] == [HELD]
    assert "2 deleted activities can't be restored." in repr(undo)
    assert undo.apply(progress=False).ok
    assert b24.badges.holders(HELD).empty


@pytest.mark.parametrize("some", [3, "3", [3], ["3"], (3, 3), np.int64(3), "a column"])
def test_one_by_one(b24: Client, some: Any) -> None:
    some = b24.badges.holders(HELD)["activity_id"][1:] if some == "a column" else some
    assert b24.badges.release(HELD, activities=some).apply(confirm=1, progress=False).ok
    assert numbers(b24) == ["2"]


@pytest.mark.parametrize(
    ("given", "field"),
    [
        *(({"activities": wrong}, "activities") for wrong in ([3, 99], 5, "x' OR 1")),  # 5 holds another badge
        *(({"how": wrong}, "how") for wrong in ("burn", "clear")),
    ],
)
def test_a_wrong_release_is_not_sent(portal: SandboxPortal, b24: Client, given: dict[str, Any], field: str) -> None:
    with pytest.raises(errors.InvalidInput) as caught:
        b24.badges.release(HELD, **given)
    assert caught.value.field == field
    assert sent(portal) == 0


def test_several_badges_at_once(b24: Client) -> None:
    b24.call("crm.deal.update", {"id": 5, "fields": {"TITLE": "<img src=x>"}})
    plan = b24.badges.release([HELD, "onHold", "missedCall"])
    assert "&lt;img" in plan._repr_html_()
    assert "<img" not in plan._repr_html_()
    assert list(plan.df["code"]) == [HELD, HELD, "onHold"]
    assert plan.only(["5"]).apply(confirm=1, progress=False).ok
    assert (len(numbers(b24)), numbers(b24, "onHold")) == (2, [])
    assert plan.only([]).apply(progress=False).ok


def test_hundreds_go_in_requests_of_fifty_and_can_be_cancelled(portal: SandboxPortal, b24: Client) -> None:
    for number in range(120):
        portal.attach("birthday", deal=number % 6 + 1)
    plan = b24.badges.release("birthday")
    asked = iter([False, True])
    report = plan.apply(confirm=120, progress=False, cancel=lambda: next(asked, True))
    assert report.counts == {"not sent": 120 - sent(portal), "released": sent(portal)}
    assert 0 < sent(portal) < 120
    plan = b24.badges.release("birthday")
    assert plan.apply(confirm=len(plan), parallel=2, progress=False).ok
    assert b24.badges.holders("birthday").empty


# -- by the application -----------------------------------------------------------------------------------


def test_the_application_clears_and_undo_brings_badge_and_holders_back(portal: SandboxPortal, app: Client) -> None:
    plan = app.badges.release(HELD)
    assert list(plan.df["action"]) == ["clear badgeCode"] * 2
    assert "close it in the portal" not in repr(plan), "no activity is lost"
    with pytest.raises(errors.InvalidInput, match=r"Leave confirm out\."):
        plan.apply(confirm=2)
    assert "plan_undo() sets it again" in repr(plan)
    assert plan.apply(progress=False).ok
    badge = app.badges.delete(HELD)
    undo = app.journal.plan_undo(2)
    assert [step.action.value for step in undo.steps] == ["add", "set badgeCode", "set badgeCode"]
    report = undo.apply(progress=False)
    assert report.counts == {"added": 1, "held again": 2}
    assert app.badges.get(HELD) == badge
    assert numbers(app) == ["2", "3"]

    again = app.journal.plan_undo()
    assert [step.action.value for step in again.steps] == ["clear badgeCode", "clear badgeCode", "delete"]
    assert again.apply(progress=False).ok
    assert HELD not in app.badges.list()


def test_no_activity_names_a_badge_before_it_is_back_in_any_thread(portal: SandboxPortal, app: Client) -> None:
    for number in range(60):  # more than one request holds
        portal.attach("birthday", deal=number % 6 + 1)
    assert app.badges.release("birthday").apply(progress=False).ok
    app.badges.delete("birthday")
    undo = app.journal.plan_undo(2)
    portal.faults.next("reset", method="batch", effect_after=0.5)
    assert undo.apply(parallel=4, progress=False).counts == {"added": 1, "held again": 60}


def test_the_application_deletes_where_that_is_wanted_and_what_another_made(portal: SandboxPortal, app: Client) -> None:
    assert set(app.badges.release(HELD, how="delete").df["action"]) == {"delete activity"}
    other = portal.attach(HELD, client_id="local.another")
    plan = app.badges.release(HELD)
    assert list(plan.df["action"]) == ["clear badgeCode", "clear badgeCode", "delete activity"]
    assert ".apply(confirm=1)" in repr(plan)
    with pytest.raises(errors.InvalidInput, match=str(other)):
        app.badges.release(HELD, how="clear")
    assert plan.apply(confirm=1, progress=False).ok


def test_a_token_that_does_not_say_whose_it_is_tries_to_clear_and_reports_the_refusal(portal: SandboxPortal) -> None:
    portal.attach("birthday", client_id="local.another")
    with connect(token_of(portal, client_id="", client_secret="", refresh_token="")) as unnamed:
        report = unnamed.badges.release("birthday").apply(progress=False)
        assert list(report.df[["verdict", "error"]].iloc[0]) == ["failed", "ERROR_WRONG_APPLICATION"]
        assert unnamed.badges.release(HELD).apply(progress=False).ok


# -- what changed meanwhile, and answers that tell nothing ---------------------------------------------------

#: What somebody does to an activity between two of our requests, and what is said of it.
MEANWHILE: list[tuple[str, dict[str, Any], str, str]] = [
    (UPDATE, {"fields": {"badgeCode": "paid"}}, "changed", "left alone: it names paid now"),
    (UPDATE, {"fields": {"badgeCode": ""}}, "changed", "left alone: it names no badge now"),
    (UPDATE, {"fields": {"completed": "Y"}}, "changed", "left alone: it was closed"),
    (DELETE, {}, "already gone", "it is not there any more"),
]


def test_activities_changed_between_requests_are_left_alone(portal: SandboxPortal, b24: Client, app: Client) -> None:
    ids = [portal.attach("birthday", deal=1 + number % 6) for number in range(60)]
    theirs = ids[-len(MEANWHILE) :]
    requests = iter([{ids[0]: MEANWHILE[0]}, dict(zip(theirs, MEANWHILE, strict=True))])

    def before_each_request() -> bool:
        for id_, (method, change, *_) in next(requests, {}).items():
            app.call(method, {"id": id_, **change})
        return False

    report = b24.badges.release("birthday").apply(confirm=60, progress=False, cancel=before_each_request)
    assert report.counts == {"changed": 4, "already gone": 1, "released": 55}
    told = [(str(one.verdict), one.why.partition(": ")[2]) for one in (report[0], *report[-len(theirs) :])]
    assert told == [(verdict, why) for *_, verdict, why in (MEANWHILE[0], *MEANWHILE)]
    rows = b24.call("crm.activity.list", {"filter": {"@ID": ids}, "select": ["ID"]}).result
    assert [row["ID"] for row in rows] == [str(id_) for id_ in (ids[0], *theirs[:-1])]


def test_what_changes_during_a_wait_is_left_alone(portal: SandboxPortal, app: Client, clock: FakeClock) -> None:
    def answer(method: str, pass_on: Callable[[], Envelope]) -> Envelope:
        if closed and method == "batch":
            app.call(UPDATE, {"id": closed.pop(), "fields": {"completed": "Y"}})
            return TOO_MANY
        return pass_on()

    closed: list[int] = []
    with through(portal, answer, clock=clock) as b24:
        plan = b24.badges.release(HELD)
        closed.append(2)
        assert plan.apply(confirm=2, progress=False).counts == {"changed": 1, "released": 1}


def test_what_was_released_already_takes_no_request_each(portal: SandboxPortal, b24: Client) -> None:
    for deal in range(40):
        portal.attach("birthday", deal=1 + deal % 6)
    plan = b24.badges.release("birthday")
    assert plan.apply(confirm=40, progress=False).counts == {"released": 40}
    before = len(portal.requests)
    assert plan.apply(confirm=40, progress=False).counts == {"already gone": 40}
    assert len(portal.requests) - before <= 4
    assert len(b24.journal.df) == 40


def test_an_activity_that_is_deleted_before_it_is_cleared_holds_nothing_any_more(app: Client) -> None:
    plan = app.badges.release(HELD)
    app.call(DELETE, {"id": 2})
    assert plan.apply(progress=False).counts == {"already gone": 1, "released": 1}


def test_an_activity_that_may_not_be_read_any_more_is_not_called_gone(portal: SandboxPortal, app: Client) -> None:
    with connect(portal.webhooks["employee"]) as employee:
        plan = employee.badges.release("onHold")
        app.call(UPDATE, {"id": plan.steps[0].before.id, "fields": {"responsibleId": 1}})
        for fault in (None, "reset"):
            if fault:
                portal.faults.next(fault, method="batch")
            report = plan.apply(confirm=1, progress=False)
            assert report.counts == {"changed": 1}
            assert report.df["detail"][0].endswith("left alone: it names what this user may not read now")
        portal.faults.next("INTERNAL_SERVER_ERROR", method="crm.activity.get")
        with pytest.raises(errors.ApiError, match="INTERNAL_SERVER_ERROR"):
            plan.apply(confirm=1, progress=False)


@pytest.mark.parametrize(
    ("error", "verdicts"), [("NOT_FOUND", ["already gone", "released"]), ("ACCESS_DENIED", ["failed", "not sent"])]
)
def test_the_answer_to_a_release_is_told(portal: SandboxPortal, b24: Client, error: str, verdicts: list[str]) -> None:
    plan = b24.badges.release(HELD)
    portal.faults.next(error, method=DELETE)
    assert list(plan.apply(confirm=2, progress=False).df["verdict"]) == verdicts


def test_an_undo_brings_a_badge_back_before_its_activities_whatever_somebody_deletes_meanwhile(app: Client) -> None:
    def somebody() -> bool:
        if app.badges.list().find("birthday") == mine:
            app.call("crm.activity.badge.delete", {"code": "birthday"})
        return False

    mine = Badge("birthday", "mine", "V", "primary")
    app.badges.plan([mine]).apply(progress=False)
    app.badges.release(HELD).apply(progress=False)
    app.badges.delete(HELD)
    report = app.journal.plan_undo(last=3).apply(progress=False, cancel=somebody)
    assert report.counts == {"added": 2, "held again": 2}
    assert HELD in app.badges.list()


def test_undo_leaves_an_activity_alone_that_somebody_else_used_since(app: Client) -> None:
    app.badges.release(HELD).apply(progress=False)
    app.call(UPDATE, {"id": 2, "fields": {"badgeCode": "paid"}})
    app.call(DELETE, {"id": 3})
    report = app.journal.plan_undo().apply(progress=False)
    assert list(report.df["verdict"]) == ["changed", "changed"]
    assert not report.ok
    assert numbers(app, "paid") == ["2"]


@pytest.mark.parametrize("breakage", ["reset", "cut", "html"])
@pytest.mark.parametrize("effect", [True, False])
@pytest.mark.parametrize("by", ["webhook", "application"])
def test_a_lost_answer_is_looked_for_and_never_sent_again(
    portal: SandboxPortal, by: str, effect: bool, breakage: str, clock: FakeClock
) -> None:
    with connect(portal if by == "webhook" else token_of(portal), clock=clock) as b24:
        plan = b24.badges.release(HELD)
        portal.faults.next(breakage, method="batch", after_effect=effect)
        report = plan.apply(confirm=plan.deletes, progress=False)
        assert [type(one.error) for one in report] == [type(None) if effect else errors.NotApplied] * 2
        assert list(report.df["verdict"]) == ["released" if effect else "failed"] * 2
        assert sent(portal) == (2 if effect else 0)
        assert set(b24.journal.df["seen"]) == {True}
        assert numbers(b24) == ([] if effect else ["2", "3"])


STEP = ActivityStep(HELD, Activity(2, HELD), None)
CLEAR = ActivityStep(HELD, Activity(2, HELD), Activity(2, ""))
DONE, LOOK = Verdict.RELEASED, None


@pytest.mark.parametrize(
    ("step", "result", "verdict"),
    [
        (STEP, True, DONE),
        *((STEP, other, LOOK) for other in (1, "true", None, [], {"activity": {"id": 2}})),
        (CLEAR, {"activity": {"id": 2}}, DONE),
        *((CLEAR, other, LOOK) for other in (True, {"activity": {"id": 3}}, {"activity": []}, None)),
    ],
)
def test_only_the_one_answer_that_means_success_is_believed(step: ActivityStep, result: Any, verdict: Any) -> None:
    outcome = step.judge(Response({"result": result}, Call(0.0, "http", DELETE, "", {})))
    assert (outcome and outcome.verdict) is verdict


def test_a_killed_process_leaves_intents_that_settle_completes(portal: SandboxPortal, b24: Client) -> None:
    plan = b24.badges.release(HELD)
    leave_unfinished(portal, "release", *plan.steps, at=0.0)
    b24.call(DELETE, {"id": 2})
    assert "2 change(s)" in b24.journal.notice
    report = b24.journal.settle()
    assert [one.verdict for one in report] == [Verdict.RELEASED, Verdict.FAILED]
    assert not b24.journal.notice


def test_a_second_release_of_an_activity_tells_what_became_of_the_first(portal: SandboxPortal, b24: Client) -> None:
    (step, _) = b24.badges.release(HELD).steps
    leave_unfinished(portal, "release", step, at=0.0)
    with applier_of(portal) as other:
        (later,) = other.store.intend(ChangeSet("release"), [step], 0.0)
        other.store.conclude([(later, Outcome(step, Verdict.RELEASED, changed=True))])
    (report,) = b24.journal.settle()
    assert (report.verdict, report.detail) == (Verdict.FAILED, "shown by the next change of this badge")


def test_a_release_says_where_no_activity_names_the_badge_as_it_is_spelled(b24: Client) -> None:
    assert "names such a code, spelled so" in repr(b24.badges.release(HELD.upper()))
