"""A portal of several servers may answer ``list`` from one that is behind: no undo is planned or called done by it."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from b24nb import Badge, Client, SandboxPortal, connect
from tests.servers import Envelope, in_front_of

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

    def answer(method: str, pass_on: Callable[[], Envelope]) -> Envelope:
        status, envelope = pass_on()
        if behind and method.endswith(".list"):
            envelope |= {"result": {"badges": behind}, "total": len(behind)}
        return status, envelope

    with in_front_of(portal, answer) as webhook, connect(webhook) as b24:
        CHANGES[change](b24)
        after, behind[:] = portal.badges, before
        plan = b24.journal.plan_undo()
        assert sum(step.before != step.after for step in plan.steps) == 1
        report = plan.apply(progress=False)
        assert report.counts == {"unknown": 1}
        assert "its answer to get differ" in report.df["detail"][0]
        assert not report.ok
        assert portal.badges == after
        behind.clear()
        assert plan.apply(progress=False).ok
        assert sorted(portal.badges, key=str) == before


def test_an_undo_of_many_is_not_called_done_by_a_look_during_it(portal: SandboxPortal) -> None:
    before, behind = portal.badges, list[str]()

    def answer(method: str, pass_on: Callable[[], Envelope]) -> Envelope:
        status, envelope = pass_on()
        look = envelope["result"]["result"].get("k0") if method == "batch" else None
        if isinstance(look, dict) and "badges" in look and behind:
            look["badges"], envelope["result"]["result_total"]["k0"] = before, len(before)
            behind.append(method)
        return status, envelope

    with in_front_of(portal, answer) as webhook, connect(webhook) as b24:
        wanted = [Badge(f"c{number}", "Title", "Value", "primary") for number in range(120)]
        b24.badges.plan(wanted).apply(progress=False)
        undo, behind[:] = b24.journal.plan_undo(), ["from now on"]
        assert undo.apply(progress=False, confirm=120).counts == {"deleted": 120}
    assert portal.badges == before
    assert len(behind) > 1
