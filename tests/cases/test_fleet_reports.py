"""Plans and reports of many portals that said what was not so."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from b24nb import Badge, Fleet, connect, errors, forms
from b24nb.sandbox import SandboxFleet
from tests import fleets
from tests.fleets import QUIET, fleet_of, meddle
from tests.widgets import click, shown

OLD, VIP, NEW = (Badge(code, "T", "V", "primary") for code in ("old", "vip", "new"))


@pytest.fixture
def sandboxes() -> Iterator[SandboxFleet]:
    """Three portals that have one badge."""
    with SandboxFleet(3, badges=[OLD.to_wire()]) as sandboxes:
        yield sandboxes


def test_undo_minds_a_portal_that_was_renamed_since(sandboxes: SandboxFleet, tmp_path: Path) -> None:
    before, vault, former = fleets.badges_of(sandboxes), dict(sandboxes.webhooks), sandboxes.webhooks["portal-0001"]
    fleet = fleet_of(sandboxes, vault.get, journal=tmp_path)
    first = fleet.plan([VIP], **QUIET)
    assert first.apply(**QUIET).ok
    vault["portal-0001"] = former.replace("127.0.0.1", "localhost")
    report = first.undo(**QUIET)
    assert report.missing == {"portal-0001": "not visited"}
    assert "journal.adopt" in report.status["detail"][0]
    vault["portal-0001"] = former
    assert first.undo(**QUIET).counts == {"deleted": 1}
    assert first.apply(**QUIET).ok
    vault["portal-0001"] = former.replace("127.0.0.1", "localhost")
    assert fleet.plan([NEW], **QUIET).apply(**QUIET).ok
    assert fleet.plan_undo(**QUIET).missing == {}, "the last run knew the new address"
    assert fleet.plan_undo(2, **QUIET).missing == {"portal-0001": "not visited"}
    assert "former addresses" in repr(fleet_of(sandboxes, vault.get, journal=tmp_path).plan_undo(2, **QUIET))
    (journal,) = tmp_path.glob(f"127*{former.split('/')[2].partition(':')[2]}.db")
    with connect(vault["portal-0001"], journal=journal) as b24:
        b24.journal.adopt(host=former)
    plan = fleet.plan_undo(2, **QUIET)
    assert plan.apply(confirm=plan.confirmation, **QUIET).ok
    assert fleets.badges_of(sandboxes) == before


def test_undo_minds_another_user_only_if_he_had_a_part_in_these_runs(sandboxes: SandboxFleet, tmp_path: Path) -> None:
    vault = sandboxes.webhooks | {"portal-0001": sandboxes.portals["portal-0001"].webhooks["employee"]}
    fleet = fleet_of(sandboxes, vault.get, journal=tmp_path)
    assert fleet.plan([VIP], **QUIET).apply(**QUIET).missing == {"portal-0001": "no access"}
    vault["portal-0001"] = sandboxes.webhooks["portal-0001"]
    assert fleet.plan([VIP], **QUIET).apply(**QUIET).ok
    assert fleet.plan_undo(5, **QUIET).missing == {}, "who may change nothing did not"
    others = Fleet(sandboxes.names[1:], vault.get, journal=tmp_path)
    assert others.plan([NEW], **QUIET).apply(**QUIET).ok
    vault["portal-0001"] = sandboxes.portals["portal-0001"].webhooks["employee"]
    assert fleet.plan_undo(**QUIET).missing == {}, "the last run was not there"
    assert fleet.plan_undo(5, **QUIET).missing == {"portal-0001": "not visited"}


@pytest.mark.parametrize("then", ["", "Theirs"], ids=["deleted", "edited"])
def test_a_badge_that_is_not_any_more_what_it_was_is_not_called_kept(sandboxes: SandboxFleet, then: str) -> None:
    plan = fleet_of(sandboxes).plan([OLD, VIP], **QUIET)
    meddle(sandboxes.webhooks["portal-0001"], "old", then)
    report = plan.apply(**QUIET)
    assert report.counts == {"changed": 1, "added": 3, "kept": 2}
    assert report.missing == {"portal-0001": "changed"}
    assert not report.ok
    assert plan.apply(**QUIET).missing == {"portal-0001": "changed"}, "nothing is left to be sent there"


@pytest.mark.parametrize("trouble", ["html", "ACCESS_DENIED"])
def test_a_badge_that_nobody_could_look_at_is_not_called_kept(sandboxes: SandboxFleet, trouble: str) -> None:
    plan = fleet_of(sandboxes).plan([OLD, VIP], **QUIET)
    meddle(sandboxes.webhooks["portal-0001"], "old")
    sandboxes.portals["portal-0001"].faults.next(trouble, times=9)
    report = plan.apply(**QUIET)
    assert report.counts == {"not sent": 2, "kept": 2, "added": 2}
    assert set(report.failed["error"]) <= {"BadResponse", "ACCESS_DENIED"}


def test_a_report_does_not_call_a_badge_right_that_was_deleted_since_an_earlier_call(sandboxes: SandboxFleet) -> None:
    plan = fleet_of(sandboxes).plan([NEW, VIP], **QUIET)
    sandboxes.portals["portal-0001"].faults.next("ACCESS_DENIED", method="crm.activity.badge.add")
    assert plan.apply(keep_going=True, **QUIET).counts == {"failed": 1, "added": 5}
    meddle(sandboxes.webhooks["portal-0001"], "vip")
    report = plan.apply(**QUIET)
    assert report.counts == {"added": 5, "changed": 1}
    assert report.missing == {"portal-0001": "changed"}
    assert set(report.df["action"]) == {"add"}
    assert plan.apply(**QUIET).ok
    assert fleets.badges_of(sandboxes)["portal-0001"] == fleets.badges_of(sandboxes)["portal-0002"]
    assert plan.undo(**QUIET).counts == {"deleted": 6}


@pytest.mark.parametrize(
    "wrong",
    [{"confirm": "all"}, {"first": 0}, {"cancle": None}, *({"max_failures": one} for one in (-1, 1.5, True, "2%"))],
)
def test_after_a_call_that_was_refused_a_plan_still_knows_what_it_sent(sandboxes: SandboxFleet, wrong: Any) -> None:
    plan = fleet_of(sandboxes).plan([VIP], **QUIET)
    assert plan.apply(**QUIET).ok
    with pytest.raises((errors.InvalidInput, TypeError)):
        plan.apply(**QUIET, **wrong)
    assert "There is nothing to send." in repr(plan)
    assert plan.left == []


def test_the_form_shows_what_a_plan_warns_of_and_reads_generators_once(sandboxes: SandboxFleet) -> None:
    vault = {"a": sandboxes.webhooks["portal-0001"], "b": sandboxes.webhooks["portal-0001"]}
    form = forms.fleet(Fleet(vault, vault.get), wanted=(one for one in [VIP]), protect=(one for one in ["old"]))
    form.prune.value = True
    for _ in range(2):
        click(form, form.plan_button)
        assert form.state.plan.counts == {"add": 2, "keep": 2}
        assert "One portal under several names: a, b" in shown(form)


def test_a_badge_with_an_ordinary_address_is_no_secret(sandboxes: SandboxFleet) -> None:
    with connect(sandboxes.webhooks["portal-0001"]) as b24:
        b24.badges.add("shop", "Shop", "https://shop.example/rest/V1/products", "primary")
    assert fleet_of(sandboxes).map(lambda b24: b24.badges.list()[-1].value, **QUIET).missing == {}


def test_undo_does_not_call_our_own_later_run_that_of_somebody_else(sandboxes: SandboxFleet) -> None:
    fleet = fleet_of(sandboxes)
    plan = fleet.plan([VIP], **QUIET)
    assert plan.apply(**QUIET).ok
    assert fleet.plan([Badge("vip", "Later", "V", "primary")], **QUIET).apply(**QUIET).ok
    assert set(plan.undo(**QUIET).df["detail"]) == {"changed since: left alone"}


def test_undo_counts_only_the_portals_that_its_plan_has_begun(sandboxes: SandboxFleet) -> None:
    plan = fleet_of(sandboxes, (sandboxes.webhooks | {"portal-0003": "revoked"}).get).plan([VIP], **QUIET)
    plan.apply(first=1, **QUIET)
    report = plan.undo(**QUIET)
    assert repr(report).startswith("Report of 1 of 1 portal: 1 deleted")
    assert list(report.status["portal"]) == ["portal-0001"]


def test_a_call_visits_as_many_portals_at_a_time_as_it_says(sandboxes: SandboxFleet) -> None:
    def vault(name: str) -> str:
        together.append(busy.locked())
        with busy:
            time.sleep(0.02)
            return sandboxes.webhooks[name]

    busy, together = threading.Lock(), list[bool]()
    fleet = fleet_of(sandboxes, vault)
    fleet.check(parallel=1, **QUIET)
    plan = fleet.plan([VIP], parallel=1, **QUIET)
    plan.apply(parallel=1, **QUIET)
    plan.undo(parallel=1, **QUIET)
    assert not any(together)


def test_an_option_that_a_run_does_not_have_is_refused_by_its_name(sandboxes: SandboxFleet) -> None:
    fleet = fleet_of(sandboxes)
    plan = fleet.plan([VIP], **QUIET)
    for run in (fleet.check, fleet.badges, plan.apply):
        with pytest.raises(TypeError, match=r"no option prgress=. There are progress, parallel, cancel"):
            run(prgress=False)
    with pytest.raises(TypeError, match="no option keep_going="):
        fleet.badges(keep_going=True)


def test_a_journal_that_a_task_shows_is_empty(sandboxes: SandboxFleet) -> None:
    found = fleet_of(sandboxes).map(lambda b24: repr(b24.journal) + repr(b24.journal.plan_undo()), **QUIET)
    assert all("nothing was changed yet" in value for value in found.values.values())


def test_a_second_undo_adds_what_the_first_one_has_deleted_and_could_not_add(sandboxes: SandboxFleet) -> None:
    fleet, before = fleet_of(sandboxes), fleets.badges_of(sandboxes)
    plan = fleet.plan([Badge("old", "New", "V", "primary")], **QUIET)
    assert plan.apply(**QUIET).ok
    portal = sandboxes.portals["portal-0001"]
    portal.faults.next("ACCESS_DENIED", times=2, method="crm.activity.badge.add")
    assert plan.undo(**QUIET).counts == {"failed": 1, "replaced": 2}
    assert not portal.badges
    assert plan.undo(**QUIET).ok
    assert fleets.badges_of(sandboxes) == before
