"""The journal: what was changed, the way back, and changes that a killed process left unfinished."""

import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from b24nb import Client, SandboxPortal, connect, errors
from b24nb.badges.badge import Badge
from b24nb.badges.changes import Step
from tests.fakes import FakeClock, leave_unfinished, together


def same(portal: SandboxPortal, before: list[dict[str, Any]]) -> bool:
    return sorted(portal.badges, key=str) == sorted(before, key=str)


def test_undo_goes_back_one_change_set_at_a_time(portal: SandboxPortal, b24: Client) -> None:
    before = portal.badges
    b24.badges.delete("missedCall")
    b24.badges.add("new", "t", "v", "primary")
    b24.badges.plan([Badge("new", "other", "v", "primary"), Badge("second", "t", "v", "primary")]).apply(progress=False)
    middle = portal.badges
    b24.badges.delete_many(["birthday", "newsletter"], progress=False)
    # What changes nothing does not count.
    with pytest.raises(errors.BadgeInUse):
        b24.badges.delete("onHold")
    with pytest.raises(errors.DuplicateCode):
        b24.badges.add("paid", "t", "v", "primary")
    assert b24.journal.notice == ""
    b24.badges.delete_many(["nobody"], progress=False)
    assert b24.journal.plan_undo().apply(progress=False).counts == {"added": 2}
    assert same(portal, middle)
    assert b24.journal.plan_undo().apply(progress=False).counts == {"deleted": 2}  # undo is undone
    b24.journal.plan_undo().apply(progress=False)
    assert same(portal, middle)
    assert b24.journal.plan_undo(last=99).apply(progress=False).ok
    assert same(portal, before)
    assert b24.journal.df["kind"].unique().tolist() == ["delete", "add", "apply", "delete_many", "undo"]


def test_nothing_to_undo_is_an_empty_plan(b24: Client) -> None:
    assert len(b24.journal.plan_undo()) == 0
    assert len(b24.journal.plan_undo().apply()) == 0
    assert repr(b24.journal) == "Journal: nothing was changed yet"
    assert "Journal" in b24.journal._repr_html_()


def test_a_display_that_leaves_older_changes_out_says_so(portal: SandboxPortal, b24: Client) -> None:
    b24.badges.plan([Badge(f"c{n}", "t", "v", "primary") for n in range(120)]).apply(progress=False)
    for shown in (repr(b24.journal), b24.journal._repr_html_()):
        assert "the newest 100; .df has all" in shown
    table = b24.journal.df
    assert len(table) == 120
    assert table["before"][0] is None
    assert isinstance(table["after"][0], str)


@pytest.mark.parametrize("wrong", [0, -1, 1.5, "1"])
def test_change_sets_and_threads_are_numbers(wrong: Any, b24: Client) -> None:
    with pytest.raises(errors.InvalidInput, match="last"):
        b24.journal.plan_undo(wrong)
    with pytest.raises(errors.InvalidInput, match="parallel"):
        b24.badges.delete_many(["paid"], parallel=wrong)


def test_an_add_that_nobody_knows_of_does_not_keep_an_earlier_one_from_its_undo(clock: FakeClock) -> None:
    with SandboxPortal(clock=clock) as portal, connect(portal, clock=clock) as b24:
        before = portal.badges
        b24.badges.add("VIP", "Client", "VIP", "primary")
        portal.faults.next("reset", method="crm.activity.badge.add")
        with pytest.raises(errors.OutcomeUnknown, match="under 'VIP'"):
            b24.badges.add("vip", "Client", "VIP", "primary")
        assert b24.journal.plan_undo(last=2).apply(progress=False).counts == {"deleted": 1}
        assert portal.badges == before


