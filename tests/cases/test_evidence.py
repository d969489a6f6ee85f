"""What is believed of a portal's answers: of those to a change, and of lists that are not all there, behind, or odd."""

import signal
import threading
import time
from collections.abc import Callable
from enum import Enum
from functools import partial
from itertools import count
from typing import Any

import pytest

from b24nb import Client, SandboxPortal, connect, errors, forms
from b24nb.badges import activities
from b24nb.badges.activities import find_holders
from b24nb.badges.badge import Badge
from b24nb.badges.changes import to_restore
from b24nb.badges.evidence import get_badge, list_badges
from b24nb.errors import NotRestorable, StoredDifferently
from b24nb.rest.connection import Connection
from tests.fakes import FakeClock, edit, rows
from tests.servers import TOO_MANY, Envelope, altered, answering, through
from tests.widgets import confirm

ADD, DELETE, GET = (f"crm.activity.badge.{verb}" for verb in ("add", "delete", "get"))
LONG = "c" * 40
VIP = {"code": "vip", "title": "Client", "value": "VIP", "type": "primary"}


def codes(portal: SandboxPortal) -> set[str]:
    return {badge["code"] for badge in portal.badges}


def to_deletes(result: Any, **error: str) -> Callable[[str, Any], None]:
    """A delete has its effect, alone or in a batch, but this is the answer to it."""

    def answer(method: str, envelope: Any) -> None:
        if method == DELETE:
            envelope |= {"result": result, **error}
        if method == "batch":
            told = envelope["result"]
            deletes = [key for key, value in told["result"].items() if value is True]
            told["result"] |= dict.fromkeys(deletes, result)
            told["result_error"] = dict.fromkeys(deletes, error) if error else []

    return answer


ODD_ANSWERS = [to_deletes(odd) for odd in (False, None, [], 1, "true")]
ODD_ANSWERS += [to_deletes(True, error="ENTITY_WITH_BADGE_EXISTS", error_description="It is in use.")]


@pytest.mark.parametrize("answer", ODD_ANSWERS, ids=["false", "null", "[]", "1", "a text", "true and an error"])
def test_a_delete_not_answered_by_true_is_looked_at(answer: Callable[[str, Any], None], portal: SandboxPortal) -> None:
    with altered(portal, answer) as b24:
        assert b24.badges.delete("missedCall").code == "missedCall"
        assert b24.badges.delete_many(["birthday", "newsletter"], progress=False).counts == {"deleted": 2}
        assert not codes(portal) & {"missedCall", "birthday", "newsletter"}
        assert b24.journal.df["seen"].all()
        assert b24.journal.plan_undo(last=2).apply(progress=False).ok


TWICE = {"ID": "2", "COMPLETED": "N", "PROVIDER_PARAMS": {"badgeCode": "waitingPayment"}}


@pytest.mark.parametrize(
    "odd",
    [None, {"ID": "1.0"}, TWICE, {**TWICE, "ID": "77"}, "dropped"],
    ids=["null", "odd id", "twice", "other", "dropped"],
)
def test_an_activity_that_a_look_does_not_show_is_not_called_gone(portal: SandboxPortal, odd: Any) -> None:
    planned: list[Any] = []

    def answer(method: str, envelope: Any) -> None:
        if planned and method == "crm.activity.list":
            envelope["result"] = [] if odd == "dropped" else [odd for _ in envelope["result"]]

    with altered(portal, answer) as b24:
        planned.append(b24.badges.release("waitingPayment"))
        with pytest.raises(errors.BadResponse, match=r"Of 2 activities that the portal counts, [01] could be read"):
            planned[0].apply(confirm=2, progress=False)
        planned.clear()
        assert len(b24.badges.holders("waitingPayment")) == 2


@pytest.mark.parametrize("get", ["finds it", "is refused", "says nothing"])
def test_a_badge_that_a_list_lacks_and_get_finds_is_not_called_gone(portal: SandboxPortal, get: str) -> None:
    planned: list[Any] = []

    def answer(method: str, envelope: Any) -> None:
        if planned and method.endswith(".list"):
            here = [badge for badge in envelope["result"]["badges"] if badge["code"] != "missedCall"]
            envelope |= {"result": {"badges": here}, "total": len(here)}
        if planned and method == "batch" and "k0" in envelope["result"]["result"]:
            parts = envelope["result"]
            if get == "is refused":
                parts["result"], parts["result_error"] = {}, {"k0": {"error": "ACCESS_DENIED", "error_description": ""}}
            elif get == "says nothing":
                parts["result"]["k0"] = {"badge": None}

    with altered(portal, answer) as b24:
        badges = b24.badges.list()
        planned.append(b24.badges.plan([one for one in badges if one.code != "missedCall"], prune=True))
        reports = [planned[0].apply(progress=False)]
        for first, going in ((badges[1], False), (badges[2], True)):
            some = [first, badges["missedCall"], "newsletter"]
            reports.append(b24.badges.delete_many(some, keep_going=going, progress=False))
            assert list(reports[-1].df["verdict"]) == ["deleted", "unknown", "deleted" if going else "not sent"]
    for report in reports:
        assert (report.counts["unknown"], report.ok) == (1, False)
        assert ("ACCESS_DENIED" in report.df["detail"].str.cat()) == (get == "is refused")
    assert "missedCall" in codes(portal)


