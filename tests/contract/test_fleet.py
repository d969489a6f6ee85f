"""Many portals as one: each portal is a row, whatever ails it, and nothing is sent twice or by surprise."""

import json
import re
import resource
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import pandas as pd
import pytest

from b24nb import Badge, Client, Fleet, connect, errors
from b24nb.badges.journal_store import JournalStore
from b24nb.errors import UnfinishedChanges
from b24nb.fleet import fleet_plan, visit
from b24nb.fleet.fleet_plan import FleetPlan
from b24nb.sandbox import SandboxFleet
from tests import fleets
from tests.fakes import FakeClock, ctrl_c, together
from tests.fleets import QUIET, fleet_of, meddle, rows

SHARES = {"dead": 0.1, "hanging": 0.1, "revoked": 0.1, "noscope": 0.1, "renamed": 0.1, "limited": 0.1}
WORDS = {"dead": "unreachable", "hanging": "unreachable", "renamed": "unreachable"}
WORDS |= {"revoked": "revoked", "noscope": "no access", "limited": "limit"}
VIP = Badge("vip", {"en": "Client", "de": "Kunde"}, "VIP", "primary")
TWO = Badge("two", "T", "V", "success")
DEAD = RuntimeError("the worker died")
ADDRESS = "https://example.bitrix24.com/rest/1/abcdef0123456789/"
#: What is no list of names, and what is said of it.
NO_NAMES: list[tuple[Any, str]] = [(["a", "b", "a"], "named twice: a"), (["a", "a "], "twice: a"), (["a", ""], "texts")]
NO_NAMES += [(["a", None], "number 2 is None"), ([1001, "b"], "number 1 is 1001"), (7, "list of names")]
NO_NAMES += [("missing.csv", r"'missing\.csv' is no list of names.*No such file")]
#: Rows and headings without one column of names.
NO_TABLES: list[Any] = [([["a"]], ["name"]), ([["a", "b"]], ["portal", "portal"])]
NO_TABLES += [([["a", 1]], pd.MultiIndex.from_tuples([("portal", "name"), ("region", "x")]))]


@pytest.fixture
def sandboxes() -> Iterator[SandboxFleet]:
    with SandboxFleet(4) as fleet:
        yield fleet


@pytest.fixture
def fleet(sandboxes: SandboxFleet) -> Fleet:
    return fleet_of(sandboxes)


@pytest.fixture
def plan(fleet: Fleet) -> FleetPlan:
    """Adds one badge to each of four portals."""
    return fleet.plan([VIP], **QUIET)


@pytest.fixture(scope="module")
def ailing() -> Iterator[SandboxFleet]:
    with SandboxFleet(10, seed=1, **SHARES) as fleet:
        yield fleet


@pytest.fixture(scope="module")
def seen(ailing: SandboxFleet) -> list[Any]:
    """All that a fleet tells of portals of which most are in trouble; to ask the dead takes a second each time."""
    fleet = fleet_of(ailing, timeout=(1, 1))
    asked = [fleet.check(**QUIET), fleet.badges(**QUIET), fleet.plan([VIP], **QUIET)]
    return [*asked, fleet.map(fleets.code_count, **QUIET)]


def codes(sandboxes: SandboxFleet) -> dict[str, list[str]]:
    return {name: [badge["code"] for badge in portal.badges] for name, portal in sandboxes.portals.items()}


def breaking_tasks(*, sends: bool, error: Exception = DEAD) -> Any:
    """Each task of a change breaks, after it has sent or before."""

    def task(*args: Any) -> Any:
        if sends:
            real(*args)
        raise error

    real = visit.apply_many
    return mock.patch.object(visit, "apply_many", task)


def sent(sandboxes: SandboxFleet) -> int:
    return sum(len(portal.requests) for portal in sandboxes.portals.values())


def test_each_trouble_is_a_row_and_the_others_are_there(ailing: SandboxFleet, seen: list[Any]) -> None:
    expected = [WORDS.get(ailing.trouble.get(name, ""), "ok") for name in ailing.names]
    for found in seen:
        status = found.status
        assert list(status["portal"]) == ailing.names
        assert list(status["status"]) == expected
        assert list(found.failed["portal"]) == list(status[status["status"] != "ok"]["portal"])
        assert json.loads(json.dumps(rows(found.df))), "plain data"
    checked = seen[0].df
    assert list(checked[~checked["admin"]]["portal"]) == []
    assert not set(Fleet(seen[1].failed, vault=str)._table) & {"status", "error", "detail"}, "they were true before"
    told = dict(zip(ailing.names, seen[0].df["detail"], strict=True))
    renamed = next(name for name, trouble in ailing.trouble.items() if trouble == "renamed")
    assert "renamed-portal.bitrix24.example" in told[renamed]


def test_a_frame_that_lacks_portals_says_so(ailing: SandboxFleet, seen: list[Any]) -> None:
    found = seen[1]
    missing = {name: WORDS[trouble] for name, trouble in ailing.trouble.items()}
    for table in (found.df, found.matrix):
        assert table.attrs == {"portals": 10, "missing": found.missing}
    assert found.missing == missing
    assert not {*found.df["portal"], *found.matrix.columns} & missing.keys()
    for text in (repr(found), found._repr_html_()):
        assert "4 of 10 portals" in text
        assert "3 unreachable" in text
        assert all(name in text for name in missing)


def test_no_secret_is_shown_anywhere(ailing: SandboxFleet, seen: list[Any]) -> None:
    shown = "".join(repr(found) + found._repr_html_() + found.status.to_json() for found in seen)
    for webhook in ailing.webhooks.values():
        assert webhook.rstrip("/").rpartition("/")[2] not in shown


def test_who_am_i_and_may_i_on_the_first_portals(sandboxes: SandboxFleet) -> None:
    table = fleet_of(sandboxes).check(limit=3, **QUIET).df
    assert list(table["status"]) == ["ok"] * 3 + ["not visited"]
    assert set(table["admin"][:3]) == {True}
    assert set(table["kind"][:3]) == {"SANDBOX"}
    assert set(table["scopes"][:3]) == {"crm, user, task"}
    assert sent(sandboxes) == 3


