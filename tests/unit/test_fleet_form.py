"""The form of many portals: compare, plan, confirm, apply, take back."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from b24nb import Badge, Client, Fleet, SandboxPortal, errors, forms
from b24nb.sandbox import SandboxFleet
from tests.fleets import holding, simulated
from tests.widgets import click, confirm, pieces, shown, tree

VIP = Badge("vip", "Client", "VIP", "primary")


@pytest.fixture
def sandboxes() -> Iterator[SandboxFleet]:
    with SandboxFleet(5, revoked=0.2, seed=2) as fleet:
        yield fleet


@pytest.fixture
def healthy(sandboxes: SandboxFleet) -> list[str]:
    return [name for name in sandboxes.names if name not in sandboxes.trouble]


@pytest.fixture
def form(sandboxes: SandboxFleet, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr("b24nb.forms.form.DOUBLE_CLICK_SECONDS", 0)
    return forms.fleet(Fleet(sandboxes.names, vault=sandboxes.webhooks.get), wanted=[VIP], run=True)


def test_of_many_codes_those_that_differ_come_first() -> None:
    def badges(name: str) -> list[dict[str, str]]:
        odd = ("portal-0002", 55), ("portal-0003", 56)
        texts = ["other" if (name, code) in odd else "T" for code in range(60)]
        return [{"code": f"c{code}", "title": text, "value": "V", "type": "primary"} for code, text in enumerate(texts)]

    with SandboxFleet(3, badges=badges) as sandboxes:
        form = forms.fleet(Fleet(sandboxes.names, vault=sandboxes.webhooks.get), run=True)
        both, differing = form.result_view.value.split("Portals that differ: 2")
        assert both.index(">c55<") < both.index(">c0<")
        assert differing.count(">differs<") == 2
        assert "differs: portal-0002" in both
        assert "same:" not in both
        assert "10 more rows not shown" in differing


def test_it_compares_all_portals_and_says_which_are_missing(form: Any, sandboxes: SandboxFleet) -> None:
    (missing,) = sandboxes.trouble
    assert missing in shown(form)
    assert missing in form.result_view.value
    assert "12 codes on 4 portals" in form.result_view.value
    assert "Portals that differ" not in form.result_view.value
    assert form.df["portal"].nunique() == 4
    assert form.timings["method"].value_counts()["batch"] == 5


def test_plan_confirm_apply_and_undo_until_all_is_back(form: Any, sandboxes: SandboxFleet, healthy: list[str]) -> None:
    click(form, form.plan_button)
    assert "4 changes on 4 portals" in shown(form)
    assert "Plan of 4 of 5 portals: 4 add. To send the plan, type" in shown(form)
    assert "made for other choices" not in shown(form)
    assert "vip add 4 portal-" in shown(form), "what would be done, and on how many portals"
    assert holding(sandboxes) == 0
    confirm(form, "yes")
    assert "Type 4 changes on 4 portals." in shown(form)
    assert holding(sandboxes) == 0
    form.first.value = "1"
    confirm(form, "4 changes on 4 portals")
    assert holding(sandboxes) == 1
    assert "3 not visited" in shown(form)
    assert "To send what is left, type: 3 changes on 3 portals" in shown(form)
    click(form, form.apply_button)
    assert "Type 3 changes on 3 portals." in shown(form)
    form.first.value = "some"
    confirm(form, "3 changes on 3 portals")
    assert "first must be a number, 1 or more." in shown(form)
    assert holding(sandboxes) == 1
    form.first.value = ""
    click(form, form.apply_button)
    assert holding(sandboxes) == 4
    click(form, form.compare_button)
    click(form, form.plan_button)
    assert "0 changes on 0 portals" in shown(form)
    assert form.apply_button not in tree(form)
    sandboxes.portals[healthy[0]].faults.next("ACCESS_DENIED", times=1, method="crm.activity.badge.delete")
    for left, shows in ((1, None), (0, "none")):
        assert form.undo_button.layout.display is None
        click(form, form.undo_button)
        assert "o send" not in form.state.message.text + (form.state.message.hint or ""), "the plan knows of no undo"
        assert (holding(sandboxes), form.undo_button.layout.display) == (left, shows)


def test_no_plan_is_applied_that_was_made_for_other_choices(form: Any, sandboxes: SandboxFleet) -> None:
    form.prune.value = True
    click(form, form.plan_button)
    form.prune.value = False
    assert form.apply_button not in tree(form)
    assert "The plan was made for other choices: preview it again." in shown(form)
    confirm(form, form.state.plan.confirmation)
    assert holding(sandboxes) == 0
    form.prune.value, form.file.value = True, "no-such-file.csv"
    click(form, form.plan_button)
    assert "The file can" in shown(form)
    form.file.value = ""
    assert form.apply_button in tree(form)


def test_the_bar_counts_the_visits_that_a_run_makes(sandboxes: SandboxFleet, healthy: list[str]) -> None:
    form = forms.fleet(Fleet(healthy, vault=sandboxes.webhooks.get, parallel=1), wanted=[VIP])
    click(form, form.plan_button)
    bar: list[tuple[int, int]] = []
    form.show_progress = lambda text, done, total: bar.append((done, total)) if text == "Visits" else None
    form.first.value = "2"
    confirm(form, "4 changes on 4 portals")
    assert bar[-1] == (2, 2)
    click(form, form.undo_button)
    assert {total for _, total in bar} == {2}


def test_cancel_ends_between_two_portals(sandboxes: SandboxFleet, healthy: list[str]) -> None:
    visits: list[str] = []

    def vault(name: str) -> str:
        visits.append(name)
        if len(visits) == 7:  # 4 for the plan, 2 for each portal that is changed
            form.cancel.set()
        return sandboxes.webhooks[name]

    form = forms.fleet(Fleet(healthy, vault=vault, parallel=1), wanted=[VIP])
    click(form, form.plan_button)
    confirm(form, "4 changes on 4 portals")
    assert "The run was cancelled." in shown(form)
    assert form.state.message.kind == "check"
    assert holding(sandboxes) == 2
    click(form, form.compare_button)
    assert form.state.message.kind == "done"


def test_a_badge_that_is_refused_keeps_no_other_of_its_portal_from_being_sent(sandboxes: SandboxFleet) -> None:
    portal = sandboxes.portals[name := "portal-0002"]
    form = forms.fleet(Fleet([name], vault=sandboxes.webhooks.get), wanted=[VIP, replace(VIP, code="two")])
    click(form, form.plan_button)
    portal.faults.next("ACCESS_DENIED", method="crm.activity.badge.add")
    confirm(form, "2 changes on 1 portal")
    assert [badge["code"] for badge in portal.badges if badge["code"] in ("vip", "two")] == ["two"]


def test_without_wanted_badges_it_asks_for_a_file(sandboxes: SandboxFleet) -> None:
    form = forms.fleet(Fleet(sandboxes.names, vault=sandboxes.webhooks.get))
    click(form, form.plan_button)
    assert "Name a CSV or JSON file" in shown(form)


def test_names_and_texts_are_shown_as_text(portal: SandboxPortal) -> None:
    evil = "<img src=x onerror=alert(1)>"
    fleet = Fleet([evil], vault=lambda name: portal.webhook)
    form = forms.fleet(fleet, wanted=[Badge("vip", evil, evil, "primary")], run=True)
    click(form, form.plan_button)
    assert "<img" not in "".join(pieces(form)) + form._repr_mimebundle_()["text/html"]


def test_a_thousand_portals_make_a_page_that_stays_small() -> None:
    with simulated(1000) as fleet:
        form = forms.fleet(fleet, run=True)
    assert "12 codes on 1,000 portals" in form.result_view.value
    assert len(form.result_view.value) < 60_000


def test_a_client_of_one_portal_is_refused_in_words(b24: Client) -> None:
    with pytest.raises(errors.InvalidInput, match="shows a Fleet, not a Client"):
        forms.fleet_form(b24)
    with pytest.raises(errors.InvalidInput, match="shows a Client, not a str"):
        forms.explorer("https://example.bitrix24.com/rest/1/abcdef0123456789/")
