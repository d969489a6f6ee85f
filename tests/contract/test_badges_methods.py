"""list, get, add, delete and holders against a real sandbox portal, over a socket."""

import json
from typing import Any

import pytest

from b24nb import Client, SandboxPortal, connect, errors
from b24nb.badges.badge import Badge
from b24nb.badges.changes import Step
from b24nb.errors import NotRestorable
from tests.fakes import applier_of, asked, rows

TEXTS = [
    *("plain", "007", "null", "true", "[]", '{"a": 1}', " spaces ", "line\nbreak\ttab\r\n"),
    *("Кириллица 😀 \u200f\u0000", "a=b&c[d]=e#f+g%20", "$result[list][badges]"),
    "<img src=x onerror=alert(1)> & 'quoted' \"twice\"",
    *({"en": "Client", "de": "Kunde", "ru": "Клиент"}, {}),
]


@pytest.mark.parametrize("text", TEXTS, ids=repr)
def test_a_badge_read_back_equals_what_was_sent(text: Any, b24: Client) -> None:
    for title, value in ((text, {"en": "v", "de": "w"}), ("t", text)):
        sent = Badge("code 'x' & #", title, value, "warning")
        added = b24.badges.add(sent.code, title, value, "warning")
        assert added == sent == b24.badges.get(sent.code) == b24.badges.list()[-1]
        assert b24.badges.delete(sent.code) == sent
        b24.journal.plan_undo().apply(progress=False)
        assert b24.badges.delete(sent.code) == sent


def test_delete_reads_first_and_returns_what_was_there(portal: SandboxPortal, b24: Client) -> None:
    before = b24.badges.get("missedCall")
    assert b24.badges.delete("MissedCall") == before
    assert asked(portal) == ["get", "get", "delete"]
    with pytest.raises(errors.NotFound):
        b24.badges.get("missedCall")
    (row,) = b24.journal.df.itertuples()
    assert (row.kind, row.code, row.action, row.verdict) == ("delete", "missedCall", "delete", "deleted")
    assert Badge.from_wire(json.loads(row.before)) == before


NO_CODES = [{"code": code} for code in (5, None, "", "\ud800")]


@pytest.mark.parametrize(
    ("method", "change"),
    [
        *(("add", change) for change in ({"title": ""}, {"value": {"en": ""}}, {"type": "pink"})),
        *((method, change) for method in ("add", "get", "delete", "holders") for change in NO_CODES),
    ],
)
def test_what_is_wrong_is_not_sent(method: str, change: dict[str, Any], portal: SandboxPortal, b24: Client) -> None:
    given = rows(1)[0] | change if method == "add" else change
    with pytest.raises(errors.InvalidInput) as caught:
        getattr(b24.badges, method)(**given)
    assert caught.value.field in change
    assert asked(portal) == []
    assert b24.journal.df.empty
    assert list(b24.journal.df[~b24.journal.df["seen"]]) == list(b24.journal.df)


def test_success_without_a_badge_is_no_success() -> None:
    """An older portal that cuts codes silently stores one and answers ``{"badge": null}``."""
    with SandboxPortal(code_limit=999) as portal, connect(portal) as b24:
        with applier_of(portal) as applier, pytest.raises(errors.OutcomeUnknown, match="under 'xxx"):
            applier.apply_one("add", Step("x" * 300, None, Badge("x" * 300, "t", "v", "primary")))
        assert b24.journal.df["verdict"].tolist() == ["unknown"]


def test_a_badge_without_a_way_back_is_warned_about_before_it_is_deleted() -> None:
    odd = {"code": "odd", "title": 123, "value": "v", "type": "primary"}
    with SandboxPortal(badges=[odd]) as portal, connect(portal) as b24:
        with pytest.raises(NotRestorable, match="'odd'"):  # warnings are errors here
            b24.badges.delete("odd")
        assert portal.badges == [odd]
        with pytest.warns(NotRestorable) as caught:
            assert b24.badges.delete("odd").to_wire() == odd
        assert caught[0].filename == __file__
        assert b24.journal.df["note"][0].startswith("not restorable: The title is not a text")
        report = b24.journal.plan_undo().apply(progress=False)
        assert (report[0].verdict, report.df["error"][0]) == ("failed", "InvalidInput")
        assert asked(portal)[-1] == "list"  # not sent


def test_holders_name_the_open_activities_and_how_to_release(portal: SandboxPortal, b24: Client) -> None:
    df = b24.badges.holders("waitingPayment")
    assert df["link"].tolist() == [f"{portal.url}/crm/deal/details/{deal}/" for deal in (3, 4)]
    assert df["title"].tolist() == ['Licences "Small team"', "Delivery contract Haas"]
    owners = df[["owner_type", "owner_id", "certainty"]].values.tolist()
    assert owners == [["deal", "3", "likely"], ["deal", "4", "likely"]]
    assert b24.badges.holders("missedCall").empty
    assert b24.badges.holders("paid").empty  # its activity is completed
    assert list(b24.badges.holders("paid").columns) == list(df.columns)
    for release in df["release"]:
        assert eval(release.partition(" or ")[2], {"b24": b24}).apply(confirm=1, progress=False).ok
    assert b24.badges.delete("waitingPayment").code == "waitingPayment"


def test_certainty_tells_old_and_unmatched_holders_apart(clock: Any) -> None:
    long = "x" * 31
    rows = [{"code": code, "title": "t", "value": "v", "type": "primary"} for code in ("old", long)]
    with SandboxPortal(badges=rows, clock=clock) as portal, connect(portal, clock=clock) as b24:
        portal.attach("old")
        portal.attach(long)
        assert b24.badges.holders("old")["certainty"].tolist() == ["likely"]
        assert b24.badges.holders(long)["certainty"].tolist() == ["no"]
        assert len(b24.badges.release(long)) == 0
        assert len(b24.badges.release(long, activities="2")) == 1  # named, it is released
        with pytest.warns(NotRestorable):
            b24.badges.delete(long)  # the portal can't see that it is held
        with pytest.raises(errors.BadgeInUse):
            b24.badges.delete("old")
        clock.advance(31 * 24 * 3600)
        assert b24.badges.holders("old")["certainty"].tolist() == ["possible"]
        b24.badges.delete("old")