def test_labels_of_a_table_stand_beside_the_names(sandboxes: SandboxFleet, tmp_path: Path) -> None:
    file = tmp_path / "portals.csv"
    file.write_text("region,portal\neu,portal-0001\nus,portal-0002\n", encoding="utf-8")
    for given in (file, str(file), pd.read_csv(file, dtype=str)):
        table = Fleet(given, vault=sandboxes.webhooks.get).badges(**QUIET).df
        assert list(table.columns)[:2] == ["region", "portal"]
        assert dict(zip(table["portal"], table["region"], strict=True)) == {"portal-0001": "eu", "portal-0002": "us"}


def test_a_csv_of_portals_is_read_as_spreadsheets_write_it_or_says_why_not(tmp_path: Path) -> None:
    file = tmp_path / "portals.csv"
    for text in ("portal\na.eu \nb\n", "portal;x, y\na.eu;x\n;\nb;y\n;\n", '\ufeffx;" Portal"\r\n1;a.eu\r\n2;b\r\n'):
        file.write_text(text, encoding="utf-8", newline="")
        assert Fleet(file, vault=str).names == ("a.eu", "b")
    for content, says in (
        ("portal;x\na;Москва\n".encode("cp1251"), "CSV UTF-8"),
        (b"portal,x\na,eu\nb,us,x\n", "Line 3: 3"),
    ):
        file.write_bytes(content)
        with pytest.raises(errors.InvalidInput, match=says):
            Fleet(file, vault=str)


@pytest.mark.parametrize(
    "labels", [{"code": [1, 2], "code_label": [3, 4]}, {"code": [1, 2]}, {"status": [1, 2]}, {"auth": [1, 2]}]
)
def test_labels_with_names_of_our_columns_are_kept(sandboxes: SandboxFleet, labels: dict[str, list[int]]) -> None:
    table = pd.DataFrame(labels, index=pd.Index(["portal-0001", "portal-0002"], name="portal"))
    found = Fleet(table, vault=sandboxes.webhooks.get).badges(**QUIET)
    for shown in (found.df, found.status):
        assert list(shown["portal"].unique()) == ["portal-0001", "portal-0002"]
        assert shown.columns.is_unique
        for values in labels.values():
            assert any(list(shown[column].unique()) == values for column in shown)


def test_the_badges_of_all_portals_can_be_stored_and_grouped(sandboxes: SandboxFleet) -> None:
    found = fleet_of(sandboxes).badges(**QUIET)
    assert found.counts == {"ok": 4}
    assert found.flat.groupby(["code", "title.de"])["portal"].nunique().eq(4).all()
    one = found.flat.query("portal == 'portal-0002'").drop(columns="portal").reset_index(drop=True)
    pd.testing.assert_frame_equal(one, found.visits["portal-0002"].value.flat)
    assert found.flat.attrs["portals"] == 4


def test_a_fleet_without_portals_has_empty_frames() -> None:
    fleet = Fleet([], vault=str)
    for found in (fleet.check(**QUIET), fleet.badges(**QUIET), fleet.plan([VIP], **QUIET)):
        assert len(found.df) == len(found.status) == 0


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        *(({"portals": names}, says) for names, says in NO_NAMES),
        *(({"portals": pd.DataFrame(rows, columns=names)}, "column `portal`") for rows, names in NO_TABLES),
        *(({"portals": given}, "secret") for given in ([ADDRESS], pd.DataFrame({"portal": ["a"], "w": [ADDRESS]}))),
        (
            {"portals": pd.DataFrame({"portal": ["a"], "Access_Token": ["abcdef0123456789"]})},
            "'Access_Token' holds sec",
        ),
        ({"portals": ADDRESS}, "no list of names"),
        *(({"vault": ADDRESS}, "vault"), ({"executor": 3}, "executor"), ({"parallel": 0}, "parallel")),
        *(({"read_only": "yes"}, "read_only"), ({"timeout": 5}, "timeout"), ({"tariff": "gold"}, "tariff")),
        ({"settle_after": -1}, "settle_after"),
    ],
)
def test_portals_and_settings_that_can_not_be_right_are_refused(wrong: dict[str, Any], says: str) -> None:
    with pytest.raises(errors.InvalidInput, match=says) as caught:
        Fleet(**{"portals": ["a"], "vault": str, **wrong})
    assert "abcdef0123456789" not in str(caught.value)


def test_the_vault_is_called_where_a_portal_is_visited_and_its_trouble_is_a_row(sandboxes: SandboxFleet) -> None:
    def vault(name: str) -> Any:
        asked.append(name)
        given = {"portal-0001": sandboxes.webhooks["portal-0001"], "portal-0003": "nonsense", "portal-0004": 7}
        return given[name]

    asked: list[str] = []
    fleet = Fleet(sandboxes.names, vault=vault)
    assert asked == []
    table = fleet.badges(**QUIET).status
    assert sorted(asked) == sandboxes.names
    assert list(table["status"]) == ["ok", *["no access"] * 3]
    assert "KeyError" in table["detail"][1]
    assert sent(sandboxes) == 1


def test_what_differs_is_seen_at_a_glance() -> None:
    texts = {"portal-0001": "A", "portal-0002": "B", "portal-0003": "B"}

    def badges(name: str) -> list[dict[str, Any]]:
        here = [{"code": "mark", "title": texts[name], "value": "V", "type": "success"}]
        return [*here, {"code": "rare", "title": "R", "value": "R", "type": "success"}][: 2 if name[-1] == "1" else 1]

    with SandboxFleet(3, badges=badges) as sandboxes:
        fleet = fleet_of(sandboxes)
        assert fleet.badges(**QUIET).matrix.T.to_dict() == {
            "mark": {"portal-0001": "differs", "portal-0002": "same", "portal-0003": "same"},
            "rare": {"portal-0001": "same", "portal-0002": "missing", "portal-0003": "missing"},
        }
        wanted = [Badge("mark", "A", "V", "success")]
        for protect in ((), ["m*", "rare"]):  # what is left alone differs all the same
            plan = fleet.plan(wanted, prune=True, protect=protect, **QUIET)
            assert plan.counts.get("keep", 0) == (4 if protect else 1)
            assert ("Protected, so left alone: 'mark', 'rare'." in repr(plan)) is bool(protect)
            assert plan.matrix.T.to_dict() == {
                "mark": {"portal-0001": "same", "portal-0002": "differs", "portal-0003": "differs"},
                "rare": {"portal-0001": "not wanted", "portal-0002": "same", "portal-0003": "same"},
            }


