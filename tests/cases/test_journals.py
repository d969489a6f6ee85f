"""The journal as an account of what happened: killed changes, older versions, a file in trouble, a renamed portal."""

import gc
import re
import shutil
import sqlite3
import sys
import warnings
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path, PurePath
from typing import Any

import pytest

from b24nb import Client, SandboxPortal, connect, errors, forms
from b24nb.badges.badge import Badge
from b24nb.badges.changes import Outcome, Step, Verdict
from b24nb.badges.journal_store import ChangeSet, JournalStore, default_journal_path
from b24nb.errors import JournalNotWritten, UnfinishedChanges
from tests.fakes import applier_of, leave_unfinished
from tests.programs import python
from tests.servers import TOO_MANY, Envelope, in_front_of, through
from tests.widgets import confirm, shown

ADD, DELETE = "crm.activity.badge.add", "crm.activity.badge.delete"
BADGE, OTHER_CASE = (Badge(code, "Client", "VIP", "primary") for code in ("vip", "VIP"))


@pytest.fixture(autouse=True)
def no_long_wait_for_a_lock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("b24nb.badges.journal_store.BUSY_SECONDS", 0.1)


@pytest.mark.parametrize("bulk", [False, True])
def test_a_killed_delete_that_takes_effect_during_the_next_one_can_be_undone(
    bulk: bool, portal: SandboxPortal, b24: Client, tmp_path: Path
) -> None:
    def answer(method: str, pass_on: Callable[[], Envelope]) -> Envelope:
        if method == ("batch" if bulk else DELETE) and left:
            b24.call(DELETE, {"code": left.pop()})
        return pass_on()

    left, badge = list[str](), b24.badges.get("missedCall")
    with through(portal, answer, journal=tmp_path / "j.db") as ours:
        with closing(JournalStore(tmp_path / "j.db", host=ours.portal.host, user="1")) as killed:
            killed.intend(ChangeSet("delete"), [Step("missedCall", badge, None)], 1_764_000_000.0)
        left.append("missedCall")
        if bulk:
            report = ours.badges.delete_many(["missedCall"], progress=False)
            assert (report.counts, report.ok) == ({"already gone": 1}, True)
        else:
            with pytest.raises(errors.NotFound, match="not found") as caught:
                ours.badges.delete("missedCall")
            assert caught.value.http_status == 400  # the portal's own answer
        assert ours.journal.plan_undo().apply(progress=False).counts == {"added": 1}
    assert b24.badges.get("missedCall") == badge