def test_an_answer_to_an_add_without_its_texts_says_nothing_about_them(portal: SandboxPortal) -> None:
    def answer(method: str, envelope: Any) -> None:
        if method == ADD:
            envelope["result"] = {"badge": {"code": "vip"}}

    with altered(portal, answer) as b24:
        assert b24.badges.add(**VIP).to_wire() == VIP
        assert b24.journal.plan_undo().apply(progress=False, confirm=1).counts == {"deleted": 1}
    assert "vip" not in codes(portal)


def test_a_badge_that_came_without_its_title_is_not_deleted(portal: SandboxPortal) -> None:
    def answer(method: str, envelope: Any) -> None:
        if method == "crm.activity.badge.list":
            next(badge for badge in envelope["result"]["badges"] if badge["code"] == "birthday").pop("title")

    with altered(portal, answer) as b24:
        with pytest.warns(NotRestorable, match="birthday"):
            report = b24.badges.delete_many(["birthday", "newsletter"], keep_going=True, progress=False)
        assert list(report.df["verdict"]) == ["failed", "deleted"]
        assert "no title, value or type of 'birthday'" in report.df["detail"][0]
    assert "birthday" in codes(portal)


def test_an_undo_brings_back_what_was_planned_where_the_last_look_showed_no_whole_badge(portal: SandboxPortal) -> None:
    def answer(method: str, envelope: Any) -> None:
        look = envelope["result"]["result"].get("k0") if method == "batch" else None
        if isinstance(look, dict) and "badges" in look:
            look["badges"][0].pop("type")

    before = sorted(portal.badges, key=str)
    with altered(portal, answer) as b24:
        report = b24.badges.delete_many(["missedCall", "birthday"], progress=False)
        assert (report.ok, set(report.df["detail"])) == (True, {""})
        assert b24.journal.plan_undo().apply(progress=False).ok
        wanted = [Badge("missedCall", {"xx": "no such language"}, "V", "failure"), Badge("new", "T", "V", "primary")]
        assert b24.badges.plan(wanted).apply(progress=False, keep_going=True).counts == {"added": 1, "failed": 1}
        assert b24.journal.plan_undo().apply(progress=False).ok
    assert sorted(portal.badges, key=str) == before


@pytest.mark.parametrize(("stated", "admin"), [("N", None), ("true", None), (None, None), (1, None), (False, False)])
def test_only_a_plain_yes_or_no_says_who_is_an_administrator(portal: SandboxPortal, stated: Any, admin: Any) -> None:
    def answer(method: str, envelope: Any) -> None:
        envelope["result"]["result"]["k0"] |= {"ADMIN": stated, "NAME": "half \ud83d"}

    with altered(portal, answer) as b24:
        assert b24.portal.admin is admin
        assert b24.portal.who.encode()


@pytest.mark.parametrize(
    ("code", "late"), [("c0060", True), ("c0119", False)], ids=["of this request", "of a later one"]
)
def test_a_badge_edited_between_two_requests_is_left_alone_or_comes_back_as_it_was_last(code: str, late: bool) -> None:
    asked = []
    with SandboxPortal(badges=rows(120)) as portal, connect(portal) as b24:

        def somebody() -> bool:
            asked.append(1)
            if len(asked) == 2:
                edit(portal, code)
            return False

        report = b24.badges.delete_many([row["code"] for row in rows(120)], progress=False, cancel=somebody)
        assert report.counts == ({"deleted": 120} if late else {"deleted": 119, "changed": 1})
        told = report.df.set_index("code")["detail"][code]
        assert ("somebody had changed it" if late else "It was left alone") in told
        b24.journal.plan_undo().apply(progress=False)
        assert b24.badges.get(code).title == "theirs"


def test_a_badge_that_can_not_be_named_costs_a_run_only_its_own_row() -> None:
    def answer(method: str, envelope: Any) -> None:
        if method == "crm.activity.badge.list":
            envelope["result"]["badges"].append({**VIP, "code": "half\ud83d"})
            envelope["total"] += 1
        elif method == "batch" and "badges" in envelope["result"]["result"]["k0"]:  # it begins with a look
            envelope["result"]["result"]["k0"]["badges"].append({**VIP, "code": "half\ud83d"})
            envelope["result"]["result_total"]["k0"] += 1

    with SandboxPortal(badges=rows(4)) as portal, altered(portal, answer) as b24:
        with pytest.warns(NotRestorable, match="half"):
            report = b24.badges.plan([], prune=True).apply(confirm=5, keep_going=True, progress=False)
        assert report.counts == {"deleted": 4, "not sent": 1}
        assert "surrogates" in str(report)
        assert portal.badges == []


