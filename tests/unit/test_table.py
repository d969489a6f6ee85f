"""The table widget as Python sees it: what travels to the browser, and what is shown."""

import base64
import json
import zlib
from typing import Any

import pytest

from b24nb.badges.badge import Badge, Badges
from b24nb.forms.table import Table

BADGES = Badges(
    [
        Badge("missedCall", "Missed call", {"en": "Call back", "de": "Anrufen"}, "failure"),
        Badge("signed", {"en": "Contract", "ru": "Договор"}, "Signed", "success"),
        Badge("paid", {"en": "zebra", "de": "Ameise", "fr": "Straße\u200b"}, "Paid", "success"),
    ]
)


def unpacked(table: Table) -> Any:
    return json.loads(zlib.decompress(base64.b64decode(table.rows)))


def test_rows_travel_whole_and_small() -> None:
    table = Table()
    table.show(BADGES)
    title = {"en": "Contract", "ru": "Договор"}
    assert unpacked(table)["rows"][1] == ["signed", "signed", title, "Signed", "success", ""]
    many = Badges(Badge(f"badge{n}", {"en": f"Client {n}"}, f"Pill {n}", "primary") for n in range(10_000))
    table.show(many)
    assert len(json.dumps(table.get_state(["rows", "selected"]))) < 300_000


def test_what_is_no_text_is_shown_as_one() -> None:
    table = Table(order="title")
    table.show(Badges([Badge("odd", {"en": 7}, {"en": None}, 5), Badge("half \ud83d", "t", "v", "primary")]))  # type: ignore[arg-type, dict-item]
    title, code = "title in 'en' is not a text", "code holds half a character, which can't be sent"
    assert unpacked(table)["rows"] == [
        ["odd", "odd", {"en": "7"}, {"en": "None"}, "5", f"not restorable: The {title}."],
        ["half ?", "half ⟨U+D83D⟩", "t", "v", "primary", f"not restorable: The {code}."],
    ]
    assert len(table.matching) == 2


@pytest.mark.parametrize(
    ("traits", "found"),
    [
        ({}, ["missedCall", "signed", "paid"]),
        ({"words": "MISSED"}, ["missedCall"]),
        ({"words": "anrufen fail"}, ["missedCall"]),
        ({"words": "договор"}, ["signed"]),
        ({"words": "STRASSE"}, []),
        ({"words": "straße"}, ["paid"]),
        ({"words": "u+200b"}, ["paid"]),
        ({"words": "nothing like this"}, []),
        ({"kind": "success"}, ["signed", "paid"]),
        ({"order": "title"}, ["signed", "missedCall", "paid"]),
        ({"order": "title", "language": "de"}, ["paid", "signed", "missedCall"]),
        ({"order": "-code", "kind": "success"}, ["signed", "paid"]),
    ],
)
def test_code_sees_the_rows_that_the_browser_shows(traits: dict[str, str], found: list[str]) -> None:
    table = Table(**traits)
    table.show(BADGES)
    assert [badge.code for badge in table.matching] == found


TITLES = {
    "a": "Mail",
    "b": " Anruf",
    "c": "🔥 Heiß",
    "d": "ＶＩＰ会員",
    "e": "Zeit",
    "f": "\u200bBrief",
    "Z": {"en": ""},
}


@pytest.mark.parametrize(("order", "found"), [("title", "Zaebfcd"), ("-title", "dcfbeaZ"), ("code", "abcdefZ")])
def test_rows_are_in_the_order_that_the_browser_shows(order: str, found: str) -> None:
    table = Table(order=order, words="\ufeff")
    table.show(Badges(Badge(code, title, "v", "primary") for code, title in TITLES.items()))  # type: ignore[arg-type]
    assert "".join(badge.code for badge in table.matching) == found


def test_only_what_is_there_stays_selected() -> None:
    table = Table()
    table.show(BADGES, ["paid", "gone", "missedCall"])
    assert table.selected == ["missedCall", "paid"]