def test_a_killed_change_is_not_judged_by_what_happened_on_another_portal(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    with SandboxPortal(badges=[BADGE.to_wire()]) as one, SandboxPortal(badges=[BADGE.to_wire()]) as other:
        leave_unfinished(one, "delete", Step("vip", BADGE, None), journal=path)
        with connect(other, journal=path) as b24:
            b24.badges.delete("vip")
        with pytest.warns(UnfinishedChanges) as told:
            again = connect(one, journal=path)
        assert [one.filename for one in told] == ["b24nb"], "not the line of code, which may hold the secret"
        with again as b24:
            b24.call(DELETE, {"code": "vip"})
            assert b24.journal.plan_undo().apply(progress=False).counts == {"added": 1}


@pytest.mark.parametrize("before", [[], [BADGE]], ids=["added", "added beside"])
def test_a_killed_add_is_taken_back_though_a_badge_of_another_letter_case_was_changed_next(before: list[Badge]) -> None:
    upper, wire = Badge("VIP", "Other", "VIP", "success"), [badge.to_wire() for badge in before]
    with SandboxPortal(badges=wire, case_sensitive=True) as portal, connect(portal) as b24:
        leave_unfinished(portal, "apply", Step("VIP", before[0] if before else None, upper))  # after the effect
        b24.call(ADD, upper.to_wire())
        if before:
            b24.badges.plan([], prune=True).apply(confirm=2, progress=False)
        else:
            b24.badges.add("vip", "Client", "VIP", "primary")
        plan = b24.journal.plan_undo(last=2)
        assert plan.apply(progress=False, confirm=plan.counts["delete"]).ok
        assert portal.badges == wire


def test_a_change_whose_entry_can_not_be_read_is_left_out_of_the_way_back(tmp_path: Path) -> None:
    path, new = tmp_path / "j.db", Badge("vip", "New", "VIP", "primary")
    with SandboxPortal(badges=[BADGE.to_wire()]) as portal, connect(portal, journal=path) as b24:
        b24.badges.plan([new, Badge("gold", "Gold", "G", "warning")]).apply(progress=False)
        with closing(sqlite3.connect(path)) as db, db:
            db.execute("UPDATE step SET before = '{\"v\": 9}' WHERE code = 'vip'")
        plan = b24.journal.plan_undo()
        assert "1 change(s) are left out" in repr(plan)
        assert plan.apply(confirm=1, progress=False).counts == {"deleted": 1}
        assert portal.badges == [new.to_wire()]


OTHER, NEW = Badge("vip", "Somebody's", "V", "success"), Badge("vip", "New", "VIP", "primary")


@pytest.mark.parametrize(
    ("killed", "seen", "later", "later_seen", "verdict"),
    [
        (Step("vip", None, BADGE), None, Step("vip", BADGE, None), None, "added"),
        (Step("vip", None, BADGE), BADGE, Step("vip", BADGE, None), None, "failed"),  # it was there before
        (Step("vip", BADGE, None), None, Step("vip", BADGE, None), None, "failed"),
        (Step("vip", BADGE, None), OTHER, Step("vip", OTHER, None), None, "failed"),
        (Step("vip", BADGE, None), None, Step("vip", OTHER, None), None, "unknown"),  # somebody made another one
        (Step("vip", BADGE, None), None, Step("vip", OTHER, None), BADGE, "failed"),
        (Step("vip", BADGE, NEW), None, Step("vip", OTHER, None), None, "unknown"),
    ],
)
def test_what_the_next_change_found_proves_what_became_of_a_killed_one(
    portal: SandboxPortal, b24: Client, killed: Step, seen: Badge, later: Step, later_seen: Badge, verdict: str
) -> None:
    with applier_of(portal) as other:
        other.store.intend(ChangeSet("apply"), [killed], 1_764_000_000.0, [seen])
        (row,) = other.store.intend(ChangeSet("apply"), [later], 1_764_000_001.0, [later_seen])
        other.store.conclude([(row, Outcome(later, Verdict.DELETED, changed=True, found=later_seen))])
    (outcome,) = b24.journal.settle()
    assert (outcome.verdict, outcome.changed) == (verdict, {"added": True, "failed": False}.get(verdict))
    assert [request.method for request in portal.requests] == ["batch"], "only what connect asks"


def named(code: str) -> Badge:
    return replace(BADGE, code=code)


SPELLINGS = [("vip", "vip"), ("vip", "VIP"), ("вип", "ВИП"), ("straße", "STRASSE")]


@pytest.mark.parametrize(
    ("code", "before", "killed", "arrived", "later", "verdicts"),
    [
        *((code, None, [named(code)], [named(code)], spelled, ["added"]) for code, spelled in SPELLINGS),
        *((code, named(code), [None], [None], named(spelled), ["deleted"]) for code, spelled in SPELLINGS),
        ("vip", OTHER_CASE, [None], [None], OTHER_CASE, ["deleted"]),
        ("vip", BADGE, [NEW], [None], OTHER, ["failed"]),  # between the delete and the add of a replace
        ("VIP", BADGE, [replace(NEW, code="VIP")], [None], BADGE, ["failed"]),
        ("vip", BADGE, [None, None], [None], None, ["deleted", "deleted"]),  # neither proves that the other failed
        ("vip", BADGE, [None, NEW], [None, NEW], None, ["failed", "replaced"]),
    ],
)
def test_killed_changes_are_judged_by_what_the_portal_and_the_next_change_show(
    code: str, before: Badge | None, killed: list[Any], arrived: list[Any], later: Badge | str | None, verdicts: Any
) -> None:
    """Each makes of a badge another one or none; then somebody adds a badge, or deletes it by another spelling."""
    with SandboxPortal(badges=[before] if before else []) as portal, connect(portal) as b24:
        there = portal.badges
        for after in killed:
            leave_unfinished(portal, "apply", Step(code, before, after))
        for badge in arrived:
            b24.call(ADD if badge else DELETE, badge.to_wire() if badge else {"code": code})
        if isinstance(later, Badge):
            b24.badges.add(*later.to_wire().values())
        elif later:
            b24.badges.delete_many([later], progress=False)
        assert list(b24.journal.settle().df["verdict"]) == verdicts
        plan = b24.journal.plan_undo(last=2)
        assert plan.apply(progress=False, confirm=plan.counts["delete"]).ok
        assert portal.badges == there


@pytest.mark.parametrize("journal", ["changes.db", "~/changes.db"])
def test_another_working_directory_makes_no_other_journal_and_home_is_a_folder(
    portal: SandboxPortal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, journal: str
) -> None:
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(tmp_path))
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    with connect(portal, journal=journal) as b24:
        b24.badges.delete("missedCall")
        monkeypatch.chdir(tmp_path / "elsewhere")
        b24.badges.delete("newsletter")
        assert [step.code for step in b24.journal.plan_undo(last=2).steps] == ["missedCall", "newsletter"]
        assert b24.badges.backup("~/badges.json") == tmp_path / "badges.json"
        assert b24.badges.plan("~/badges.json").counts["keep"] == len(portal.badges)
    assert [*tmp_path.rglob("*.db")] == [tmp_path / "changes.db"]


