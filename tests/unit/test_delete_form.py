"""The form that deletes badges: choose, look, confirm; and back."""

import html
import re
from dataclasses import replace
from typing import Any

import pytest

from b24nb import Client, SandboxPortal, as_code, connect, forms
from b24nb.badges.badge import Badge
from tests.fakes import eventually, rows
from tests.servers import gate_of, in_front_of
from tests.widgets import click, confirm, release, shown, times_asked, tree, waiting


def test_delete_one_and_undo(b24: Client, portal: SandboxPortal) -> None:
    before = portal.badges
    form = forms.delete_form(b24)
    form.code.value = "missedcall"
    assert form.delete_button not in tree(form)
    click(form, form.preview_button)
    assert "type its code: missedCall" in shown(form)
    code = str(as_code("crm.activity.badge.delete", {"code": "missedCall"}))
    assert " ".join(code.split()) in shown(form)
    confirm(form, "missedcall")
    assert "Type exactly missedCall to confirm." in shown(form)
    confirm(form, "missedCall")
    click(form, form.delete_button)  # a double click
    assert "was deleted." in shown(form)
    assert form.delete_button not in tree(form)
    new = b24.badges.add("new", "t", "v", "primary").to_wire()  # whatever happens meanwhile
    click(form, form.undo_button)
    click(form, form.undo_button)
    assert "1 of 1 badge restored" in shown(form)
    assert (times_asked(portal, "delete"), portal.requests[-1].method) == (1, "batch"), "the second clicks send nothing"
    assert portal.badges == [*before[1:], new, before[0]]
    assert form.undo_button not in tree(form)


def test_what_the_portal_would_refuse_is_marked_and_not_counted(b24: Client, portal: SandboxPortal) -> None:
    portal.attach("paid")
    form = forms.delete_form(b24, ["missedCall", "nonsense", "paid", "newsletter"], run=True)
    assert form.state.message.text.startswith("2 badges would be deleted. Held")
    assert "held: probably refused" in shown(form)
    assert "Not there, so nothing to delete: nonsense." in shown(form)
    for held_too, number in ((True, 3), (False, 2)):
        form.held_too.value = held_too
        assert f"type the number of badges: {number}" in shown(form)
        assert "to confirm." not in shown(form)
        confirm(form, "x")
        assert f"Type exactly {number} to confirm." in shown(form)
    confirm(form, "2")
    assert list(form.df["code"]) == ["missedCall", "newsletter"]
    assert [badge.code for badge in form.state.removed] == ["missedCall", "newsletter"]


def test_after_a_delete_nothing_is_chosen_in_the_list_either(b24: Client, portal: SandboxPortal) -> None:
    tabs = forms.explorer(b24, run=True).forms
    listing, form = tabs["List"], tabs["Delete"]

    def delete(word: str) -> None:
        click(form, form.preview_button)
        click(form, form.release_button)  # refused, so that Delete is no double click of the last one
        confirm(form, word)
        assert (form.table.selected, listing.table.selected, listing.selection) == ([], [], ())

    listing.table.selected = ["newsletter", "onHold", "paid"]
    form.table.selected = ["newsletter", "paid"]
    delete("2")
    assert not {"newsletter", "paid"} & {badge.code for badge in listing.table.badges}
    click(form, form.undo_button)
    assert {"newsletter", "paid"} <= {badge.code for badge in listing.table.badges}
    assert not form.table.selected
    other = forms.delete_form(b24, ["newsletter", "onHold"], run=True)
    form.code.value = "newsletter"
    delete("newsletter")
    assert len(other.state.badges) == 0, "its preview is not true any more"
    click(form, form.undo_button)
    form.table.selected = ["birthday", "paid"]
    portal.faults.next("ACCESS_DENIED", method="crm.activity.badge.delete")
    delete("2")
    form.code.value = "birthday"
    delete("birthday")
    b24.badges.add("birthday", "T", "V", "primary")
    assert not form.table.selected