def test_a_run_that_ends_at_a_badge_of_which_nobody_knows_deletes_nothing_after_it() -> None:
    def answer(method: str, envelope: Any) -> None:
        if method.endswith(".list") and edited:  # the look after the portal halted at c0005
            here = [badge for badge in envelope["result"]["badges"] if badge["code"] != "c0007"]
            envelope |= {"result": {"badges": here}, "total": len(here)}

    edited: list[str] = []
    with SandboxPortal(badges=rows(120)) as portal, altered(portal, answer) as b24, connect(portal) as somebody:

        def once() -> bool:
            if not edited:
                edited.append(somebody.badges.delete("c0005").code)
            return False

        every = [row["code"] for row in rows(120)]
        report = b24.badges.delete_many(every, missing_ok=True, progress=False, cancel=once)
        assert report.counts == {"deleted": 6, "already gone": 1, "not sent": 112, "unknown": 1}
        assert "c0119" in codes(portal)


@pytest.mark.parametrize("refused", [None, ADD, DELETE], ids=["replaced", "put back", "left"])
def test_a_badge_edited_before_a_replace_by_calls_of_its_own_is_not_lost(refused: str | None) -> None:
    with SandboxPortal(badges=[VIP]) as portal, connect(portal) as b24:

        def somebody() -> bool:
            if portal.badges[0] == VIP:
                edit(portal, "vip")
                if refused:
                    portal.faults.next("BX_INVALID_VALUE", method=refused, status=400)
            return False

        # Such a text can't stand in a batch.
        plan = b24.badges.plan([Badge("vip", "Client", "$result[x]", "primary")])
        report = plan.apply(progress=False, cancel=somebody)
        assert report.counts == ({"failed": 1} if refused else {"replaced": 1})
        adds = {None: 2, ADD: 3, DELETE: 1}[refused]  # somebody's, ours, and what puts theirs back
        assert [request.method for request in portal.requests].count(ADD) == adds
        if not refused:
            assert b24.badges.get("vip").value == "$result[x]"
            b24.journal.plan_undo().apply(progress=False)
        assert b24.badges.get("vip") == Badge("vip", "theirs", "VIP", "primary")


@pytest.mark.parametrize("going", [False, True], ids=["halting", "keep going"])
def test_deletes_beside_a_look_that_was_refused_are_told_as_ours(going: bool) -> None:
    with SandboxPortal(badges=rows(3)) as portal, connect(portal) as b24:

        def between() -> bool:
            portal.faults.next("ACCESS_DENIED", method="crm.activity.badge.list", status=403)
            return False

        report = b24.badges.delete_many(["c0000", "c0001"], keep_going=going, progress=False, cancel=between)
        assert report.counts == {"deleted": 2}
        portal.faults.clear()
        assert b24.journal.plan_undo().apply(progress=False).ok
        assert codes(portal) == {"c0000", "c0001", "c0002"}


def test_texts_that_a_portal_stores_differently_are_told(portal: SandboxPortal) -> None:
    def answer(method: str, envelope: Any) -> None:
        told = [envelope["result"]] if method == ADD else []
        told += envelope["result"]["result"].values() if method == "batch" else []
        for result in told:
            if isinstance(result, dict) and "badge" in result:
                result["badge"]["title"] = result["badge"]["title"].strip()

    with altered(portal, answer) as b24:
        with pytest.warns(StoredDifferently, match="' Client '"):
            assert b24.badges.add("one", " Client ", "VIP", "primary").title == "Client"
        report = b24.badges.plan([Badge("two", " Client ", "VIP", "primary")]).apply(progress=False)
        assert report.counts == {"added": 1}
        assert not report.ok
        assert report.df["detail"][0].startswith("stored differently")


def test_a_portal_that_tells_letter_case_apart_loses_no_badge_in_bulk() -> None:
    with SandboxPortal(badges=[VIP], case_sensitive=True) as portal, connect(portal) as b24:
        report = b24.badges.delete_many(["VIP"], progress=False)
        assert not report.ok
        assert "tells the two codes apart" in report.df["detail"][0]
        assert codes(portal) == {"vip"}
        report = b24.badges.plan([Badge("VIP", "Client", "new", "primary")]).apply(progress=False)
        assert "'vip' was not found as 'VIP'" in report.df["detail"][0]
        assert codes(portal) == {"vip", "VIP"}
        portal.faults.next("ENTITY_WITH_BADGE_EXISTS", method=DELETE)
        report = b24.badges.plan([Badge("Vip", "Client", "new", "primary")]).apply(keep_going=True, progress=False)
        assert (report.counts, report.ok) == ({"added": 1}, False)
        assert report.df["error"].tolist() == ["ENTITY_WITH_BADGE_EXISTS"]