def test_what_somebody_else_changed_since_is_shown_in_the_plan_and_kept(portal: SandboxPortal, b24: Client) -> None:
    b24.badges.delete_many(["missedCall", "birthday"], progress=False)
    b24.badges.add("one", "ours", "v", "primary")
    b24.badges.plan([Badge("two", "ours", "v", "primary"), Badge("paid", "ours", "v", "primary")]).apply(progress=False)
    with connect(portal, journal="theirs.db") as somebody:
        theirs = [Badge(code, "theirs", "v", "primary") for code in ("MISSEDCALL", "one", "paid")]
        somebody.badges.plan(theirs).apply(progress=False)
    plan = b24.journal.plan_undo(last=3)
    assert plan.df[["code", "action"]].values.tolist() == [
        *(["missedCall", "replace"], ["birthday", "add"], ["paid", "replace"], ["two", "delete"], ["one", "keep"])
    ]
    assert repr(plan).count("changed since") == 3
    assert "was Badge(code='MISSEDCALL'" in repr(plan)
    assert "new code, title, value, type" in repr(plan)
    assert plan.apply(progress=False).counts == {"added": 1, "deleted": 1, "replaced": 2, "kept": 1}
    assert b24.badges.get("one").title == "theirs"


@pytest.mark.parametrize(("old", "new"), [(("vip", "vip "), "VIP"), (("VIP", "vip "), "vip"), (("vip ", "vip"), "VIP")])
def test_an_undo_deletes_no_badge_that_it_has_restored(old: tuple[str, str], new: str) -> None:
    badges = [Badge(code, "t", "v", "primary").to_wire() for code in old]
    with SandboxPortal(badges=badges) as portal, connect(portal) as b24:
        plan = b24.badges.plan([Badge(new, "new", "v", "primary")], prune=True)
        assert plan.apply(progress=False, confirm=plan.deletes).ok
        assert b24.journal.plan_undo().apply(progress=False).ok
        assert {badge["code"]: badge["title"] for badge in portal.badges} == dict.fromkeys(old, "t")


def test_an_undo_has_one_step_for_a_badge_that_others_spell_otherwise(b24: Client, portal: SandboxPortal) -> None:
    def theirs(old: str, new: str) -> None:
        b24.call("crm.activity.badge.delete", {"code": old})
        b24.call("crm.activity.badge.add", Badge(new, "theirs", "v", "primary").to_wire())

    before = b24.badges.get("paid")
    b24.badges.plan([Badge("PAID", "ours", "v", "primary")]).apply(progress=False)
    theirs("PAID", "paid")
    assert b24.journal.plan_undo().df[["code", "action", "note"]].values.tolist() == [
        ["paid", "replace", "changed since; new title, value, type"]
    ]
    assert b24.journal.plan_undo().apply(progress=False).counts == {"replaced": 1}
    assert b24.badges.get("paid") == before
    b24.badges.delete("paid")
    b24.call("crm.activity.badge.add", Badge("PAID", "theirs", "v", "primary").to_wire())
    b24.badges.plan([before]).apply(progress=False)
    assert {step.action for step in b24.journal.plan_undo(last=2).steps} <= {"keep"}, "it is as it was at first"


@pytest.mark.parametrize("given", [["paid"], Badge("paid", "Paid", "Paid", "success"), [Badge("a", "t", "v", "x")] * 2])
def test_what_is_restored_are_badges_each_once(b24: Client, given: Any) -> None:
    with pytest.raises(errors.InvalidInput):
        b24.journal.plan_restore(given)