@pytest.mark.parametrize("codes", [["newsletter"], ["newsletter", "missedCall"]])
@pytest.mark.parametrize("there", [True, False])
def test_a_badge_that_somebody_changed_meanwhile_is_left_alone_and_shown_as_it_is(
    b24: Client, portal: SandboxPortal, codes: list[str], there: bool
) -> None:
    form = forms.delete_form(b24, codes)
    click(form, form.load_button)
    form.run()
    b24.badges.delete("newsletter")
    if there:
        b24.badges.add("newsletter", "Corrected", "News", "primary")
    sent = times_asked(portal, "delete")
    confirm(form, form.state.word)
    if len(codes) > 1:
        assert list(form.df["verdict"]) == ["changed" if there else "already gone", "deleted"]
        left = "1 badge changed, and left alone." if there else "1 badge already gone."
        assert f"1 of 2 badges deleted. {left}" in shown(form)
    else:
        assert (form.state.phase, times_asked(portal, "delete")) == ("failed", sent)
        assert ("has changed" if there else "No badge has this code") in shown(form)
    assert form.delete_button not in tree(form)
    assert "will be deleted" not in shown(form)
    assert [badge.title for badge in form.table.badges if badge.code == "newsletter"] == ["Corrected"] * there
    assert ("newsletter" in b24.badges.list()) == there


def test_a_preview_stays_while_its_badge_is_as_it_shows(b24: Client) -> None:
    tabs = forms.explorer(b24, run=True).forms
    form, adding = tabs["Delete"], tabs["Add"]
    b24.badges.add("vip", "t", "v", "primary")  # the list does not know it
    form.code.value = "vip"
    click(form, form.preview_button)
    adding.code.value, adding.rows[0].title.value, adding.rows[0].value.value = "gold", "t", "v"
    click(adding, adding.add_button)
    assert [badge.code for badge in form.state.badges] == ["vip"]
    assert "in one answer" not in shown(tabs["List"]), "it counts the badges that were there before"


def test_the_report_of_many_begins_with_what_went_wrong(portal: SandboxPortal, b24: Client) -> None:
    codes = [f"c{number:03}" for number in range(150)]
    report = b24.badges.plan([Badge(code, "T", "V", "primary") for code in codes]).apply(progress=False)
    assert "c149" not in report._repr_html_()
    form = forms.delete_form(b24, codes, run=True)
    portal.attach("c149")
    confirm(form, "150")
    rows = shown(form).partition("What became of each")[2]
    assert rows.split()[5:8] == ["c149", "delete", "refused"]
    assert "c149" in form.result._repr_html_()
    assert "c149" in repr(form.result)
    assert list(form.df["code"]) == codes


@pytest.mark.parametrize("asked_last", ["crm.activity.badge.get", "crm.activity.list"])
def test_a_badge_chosen_while_another_is_looked_at_is_not_taken_for_it(asked_last: str, portal: SandboxPortal) -> None:
    with gate_of(portal, asked_last) as gate, connect(gate.webhook) as b24:
        explorer = forms.explorer(b24, run=True)
        form = explorer.forms["Delete"]
        form.code.value = "missedCall"
        with waiting(gate, form, form.preview_button):
            explorer.forms["List"].table.selected = ["newsletter"]
        assert (form.table.selected, len(form.state.badges)) == (["newsletter"], 0)
        assert form.delete_button not in tree(form)
        click(form, form.preview_button)
        assert form.state.word == "newsletter"


def test_every_badge_that_will_go_is_named_and_the_call_of_each_is_shown() -> None:
    like_a_reference = {**rows(1)[0], "code": "a$result[b]"}
    with SandboxPortal(badges=[*rows(300), like_a_reference]) as portal, connect(portal) as b24:
        codes = ["a$result[b]", *(row["code"] for row in portal.badges[:-1])]
        form = forms.delete_form(b24, codes, run=True)
        named = re.findall(r"\bc\d{4}\b|a\$result\[b\]", html.unescape(form.result_view.value))
        assert named == codes
        table, _, folded = form.result_view.value.partition("<details>")
        assert ("c0008" in table, "c0009" in table, "c0009" in folded) == (True, False, True)
        assert "The call as code: the first 50 of 301 badges" in shown(form)
        assert all(f"crm.activity.badge.delete?code=c{number:04}" in shown(form) for number in range(49))
        assert '"halt": 0' in html.unescape(shown(form))  # as the button: the others go, whatever becomes of one