def test_a_code_of_an_enumeration_finds_the_badge_of_its_value() -> None:
    class Code(str, Enum):  # noqa: UP042 - the text of a StrEnum is its value
        BIG = "VIP"
        GET = GET

    both = [{**VIP, "title": "small"}, {**VIP, "code": "VIP", "title": "big"}]
    with SandboxPortal(badges=both, case_sensitive=True) as portal, connect(portal) as b24:
        assert b24.call(Code.GET, {"code": Code.BIG}).result["badge"]["title"] == "big"
        assert b24.badges.delete_many([Code.BIG], progress=False)[0].step.before.title == "big"
        assert b24.journal.plan_undo().apply(progress=False).counts == {"added": 1}
        assert codes(portal) == {"vip", "VIP"}


@pytest.mark.parametrize("exact", [True, False])
def test_an_undo_takes_back_both_spellings_of_a_code(exact: bool) -> None:
    with SandboxPortal(badges=[VIP], case_sensitive=exact) as portal, connect(portal) as b24:
        b24.badges.delete("vip")
        b24.badges.add("VIP", "other", "VIP", "primary")
        plan = b24.journal.plan_undo(last=2)
        assert plan.apply(progress=False, confirm=plan.counts["delete"], keep_going=True).ok
        assert portal.badges == [VIP]


@pytest.mark.parametrize("limit", [30, 255])
def test_a_code_over_30_characters_is_deleted_with_a_warning_and_its_undo_tried(limit: int) -> None:
    badge = {**VIP, "code": LONG}
    with SandboxPortal(badges=[badge], code_limit=limit) as portal, connect(portal) as b24:
        with pytest.raises(errors.InvalidInput, match="new code, move the activities"):
            b24.badges.plan([{**badge, "value": "new"}])
        with pytest.warns(NotRestorable, match=LONG):
            b24.badges.delete(LONG)
        report = b24.journal.plan_undo().apply(progress=False)
        assert report.ok == (limit == 255)
        assert report.counts == ({"added": 1} if report.ok else {"failed": 1})
        assert codes(portal) == ({LONG} if report.ok else set())
        assert report.ok or "30 characters" in str(report)


@pytest.mark.filterwarnings("ignore::b24nb.errors.NotRestorable")
@pytest.mark.parametrize("theirs", [[], [{**VIP, "code": LONG, "title": "theirs"}]], ids=["free", "taken"])
def test_a_badge_that_can_not_be_added_again_keeps_no_other_from_its_undo_and_costs_none(theirs: list[Any]) -> None:
    with SandboxPortal(badges=[{**VIP, "code": LONG}, VIP], code_limit=255) as portal, connect(portal) as b24:
        b24.badges.delete_many([LONG, "vip"], progress=False)
        for badge in theirs:
            b24.call(ADD, badge)
        portal.switches.code_limit = 30  # the portal was updated
        assert b24.journal.plan_undo().apply(progress=False).counts == {"added": 1, "failed": 1}
        assert portal.badges == [*theirs, VIP]


#: Fifty leave no room for a look in the request, and no batch can carry a text with an empty list.
@pytest.mark.parametrize(("count", "value"), [(3, ""), (50, ""), (3, "open"), (3, "Papers: []")])
def test_a_badge_edited_while_a_request_waits_its_turn_is_left_alone(count: int, value: str, clock: FakeClock) -> None:
    def answer(method: str, pass_on: Callable[[], Envelope]) -> Envelope:
        if edited and method == "batch":
            edit(portal, edited.pop())
            return TOO_MANY
        return pass_on()

    edited: list[str] = []
    with SandboxPortal(badges=rows(60)) as portal, through(portal, answer, clock=clock) as b24:
        codes = [row["code"] for row in rows(count)]
        wanted = [Badge(code, "new", value or "v", "primary") for code in codes[:1]]
        plan = b24.badges.plan([*wanted, *(Badge(code, "new", "v", "primary") for code in codes[1:])])
        edited.append("c0000")
        report = plan.apply(progress=False) if value else b24.badges.delete_many(codes, progress=False)
        assert report.counts == {"replaced" if value else "deleted": count - 1, "changed": 1}
        assert b24.badges.get("c0000").title == "theirs"


