"""The steps from what a portal has to what is wanted, and how they are cut into requests."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from b24nb.badges.badge import Badge, Badges
from b24nb.badges.changes import Action, deletions, diff


def badge(code: str, title: Any = "t") -> Badge:
    return Badge(code, title, "v", "primary")


def test_another_spelling_replaces_what_most_portals_take_for_the_same() -> None:
    (step,) = diff(Badges([badge("VIP")]), Badges([badge("vip")]), removable=None)
    assert (step.action, step.before, step.after) == (Action.REPLACE, badge("VIP"), badge("vip"))
    assert step.note == "other code; the portal has it as 'VIP'"
    (step,) = diff(Badges([badge("VIP"), badge("vip")]), Badges([badge("vip")]))  # it tells them apart
    assert step.action is Action.KEEP


codes = st.text("abAB", min_size=1, max_size=3)
sides = st.lists(st.builds(badge, codes, st.sampled_from("xy")), unique_by=lambda item: item.code.casefold())


@given(sides, sides, st.booleans())
def test_the_steps_lead_to_what_is_wanted(current: list[Badge], wanted: list[Badge], prune: bool) -> None:
    portal = {item.code: item for item in current}
    for step in diff(Badges(current), Badges(wanted), removable=None if prune else ()):
        for _, method, params in step.commands("x"):
            if method == "crm.activity.badge.delete":
                del portal[next(code for code in portal if code.casefold() == params["code"].casefold())]
            else:
                assert params["code"].casefold() not in {code.casefold() for code in portal}
                portal[params["code"]] = Badge.from_wire(params)
    names = {item.code.casefold() for item in wanted}
    left = [] if prune else [item for item in current if item.code.casefold() not in names]
    assert set(portal.values()) == {*wanted, *left}


def test_a_badge_is_deleted_only_as_it_was_given() -> None:
    seen = badge("vip", "as it was")
    (step,) = deletions(Badges([badge("vip", "as it is")]), [seen], missing_ok=False)
    assert step.before == seen