def test_choosing_anew_drops_the_preview(b24: Client, portal: SandboxPortal) -> None:
    form = forms.delete_form(b24, "missedCall", run=True)
    click(form, form.load_button)
    click(form, form.back_button)
    form.table.selected = ["paid", "newsletter"]
    assert form.code.value == ""
    assert form.delete_button not in tree(form)
    click(form, form.preview_button)
    assert form.state.word == "2"
    form.code.value = "nonsense"
    assert form.table.selected == []
    assert form.delete_button not in tree(form)
    click(form, form.preview_button)
    assert (form.state.phase, len(form.state.badges), form.state.message.code) == ("failed", 0, "NOT_FOUND")
    confirm(form, "nonsense")
    assert times_asked(portal, "delete") == 0
    several = forms.delete_form(b24, ["nonsense", "more"], run=True)
    assert (several.state.phase, len(several.state.badges)) == ("failed", 0)
    assert "nonsense, more" in shown(several)


def test_undo_restores_what_can_be_restored_as_it_was_last_and_tells_of_the_rest() -> None:
    long, broken = Badge("x" * 36, "t", "v", "primary"), Badge("broken", "", "v", "primary")
    badges = [Badge("vip", "t", "v", "primary"), long, broken]
    with SandboxPortal(badges=[one.to_wire() for one in badges], code_limit=255) as portal, connect(portal) as b24:

        def asked_by_the_run() -> bool:
            if badges[0].to_wire() in portal.badges:  # right before the deletes, somebody edits one
                b24.badges.delete("vip")
                b24.badges.add("vip", "Edited", "v", "primary")
            return False

        form = forms.delete_form(b24, badges, run=True)
        form.cancel.is_set = asked_by_the_run
        confirm(form, "3")
        assert list(form.df["verdict"]) == ["deleted"] * 3
        assert "Undo restores what was deleted, as far as the portal takes it." in shown(form)
        click(form, form.undo_button)
        assert portal.badges == [one.to_wire() for one in (replace(badges[0], title="Edited"), long)]
        assert form.state.message.text.startswith("2 of 3 badges restored")
        assert list(form.state.removed) == [broken]
        assert "The title is empty." in shown(form)


@pytest.mark.parametrize("refused", [["onHold"], ["onHold", "waitingPayment"]])
def test_a_delete_that_the_portal_refuses_keeps_the_undo_of_the_one_before(refused: list[str], b24: Client) -> None:
    form = forms.delete_form(b24, "missedCall", run=True)
    confirm(form, "missedCall")
    form.table.selected = refused
    form.run()
    assert form.delete_button not in tree(form)
    form.held_too.value = True
    click(form, form.release_button)  # refused, so that Delete is no double click of the last one
    confirm(form, form.state.word)
    assert form.state.phase == "failed"
    click(form, form.undo_button)
    assert b24.badges.get("missedCall")


def test_undo_neither_counts_nor_overwrites_what_is_there_again_and_then_offers_only_the_rest(b24: Client) -> None:
    form = forms.delete_form(b24, ["missedCall", "newsletter"], run=True)
    confirm(form, "2")
    b24.journal.plan_restore([form.state.removed[1]]).apply(progress=False)
    click(form, form.undo_button)
    text = "1 of 2 badges restored, now last in the list. Already there: newsletter."
    assert (form.state.phase, form.state.message.text) == ("done", text)
    form.table.selected = ["missedCall", "newsletter", "paid"]
    form.run()
    confirm(form, "3")
    b24.journal.plan_restore([form.state.removed["newsletter"]]).apply(progress=False)
    theirs = b24.badges.add("paid", "theirs", "v", "primary")
    click(form, form.undo_button)
    assert (form.state.phase, [badge.code for badge in form.state.removed]) == ("failed", ["paid"])
    assert b24.badges.get("paid") == theirs


