"""Lists that are not all there or behind, rows that are odd, and answers about something else."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from b24nb import Badge, Client, SandboxPortal, connect, errors
from b24nb.badges import evidence
from b24nb.badges.activities import find_holders
from b24nb.badges.badge import Badges
from b24nb.rest.connection import Connection
from tests.fakes import rows
from tests.servers import altered, answering

ROW, FIFTY = rows(1)[0], {"result": {"badges": rows(50)}}


def ask_all(to: Connection) -> Badges:
    return evidence.list_badges(to)


def ask_one(to: Connection) -> Badge:
    return evidence.get_badge(to, "vip")


def ask_holders(to: Connection) -> list[dict[str, Any]]:
    return find_holders(to, {"c0"})


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
    *((ask_one, {"result": {"badge": ROW | {"code": other}}}, f"sent '{other}'") for other in ("vip2", "vi", " vip")),
]


@pytest.mark.parametrize(("ask", "envelope", "says"), NO_ANSWERS)
def test_what_is_not_all_or_is_about_something_else_is_no_answer(ask: Any, envelope: Any, says: str) -> None:
    with answering(envelope) as (connection, _), pytest.raises(errors.BadResponse, match=says):
        ask(connection)


@pytest.mark.parametrize("more", [{}, {"total": 50}, {"total": "50"}, {"total": 50.0}, {"total": 50, "next": None}])
def test_all_badges_are_all_however_they_are_counted(more: dict[str, Any]) -> None:
    with answering(FIFTY | more) as (connection, _):
        assert len(evidence.list_badges(connection)) == 50


@pytest.mark.parametrize(("asked", "stored"), [("VIP", "vip"), ("vip ", "vip"), ("STRASSE", "straße")])
def test_the_stored_spelling_of_a_code_may_differ_as_portals_compare_codes(asked: str, stored: str) -> None:
    with answering({"result": {"badge": ROW | {"code": stored}}}) as (connection, _):
        assert evidence.get_badge(connection, asked).code == stored


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
        badges = evidence.list_badges(connection)
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
    assert restorable.pop("list")  # an empty map can be added
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


def page(start: int) -> list[dict[str, Any]]:
    return [{**HOLDER, "ID": str(start + n)} for n in range(50)]


@pytest.mark.parametrize("total", [10**9, "1000000000", 1e9])
def test_activities_that_are_counted_but_not_there_cost_one_more_request(total: Any) -> None:
    nothing: dict[str, Any] = {f"k{n}": [] for n in range(50)}
    batch = {"result": {"result": nothing, "result_error": [], "result_total": [], "result_next": []}}
    with answering({"result": page(0), "total": total}, batch) as (connection, server):
        assert len(find_holders(connection, {"c1"})) == 50
        assert len(server.requests) == 2


@pytest.mark.parametrize("more", [{"total": "107"}, {"next": 50}, *({"total": n, "next": 50} for n in (0, 50, 70))])
def test_activities_of_several_pages_come_once_each_however_they_are_counted(more: dict[str, Any]) -> None:
    nothing: dict[str, Any] = {f"k{n}": [] for n in range(50)}
    replies = [nothing | {"k0": page(25), "k1": page(100)[:7]}, nothing | {"k0": page(100)[:7]}]
    parts = {"result_error": [], "result_total": [], "result_next": {"k0": 100}}
    batches = [{"result": {"result": reply, **parts}} for reply in replies]
    with answering({"result": page(0), **more}, *batches) as (connection, _):
        ids = [int(row["activity_id"]) for row in find_holders(connection, {"c1"})]
    assert ids == [*range(75), *range(100, 107)]


CHANGES: dict[str, Callable[[Client], Any]] = {
    "add": lambda b24: b24.badges.add("new", "Title", "Value", "primary"),
    "add beside": lambda b24: b24.badges.add("MISSEDCALL", "Title", "Value", "primary"),
    "replace": lambda b24: b24.badges.plan([Badge("missedCall", "Title", "Value", "primary")]).apply(progress=False),
    "delete": lambda b24: b24.badges.delete("missedCall"),
}


@pytest.fixture
def portal(request: pytest.FixtureRequest) -> Iterator[SandboxPortal]:
    with SandboxPortal(case_sensitive=getattr(request, "param", False)) as portal:
        yield portal


@pytest.mark.parametrize(
    ("portal", "change"),
    [*((exact, change) for exact in (False, True) for change in ("add", "replace", "delete")), (True, "add beside")],
    indirect=["portal"],
)
def test_an_undo_waits_for_a_list_that_shows_what_was_before_the_change(portal: SandboxPortal, change: str) -> None:
    before = sorted(portal.badges, key=str)
    behind: list[Any] = []

    def answer(method: str, envelope: Any) -> None:
        if behind and method.endswith(".list"):
            envelope |= {"result": {"badges": behind}, "total": len(behind)}

    with altered(portal, answer) as b24:
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
        b24.badges.plan(wanted).apply(progress=False)
        undo, behind[:] = b24.journal.plan_undo(), ["from now on"]
        assert undo.apply(progress=False, confirm=120).counts == {"deleted": 120}
    assert portal.badges == before
    assert len(behind) > 1