@pytest.mark.parametrize("by", ["delete", "delete_many", "form"])
def test_a_journal_locked_after_the_effect_costs_no_verdict(by: str, portal: SandboxPortal, tmp_path: Path) -> None:
    before = portal.badges
    other = sqlite3.connect(tmp_path / "j.db", isolation_level=None, check_same_thread=False)

    def answer(method: str, pass_on: Callable[[], Envelope]) -> Envelope:
        found = pass_on()
        if method in (DELETE, "batch") and not other.in_transaction and len(portal.badges) == len(before) - 2:
            other.execute("BEGIN IMMEDIATE")
        return found

    with through(portal, answer, journal=tmp_path / "j.db") as b24:
        b24.badges.delete("birthday")
        if by == "form":
            form = forms.delete_form(b24, "missedCall", run=True)
            confirm(form, "missedCall")
            assert re.search(r"missedCall' was deleted.*not be written.*locked.*settle\(\) writes it", shown(form))
        else:
            with pytest.warns(JournalNotWritten, match=r"could not be written.*locked") as caught:
                deleted: Any = getattr(b24.badges, by)(["missedCall"] if by == "delete_many" else "missedCall")
            assert caught[0].filename == __file__
            assert by == "delete" or deleted.counts == {"deleted": 1}
        with warnings.catch_warnings(action="error"), pytest.raises(errors.JournalError):
            b24.badges.delete("newsletter")  # refused, so nothing is said of what became of it
        plan = b24.journal.plan_undo()
        assert plan.counts["add"] == 1, "a plan needs nothing written"
        assert "unfinished" in repr(plan)
        other.execute("ROLLBACK")
        other.close()
        assert by == "delete" or not b24.journal.unfinished, "the next use has written it"
        with warnings.catch_warnings(action="error"):
            b24.badges.delete("newsletter")
        assert list(b24.journal.df["verdict"]) == ["deleted"] * 3
        assert b24.journal.plan_undo(last=3).apply(progress=False).ok
    assert sorted(portal.badges, key=str) == sorted(before, key=str)


