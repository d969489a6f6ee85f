"""Writes whose answer is lost: looked for, never repeated blindly, each with its true verdict."""

import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import pairwise
from typing import Any

import pytest

from b24nb import Client, SandboxPortal, connect, errors
from b24nb.badges.badge import Badge
from b24nb.badges.changes import Step
from tests.fakes import FakeClock, applier_of, asked, rows
from tests.servers import Envelope, through

#: Each breaks the answer in another way, which the error names.
BREAKAGES = {"reset": "broke", "cut": "broke", "hang": "broke", "html": "an HTML page", "empty": "an empty answer"}
BREAKAGES |= {"charset": "not UTF-8", "gzip": "unpacked", "list": "no answer of the REST API", "oversized": "64 MB"}
MORE: dict[str, dict[str, Any]] = {"hang": {"seconds": 0.2}, "html": {"status": 302}}  # moved portals redirect
ADD, DELETE = "crm.activity.badge.add", "crm.activity.badge.delete"

COUNT = 101  # two full requests and one more
CODES = [row["code"] for row in rows(COUNT)]


@pytest.fixture
def portal(clock: FakeClock) -> Iterator[SandboxPortal]:
    with SandboxPortal(badges=rows(COUNT), clock=clock) as portal:
        yield portal


@pytest.fixture
def b24(portal: SandboxPortal, clock: FakeClock) -> Iterator[Client]:
    with connect(portal, clock=clock) as client:
        yield client


def add(b24: Client) -> Badge:
    return b24.badges.add("new", {"en": "Title", "de": "Titel"}, "v", "primary")


def delete(b24: Client) -> Badge:
    return b24.badges.delete("c0007")


@pytest.mark.parametrize("breakage", BREAKAGES)
@pytest.mark.parametrize("change", [add, delete])
def test_an_effect_that_is_seen_is_success(
    breakage: str, change: Callable[[Client], Badge], portal: SandboxPortal, b24: Client
) -> None:
    method = ADD if change is add else DELETE
    portal.faults.next(breakage, method=method, after_effect=True, **MORE.get(breakage, {}))
    badge = change(b24)
    assert badge == (b24.badges.get("new") if change is add else Badge.from_wire(rows(8)[7]))
    (row,) = b24.journal.df.itertuples()
    assert (row.verdict, row.seen) == ("added" if change is add else "deleted", True)
    assert asked(portal).count(change.__name__) == 1
    assert b24.calls.df["outcome"].eq("seen").sum() == 1
    b24.journal.plan_undo().apply(progress=False)
    assert sorted(portal.badges, key=str) == sorted(rows(COUNT), key=str)


@pytest.mark.parametrize("breakage", BREAKAGES)
@pytest.mark.parametrize("change", [add, delete])
def test_no_effect_is_not_applied_and_not_repeated(
    breakage: str, change: Callable[[Client], Badge], portal: SandboxPortal, b24: Client, clock: FakeClock
) -> None:
    before, start = portal.badges, clock.time()
    broken = MORE["hang"] if breakage == "hang" else {}  # a redirect is looked into at once
    portal.faults.next(breakage, method=ADD if change is add else DELETE, **broken)
    with pytest.raises(errors.NotApplied, match=f"{BREAKAGES[breakage]}.*safe to repeat"):
        change(b24)
    assert portal.badges == before
    assert asked(portal).count(change.__name__) == 1
    assert b24.journal.df["verdict"].tolist() == ["failed"]
    looks = [call.at - start for call in b24.calls if call.method.endswith("badge.get")][change is delete :]
    gaps = [later - earlier for earlier, later in pairwise(looks)]
    assert 5 < len(looks) < 20
    assert gaps[:-1] == sorted(gaps[:-1]), "they get rarer until the last moment"
    assert 50 < looks[-1] <= clock.time() - start <= 60
    assert len(b24.journal.plan_undo()) == 0
    change(b24)  # now it is repeated


def test_effects_that_come_late_are_waited_for(portal: SandboxPortal, b24: Client) -> None:
    """The portal deletes some time after the connection died."""
    portal.faults.next("reset", method="batch", effect_after=59)
    assert b24.badges.delete_many(CODES, progress=False).counts == {"deleted": COUNT}
    assert portal.badges == []


def test_a_delete_that_arrives_late_is_waited_for_from_then_on(portal: SandboxPortal, clock: FakeClock) -> None:
    """It takes 20 s until the request has been sent, and the portal works on it for 50 s."""

    def answer(method: str, pass_on: Callable[[], Envelope]) -> Envelope:
        if method != DELETE:
            return pass_on()
        clock.advance(20)
        with suppress(ConnectionError):
            pass_on()
        return 502, None

    portal.faults.next("reset", method=DELETE, effect_after=50)
    with through(portal, answer, clock=clock) as b24:
        delete(b24)
        assert b24.journal.df["verdict"].tolist() == ["deleted"]


def test_other_texts_than_were_sent_settle_nothing(portal: SandboxPortal, b24: Client) -> None:
    b24.call(ADD, {"code": "new", "title": "theirs", "value": "v", "type": "primary"})
    portal.faults.next("NOT_FOUND", method="crm.activity.badge.get")  # as if it came right after the look
    portal.faults.next("reset", method=ADD)
    with pytest.raises(errors.OutcomeUnknown, match="different from what was sent"):
        add(b24)
    assert b24.journal.df["verdict"].tolist()[-1] == "unknown"
    assert "settle" not in b24.journal.notice  # looking again would not help