def test_settle_finds_what_became_of_changes(portal: SandboxPortal, b24: Client) -> None:
    badges = b24.badges.list()
    steps = {  # one per way in which a killed change can be found
        "deleted": Step("newsletter", badges["newsletter"], None),
        "not deleted": Step("birthday", badges["birthday"], None),
        "added": Step("callAnswered", None, badges["callAnswered"]),
        "not added": Step("x", None, Badge("x", "t", "v", "primary")),
        "replaced": Step("demoBooked", Badge("demoBooked", "old", "v", "primary"), badges["demoBooked"]),
        "not replaced": Step("missedCall", badges["missedCall"], Badge("missedCall", "new", "v", "primary")),
        "half replaced": Step("consent", badges["consent"], Badge("consent", "new", "v", "primary")),
        "changed": Step("paid", Badge("paid", "before", "v", "primary"), None),
    }
    for code in ("newsletter", "consent"):
        b24.call("crm.activity.badge.delete", {"code": code})
    leave_unfinished(portal, "delete_many", *steps.values(), at=time.time() - 100)
    report = b24.journal.settle()
    verdicts = {name: str(outcome.verdict) for name, outcome in zip(steps, report, strict=True)}
    done = {name: name for name in ("deleted", "added", "replaced")}
    assert verdicts == dict.fromkeys(steps, "failed") | done | {"changed": "unknown"}
    assert b24.journal.df["verdict"].tolist() == report.df["verdict"].tolist()
    assert b24.journal.notice == ""
    assert len(b24.journal.settle()) == 0
    plan = b24.journal.plan_undo()
    back = {"add": {"newsletter", "consent"}, "delete": {"callAnswered"}, "replace": {"demoBooked", "paid"}}
    assert {action: set(codes) for action, codes in plan.df.groupby("action")["code"]} == back


def test_settle_waits_as_long_as_an_effect_can_still_come(clock: FakeClock) -> None:
    with SandboxPortal(clock=clock) as portal, connect(portal, clock=clock) as b24:
        step = Step("missedCall", b24.badges.get("missedCall"), None)
        leave_unfinished(portal, "delete_many", step, at=clock.time() - 25)
        start = clock.time()
        assert b24.journal.settle().counts == {"failed": 1}
        assert clock.time() - start == pytest.approx(35)
        leave_unfinished(portal, "delete_many", step, at=clock.time() - 61)
        start = clock.time()
        b24.journal.settle()
        assert clock.time() == start  # all is known at once
        leave_unfinished(portal, "delete_many", step, at=clock.time() + 1000)  # by a clock that was ahead
        b24.journal.settle()
        assert clock.time() - start == pytest.approx(60)


def test_an_undo_settles_first(portal: SandboxPortal, b24: Client) -> None:
    before, step = portal.badges, Step("missedCall", b24.badges.get("missedCall"), None)
    leave_unfinished(portal, "delete_many", step, at=time.time() - 100)
    b24.call("crm.activity.badge.delete", {"code": "missedCall"})
    plan = b24.journal.plan_undo()
    assert b24.journal.notice == ""
    assert plan.apply(progress=False).counts == {"added": 1}
    assert same(portal, before)


def test_a_change_that_can_not_be_remembered_is_not_sent(portal: SandboxPortal, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("a file is no folder")
    with connect(portal, journal=tmp_path / "file" / "journal.db") as b24:
        before = portal.badges
        for change in (lambda: b24.badges.delete("missedCall"), lambda: b24.badges.add("new", "t", "v", "primary")):
            with pytest.raises(errors.JournalError, match=r"journal.*no change is sent"):
                change()
        report = b24.badges.delete_many([row["code"] for row in before], keep_going=True, progress=False)
        assert report.counts == {"not sent": len(before)}
        assert "can't be used" in report.df["detail"][0]
        assert portal.badges == before


def test_threads_change_and_undo_through_one_client(portal: SandboxPortal, clock: FakeClock) -> None:
    b24 = connect(portal, clock=clock)
    before = portal.badges

    def work(code: str) -> None:
        for _ in range(5):
            b24.badges.add(code, "t", "v", "primary")
            b24.badges.delete(code)
        b24.badges.add(code, "t", "v", "primary")

    together(*(partial(work, f"t{number}") for number in range(6)))
    assert len(b24.journal.df) == 66
    assert b24.journal.df["change_set"].is_unique
    assert b24.journal.plan_undo(last=66).apply(progress=False).counts == {"deleted": 6}
    assert same(portal, before)
