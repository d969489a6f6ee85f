"""What the forms do, without widgets: presenters over a real client of a real sandbox portal."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

import b24nb
from b24nb import errors
from b24nb.badges.badge import Badge, Badges
from b24nb.forms.presenters.adding import AddBadge, AddFields, Texts
from b24nb.forms.presenters.base import Turnstile
from b24nb.forms.presenters.calls import WatchCalls
from b24nb.forms.presenters.deleting import DeleteBadges
from b24nb.forms.presenters.desk import Desk
from b24nb.forms.presenters.inspecting import InspectBadge
from b24nb.forms.presenters.listing import ListBadges, ListFields
from b24nb.forms.presenters.state import told, unexpected
from tests.fakes import FakeClock

GET, DELETE, ADD = (f"crm.activity.badge.{name}" for name in ("get", "delete", "add"))
VIP = AddFields(code="vip", texts=(Texts("", "Client", "VIP"),))


@pytest.fixture
def desk(b24: b24nb.Client) -> Desk:
    return Desk(b24)


def asked(portal: b24nb.SandboxPortal, method: str) -> int:
    return sum(request.method == method for request in portal.requests)


# -- the turnstile ------------------------------------------------------------------------------------


def test_an_identical_change_within_a_second_is_an_echo() -> None:
    clock = FakeClock()
    turnstile = Turnstile(clock)
    assert turnstile.enter("delete vip") == "free"
    assert turnstile.enter("delete vip") == "echo"
    assert turnstile.enter("delete paid") == "busy"
    assert turnstile.enter(None) == "busy"
    clock.advance(10)  # work may take long; the second counts from its end
    turnstile.leave("delete vip", sent=True)
    clock.advance(0.9)
    assert turnstile.enter("delete vip") == "echo"
    assert turnstile.enter("delete paid") == "free"
    turnstile.leave("delete paid", sent=True)
    clock.advance(1.1)
    assert turnstile.enter("delete paid") == "free"


def test_what_was_not_sent_leaves_no_echo() -> None:
    turnstile = Turnstile(FakeClock())
    assert turnstile.enter("add") == "free"
    turnstile.leave("add", sent=False)
    assert turnstile.enter("add") == "free"


def test_two_threads_with_the_same_change_send_it_once(desk: Desk, portal: b24nb.SandboxPortal) -> None:
    presenter = AddBadge(desk)
    start = threading.Barrier(2)
    said = []

    def click() -> None:
        start.wait()
        said.append(presenter.add(VIP).message)

    threads = [threading.Thread(target=click) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert asked(portal, ADD) == 1
    texts = [message.text for message in said if message]
    assert sum("Already sent" in text or "at work" in text for text in texts) == 1
    assert presenter.state.phase == "done"


# -- list ---------------------------------------------------------------------------------------------


def test_listing_shows_what_the_portal_has(desk: Desk, portal: b24nb.SandboxPortal) -> None:
    state = ListBadges(desk).fetch(ListFields())
    assert [badge.to_wire() for badge in state.result] == portal.badges
    assert (state.phase, state.page, state.pages, state.total) == ("done", 0, 1, 12)
    assert state.df.equals(state.result.df)


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("MISSED", ["missedCall"]),
        ("call success", ["callAnswered"]),
        ("вертрag", []),
        ("договор", ["documentSigned"]),
        ("nothing like this", []),
    ],
)
def test_the_filter_wants_every_word_in_code_texts_or_type(desk: Desk, words: str, found: list[str]) -> None:
    presenter = ListBadges(desk)
    presenter.fetch(ListFields())
    assert [badge.code for badge in presenter.show(ListFields(words=words)).result] == found


def test_rows_are_sorted_by_what_the_viewer_reads() -> None:
    with (
        b24nb.SandboxPortal(
            badges=[
                Badge("a", {"en": "zebra", "de": "Ameise"}, "v", "success").to_wire(),
                Badge("b", "Maus", "v", "failure").to_wire(),
            ]
        ) as portal,
        b24nb.connect(portal) as b24,
    ):
        presenter = ListBadges(Desk(b24))
        presenter.fetch(ListFields())
        orders = [
            [badge.code for badge in presenter.show(ListFields(order=order, language=language)).rows]
            for order, language in [("title", "en"), ("title", "de"), ("type", "en"), ("as registered", "de")]
        ]
    assert orders == [["b", "a"], ["a", "b"], ["b", "a"], ["a", "b"]]


@pytest.fixture
def many() -> Iterator[Desk]:
    rows = [Badge(f"c{n:03}", f"Title {n}", "v", "primary").to_wire() for n in range(60)]
    with b24nb.SandboxPortal(badges=rows) as portal, b24nb.connect(portal) as b24:
        yield Desk(b24)


def test_pages_have_25_rows_and_stay_within_what_there_is(many: Desk) -> None:
    presenter = ListBadges(many)
    presenter.fetch(ListFields())
    shown = [presenter.show(ListFields(page=page)) for page in (0, 2, 9, -1)]
    assert [(state.page, len(state.rows)) for state in shown] == [(0, 25), (2, 10), (2, 10), (0, 25)]
    assert len(presenter.state.result) == 60


def test_a_selection_outlives_its_page_and_not_its_badge(many: Desk) -> None:
    presenter = ListBadges(many)
    first = presenter.fetch(ListFields()).rows
    presenter.select((badge.code for badge in first), ["c003", "c001"])
    second = presenter.show(ListFields(page=1)).rows
    presenter.select((badge.code for badge in second), ["c030"])
    assert many.selection == ("c003", "c001", "c030")
    presenter.select((badge.code for badge in first), ["c001"])
    assert many.selection == ("c030", "c001")
    many.see_deleted(["c030"])
    assert many.selection == ("c001",)


def test_a_failed_refresh_leaves_the_old_list_on_show(desk: Desk, portal: b24nb.SandboxPortal) -> None:
    presenter = ListBadges(desk)
    before = presenter.fetch(ListFields())
    portal.faults.next("ACCESS_DENIED", description="REST is available only by subscription.")
    after = presenter.fetch(ListFields())
    assert after.result == before.result
    assert (after.phase, after.message.code) == ("failed", "ACCESS_DENIED")


# -- inspect ------------------------------------------------------------------------------------------


def test_inspecting_shows_badge_answer_and_holders(desk: Desk, portal: b24nb.SandboxPortal) -> None:
    activity = portal.attach("missedCall")
    presenter = InspectBadge(desk)
    state = presenter.inspect("MISSEDcall")
    assert state.result.code == "missedCall"
    assert state.answer.raw["result"]["badge"]["code"] == "missedCall"
    assert state.answer.time["duration"] >= 0
    assert state.holding.found is None
    state = presenter.find_holders()
    assert list(state.holding.found["activity_id"]) == [str(activity)]
    assert list(presenter.timings["method"]) == [GET, "crm.activity.list"]


def test_nothing_is_sent_for_an_empty_code(desk: Desk, portal: b24nb.SandboxPortal) -> None:
    before = len(portal.requests)
    state = InspectBadge(desk).inspect("")
    assert (state.phase, list(state.field_errors)) == ("invalid", ["code"])
    assert InspectBadge(desk).find_holders().phase == "idle"
    assert len(portal.requests) == before


def test_trouble_with_the_holders_leaves_the_badge(desk: Desk, portal: b24nb.SandboxPortal) -> None:
    presenter = InspectBadge(desk)
    presenter.inspect("missedCall")
    portal.faults.next("insufficient_scope", method="crm.activity.list")
    state = presenter.find_holders()
    assert (state.phase, state.result.code) == ("done", "missedCall")
    assert state.holding.unknown.code == "insufficient_scope"


def test_another_badge_is_not_left_on_show_after_an_error(desk: Desk) -> None:
    presenter = InspectBadge(desk)
    presenter.inspect("missedCall")
    state = presenter.inspect("nonsense")
    assert (state.phase, state.result, state.message.code) == ("failed", None, "NOT_FOUND")


# -- add ----------------------------------------------------------------------------------------------


def test_adding_in_two_languages(desk: Desk, b24: b24nb.Client) -> None:
    fields = AddFields(code="vip", texts=(Texts("en", "Client", "VIP"), Texts("de", "Kunde", "VIP!")))
    state = AddBadge(desk).add(fields)
    assert state.phase == "done"
    assert state.result == b24.badges.get("vip")
    assert state.result.to_wire() == {
        "code": "vip",
        "title": {"en": "Client", "de": "Kunde"},
        "value": {"en": "VIP", "de": "VIP!"},
        "type": "primary",
    }


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        (AddFields(), {"code", "title.0", "value.0"}),
        (AddFields(code="c" * 256, texts=(Texts("", "t", "v"),)), {"code"}),
        (AddFields(code=" c", texts=(Texts("", "t", "v"),)), {"code"}),
        (AddFields(code="c", texts=(Texts("", "ж" * 700, "v"),)), {"title.0"}),
        (
            AddFields(code="c", texts=tuple(Texts(code, "ж" * 300, "v") for code in ("en", "de", "ru"))),
            {"title.0"},
        ),
        (AddFields(code="c", texts=(Texts("en", "t", "v"), Texts("en", "t", "v"))), {"language.1"}),
        (AddFields(code="c", texts=(Texts("en", "t", "v"), Texts("de", "", ""))), {"title.1", "value.1"}),
    ],
)
def test_every_wrong_field_is_named_before_anything_is_sent(
    fields: AddFields, wrong: set[str], desk: Desk, portal: b24nb.SandboxPortal
) -> None:
    before = len(portal.requests)
    state = AddBadge(desk).add(fields)
    assert state.phase == "invalid"
    assert state.field_errors.keys() == wrong
    assert all(text.endswith((".", "]")) for text in state.field_errors.values())
    assert len(portal.requests) == before


def test_an_empty_field_is_no_mistake_while_one_types(desk: Desk) -> None:
    presenter = AddBadge(desk)
    assert presenter.check(AddFields(), complete=False) == {}
    assert set(presenter.check(AddFields(code="c" * 256), complete=False)) == {"code"}


def test_a_long_code_and_a_taken_one_are_advised_against(desk: Desk) -> None:
    presenter = AddBadge(desk)
    assert presenter.advise(VIP) == {}
    assert "30" in presenter.check(AddFields(code="c" * 31), complete=False)["code"]
    presenter.load()
    assert "missedCall" in presenter.advise(AddFields(code="MISSEDCALL"))["code"]


def test_a_duplicate_shows_the_badge_that_has_the_code(desk: Desk) -> None:
    state = AddBadge(desk).add(AddFields(code="missedcall", texts=(Texts("", "t", "v"),)))
    assert (state.phase, state.message.code) == ("failed", "BX_INVALID_VALUE")
    assert state.existing.code == "missedCall"
    assert "missedCall" in state.field_errors["code"]


def test_a_second_click_is_not_sent_and_one_after_a_second_is(
    desk: Desk, portal: b24nb.SandboxPortal, clock: FakeClock
) -> None:
    presenter = AddBadge(desk, clock=clock)
    presenter.add(VIP)
    state = presenter.add(VIP)
    assert "Already sent" in state.message.text
    assert state.result.code == "vip"
    assert asked(portal, ADD) == 1
    clock.advance(1.1)
    assert presenter.add(VIP).message.code == "BX_INVALID_VALUE"
    assert asked(portal, ADD) == 2


@pytest.mark.parametrize("language", ["", "en"])
def test_start_values_become_rows(language: str) -> None:
    title = {language: "Client"} if language else "Client"
    assert Texts.rows(title, "VIP") == (Texts(language, "Client", "VIP"),)


# -- delete -------------------------------------------------------------------------------------------


def test_deleting_one_takes_its_code_and_undo_brings_it_back(desk: Desk, portal: b24nb.SandboxPortal) -> None:
    before = portal.badges
    presenter = DeleteBadges(desk)
    state = presenter.preview(["missedcall"])
    assert (state.phase, state.word, [*state.doomed]) == ("confirm", "missedCall", [Badge(**before[0])])
    state = presenter.delete("missedcall")
    assert (state.phase, set(state.field_errors)) == ("invalid", {"confirm"})
    assert portal.badges == before
    state = presenter.delete("missedCall")
    assert (state.phase, state.result.code, len(state.removed)) == ("done", "missedCall", 1)
    assert len(portal.badges) == len(before) - 1
    state = presenter.undo()
    assert state.phase == "done"
    assert portal.badges == [*before[1:], before[0]]
    assert presenter.undo().message.text.endswith("not sent again.")


def test_deleting_several_takes_their_number_and_reports_each(
    desk: Desk, portal: b24nb.SandboxPortal
) -> None:
    portal.attach("paid")
    before = portal.badges
    presenter = DeleteBadges(desk)
    state = presenter.preview(["missedCall", "nonsense", "paid", "newsletter"])
    assert (state.word, state.missing) == ("3", ("nonsense",))
    state = presenter.find_holders()
    assert set(state.holding.found["code"]) == {"paid"}
    state = presenter.delete("3")
    assert dict(zip(state.df["code"], state.df["verdict"], strict=True)) == {
        "missedCall": "deleted",
        "paid": "refused",
        "newsletter": "deleted",
    }
    assert [badge.code for badge in state.removed] == ["missedCall", "newsletter"]
    presenter.undo()
    assert sorted(portal.badges, key=str) == sorted(before, key=str)


def test_codes_that_nobody_has_are_nothing_to_confirm(desk: Desk) -> None:
    state = DeleteBadges(desk).preview(["nonsense", "more"])
    assert (state.phase, len(state.doomed)) == ("failed", 0)
    assert "nonsense, more" in state.message.text


def test_a_preview_is_dropped_when_something_else_is_chosen(desk: Desk, portal: b24nb.SandboxPortal) -> None:
    presenter = DeleteBadges(desk)
    presenter.preview(["missedCall"])
    assert not presenter.forget().doomed
    assert presenter.delete("missedCall").phase == "invalid"
    presenter.preview(["missedCall"])
    state = presenter.preview(["nonsense"])
    assert (state.phase, len(state.doomed), state.message.code) == ("failed", 0, "NOT_FOUND")
    assert asked(portal, DELETE) == 0


def test_undo_takes_back_this_delete_whatever_happened_since(desk: Desk, b24: b24nb.Client) -> None:
    presenter = DeleteBadges(desk)
    presenter.preview(["missedCall"])
    presenter.delete("missedCall")
    b24.badges.add("new", "t", "v", "primary")
    presenter.undo()
    assert {"missedCall", "new"} <= {badge.code for badge in b24.badges.list()}


def test_undo_does_not_overwrite_what_somebody_made_anew(desk: Desk, b24: b24nb.Client) -> None:
    presenter = DeleteBadges(desk)
    presenter.preview(["missedCall"])
    presenter.delete("missedCall")
    theirs = b24.badges.add("missedCall", "theirs", "v", "primary")
    state = presenter.undo()
    assert (state.phase, len(state.removed)) == ("failed", 1)
    assert b24.badges.get("missedCall") == theirs


def test_a_refused_delete_keeps_preview_and_holders(desk: Desk, portal: b24nb.SandboxPortal) -> None:
    portal.attach("missedCall")
    presenter = DeleteBadges(desk)
    presenter.preview(["missedCall"])
    presenter.find_holders()
    state = presenter.delete("missedCall")
    assert (state.phase, state.message.code) == ("failed", "ENTITY_WITH_BADGE_EXISTS")
    assert len(state.holding.found) == 1
    assert len(state.doomed) == 1


def test_cancel_ends_between_two_requests() -> None:
    rows = [Badge(f"c{n:03}", "t", "v", "primary").to_wire() for n in range(120)]
    with b24nb.SandboxPortal(badges=rows) as portal, b24nb.connect(portal) as b24:
        presenter = DeleteBadges(Desk(b24))
        presenter.preview([row["code"] for row in rows])
        seen = []

        def progress(text: str, done: int, total: int) -> None:
            seen.append((done, total))
            if done == 50:
                presenter.cancel.set()

        presenter.progress = progress
        state = presenter.delete("120")
        assert (len(state.removed), len(portal.badges)) == (49, 71)
        assert state.df["verdict"].value_counts().to_dict() == {"not sent": 70, "deleted": 50}
        assert (50, 120) in seen


# -- calls --------------------------------------------------------------------------------------------


def test_the_log_is_looked_at_cleared_and_exported(desk: Desk, b24: b24nb.Client) -> None:
    presenter = WatchCalls(desk)
    b24.badges.list()
    state = presenter.look()
    assert len(state.df) == presenter.count == len(b24.calls)
    assert state.summary.loc["crm.activity.badge.list", "n"] == 1
    state = presenter.export("calls.csv")
    assert "calls.csv" in state.message.text
    state = presenter.export("calls.csv")
    assert "there already" in state.field_errors["name"]
    assert "name" in presenter.export("no/such/directory.csv").field_errors
    assert "name" in presenter.export("").field_errors
    assert len(presenter.clear().df) == 0
    import pandas as pd

    assert pd.read_csv("calls.csv")["method"].iloc[-1] == "crm.activity.badge.list"


# -- what is known beforehand, and faults -------------------------------------------------------------


@pytest.mark.parametrize(
    ("who", "changes", "codes"),
    [
        ("admin", True, []),
        ("employee", True, ["ACCESS_DENIED"]),
        ("employee", False, []),
        ("noscope", False, ["insufficient_scope"]),
    ],
)
def test_what_will_be_refused_is_said_before_anything_is_sent(
    portal: b24nb.SandboxPortal, who: str, changes: bool, codes: list[str]
) -> None:
    webhook = portal.webhooks.get(who, portal.webhook)
    with b24nb.connect(webhook) as b24:
        presenter = (DeleteBadges if changes else ListBadges)(Desk(b24))
        before = len(portal.requests)
        assert [notice.code for notice in presenter.notices] == codes
        assert len(portal.requests) == before


def test_a_read_only_client_says_so_and_sends_nothing(portal: b24nb.SandboxPortal) -> None:
    with b24nb.connect(portal, read_only=True) as b24:
        presenter = AddBadge(Desk(b24))
        assert "read-only" in presenter.notices[0].text
        before = len(portal.requests)
        assert presenter.add(VIP).message.kind == "check"
        assert len(portal.requests) == before


def test_an_unknown_code_is_kept() -> None:
    message = told(errors.from_answer("NEW_TROUBLE", "words", http_status=400, method=GET))
    assert message.code == "NEW_TROUBLE"
    assert "words" in message.details


def test_an_unexpected_error_shows_no_secret() -> None:
    error = RuntimeError("GET https://x.bitrix24.com/rest/1/s3cr3t/profile failed")
    assert "s3cr3t" not in unexpected(error).text


def test_timings_count_attempts_and_keep_the_figures_apart(desk: Desk, portal: b24nb.SandboxPortal) -> None:
    presenter = ListBadges(desk)
    portal.faults.next("reset", times=2)
    presenter.fetch(ListFields())
    (row,) = presenter.timings.to_dict("records")
    assert (row["attempts"], row["http_status"], row["outcome"]) == (3, 200, "ok")
    assert row["network_ms"] == pytest.approx(row["client_ms"] - row["server_ms"])
    assert len(presenter.calls) == 3


def test_the_desk_follows_what_forms_change(desk: Desk) -> None:
    vip = Badge("vip", "t", "v", "primary")
    desk.see_added([vip])
    assert desk.badges is None  # before a list, what else there is would be a guess
    desk.see(Badges([vip]))
    seen = []
    desk.watch(lambda change: seen.append((change, desk.codes, desk.selection)))
    desk.see_added([Badge("new", "t", "v", "primary")])
    desk.select(["vip"])
    desk.select(["vip"])
    desk.see_deleted(["vip"])
    assert seen == [
        ("badges", ("vip", "new"), ()),
        ("selection", ("vip", "new"), ("vip",)),
        ("badges", ("new",), ("vip",)),
        ("selection", ("new",), ()),
    ]
    assert desk.find("NEW").code == "new"