def test_a_value_stays_a_whole_number_where_another_portal_has_none(sandboxes: SandboxFleet) -> None:
    sandboxes.portals["portal-0002"].faults.next("INVALID_CREDENTIALS")
    shown = repr(fleet_of(sandboxes).map(fleets.code_count, **QUIET))
    assert re.search(r"portal-0001 +12 +ok", shown)


def test_an_error_of_a_command_that_a_function_returns_is_its_value(sandboxes: SandboxFleet) -> None:
    for value in (pd.Series([1]), pd.DataFrame({"a": [1]}), [1, {}], float("nan"), ""):
        assert "value" in fleet_of(sandboxes).map(lambda _, value=value: value, **QUIET)._repr_html_()
    found = fleet_of(sandboxes).map(lambda b24: b24.batch({"x": ("no.such.method", None)})["x"], **QUIET)
    assert found.counts == {"ok": 4}
    assert all(value.code == "ERROR_METHOD_NOT_FOUND" for value in found.values.values())


@pytest.mark.parametrize(
    ("function", "error", "detail"),
    [
        (fleets.broken, "ValueError", "ValueError: not today"),
        (lambda b24: sys.exit("no"), "SystemExit", "no"),
        *((function, "ReadOnly", "fleet.plan") for function in (fleets.adding, fleets.tidying)),
        (fleets.waiting, "InvalidInput", "asynchronous"),
    ],
)
def test_what_a_function_may_not_do_is_a_row(sandboxes: SandboxFleet, function: Any, error: str, detail: str) -> None:
    before = codes(sandboxes)
    table = fleet_of(sandboxes).map(function, **QUIET).df
    assert set(table["error"]) == {error}
    assert table["detail"].str.contains(detail).all()
    assert codes(sandboxes) == before


def test_a_badge_beside_another_spelling_of_its_code_is_restored_where_the_portals_tell_them_apart() -> None:
    both = [{"code": code, "title": code, "value": "V", "type": "success"} for code in ("vip", "VIP", "x")]
    with SandboxFleet(2, badges=lambda name: both, case_sensitive=True) as sandboxes:
        fleet = fleet_of(sandboxes)
        plan = fleet.plan([both[0], both[2]], prune=True, **QUIET)
        assert plan.apply(**QUIET).counts == {"kept": 4, "deleted": 2}
        assert fleet.plan_undo(**QUIET).apply(**QUIET).counts == {"added": 2}
        assert all(sorted(found) == ["VIP", "vip", "x"] for found in codes(sandboxes).values())


def test_ensure_twice_sends_nothing_the_second_time(sandboxes: SandboxFleet, fleet: Fleet) -> None:
    assert fleet.plan([VIP], **QUIET).apply(**QUIET).counts == {"added": 4}
    assert all(found[-1] == "vip" for found in codes(sandboxes).values())
    plan, before = fleet.plan([VIP], **QUIET), sent(sandboxes)
    assert plan.apply(**QUIET).counts == {"kept": 4}
    assert sent(sandboxes) == before
    assert "There is nothing to send." in repr(plan)


def test_first_portals_first_and_a_second_call_for_the_rest(sandboxes: SandboxFleet, plan: FleetPlan) -> None:
    report = plan.apply(first=1, **QUIET)
    assert not report.ok
    assert list(report.status["status"]) == ["ok", *["not visited"] * 3]
    assert [("vip" in found) for found in codes(sandboxes).values()] == [True, False, False, False]
    for text in (repr(report), report._repr_html_()):
        assert "Apply the plan again to send what is left: 3 changes on 3 portals." in text
    assert "1 portal begun, 3 left." in repr(plan)
    before = len(sandboxes.portals["portal-0001"].requests)
    report = plan.apply(**QUIET)
    assert report.ok
    assert ".apply(" not in repr(report)
    assert report.counts == {"added": 4}
    assert len(sandboxes.portals["portal-0001"].requests) == before


def test_a_retry_keeps_to_the_portals_and_the_failures_of_its_run(sandboxes: SandboxFleet) -> None:
    plan = fleet_of(sandboxes, parallel=1).plan([VIP], **QUIET)
    for name in sandboxes.names[:2]:
        sandboxes.portals[name].faults.next("ACCESS_DENIED", times=10)
    report = plan.apply(first=3, max_failures=0, **QUIET)
    assert list(report.retry().status["status"]) == ["no access", *["not visited"] * 3]
    assert list(plan.apply(first=3, **QUIET).status["status"]) == ["no access"] * 2 + ["ok"] * 2, "others come first"
    for portal in sandboxes.portals.values():
        portal.faults.clear()
    assert list(report.retry().status["status"]) == ["ok"] * 4


@pytest.mark.parametrize(
    ("first", "allowed", "begun"),
    [(4, 0, 1), (4, 1, 2), (4, None, 4), (None, 0.29, 30), (10, 0.1, 2), (4, 0.1, 1), (4, 1.0, 4)],
)
def test_too_many_failures_stop_new_portals(first: int | None, allowed: float | None, begun: int) -> None:
    with fleets.simulated(100) as fleet:
        plan = fleet.plan([Badge("vip", "V", "V", "primary")], **QUIET)
        with mock.patch.object(fleet_plan, "send", side_effect=errors.ReadOnly("no")):
            report = plan.apply(first=first, max_failures=allowed, parallel=1, **QUIET)
        assert list(report.status["status"]) == ["no access"] * begun + ["not visited"] * (100 - begun)
        assert ("too many failures" in repr(report)) == (begun < (first or 100))
        assert plan.apply(**QUIET).counts == {"added": 100}


def test_the_sentence_of_the_plan_confirms_it_and_undo_takes_what_apply_takes(sandboxes: SandboxFleet) -> None:
    plan = fleet_of(sandboxes).plan([VIP, TWO], **QUIET)
    assert plan.confirmation == "8 changes on 4 portals"
    for text in (repr(plan), plan._repr_html_()):
        assert plan.confirmation in text
    before = sent(sandboxes)
    with pytest.raises(errors.InvalidInput, match="8 changes on 4 portals"):
        plan.apply(confirm="7 changes on 4 portals", **QUIET)
    assert sent(sandboxes) == before
    assert plan.apply(confirm="8 changes on 4 portals", **QUIET).ok
    with pytest.raises(errors.InvalidInput, match="8 changes on 4 portals"):
        plan.undo(confirm="all", **QUIET)
    assert plan.undo(first=1, **QUIET).counts == {"deleted": 2}
    assert plan.undo(max_failures=0.5, **QUIET).counts == {"deleted": 6}
    plan = fleet_of(sandboxes).plan([VIP], prune=True, **QUIET)
    with pytest.raises(errors.InvalidInput, match="On 4 portals more than half"):
        plan.apply(**QUIET)
    assert plan.apply(confirm=plan.confirmation, keep_going=True, **QUIET).counts["deleted"] == 32