def test_the_display_of_a_locked_journal_waits_for_it_once(
    portal: SandboxPortal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with connect(portal, journal=tmp_path / "j.db") as b24:
        b24.badges.delete("missedCall")
    waits, real = list[Any](), sqlite3.connect
    with closing(sqlite3.connect(tmp_path / "j.db", isolation_level=None)) as other:
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        with connect(portal, journal=tmp_path / "j.db") as b24:
            monkeypatch.setattr(sqlite3, "connect", lambda *args, **how: waits.append(args) or real(*args, **how))
            for display in (b24.journal.__repr__, b24.journal._repr_html_, b24.__repr__):
                waits.clear()
                assert "locked" in display()
                assert len(waits) == 1


def test_the_changes_of_a_renamed_portal_are_adopted_within_their_file(portal: SandboxPortal) -> None:
    before = portal.badges
    with in_front_of(portal, lambda _, pass_on: pass_on()) as webhook:
        with connect(webhook.replace("127.0.0.1", "localhost")) as b24:
            b24.badges.delete("missedCall")
            host, old = b24.portal.host, default_journal_path(b24.portal.host)
        with connect(webhook) as b24:
            (old.parent / "never.example.db").touch()
            with pytest.raises(errors.DuplicateCode):  # which makes a file for the new address
                b24.badges.add("birthday", "T", "V", "primary")
            for told in (repr(b24.journal), b24.journal._repr_html_(), repr(b24.journal.plan_undo())):
                assert f"before, see the journals in {old.parent}: {old.name}, never.example.db. If that was " in told
            assert "address" not in repr(b24)  # who looks after several portals has other journals
            with pytest.raises(errors.InvalidInput) as caught:
                b24.journal.adopt(host=host)
            assert f"connect(journal=...) opens another file, for example one in {old.parent}." in str(caught.value)
            with pytest.raises(errors.InvalidInput, match="holds no changes of user 1 on never"):
                b24.journal.adopt(host="never.example")
        with connect(webhook, journal=old) as b24:
            assert "adopt" in repr(b24)
            assert f"b24.journal.adopt(host={host!r}, user='1')" in repr(b24.journal.plan_undo())
            assert "see the journals" not in repr(b24.journal)
            for spelled in (host, f"HTTP://{host.upper()}/rest/1/code123/"):  # as a cell that is run again
                assert b24.journal.adopt(host=spelled, user=1) is b24.journal
            with pytest.raises(errors.InvalidInput, match="inside the address of the portal"):
                b24.journal.adopt(host="not a host/")
            assert b24.journal.plan_undo().apply(progress=False).counts == {"added": 1}
    assert sorted(portal.badges, key=str) == sorted(before, key=str)


def test_undo_of_an_add_brings_nothing_back_that_somebody_else_had_deleted(portal: SandboxPortal, b24: Client) -> None:
    def answer(method: str, pass_on: Callable[[], Envelope]) -> Envelope:
        found = pass_on()
        if method == "crm.activity.badge.get" and found[0] == 200:  # right before the add
            b24.call(DELETE, {"code": "missedCall"})
        return found

    with through(portal, answer) as ours:
        assert ours.badges.add("missedCall", "New", "VIP", "primary").title == "New"
        assert ours.journal.plan_undo().apply(confirm=1, progress=False).ok
    assert "missedCall" not in b24.badges.list()


def test_journal_and_sandbox_are_found_again_in_any_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # As Windows says it, and SQLite refuses it.
    monkeypatch.setattr(PurePath, "as_uri", lambda self: f"file://server{self}")
    folder = tmp_path / "50% off? #1 für ?mode=memory&x=%41"
    folder.mkdir()
    for count in (1, 2):
        with SandboxPortal(db=folder / "portal.db") as portal, connect(portal, journal=folder / "j.db") as b24:
            b24.badges.add(f"vip{count}", "Client", "VIP", "primary")
            assert {f"vip{one}" for one in range(1, count + 1)} <= {badge["code"] for badge in portal.badges}
    with closing(sqlite3.connect(folder / "j.db")) as db:
        assert db.execute("SELECT count(*) FROM step").fetchone() == (2,)


def test_changes_are_made_and_undone_where_sqlite_is_older(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Python is linked to 3.34 on RHEL 9, to 3.31 on Ubuntu 20.04: no statement may need more."""

    def traced(*args: Any, **how: Any) -> sqlite3.Connection:
        db = real(*args, **how)
        db.set_trace_callback(statements.append)
        return db

    statements: list[str] = []
    real = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", traced)
    with SandboxPortal(db=tmp_path / "portal.db") as portal:
        leave_unfinished(portal, "delete", Step("missedCall", BADGE, None), journal=tmp_path / "j.db")
        with pytest.warns(UnfinishedChanges):
            opened = connect(portal, journal=tmp_path / "j.db")
        with opened as b24:
            b24.badges.add("vip", "Client", "VIP", "primary")
            b24.badges.delete("missedCall")
            assert b24.badges.release("onHold").apply(confirm=1, progress=False).ok
            assert len(b24.journal.settle()) == 1
            assert b24.journal.plan_undo(last=3).apply(confirm=1, progress=False).ok
            assert len(b24.journal.df) == 6
    newer = r"\b(RETURNING|iif|STRICT|DROP COLUMN|unixepoch|MATERIALIZED|FULL JOIN)\b|->|UPDATE.* FROM "
    assert len(statements) > 50
    assert not [text for text in statements if re.search(newer, re.sub("'[^']*'|--.*", "", text), re.IGNORECASE)]


@pytest.mark.parametrize("noted", [("LocalHost:{}.", None), ("127.0.0.1:{}", "")])
def test_changes_that_an_older_version_noted_are_adopted_as_the_message_says(
    portal: SandboxPortal, tmp_path: Path, noted: tuple[str, str | None]
) -> None:
    before, path = portal.badges, tmp_path / "j.db"
    host, user = noted[0].format(portal.url.rpartition(":")[2]), noted[1]
    with connect(portal, journal=path) as b24:
        b24.badges.delete("missedCall")
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("UPDATE change_set SET host = ?, user = coalesce(?, user)", (host, user))
    with connect(portal, journal=path) as b24:
        assert f"adopt(host={host!r}, user={user if user is not None else b24.portal.user_id!r})" in repr(b24.journal)
        b24.journal.adopt(host=host, user=user)
        assert b24.journal.plan_undo().apply(progress=False).ok
    assert sorted(portal.badges, key=str) == sorted(before, key=str)


def test_a_copy_of_a_journal_in_use_holds_its_changes(portal: SandboxPortal, tmp_path: Path) -> None:
    with connect(portal, journal=tmp_path / "j.db") as b24:
        b24.badges.delete("missedCall")
        shutil.copy(tmp_path / "j.db", tmp_path / "copy.db")
        with connect(portal, journal=tmp_path / "copy.db", read_only=True) as other:
            assert list(other.journal.df["verdict"]) == ["deleted"]


def test_a_journal_that_is_garbage_is_closed_without_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ignored = list[Any]()
    monkeypatch.setattr(sys, "unraisablehook", ignored.append)
    with warnings.catch_warnings(action="error"):
        store = JournalStore(tmp_path / "j.db", host="h", user="1")
        store.itself = store  # type: ignore[attr-defined]
        gc.collect(0)  # so that the connection is younger than its store, and is found first
        store.intend(ChangeSet("add"), [Step("vip", None, BADGE)], 0.0)
        del store
        gc.collect()
    assert ignored == []


# -- a code in another letter case ----------------------------------------------------------------------------


def test_a_lost_change_of_letter_case_is_undone_as_what_it_is(portal: SandboxPortal) -> None:
    with connect(portal, settle_after=0.2) as b24:
        b24.badges.add(*BADGE.to_wire().values())
        portal.faults.next("reset", method="batch")
        report = b24.badges.plan([OTHER_CASE]).apply(progress=False)
        assert report.counts == {"failed": 1}
        assert b24.journal.plan_undo(last=2).apply(progress=False, confirm=1).counts == {"deleted": 1}


@pytest.mark.parametrize("fault", ["reset", "OPERATION_TIME_LIMIT"])
def test_what_was_added_beside_another_spelling_is_undone(fault: str) -> None:
    with (
        SandboxPortal(badges=[BADGE.to_wire()], case_sensitive=True) as portal,
        connect(portal, settle_after=0.2) as b24,
    ):
        plan = b24.badges.plan([OTHER_CASE])
        if fault == "reset":
            portal.faults.next("reset", method="batch", after_effect=True)
        else:
            portal.faults.next(fault, method="crm.activity.badge.delete")
        assert plan.apply(progress=False, keep_going=True).counts == {"added": 1}
        assert len(portal.badges) == 2
        assert b24.journal.plan_undo().apply(progress=False, confirm=1).counts == {"deleted": 1}
        assert portal.badges == [BADGE.to_wire()]


@pytest.mark.parametrize("other", ["deletes", "replaces"])
def test_an_undo_goes_back_in_the_order_of_the_effects(portal: SandboxPortal, tmp_path: Path, other: str) -> None:
    """A change was refused for the rate and sent again; another kernel changed the same badge right before."""

    def answer(method: str, pass_on: Callable[[], Envelope]) -> Envelope:
        if left and method == "batch" and not refused:
            refused.append(1)
            return TOO_MANY
        found = pass_on()
        if refused and left:  # after the second look
            left.pop()()
        return found

    left, refused = list[Callable[[], object]](), list[int]()
    before = sorted(portal.badges, key=str)
    new, newer = (Badge("missedCall", text, "v", "primary") for text in ("new", "newer"))
    with (
        in_front_of(portal, answer) as webhook,
        connect(webhook, journal=tmp_path / "j.db") as ours,
        connect(webhook, journal=tmp_path / "j.db") as kernel,
    ):
        if other == "deletes":
            left.append(lambda: kernel.badges.delete("missedCall"))
            assert ours.badges.plan([new]).apply(progress=False).counts == {"added": 1}
        else:
            left.append(lambda: kernel.badges.plan([newer]).apply(progress=False))
            assert ours.badges.delete_many(["missedCall"], progress=False).ok
        assert ours.journal.plan_undo(last=2).apply(progress=False, confirm=None).ok
    assert sorted(portal.badges, key=str) == before


@pytest.mark.parametrize("at", ["soon", "Infinity", 1.8e12, -1e18, b"x"])
def test_an_unreadable_time_keeps_nobody_from_the_portal(portal: SandboxPortal, tmp_path: Path, at: object) -> None:
    leave_unfinished(portal, "delete", Step("vip", BADGE, None), journal=tmp_path / "j.db")
    with closing(sqlite3.connect(tmp_path / "j.db")) as db, db:
        db.execute("UPDATE step SET at = ?", [at])
    with pytest.warns(UnfinishedChanges), connect(portal, journal=tmp_path / "j.db", settle_after=0) as b24:
        assert str(b24.journal.df["at"].dt.year[0]) in repr(b24.journal)


def test_a_plan_that_undoes_an_undo_says_so(b24: Client) -> None:
    b24.badges.delete("missedCall")
    plan = b24.journal.plan_undo()
    assert "an undo or a restore" not in repr(plan)
    plan.apply(progress=False)
    assert "an undo or a restore" in repr(b24.journal.plan_undo())
    assert "an undo or a restore" not in repr(b24.journal.plan_undo(last=2))


def test_a_database_of_another_killed_program_stays_byte_for_byte(portal: SandboxPortal, tmp_path: Path) -> None:
    path = tmp_path / "theirs.db"
    killed = "import os, sqlite3, sys; db = sqlite3.connect(sys.argv[1]); db.execute('PRAGMA journal_mode = WAL')"
    python(f"{killed}; db.execute('CREATE TABLE step (theirs)'); db.commit(); os._exit(0)", str(path))
    before = {part.name: part.read_bytes() for part in tmp_path.glob("theirs.db*") if not part.name.endswith("-shm")}
    assert len(before) == 2, "what is not in the file yet is in the log beside it"
    with connect(portal, journal=path) as b24, pytest.raises(errors.JournalError, match="something else"):
        b24.badges.delete("missedCall")
    assert {name: (tmp_path / name).read_bytes() for name in before} == before