@pytest.mark.parametrize("refusal", [TOO_MANY, (502, {})], ids=["refused for the rate", "answer lost"])
@pytest.mark.parametrize("how", ["event", "Ctrl-C", "form"])
def test_a_run_stopped_while_it_waits_sends_nothing_more(refusal: Envelope, how: str, clock: FakeClock) -> None:
    def answer(method: str, pass_on: Callable[[], Envelope]) -> Envelope:
        if stops and method == "batch":
            stops.pop()()
            time.sleep(0.3)  # the main thread notices Ctrl-C
            return refusal
        return pass_on()

    stops, cancel, chosen = list[Callable[[], object]](), threading.Event(), ["c0000", "c0001", "c0002"]
    with SandboxPortal(badges=rows(9)) as portal, through(portal, answer, clock=clock) as b24:
        if how == "form":
            form = forms.delete_form(b24, chosen, run=True)
            stops.append(form.cancel.set)
            confirm(form, "3")
            report = form.result
        elif how == "event":
            stops.append(cancel.set)
            report = b24.badges.delete_many(chosen, progress=False, cancel=cancel)
        else:
            stops.append(lambda: signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT))
            with pytest.raises(errors.Interrupted) as caught:
                b24.badges.delete_many(chosen, progress=False)
            report = caught.value.report
        assert report.counts == {"not sent" if refusal is TOO_MANY else "unknown": 3}
        assert not stops
        assert len(portal.badges) == 9
        assert clock.time() - FakeClock().time() < 10, "it did not wait for an effect"
        assert b24.journal.settle().counts == ({} if refusal is TOO_MANY else {"failed": 3})


@pytest.mark.parametrize("refused", ["the request", "its look"])
def test_a_run_that_is_stopped_while_a_waiting_request_looks_again_ends(refused: str, clock: FakeClock) -> None:
    def answer(method: str, pass_on: Callable[[], Envelope]) -> Envelope:
        if armed and method == "batch":
            armed.append(method)
            if len(armed) == (2 if refused == "the request" else 3):
                stop(refused == "its look")
                return TOO_MANY
            if len(armed) == 2:
                portal.faults.next("ACCESS_DENIED", method="crm.activity.badge.list")
        stop(bool(armed[1:]) and method.endswith(".list"))
        return pass_on()

    def stop(now: bool) -> None:
        if now:
            cancel.set()

    armed, cancel = list[str](), threading.Event()
    with SandboxPortal(badges=rows(9)) as portal, through(portal, answer, clock=clock) as b24:
        armed.append("yes")
        report = b24.badges.delete_many(["c0000", "c0001", "c0002"], progress=False, cancel=cancel)
        assert report.counts == {"not sent": 3}
        assert cancel.is_set()
        assert len(portal.badges) == 9


def test_a_failure_of_one_request_does_not_end_the_search_for_the_lost_answer_of_another(clock: FakeClock) -> None:
    def answer(method: str, pass_on: Callable[[], Envelope]) -> Envelope:
        number = next(batches) if method == "batch" else 0  # the first one is that of connect
        if number == 1:
            lost.append(pass_on)
            refused.wait(10)
            time.sleep(0.3)  # the run is stopped
            return 502, {}
        if number == 2:
            refused.set()
            return 403, {"error": "ACCESS_DENIED", "error_description": ""}
        looks.extend(lost)
        if len(looks) == 2:
            lost[0]()  # only now the portal carries it out
        return pass_on()

    batches, refused = count(), threading.Event()
    lost, looks = list[Callable[[], Envelope]](), list[Any]()
    with SandboxPortal(badges=rows(98)) as portal, through(portal, answer, clock=clock) as b24:
        report = b24.badges.delete_many([row["code"] for row in rows(98)], parallel=2, progress=False)
        assert report.counts == {"deleted": 49, "failed": 49}
        assert len(portal.badges) == 49


def test_a_badge_that_is_edited_while_its_delete_waits_in_our_own_queue_is_left_alone() -> None:
    class Clock(FakeClock):
        def sleep(self, seconds: float) -> None:
            super().sleep(seconds)
            if seconds > 1 and asked[-1:] == [GET]:
                edit(portal, "c0001")

    def answer(method: str, pass_on: Callable[[], Envelope]) -> Envelope:
        if refusals:
            return 503, {"error": refusals.pop(), "error_description": "Too many requests"}
        asked.append(method)
        return pass_on()

    asked, refusals = list[str](), list[str]()
    with SandboxPortal(badges=rows(3)) as portal, through(portal, answer, clock=Clock()) as b24:
        for _ in range(4):  # the client takes its time after that
            refusals += ["QUERY_LIMIT_EXCEEDED"] * 5
            b24.badges.list()
        with pytest.raises(errors.BadgeChanged, match=r"its title was .Title 1. and is .theirs. now"):
            b24.badges.delete("c0001")
        assert {badge["title"] for badge in portal.badges if badge["code"] == "c0001"} == {"theirs"}


def test_a_plan_says_what_no_undo_restores_also_where_its_row_is_not_shown() -> None:
    with SandboxPortal(badges=[*rows(120), {**VIP, "code": LONG}], code_limit=255) as portal, connect(portal) as b24:
        plan = b24.badges.plan([], prune=True)
        assert f"Not restorable, since add would refuse it: '{LONG}'." in repr(plan)