def test_deletes_that_were_made_need_no_second_confirmation() -> None:
    with SandboxFleet(1, badges=[TWO.to_wire()]) as sandboxes:
        plan = fleet_of(sandboxes).plan([VIP], prune=True, **QUIET)
        sandboxes.portals["portal-0001"].faults.next("ACCESS_DENIED", method="crm.activity.badge.add")
        assert plan.apply(confirm=plan.confirmation, keep_going=True, **QUIET).counts["deleted"] == 1
        assert plan.confirmation == "1 change on 1 portal"
        assert plan.apply(**QUIET).ok


def test_protected_codes_stay_as_they_are(sandboxes: SandboxFleet) -> None:
    before = codes(sandboxes)
    wanted = [Badge("missedCall", "Other", "x", "warning"), Badge("MISSED2", "T", "V", "success")]
    plan = fleet_of(sandboxes).plan(wanted, prune=True, protect=["MISSED*", "[!m]*"], **QUIET)
    assert plan.counts == {"add": 4, "keep": 48}
    notes = {"protected: left alone", "protected: left alone, though not wanted"}
    assert set(plan.df[plan.df["action"] == "keep"]["note"]) == notes
    assert plan.apply(**QUIET).ok
    assert codes(sandboxes) == {name: [*found, "MISSED2"] for name, found in before.items()}


def test_protect_takes_codes_as_other_methods_do_brackets_too() -> None:
    here = [{"code": code, "title": "T", "value": "V", "type": "success"} for code in ("paid", "st[new]", "old")]
    table = pd.DataFrame({"code": ["paid", "st[new]"], "why": ["legal", "legal"]})
    with SandboxFleet(1, badges=here) as sandboxes:
        for protect in (table, [Badge("paid", "T", "V", "success"), "st[new]"], ["PAID ", " St* "]):
            plan = fleet_of(sandboxes).plan([], prune=True, protect=protect, **QUIET)
            assert "protected by" not in repr(plan)
            actions = {step.code: str(step.action) for step in plan.steps["portal-0001"]}
            assert actions == {"paid": "keep", "st[new]": "keep", "old": "delete"}


def test_a_plan_names_what_protects_nothing(sandboxes: SandboxFleet) -> None:
    plan = fleet_of(sandboxes).plan([], prune=True, protect=["missed*", "paid, old", "list.csv"], **QUIET)
    assert "Nothing is protected by 'list.csv', 'paid, old'" in repr(plan)
    assert "Nothing is protected by" in plan._repr_html_()
    sandboxes.portals["portal-0001"].faults.next("ACCESS_DENIED")
    plan = fleet_of(sandboxes).plan([], prune=True, protect=["list.csv"], **QUIET)
    assert "no badge that was seen has such a code" in repr(plan), "of many portals one is always missing"


def test_a_badge_that_one_portal_can_not_take_is_its_row_and_one_that_none_can_take_is_refused() -> None:
    long = replace(VIP, code="c" * 40)
    with SandboxFleet(3, badges=[VIP]) as sandboxes:
        with connect(sandboxes.webhooks["portal-0002"]) as b24:
            b24.badges.delete("vip")
            b24.badges.add("vip ", "T", "V", "primary")
            sandboxes.portals["portal-0001"].switches.code_limit = 255
        with connect(sandboxes.webhooks["portal-0001"]) as b24:
            b24.call("crm.activity.badge.add", long.to_wire())
        fleet = fleet_of(sandboxes)
        with pytest.raises(errors.InvalidInput, match="takes at most 30"):  # although one portal has it
            fleet.plan([long], **QUIET)
        with pytest.raises(errors.InvalidInput, match=r"^'bad': The title is empty"):
            fleet.plan([Badge("bad", "", "V", "primary")], **QUIET)
        sandboxes.portals["portal-0002"].faults.next("OPERATION_TIME_LIMIT")
        plan = fleet.plan([VIP, TWO], **QUIET)
        assert plan.missing == {"portal-0002": "limit"}
        plan = plan.retry()
        assert plan.missing == {"portal-0002": "not visited"}
        assert "'vip': The code differs from the portal's 'vip '" in plan.failed["detail"][0]
        assert plan.apply(**QUIET).counts == {"kept": 2, "added": 2}


@pytest.mark.parametrize("wrong", [None, 7, ["paid", float("nan")], pd.DataFrame({"name": ["paid"]}), ""])
def test_what_protects_nothing_is_refused(wrong: Any) -> None:
    with pytest.raises(errors.InvalidInput, match="code"):
        Fleet([], vault=str).plan([VIP], protect=wrong, **QUIET)


def test_a_portal_that_can_not_be_asked_again_says_why() -> None:
    with SandboxFleet(1, badges=[VIP]) as sandboxes:
        plan = fleet_of(sandboxes).plan([replace(VIP, type="success")], **QUIET)
        meddle(sandboxes.webhooks["portal-0001"], "vip")
        sandboxes.portals["portal-0001"].faults.next("ACCESS_DENIED", method="batch")
        report = plan.apply(**QUIET)
    assert list(report.df["error"]) == ["ACCESS_DENIED"]


def test_a_report_of_many_portals_begins_with_what_went_wrong() -> None:
    with SandboxFleet(3) as sandboxes:
        plan = fleet_of(sandboxes).plan([VIP], **QUIET)
        sandboxes.portals["portal-0003"].faults.next("ACCESS_DENIED", method="crm.activity.badge.add")
        report = plan.apply(**QUIET)
        assert "portal-0003" in repr(report).splitlines()[2]  # below the heading and the names of the columns
        assert list(report.df["portal"]) == [*sandboxes.names]
        meddle(sandboxes.webhooks["portal-0002"], "vip", "theirs")
        assert "changed since" in repr(plan.undo(**QUIET)).splitlines()[2]