def test_a_lost_add_of_a_badge_that_was_there_is_not_taken_for_ours(portal: SandboxPortal, b24: Client) -> None:
    b24.call(ADD, {"code": "new", "title": {"en": "Title", "de": "Titel"}, "value": "v", "type": "primary"})
    before = portal.badges
    portal.faults.next("reset", method=ADD, after_effect=True)
    with pytest.raises(errors.OutcomeUnknown, match="was there before"):
        add(b24)
    assert b24.journal.plan_undo().apply(progress=False).counts == {"kept": 1}
    assert portal.badges == before


def test_where_looking_fails_the_run_stops_and_all_is_unknown_until_settled(portal: SandboxPortal, b24: Client) -> None:
    def arm() -> bool:
        portal.faults.next("reset", method="batch", after_effect=True)
        portal.faults.next("html", method="crm.activity.badge.list", times=9)
        return False

    report = b24.badges.delete_many(CODES, progress=False, cancel=arm)
    portal.faults.clear()
    assert report.counts == {"unknown": 49, "not sent": COUNT - 49}
    assert set(report.df["error"][:49]) == {"OutcomeUnknown"}
    assert re.search("looking for 'c0000' failed: .*HTML.*settle", str(report[0].error))
    assert re.search("49 change.*unfinished.*settle", b24.journal.notice)
    assert b24.journal.settle().counts == {"deleted": 49}


def test_a_request_that_never_left_is_not_sent(portal: SandboxPortal, b24: Client) -> None:
    badge = b24.badges.get("c0007")
    not_sent = pytest.raises((errors.ConnectionFailed, errors.Timeout))
    with applier_of(portal) as applier, not_sent:
        portal.stop()
        applier.apply_one("delete", Step("c0007", badge, None))
    assert b24.journal.df["verdict"].tolist() == ["not sent"]


@pytest.mark.parametrize("lost", ["delete", "add"])
@pytest.mark.parametrize("effect", [False, True])
def test_a_replace_is_settled_as_one_step(lost: str, effect: bool, portal: SandboxPortal, b24: Client) -> None:
    """Its texts can't go by batch: the delete goes with a look, the add alone, and either answer can be lost."""
    wanted = Badge("c0007", "$result[a][b]", "v", "primary")
    before = portal.badges
    method = "batch" if lost == "delete" else "crm.activity.badge.add"
    portal.faults.next("reset", method=method, after_effect=effect)
    report = b24.badges.plan([wanted]).apply(progress=False)
    now = {badge["code"]: Badge.from_wire(badge) for badge in portal.badges}["c0007"]
    assert now == (wanted if (lost, effect) == ("add", True) else Badge.from_wire(before[7]))
    assert report.ok == (now == wanted)
    b24.journal.plan_undo().apply(progress=False)
    assert sorted(portal.badges, key=str) == sorted(before, key=str)
    assert b24.journal.notice == ""


@pytest.mark.parametrize("code", ["INTERNAL_SERVER_ERROR", "ERROR_UNEXPECTED_ANSWER", "NEW_TROUBLE"])
@pytest.mark.parametrize("of", ["a call", "a batch", "a command"])
@pytest.mark.parametrize("effect", [False, True])
def test_an_error_that_leaves_doubt_is_looked_into_at_once(
    code: str, of: str, effect: bool, portal: SandboxPortal, b24: Client, clock: FakeClock
) -> None:
    start = clock.time()
    new = {"description": "trouble", "status": 500} if code == "NEW_TROUBLE" else {}
    portal.faults.next(code, method="batch" if of == "a batch" else DELETE, after_effect=effect, **new)
    if of != "a call":
        report = b24.badges.delete_many(["c0007", "c0008"], keep_going=True, progress=False)
        undone = {"a batch": ["failed"] * 2, "a command": ["failed", "deleted"]}[of]
        assert report.df["verdict"].tolist() == (["deleted"] * 2 if effect else undone)
        assert set(report.df["error"]) - {""} == (set() if effect else {code})
    elif effect:
        delete(b24)
    else:
        with pytest.raises(errors.ApiError) as caught:
            delete(b24)
        assert caught.value.code == code
    assert clock.time() - start < 1
    assert b24.journal.notice == ""
    b24.journal.plan_undo().apply(progress=False)
    assert sorted(portal.badges, key=str) == sorted(rows(COUNT), key=str)


@pytest.mark.parametrize("breakage", BREAKAGES)
@pytest.mark.parametrize("effect", ["before", "after"])
@pytest.mark.parametrize("chunk", [0, 1, 2])
def test_each_code_gets_its_verdict(breakage: str, effect: str, chunk: int, portal: SandboxPortal, b24: Client) -> None:
    def arm() -> bool:
        if asked(portal).count("batch") == chunk and not len(portal.faults):
            portal.faults.next(breakage, method="batch", after_effect=effect == "after", **MORE.get(breakage, {}))
        return False

    report = b24.badges.delete_many(CODES, keep_going=True, progress=False, cancel=arm)
    portal.faults.clear()
    lost = set(CODES[chunk * 49 : chunk * 49 + 49])
    left = {badge["code"] for badge in portal.badges}
    assert left == (lost if effect == "before" else set())
    for row in report.df.itertuples():
        assert row.verdict == ("failed" if row.code in left else "deleted")
        assert row.error == ("NotApplied" if row.code in left else "")
    assert set(b24.journal.df[b24.journal.df["seen"]]["code"]) == lost
    assert b24.journal.notice == ""
    assert b24.journal.plan_undo().apply(progress=False).ok
    assert sorted(portal.badges, key=str) == sorted(rows(COUNT), key=str)