@pytest.mark.parametrize("hours", [-1, 1])
@pytest.mark.parametrize("effect_after", [None, 20.0])
def test_a_leap_of_the_time_of_day_neither_ends_nor_extends_the_wait(hours: int, effect_after: float | None) -> None:
    clock, leaps = FakeClock(), count(hours * 3600, hours * 3600)
    # It leaps whenever somebody asks for the time of day.
    clock.time = lambda: clock() + next(leaps)  # type: ignore[method-assign]
    with SandboxPortal(badges=rows(2), clock=clock) as portal, connect(portal, clock=clock) as b24:
        start = clock.monotonic()
        portal.faults.next("reset", method=DELETE, effect_after=effect_after)
        if effect_after:
            assert b24.badges.delete("c0000").code == "c0000"
        else:
            with pytest.raises(errors.NotApplied):
                b24.badges.delete("c0000")
        assert clock.monotonic() - start <= 61
        assert len(portal.badges) == (1 if effect_after else 2)


def test_a_portal_that_tells_letter_case_apart_keeps_the_badge_that_was_not_meant() -> None:
    """A plan replaces ``VIP`` by ``vip``; before it is applied somebody registers a ``vip`` of his own."""
    rows = [{"code": "VIP", "title": "ours", "value": "v", "type": "primary"}]
    with SandboxPortal(badges=rows, case_sensitive=True) as portal, connect(portal) as b24:
        plan = b24.badges.plan([Badge("vip", "wanted", "v", "primary")])
        b24.call("crm.activity.badge.add", {"code": "vip", "title": "theirs", "value": "v", "type": "primary"})
        report = plan.apply(progress=False)
        assert report.counts == {"changed": 1}
        assert [row["title"] for row in portal.badges] == ["ours", "theirs"]


# -- lists, and rows in them -----------------------------------------------------------------------------


ROW, FIFTY = rows(1)[0], {"result": {"badges": rows(50)}}


ask_all, ask_one, ask_holders = list_badges, partial(get_badge, code="vip"), partial(find_holders, codes={"c0"})
#: What is asked, what is answered, and what is said of it.
NO_ANSWERS: list[tuple[Callable[[Connection], Any], dict[str, Any], str]] = [
    *((ask_all, FIFTY | {"total": total}, "badges") for total in (0, 49, 120, "120", 120.0, "many", True, [], 1e400)),
    *((ask_all, FIFTY | more, "badges") for more in ({"next": 50}, {"next": "50"}, {"total": 50, "next": 50})),
    (ask_all, FIFTY | {"total": 120, "next": 50}, "badges"),
    (ask_all, {"result": {"badges": rows(50) + rows(20)}, "total": 70}, "'c0000' 2 times"),
    *((ask_all, {"result": {"badges": [odd]}}, ".") for odd in (None, [], "x", {"title": "t"}, {**ROW, "code": 7})),
    *((ask, {"result": result}, ".") for ask in (ask_all, ask_one, ask_holders) for result in (None, True, {}, "x")),
    *((ask_all, {"result": result}, ".") for result in ([], {"badges": None}, {"badges": {}})),
    *((ask_one, {"result": result}, ".") for result in ([], {"badge": None}, {"badge": []}, {"badge": "vip"})),
    (ask_one, {"result": {"badge": {"code": "vip", "value": "V", "type": "primary"}}}, "without its title"),
    *((ask_one, {"result": {"badge": ROW | {"code": other}}}, f"sent '{other}'") for other in ("vip2", "vi", " vip")),
]


@pytest.mark.parametrize(("ask", "envelope", "says"), NO_ANSWERS)
def test_what_is_not_all_or_is_about_something_else_is_no_answer(ask: Any, envelope: Any, says: str) -> None:
    with answering(envelope) as (connection, _), pytest.raises(errors.BadResponse, match=says):
        ask(connection)


@pytest.mark.parametrize("more", [{}, {"total": 50}, {"total": "50"}, {"total": 50.0}, {"total": 50, "next": None}])
def test_all_badges_are_all_however_they_are_counted(more: dict[str, Any]) -> None:
    with answering(FIFTY | more) as (connection, _):
        assert len(list_badges(connection)) == 50


@pytest.mark.parametrize(("asked", "stored"), [("VIP", "vip"), ("vip ", "vip"), ("STRASSE", "straße")])
def test_the_stored_spelling_of_a_code_may_differ_as_portals_compare_codes(asked: str, stored: str) -> None:
    with answering({"result": {"badge": ROW | {"code": stored}}}) as (connection, _):
        assert get_badge(connection, asked).code == stored


ODD = [
    {"code": "number", "title": 123, "value": "V", "type": "primary"},
    {"code": "nothing", "title": None, "value": "V", "type": "primary"},
    {"code": "yes", "title": "T", "value": True, "type": "primary"},
    {"code": "typeless", "title": "T", "value": "V"},
    {"code": "types", "title": "T", "value": "V", "type": {"a": 1}},
    {"code": "half", "title": "a\ud800", "value": {"en": "b\udc00"}, "type": "primary"},
    {"code": "half\ud83d", "title": "T", "value": "V", "type": "primary"},
    {"code": "map", "title": {"en": None, "de": 5}, "value": "V", "type": "primary"},
    {"code": "list", "title": [], "value": ["x"], "type": "primary"},
    {"code": "bare"},
]