def test_sandboxes_among_live_portals_and_one_portal_under_two_names_are_pointed_out(sandboxes: SandboxFleet) -> None:
    webhooks = sandboxes.webhooks | {"twin": sandboxes.webhooks["portal-0001"]}
    fleet = Fleet(["portal-0001", "twin", "portal-0002"], vault=webhooks.get)
    plan = fleet.plan([VIP], **QUIET)
    assert "One portal under several names: portal-0001, twin" in repr(plan)
    fleet.seen["portal-0002"] = replace(fleet.seen["portal-0002"], kind="LIVE")
    assert "Sandboxes among live portals: portal-0001, twin." in repr(plan)


def test_never_two_tasks_of_one_portal_at_a_time(sandboxes: SandboxFleet) -> None:
    busy, most = set[str](), []

    def slow(b24: Client) -> None:
        most.append(b24.portal.host in busy)
        busy.add(b24.portal.host)
        b24.badges.list()
        busy.discard(b24.portal.host)

    webhooks = sandboxes.webhooks | {"twin": sandboxes.webhooks["portal-0001"]}
    fleet = Fleet(webhooks, vault=webhooks.get)
    fleet.check(**QUIET)  # only a portal that was seen is known by its host
    together(*[lambda: fleet.map(slow, **QUIET)] * 4)
    assert most == [False] * 20


def test_a_task_that_waits_for_the_rate_beyond_its_lease_is_written_down_anew(clock: FakeClock, tmp_path: Path) -> None:
    with SandboxFleet(1) as sandboxes:
        plan = fleet_of(sandboxes, settle_after=0, journal=tmp_path, clock=clock).plan([VIP], **QUIET)
        sandboxes.portals["portal-0001"].faults.next("QUERY_LIMIT_EXCEEDED", times=7, method="batch")
        assert plan.apply(**QUIET).counts == {"added": 1}
        (journal,) = tmp_path.glob("*.db")
        with connect(sandboxes.webhooks["portal-0001"], journal=journal) as b24:
            verdicts = list(b24.journal.df["verdict"])
            assert (verdicts[0], verdicts[-1]) == ("not sent", "added")
            assert b24.journal.plan_undo().apply(**QUIET).counts == {"deleted": 1}, "a client reads what a fleet wrote"


@pytest.mark.parametrize("wanted", [[replace(VIP, type="success")], []], ids=["replace", "delete"])
def test_a_badge_edited_while_a_task_waits_in_the_queue_is_left_alone(clock: FakeClock, wanted: list[Badge]) -> None:
    def vault(name: str) -> str:
        asked.append(name)
        if len(asked) == 3:  # for the plan, for the look, and for the change
            clock.advance(2)
            meddle(sandboxes.webhooks[name], "vip", "theirs")
        return sandboxes.webhooks[name]

    asked: list[str] = []
    with SandboxFleet(1, badges=[VIP]) as sandboxes:
        plan = Fleet(sandboxes.names, vault, clock=clock).plan(wanted, prune=True, **QUIET)
        assert plan.apply(confirm=plan.confirmation, **QUIET).counts == {"changed": 1}
        assert [badge["title"] for badge in sandboxes.portals["portal-0001"].badges] == ["theirs"]


@pytest.mark.parametrize("full", [False, True], ids=["the disk has room", "the disk is full after the first lease"])
def test_a_portal_with_much_to_do_takes_several_leases_whose_verdicts_are_as_written(full: bool) -> None:
    def intend(*given: Any) -> Any:
        leases.append(1)
        if full and leases[1:]:
            raise errors.JournalError("The disk is full.")
        return real(*given)

    real, leases = JournalStore.intend, list[int]()
    clock, wanted = FakeClock(), [Badge(f"c{n}", "T", "V", "success") for n in range(350)]
    with SandboxFleet(1, clock=clock, cost={"crm.activity.badge.add": 1}, operating=False, badges=[]) as sandboxes:
        plan = fleet_of(sandboxes, clock=clock, settle_after=0).plan(wanted, **QUIET)
        with mock.patch.object(JournalStore, "intend", intend):
            report = plan.apply(**QUIET)
    assert len(leases) > 1
    assert {*report.counts} == ({"added", "not sent"} if full else {"added"})
    assert not report.df["detail"].str.contains("not in the journal").any()


def test_the_last_run_is_the_last_although_an_earlier_task_was_lost(sandboxes: SandboxFleet, clock: FakeClock) -> None:
    parts = sandboxes.names[:2], sandboxes.names[1:], sandboxes.names
    first, second, fleet = (Fleet(part, sandboxes.webhooks.get, clock=clock, journal=".") for part in parts)
    with breaking_tasks(sends=True):
        assert first.plan([VIP], **QUIET).apply(**QUIET).counts == {"unknown": 2}
    clock.advance(1)
    assert second.plan([TWO], **QUIET).apply(**QUIET).ok
    clock.advance(300)
    for _ in range(2):  # the first plan settles the changes of the portal that the second run did not visit
        assert set(fleet.plan_undo(**QUIET).df["code"]) == {"two"}
    assert fleet.plan_undo(2, **QUIET).apply(**QUIET).counts == {"deleted": 5}


def test_an_undo_of_a_run_that_sent_nothing_leaves_what_others_added(sandboxes: SandboxFleet, clock: FakeClock) -> None:
    ours, theirs = (fleet_of(sandboxes, clock=clock, journal=name) for name in ("ours", "theirs"))
    plan = ours.plan([VIP], **QUIET)
    assert theirs.plan([VIP], **QUIET).apply(**QUIET).ok
    with breaking_tasks(sends=False):
        plan.apply(**QUIET)
    clock.advance(300)
    assert set(ours.plan_undo(**QUIET).counts.values()) <= {0}


def test_a_client_judges_no_lost_task_while_it_may_still_begin(sandboxes: SandboxFleet, clock: FakeClock) -> None:
    fleet, begun = Fleet(sandboxes.names[:1], vault=sandboxes.webhooks.get, clock=clock, journal="."), clock()
    with breaking_tasks(sends=False):
        assert fleet.plan([VIP], **QUIET).apply(**QUIET).counts == {"unknown": 1}
    (journal,) = Path().glob("*.db")
    with pytest.warns(UnfinishedChanges):
        b24 = connect(sandboxes.webhooks["portal-0001"], journal=journal, clock=clock)
    with b24:
        assert b24.journal.df["at"][0].timestamp() == begun
        assert b24.journal.settle().df["verdict"].tolist() == ["failed"]
    assert clock() == begun + 120, "a task may begin a minute after its intent, and its effect appear a minute later"


