"""Journals of older versions, copies of journals, and files that can't be used."""

import gc
import shutil
import sqlite3
import sys
import warnings
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from b24nb import SandboxPortal, connect, errors
from b24nb.badges.apply import JournalNotWritten
from b24nb.badges.badge import Badge
from b24nb.badges.changes import Step
from b24nb.badges.journal_store import ChangeSet, JournalStore

VIP, OTHER_CASE = Badge("vip", "Client", "VIP", "primary"), Badge("VIP", "Client", "VIP", "primary")


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


def test_a_journal_that_was_locked_meanwhile_is_not_called_unwritten(
    portal: SandboxPortal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("b24nb.badges.journal_store.BUSY_SECONDS", 0.1)
    with connect(portal, journal=tmp_path / "j.db") as b24:
        b24.badges.delete("birthday")
        with closing(sqlite3.connect(tmp_path / "j.db", isolation_level=None)) as other:
            intend = b24.badges._applier.store.intend

            def lock_after(*args: object, **options: object) -> list[int]:
                ids = intend(*args, **options)  # type: ignore[arg-type]
                other.execute("BEGIN IMMEDIATE")
                return ids

            with monkeypatch.context() as patched:
                patched.setattr(b24.badges._applier.store, "intend", lock_after)
                with pytest.warns(JournalNotWritten, match="locked"):
                    b24.badges.delete("missedCall")
            with warnings.catch_warnings(action="error"), pytest.raises(errors.JournalError):
                b24.badges.delete("newsletter")  # refused, so nothing is said of what became of it
            other.execute("ROLLBACK")
        with warnings.catch_warnings(action="error"):
            b24.badges.delete("newsletter")
        assert list(b24.journal.df["verdict"]) == ["deleted"] * 3


def test_a_backup_goes_into_the_home_folder(
    portal: SandboxPortal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    with connect(portal) as b24:
        assert b24.badges.backup("~/badges.json") == tmp_path / "badges.json"
        assert b24.badges.plan("~/badges.json").counts["keep"] == len(portal.badges)


def test_a_journal_that_the_garbage_collector_finds_is_closed_without_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ignored = list[Any]()
    monkeypatch.setattr(sys, "unraisablehook", ignored.append)
    with warnings.catch_warnings(action="error"):
        store = JournalStore(tmp_path / "j.db", host="h", user="1")
        store.itself = store  # type: ignore[attr-defined]
        gc.collect(0)  # so that the connection is younger than its store, and is found first
        store.intend(ChangeSet("add"), [Step("vip", None, VIP)], 0.0)
        del store
        gc.collect()
    assert ignored == []


# -- a code in another letter case ----------------------------------------------------------------------------


def test_a_lost_change_of_letter_case_is_undone_as_what_it_is(portal: SandboxPortal) -> None:
    with connect(portal, settle_after=0.2) as b24:
        b24.badges.add(*VIP.to_wire().values())
        portal.faults.next("reset", method="batch")
        report = b24.badges.plan([OTHER_CASE]).apply(progress=False)
        assert report.counts == {"failed": 1}
        assert b24.journal.plan_undo(last=2).apply(progress=False, confirm=1).counts == {"deleted": 1}


@pytest.mark.parametrize("fault", ["reset", "OPERATION_TIME_LIMIT"])
def test_what_was_added_beside_another_spelling_is_undone(fault: str) -> None:
    with SandboxPortal(badges=[VIP.to_wire()], case_sensitive=True) as portal, connect(portal, settle_after=0.2) as b24:
        plan = b24.badges.plan([OTHER_CASE])
        if fault == "reset":
            portal.faults.next("reset", method="batch", after_effect=True)
        else:
            portal.faults.next(fault, method="crm.activity.badge.delete")
        assert plan.apply(progress=False, keep_going=True).counts == {"added": 1}
        assert len(portal.badges) == 2
        assert b24.journal.plan_undo().apply(progress=False, confirm=1).counts == {"deleted": 1}
        assert portal.badges == [VIP.to_wire()]