def test_odd_rows_hurt_neither_the_list_nor_its_displays() -> None:
    good = rows(1)
    with answering({"result": {"badges": ODD + good}, "total": len(ODD) + 1}) as (connection, _):
        badges = list_badges(connection)
    assert [badge.code for badge in badges] == [row["code"] for row in ODD + good]
    assert (badges["number"].title, badges["yes"].value, badges["typeless"].type) == (123, True, None)
    assert (badges["list"].title, badges["list"].value) == ({}, {"0": "x"})
    displays = [repr(badges), badges._repr_html_(), *(badge._repr_html_() for badge in badges)]
    displays += [repr(badges.in_language("de")), badges.in_language("de")._repr_html_(), *map(repr, badges)]
    for shown in displays:
        shown.encode()  # what a notebook does with it
    assert "⟨U+D800⟩" in displays[1]
    assert len(badges.flat) == len(badges.df) == len(badges)
    restorable = {badge.code: not badge.note for badge in badges}
    assert restorable.pop("c0000")
    assert not any(restorable.values())
    for shown in displays[:2]:
        assert shown.count("(not restorable: ") == len(restorable)
    assert "not restorable: The title is not a text." in badges["number"]._repr_html_()


def test_odd_rows_survive_a_backup_and_are_left_alone_by_its_plan() -> None:
    odd = [row for row in ODD if row["code"] in ("number", "yes", "half")]
    with SandboxPortal(badges=odd + rows(1)) as sandbox, connect(sandbox) as b24:
        path = b24.badges.backup("odd.json")
        plan = b24.badges.plan(path, prune=True)
        assert plan.counts["keep"] == len(b24.badges.list()) == 4
        plan._repr_html_().encode()


HOLDER: dict[str, Any] = {"ID": "1", "OWNER_TYPE_ID": "2", "OWNER_ID": "3", "SUBJECT": "s"}
HOLDER |= {"LAST_UPDATED": "2026-01-01T00:00:00+03:00", "PROVIDER_PARAMS": {"badgeCode": "c1"}}


@pytest.mark.parametrize(
    ("row", "certainty"),
    [
        *((odd, None) for odd in ("x", ["x"], None)),
        *(({**HOLDER, "PROVIDER_PARAMS": odd}, None) for odd in ('{"badgeCode": "c1"}', [], None, {})),
        ({**HOLDER, "PROVIDER_PARAMS": {"badgeCode": ["c1"]}}, None),
        ({**HOLDER, "LAST_UPDATED": "0001-01-01T00:00:00"}, {"likely", "possible"}),
        ({**HOLDER, "LAST_UPDATED": "9999-12-31T23:59:59-14:00"}, {"likely"}),
        ({**HOLDER, "LAST_UPDATED": 5}, {"likely"}),
        ({**dict.fromkeys(HOLDER), "PROVIDER_PARAMS": {"badgeCode": "c1"}}, {"likely"}),
        *(({**HOLDER, "ID": id_}, {"likely"}) for id_ in ("1]); import os; ([", "9" * 25)),
    ],
)
def test_odd_activities_do_not_hide_the_others(row: Any, certainty: set[str] | None) -> None:
    other = {**HOLDER, "ID": "2"}
    with answering({"result": [row, other], "total": 2}) as (connection, _):
        found = find_holders(connection, {"c1"})
    assert found[-1]["activity_id"] == "2"
    assert len(found) == 1 + (certainty is not None)
    assert certainty is None or found[0]["certainty"] in certainty
    assert all(isinstance(cell, str) for cells in found for cell in cells.values())
    assert not any(odd in cells["release"] for cells in found for odd in ("import", "999"))


def page(start: int) -> list[dict[str, Any]]:
    return [{**HOLDER, "ID": str(start + n)} for n in range(50)]


def test_a_portal_that_sends_activities_for_ever_keeps_no_form_busy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(activities, "MOST", 100)
    more = [{"result": {"result": {f"k{n}": page(1000 * at + 50 * n) for n in range(50)}}} for at in (1, 2)]
    for batch in more:
        batch["result"] |= {"result_error": [], "result_total": [], "result_next": {"k49": 50}}
    endless = pytest.raises(errors.BadResponse, match="still sends more")
    with answering({"result": page(0), "next": 50}, *more) as (connection, _), endless:
        find_holders(connection, {"c1"})


#: What the portal counts, what its batches bring, and the ids then; a batch without a new activity is the last one.
COUNTED: list[tuple[dict[str, Any], list[dict[str, Any]], list[int]]] = [
    *(({"total": total}, [{}], [*range(50)]) for total in (10**9, "1000000000", 1e9)),
    *(
        (more, [{"k0": page(25), "k1": page(100)[:7]}, {"k0": page(100)[:7]}], [*range(75), *range(100, 107)])
        for more in ({"total": "107"}, {"next": 50}, *({"total": n, "next": 50} for n in (0, 50, 70)))
    ),
]