@pytest.mark.parametrize("codes", [["newsletter"], ["newsletter", "missedCall"]], ids=["one", "two"])
def test_undo_restores_what_was_deleted_although_nobody_could_tell(codes: list[str], portal: SandboxPortal) -> None:
    is_up = [True]

    def answer(_: str, pass_on: Any) -> Any:
        if not all(is_up):
            return 503, {"error": "OVERLOAD_LIMIT", "error_description": ""}
        there, found = len(portal.badges), pass_on()
        is_up.append(len(portal.badges) == there)
        return found if is_up[-1] else (200, {"result": None})

    with in_front_of(portal, answer) as webhook, connect(webhook) as b24:
        form = forms.delete_form(b24, codes, run=True)
        confirm(form, form.state.word)
        is_up.clear()
        assert not {*codes} & {badge["code"] for badge in portal.badges}
        assert "was deleted" not in shown(form)
        assert not codes[1:] or "0 of 2 badges deleted. Nobody can tell yet of 2." in shown(form)
        click(form, form.undo_button)
        assert {*codes} <= {badge["code"] for badge in portal.badges}


def test_undo_waits_for_a_delete_that_may_still_be_carried_out(portal: SandboxPortal) -> None:
    def carried_out() -> bool:
        return "newsletter" not in [badge["code"] for badge in portal.badges]

    with connect(portal, settle_after=5, timeout=(1, 1)) as b24:
        form = forms.delete_form(b24, "newsletter", run=True)
        form.confirm.value = "newsletter"
        portal.faults.next("hang", method="crm.activity.badge.delete", effect_after=1.5, seconds=1)
        form.delete_button.click()
        eventually(lambda: times_asked(portal, "get") > 1)
        portal.faults.next("OVERLOAD_LIMIT", method="crm.activity.badge.get", times=9)
        assert form.wait(10)
        portal.faults.clear()
        assert "Nobody can tell yet" in shown(form)
        assert not carried_out()
        click(form, form.undo_button)
        assert "1 of 1 badge restored" in shown(form)
        assert not carried_out()


@pytest.mark.parametrize("ended", ["cancelled", "closed"])
def test_a_form_that_is_ended_while_it_deletes_sends_no_more_requests(ended: str) -> None:
    with SandboxPortal(badges=rows(120)) as portal, gate_of(portal, "batch") as gate:
        gate.opened.set()
        with connect(gate.webhook) as b24:
            form = forms.delete_form(b24, b24.badges.list(), run=True)
            assert "No badge has been deleted yet." in shown(form)
            form.confirm.value = "120"
            gate.reached.clear(), gate.opened.clear()
            with waiting(gate, form, form.delete_button):
                eventually(lambda: form.cancel_button in tree(form))
                assert "Nothing has been" not in shown(form)
                (form.close if ended == "closed" else form.cancel_button.click)()
                assert ended == "closed" or "Will stop before the next step, if there is one" in shown(form)
        left = len(portal.badges)
        assert 0 < left < 120
        assert len(form.state.removed) == 120 - left
        assert form.df["verdict"].value_counts().to_dict() == {"not sent": left, "deleted": 120 - left}


def test_held_badges_go_once_they_are_released_here_or_in_another_form(b24: Client, portal: SandboxPortal) -> None:
    portal.attach("paid")
    form = forms.delete_form(b24, ["waitingPayment", "onHold", "paid", "newsletter"], run=True)
    assert form.state.message.text.startswith("1 badge would be deleted. Held")
    assert form.which.options[0][0] == "all 4 activities"
    assert "onHold 5 deal 5" in shown(form)
    inspect = forms.inspect_form(b24, "onHold", run=True)
    release(inspect, inspect.which.value[0])
    text = "2 badges would be deleted. Held, so probably refused: 2 badges. No badge has been deleted yet."
    assert form.state.message.text == text
    assert form.which.options[0][0] == "all 3 activities"
    assert "onHold 5 deal 5" not in shown(form)
    release(form, "3 activities")
    assert form.state.message.text.startswith("Activities released: 3 of 3. 4 badges would be deleted. No badge has")
    assert "would be refused" not in shown(form)
    assert form.release_button not in tree(form)
    confirm(form, "4")
    assert list(form.df["verdict"]) == ["deleted"] * 4
    assert not {"waitingPayment", "onHold", "paid"} & {badge["code"] for badge in portal.badges}