def test_a_damaged_journal_is_a_row_and_the_others_are_undone(sandboxes: SandboxFleet, tmp_path: Path) -> None:
    fleet = fleet_of(sandboxes, journal=tmp_path)
    assert fleet.plan([VIP], **QUIET).apply(**QUIET).ok
    (damaged,) = tmp_path.glob(f"*{sandboxes.webhooks['portal-0002'].split('/')[2].partition(':')[2]}.db")
    damaged.write_bytes(b"no database" * 100)
    plan = fleet.plan_undo(**QUIET)
    assert "Runs only on portals that did not answer are not counted." in repr(plan)
    report = plan.apply(**QUIET)
    assert report.missing == {"portal-0002": "not visited"}
    assert report.counts == {"deleted": 3}


@pytest.mark.parametrize("then", ["undo", "apply"])
@pytest.mark.parametrize("stopped", ["cancel", "Ctrl-C", "ACCESS_DENIED", "ERROR_CORE"])
def test_an_undo_that_stopped_half_way_can_be_finished(sandboxes: SandboxFleet, stopped: str, then: str) -> None:
    def begun() -> bool:
        return fleets.badges_of(sandboxes) != after

    before = fleets.badges_of(sandboxes)
    fleet = fleet_of(sandboxes, parallel=1)
    plan = fleet.plan([VIP, Badge("paid", "Paid", "P", "success")], **QUIET)
    plan.apply(first=2, **QUIET)
    assert plan.apply(**QUIET).ok
    after = fleets.badges_of(sandboxes)
    if stopped == "Ctrl-C":
        with ctrl_c(begun) as press, pytest.raises(errors.Interrupted):
            plan.undo(cancel=press, **QUIET)
    elif stopped == "cancel":
        assert plan.undo(cancel=begun, **QUIET).missing
    else:
        sandboxes.portals["portal-0002"].faults.next(stopped, method="crm.activity.badge.delete")
        assert plan.undo(**QUIET).missing.keys() <= {"portal-0002"}
    if then == "apply":
        assert plan.apply(**QUIET).ok
        assert plan.left == []
        assert fleets.badges_of(sandboxes) == after
    assert plan.undo(**QUIET).ok
    assert fleets.badges_of(sandboxes) == before
    assert fleet.plan_undo(**QUIET).apply(**QUIET).ok
    assert then == "undo" or fleets.badges_of(sandboxes) == after, "what the last undo did is done again"


@pytest.mark.parametrize("sends", [True, False], ids=["after it has sent", "before it sends"])
def test_a_task_that_breaks_says_unknown_only_if_it_may_have_sent(sandboxes: SandboxFleet, sends: bool) -> None:
    plan = fleet_of(sandboxes, settle_after=0).plan([VIP], **QUIET)
    with breaking_tasks(sends=sends, error=DEAD if sends else errors.Timeout("the portal is slow", sent=False)):
        report = plan.apply(**QUIET)
    assert not report.ok
    assert report.counts == {"unknown" if sends else "not sent": 4}
    assert set(report.status["status"]) == {"unknown" if sends else "unreachable"}
    assert plan.apply(**QUIET).counts == {"kept" if sends else "added": 4}
    assert plan.undo(**QUIET).counts == {"deleted": 4}


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [("paid", "paid"), ("paid", "PAID"), ("paid", None), ("PAID", None)],
    ids=["edited", "edited in other letters", "deleted", "deleted, was in other letters"],
)
def test_undo_of_a_replace_minds_others(sandboxes: SandboxFleet, fleet: Fleet, ours: str, theirs: str | None) -> None:
    plan = fleet.plan([Badge(ours, "Ours", "V", "success")], **QUIET)
    assert plan.apply(**QUIET).counts == {"replaced": 4}
    with connect(sandboxes.webhooks["portal-0001"]) as b24:
        b24.badges.delete("paid")
        kept = [b24.badges.add(theirs, "Theirs", "V", "success")] if theirs else []
        assert fleet.plan_undo(**QUIET).df["title"].notna().all(), "also of a badge that is left alone"
        report = plan.undo(**QUIET)
        assert report.counts == {"changed": 1, "replaced": 3}
        assert f"{'changed' if theirs else 'deleted'} since" in repr(report)
        assert [badge for badge in b24.badges.list() if badge.code.lower() == "paid"] == kept
    assert "an undo or a restore" in repr(fleet.plan_undo(**QUIET))


def test_a_plan_applied_again_finishes_a_replace_whose_task_was_lost_half_way(clock: FakeClock) -> None:
    with SandboxFleet(1, clock=clock) as sandboxes:
        portal = sandboxes.portals["portal-0001"]
        fleet = fleet_of(sandboxes, clock=clock)
        plan = fleet.plan([Badge("paid", "Ours $result[x]", "V", "success")], **QUIET)  # by two calls, not by a batch
        portal.faults.next("ACCESS_DENIED", times=2, method="crm.activity.badge.add")
        with breaking_tasks(sends=True):
            assert plan.apply(**QUIET).counts == {"unknown": 1}
        assert "paid" not in codes(sandboxes)["portal-0001"]
        assert plan.apply(**QUIET).counts == {"added": 1}
        assert plan.undo(**QUIET).counts == {"replaced": 1}


def test_an_undo_does_not_count_a_killed_run_that_changed_nothing(sandboxes: SandboxFleet, clock: FakeClock) -> None:
    fleet = fleet_of(sandboxes, clock=clock)
    assert fleet.plan([VIP], **QUIET).apply(**QUIET).ok
    with breaking_tasks(sends=False):
        assert fleet.plan([VIP, replace(VIP, code="other")], **QUIET).apply(**QUIET).counts["unknown"] == 4
    assert fleet.plan_undo(**QUIET).counts == {"delete": 4}


def test_a_half_done_replace_is_mended_after_the_lease_too(clock: FakeClock) -> None:
    with SandboxFleet(1, clock=clock, latency_ms=100) as sandboxes:
        portal = sandboxes.portals["portal-0001"]
        before = {badge["code"] for badge in portal.badges}
        plan = fleet_of(sandboxes, clock=clock).plan([Badge("paid", "Ours", "V", "success")], **QUIET)
        portal.faults.next("ACCESS_DENIED", method="crm.activity.badge.add", description="Access denied")
        portal.faults.next("reset", method="batch", after_effect=True)
        assert "the old badge was restored" in plan.apply(**QUIET).df["detail"][0]
        assert {badge["code"] for badge in portal.badges} == before