@pytest.mark.parametrize(("more", "found", "ids"), COUNTED)
def test_activities_of_several_pages_come_once_each_however_they_are_counted(
    more: dict[str, Any], found: list[dict[str, Any]], ids: list[int]
) -> None:
    nothing: dict[str, Any] = {f"k{n}": [] for n in range(50)}
    parts = {"result_error": [], "result_total": [], "result_next": {"k0": 100}}
    batches = [{"result": {"result": nothing | pages, **parts}} for pages in found]
    with answering({"result": page(0), **more}, *batches) as (connection, server):
        assert [int(row["activity_id"]) for row in find_holders(connection, {"c1"})] == ids
        assert len(server.requests) <= 1 + len(found)


CHANGES: dict[str, Callable[[Client], Any]] = {
    "add": lambda b24: b24.badges.add("new", "Title", "Value", "primary"),
    "add beside": lambda b24: b24.badges.add("MISSEDCALL", "Title", "Value", "primary"),
    "replace": lambda b24: b24.badges.plan([Badge("missedCall", "Title", "Value", "primary")]).apply(progress=False),
    "delete": lambda b24: b24.badges.delete("missedCall"),
}


@pytest.mark.parametrize(
    ("exact", "change"),
    [*((exact, change) for exact in (False, True) for change in ("add", "replace", "delete")), (True, "add beside")],
)
def test_an_undo_waits_for_a_list_that_shows_what_was_before_the_change(exact: bool, change: str) -> None:
    behind: list[Any] = []

    def answer(method: str, envelope: Any) -> None:
        if behind and method.endswith(".list"):
            envelope |= {"result": {"badges": behind}, "total": len(behind)}

    with SandboxPortal(case_sensitive=exact) as portal, altered(portal, answer) as b24:
        before = sorted(portal.badges, key=str)
        CHANGES[change](b24)
        after, behind[:] = portal.badges, before
        plan = b24.journal.plan_undo()
        assert sum(step.before != step.after for step in plan.steps) == 1
        report = plan.apply(progress=False)
        assert report.counts == {"unknown": 1}
        assert "its answer to get do not agree" in report.df["detail"][0]
        assert not report.ok
        assert portal.badges == after
        behind.clear()
        assert plan.apply(progress=False).ok
        assert sorted(portal.badges, key=str) == before


def test_an_undo_of_many_is_not_called_done_by_a_look_during_it(portal: SandboxPortal) -> None:
    before, behind = portal.badges, list[str]()

    def answer(method: str, envelope: Any) -> None:
        look = envelope["result"]["result"].get("k0") if method == "batch" else None
        if isinstance(look, dict) and "badges" in look and behind:
            look["badges"], envelope["result"]["result_total"]["k0"] = before, len(before)
            behind.append(method)

    with altered(portal, answer) as b24:
        wanted = [Badge(f"c{number}", "Title", "Value", "primary") for number in range(120)]
        plan = b24.badges.plan(wanted)
        assert {*plan.apply(progress=False).df["detail"]} == {""}
        sent = len(portal.requests)
        assert plan.apply(progress=False).counts == {"kept": 120}
        assert len(portal.requests) == sent + 1, "a second time it asks once"
        undo, behind[:] = b24.journal.plan_undo(), ["from now on"]
        assert undo.apply(progress=False, confirm=120).counts == {"deleted": 120}
    assert portal.badges == before
    assert len(behind) > 1


def test_what_could_not_be_added_again_is_restored_as_it_was_planned() -> None:
    good, odd = Badge("vip", "Client", "VIP", "primary"), Badge("vip", {"en": None}, "VIP", "primary")
    assert [to_restore(*pair) for pair in ((odd, good), (good, odd), (None, odd))] == [good, good, odd]


@pytest.mark.parametrize(
    ("status", "envelope"),
    [(500, {"error": "INTERNAL_SERVER_ERROR", "error_description": "x"}), (502, {}), (200, {"result": []})],
)
def test_a_look_that_fails_before_a_delete_is_repeated_leaves_nothing_unknown(
    status: int, envelope: dict[str, Any], clock: FakeClock
) -> None:
    def answer(method: str, pass_on: Callable[[], Envelope]) -> Envelope:
        asked.append(method)
        if method == DELETE:
            return TOO_MANY
        return (status, envelope) if DELETE in asked else pass_on()

    asked, begun = list[str](), clock.monotonic()
    with SandboxPortal() as portal, through(portal, answer, clock=clock) as b24:
        with pytest.raises(errors.B24Error) as caught:
            b24.badges.delete("missedCall")
        assert not isinstance(caught.value, errors.OutcomeUnknown | errors.NotApplied)
        assert clock.monotonic() - begun < 30
        assert {*b24.journal.df["verdict"]} <= {"not sent", "failed"}