@pytest.mark.parametrize("trouble", ["", "limit", "unknown"])
def test_a_held_badge_is_a_verdict_and_hides_no_trouble_with_the_portal(trouble: str) -> None:
    faults = {"limit": [("OPERATION_TIME_LIMIT", "add")], "unknown": [("reset", "add"), ("reset", "get")]}
    with SandboxFleet(1) as sandboxes:
        # The text of the second can't stand in a batch, so that it has calls of its own.
        wanted = [Badge("onHold", "Other", "x", "warning"), Badge("new", "T", "$result[x]", "success")]
        plan = fleet_of(sandboxes, settle_after=0).plan(wanted, **QUIET)
        for fault, method in faults.get(trouble, ()):
            sandboxes.portals["portal-0001"].faults.next(fault, times=9, method=f"crm.activity.badge.{method}")
        report = plan.apply(keep_going=True, **QUIET)
        assert report.counts["refused"] == 1
        assert report.missing == ({"portal-0001": trouble} if trouble else {})
        assert trouble or list(report.status["error"]) == ["ENTITY_WITH_BADGE_EXISTS"]
        assert not report.ok


def test_read_only_refuses_every_change(sandboxes: SandboxFleet, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = fleet_of(sandboxes, read_only=True).plan([VIP], **QUIET)
    assert "This fleet is read-only." in repr(plan)
    with pytest.raises(errors.ReadOnly):
        plan.apply(**QUIET)
    monkeypatch.setenv("B24_READ_ONLY", "1")
    with pytest.raises(errors.ReadOnly):
        fleet_of(sandboxes).plan([VIP], **QUIET).apply(**QUIET)
    assert not any("vip" in found for found in codes(sandboxes).values())


def test_what_can_not_be_remembered_is_not_sent(sandboxes: SandboxFleet, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file, no folder")
    plan = fleet_of(sandboxes, journal=tmp_path / "taken").plan([VIP], **QUIET)
    report = plan.apply(**QUIET)
    assert report.counts == {"not sent": 4}
    assert not report.ok
    assert set(report.df["error"]) == set(report.status["error"]) == {"JournalError"}
    assert len(plan.left) == 4
    assert not any("vip" in found for found in codes(sandboxes).values())


def test_a_verdict_that_can_not_be_written_is_said_in_its_row(sandboxes: SandboxFleet, plan: FleetPlan) -> None:
    conclude = JournalStore.conclude

    def full_after_the_effect(store: JournalStore, outcomes: Any, **options: Any) -> None:
        if any("vip" in found for found in codes(sandboxes).values()):
            raise errors.JournalError("The disk is full.")
        conclude(store, outcomes, **options)

    with mock.patch.object(JournalStore, "conclude", full_after_the_effect):
        report = plan.apply(parallel=1, **QUIET)
    assert report.counts == {"added": 1, "not sent": 3}
    assert report.df["detail"][0] == "what became of it is not in the journal: The disk is full."


def test_a_plan_names_the_badges_that_no_undo_can_restore() -> None:
    old = {"code": "x" * 31, "title": "T", "value": "V", "type": "success"}
    with SandboxFleet(2, badges=lambda name: [old] * (name == "portal-0002")) as sandboxes:
        plan = fleet_of(sandboxes).plan([], prune=True, **QUIET)
        assert f"Not restorable, since add would refuse it: '{'x' * 31}'." in repr(plan)


def test_ctrl_c_waits_for_what_is_under_way_and_gives_the_report(sandboxes: SandboxFleet) -> None:
    plan = fleet_of(sandboxes, parallel=1).plan([VIP], **QUIET)
    for portal in sandboxes.portals.values():
        portal.switches.latency_ms = 20
    with ctrl_c(lambda: sent(sandboxes) >= 6) as press, pytest.raises(errors.Interrupted) as caught:
        plan.apply(cancel=press, **QUIET)
    made = caught.value.report.counts["added"]
    assert made == sum("vip" in found for found in codes(sandboxes).values())
    assert 0 < made < 4
    assert plan.apply(**QUIET).counts == {"added": 4}


def test_ctrl_c_while_a_plan_is_made_gives_the_plan_of_the_others() -> None:
    with SandboxFleet(4, latency_ms=100) as slow:  # so that Ctrl-C comes before the last one
        with ctrl_c(lambda: sent(slow) >= 2) as press, pytest.raises(errors.Interrupted) as caught:
            fleet_of(slow, parallel=1).plan([VIP], cancel=press, **QUIET)
        assert 0 < len(caught.value.report.left) < 4


def test_ctrl_c_ends_a_run_although_failures_end_it_too(sandboxes: SandboxFleet) -> None:
    plan = fleet_of(sandboxes, parallel=2).plan([VIP], **QUIET)
    for portal in sandboxes.portals.values():
        portal.switches.latency_ms = 100
        portal.faults.next("ACCESS_DENIED", times=10)
    with ctrl_c(lambda: True) as press, pytest.raises(errors.Interrupted):
        plan.apply(max_failures=0, cancel=press, **QUIET)


def test_an_error_of_ones_own_code_ends_the_run_in_all_threads_and_shows_the_report(sandboxes: SandboxFleet) -> None:
    asked: list[int] = []

    def cancel() -> bool:
        asked.append(1)
        return bool(len(asked) == 2 and 1 / 0)

    plan = fleet_of(sandboxes, parallel=1).plan([VIP], **QUIET)
    with pytest.raises(ZeroDivisionError) as caught:
        plan.apply(cancel=cancel, **QUIET)
    assert "Report of 1 of 4 portals: 1 added" in caught.value.__notes__[0]
    assert "stopped by ZeroDivisionError" in caught.value.__notes__[0]
    for portal in sandboxes.portals.values():
        portal.switches.latency_ms = 50
    asked.clear()
    with pytest.raises(ZeroDivisionError):
        fleet_of(sandboxes, parallel=2).plan([VIP], cancel=cancel, **QUIET)
    assert len(asked) < 4  # the other thread has stopped, too


def test_two_plans_applied_at_once_do_not_wait(sandboxes: SandboxFleet) -> None:
    def on_a_slow_disk(store: JournalStore, *given: Any) -> list[int]:
        ids = intend(store, *given)
        time.sleep(0.05)
        return ids

    intend, fleet = JournalStore.intend, fleet_of(sandboxes)
    plans = [fleet.plan([badge], **QUIET) for badge in (VIP, TWO)]
    before = sent(sandboxes)
    with mock.patch.object(JournalStore, "intend", on_a_slow_disk):
        reports = together(*(partial(plan.apply, **QUIET) for plan in plans))
    assert [report.counts for report in reports] == [{"added": 4}] * 2
    assert sent(sandboxes) - before == 2 * 4 * 2  # a list and a batch: nobody looked for an effect


@pytest.mark.slow
def test_ten_thousand_portals_take_no_more_memory_than_a_laptop_has() -> None:
    Path("/proc/self/clear_refs").write_text("5")  # forget the peaks of other tests
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with fleets.simulated(10_000) as fleet:
        plan = fleet.plan([Badge("vip", "V", "V", "primary")], **QUIET)
        assert plan.confirmation == "10,000 changes on 10,000 portals"
        report = plan.apply(**QUIET)
        assert report.ok
        assert len(plan.df) == len(report.df) == 10_000
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024 < 500


@pytest.mark.parametrize("looked", [False, True])
def test_a_plan_sends_nothing_to_another_portal_than_it_was_made_for(sandboxes: SandboxFleet, looked: bool) -> None:
    before = fleets.badges_of(sandboxes)
    planned, other, *_ = sandboxes.webhooks.values()
    vault = {"acme": planned}
    fleet = Fleet(["acme"], vault=vault.get)
    plan = fleet.plan([], prune=True, **QUIET)
    vault["acme"] = other
    if looked:
        fleet.check(**QUIET)
    report = plan.apply(confirm=plan.confirmation, **QUIET)
    assert report.missing == {"acme": "not visited"}
    assert "and the plan was made for" in report.failed["detail"][0]
    assert fleets.badges_of(sandboxes) == before


def test_a_plan_applied_again_tells_what_is_there_now(sandboxes: SandboxFleet, fleet: Fleet, plan: FleetPlan) -> None:
    assert plan.retry().apply(**QUIET).ok
    assert plan.undo(**QUIET).counts == {"deleted": 4}
    report = plan.apply(**QUIET)
    meddle(sandboxes.webhooks["portal-0002"], "vip")
    assert plan.apply(**QUIET).counts == {"kept": 3, "added": 1}
    fleet.plan_undo(**QUIET).apply(**QUIET)
    assert report.retry().counts.get("added") is None
    assert fleet.plan_undo(**QUIET).apply(**QUIET).counts == {"added": 1}
    assert plan.apply(**QUIET).counts == {"kept": 4}
    assert plan.undo(**QUIET).counts == {"deleted": 4}


def test_what_an_undo_of_an_earlier_run_took_away_is_added_again(fleet: Fleet, plan: FleetPlan) -> None:
    assert plan.apply(**QUIET).ok
    assert plan.apply(first=1, **QUIET).counts == {"kept": 1}, "a run that changes nothing, and has nothing to undo"
    assert fleet.plan_undo(**QUIET).apply(**QUIET).counts == {"deleted": 4}
    assert plan.apply(**QUIET).counts == {"added": 4}


def test_a_replace_that_stopped_half_way_is_finished_by_the_next_apply(sandboxes: SandboxFleet) -> None:
    before = fleets.badges_of(sandboxes)
    plan = fleet_of(sandboxes).plan([Badge("newsletter", "new", "v", "primary")], **QUIET)
    sandboxes.portals["portal-0002"].faults.next("OPERATION_TIME_LIMIT", method="crm.activity.badge.add", times=2)
    assert "deleted, but not added" in repr(plan.apply(keep_going=True, **QUIET))
    assert plan.apply(**QUIET).counts == {"replaced": 3, "added": 1}
    assert plan.left == []
    assert plan.undo(**QUIET).counts == {"replaced": 4}
    assert [sorted(map(str, found)) for found in before.values()] == [
        sorted(map(str, found)) for found in fleets.badges_of(sandboxes).values()
    ]


def test_a_portal_that_answered_and_refused_a_step_has_failed_and_is_tried_again(sandboxes: SandboxFleet) -> None:
    portal = sandboxes.portals["portal-0003"]
    portal.faults.next("ERROR_CORE", method="crm.activity.badge.add", description="The disk is full")
    report = fleet_of(sandboxes).plan([VIP], **QUIET).apply(keep_going=True, **QUIET)
    assert (report.missing, report.failed["portal"].tolist()) == ({}, ["portal-0003"])
    before = sent(sandboxes) - len(portal.requests)
    again = report.retry()
    assert (again.ok, again.counts, len(again.failed)) == (True, {"added": 4}, 0)
    assert sent(sandboxes) - len(portal.requests) == before, "the others are not asked again"


def test_an_undo_says_that_the_journal_it_needs_is_gone(sandboxes: SandboxFleet, tmp_path: Path) -> None:
    fleet = fleet_of(sandboxes, journal=tmp_path)
    plan = fleet.plan([VIP], **QUIET)
    assert plan.apply(**QUIET).ok
    gone, *_ = tmp_path.glob("*.db")
    gone.unlink()
    report = plan.undo(**QUIET)
    assert not report.ok
    assert report.status["error"].tolist().count("JournalError") == 1
    assert sum("vip" in found for found in codes(sandboxes).values()) == 1


def test_the_last_run_is_the_last_with_a_change(sandboxes: SandboxFleet, fleet: Fleet, plan: FleetPlan) -> None:
    assert plan.apply(**QUIET).ok
    after = codes(sandboxes)
    sandboxes.portals["portal-0002"].faults.next("ACCESS_DENIED", method="crm.activity.badge.delete")
    assert fleet.plan_undo(**QUIET).apply(keep_going=True, **QUIET).missing == {"portal-0002": "no access"}
    assert plan.apply(**QUIET).ok
    assert codes(sandboxes) == after
    assert {step.action for steps in fleet.plan_undo(**QUIET).steps.values() for step in steps} == {"delete"}


def test_rows_that_a_text_leaves_out_are_counted(fleet: Fleet) -> None:
    fleet.plan([Badge(f"c{n}", "t", "v", "primary") for n in range(20)], **QUIET).apply(**QUIET)
    found = fleet.badges(**QUIET)
    for shown in (repr(found), found._repr_html_()):
        assert f"{len(found.df) - 100} more rows not shown; " in shown
    half = fleet.map(lambda b24: "half a character: \ud83d", **QUIET)
    assert "half a character: ⟨U+D83D⟩" in repr(half)
    assert half._repr_html_().encode()
