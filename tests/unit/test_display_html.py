"""What readers see: escaped wherever a text comes in, readable, the same in words and in HTML."""

import re
from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, datetime
from html.parser import HTMLParser
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
from markupsafe import Markup

from b24nb import Client, spec
from b24nb.badges.badge import Badge, Badges
from b24nb.client import Portal
from b24nb.display import html
from b24nb.display.language import pick
from tests.contrast import contrast
from tests.unit.test_display_charts import TROUBLE

ATTACK = "<img src=x onerror=\"alert(1)\"> & 'q' </style></div><script>alert(2)</script>"

BADGES = Badges(
    [
        Badge("missedCall", "Missed call", "Missed", "failure"),
        Badge("vip", {"en": "Client", "de": "Kunde"}, {"ua": "ВІП", "ar": "مهم"}, "primary"),
        Badge("empty", {}, "none", "secondary"),
        Badge("html", "a < b & c", '"quoted"', "warning"),
    ]
)


class Seen(HTMLParser):
    """What a browser makes of it: the elements, their attributes, and the text between them."""

    def __init__(self, source: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self.open: list[str] = []
        self.feed(source)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in ("img", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, "elements are nested"

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.text += data


def portal(**fields: Any) -> Portal:
    known = {"kind": "LIVE", "host": "portal.example", "user": "Maria", "user_id": "1", "admin": True}
    known |= {"scopes": ("crm", "user"), "asked_at": datetime(2026, 1, 2, tzinfo=UTC), "read_only": False}
    return Portal(**(known | fields))


def attacked_frame() -> pd.DataFrame:
    index = pd.MultiIndex.from_tuples([(ATTACK, 1), (None, 2)], names=[ATTACK, None])
    return pd.DataFrame({ATTACK: [ATTACK, None], "map": [{ATTACK: ATTACK}, [ATTACK]]}, index=index)


HOLDER: Any = defaultdict(lambda: ATTACK)
ATTACKED = dict.fromkeys(("kind", "host", "user", "credentials_from"), ATTACK)
#: Every place where a text from outside comes in.
PLACES: dict[str, Callable[[], Any]] = {
    "pill text": lambda: html.pill(ATTACK, "success"),
    "pill type": lambda: html.pill("v", ATTACK),
    "pill language": lambda: html.pill({ATTACK: ATTACK}, "success", ATTACK),
    "card": lambda: html.badge_card(Badge(ATTACK, ATTACK, ATTACK, ATTACK)),
    "card with maps": lambda: html.badge_card(Badge("c", {ATTACK: ATTACK}, {ATTACK: ATTACK}, ATTACK), ATTACK),
    "table": lambda: html.badges_table([Badge(ATTACK, ATTACK, ATTACK, ATTACK)], caption=ATTACK),
    "table with maps": lambda: html.badges_table([Badge("c", {ATTACK: ATTACK}, {"en": ATTACK}, ATTACK)]),
    "viewers": lambda: html.viewers_table(Badge(ATTACK, {ATTACK: ATTACK}, ATTACK, ATTACK)),
    "frame": lambda: html.frame(attacked_frame(), caption=ATTACK),
    "holders": lambda: html.holders_table(SimpleNamespace(holders=[HOLDER, {"code": "c"}], actions={}), [HOLDER]),
    "message": lambda: html.Message("error", ATTACK, ATTACK, ATTACK, ATTACK),
    "folded": lambda: html.collapsed(ATTACK, Markup("")),
    "table of anything": lambda: html.table([ATTACK], [[ATTACK]], ATTACK),
    "labelled values": lambda: html.card(ATTACK, [(ATTACK, ATTACK)]),
    "code": lambda: html.code(ATTACK, ATTACK),
    "answer": lambda: html.answer(ATTACK, {ATTACK: ATTACK}),
    "gauge": lambda: html.gauge(ATTACK, 1, 2, ATTACK),
    "banner": lambda: html.portal_banner(portal(**ATTACKED, scopes=(ATTACK, ATTACK))),
}


@pytest.mark.parametrize("place", PLACES)
def test_every_place_where_a_text_comes_in_is_escaped_and_needs_its_own_style_and_nothing_else(place: str) -> None:
    shown = html.page(PLACES[place]())
    assert shown == html.page(PLACES[place]())
    assert "\n" not in shown, "so that Markdown leaves it alone"
    assert not re.search(r"\sid=|<script|https?:|//|url\(|@import|javascript:", shown)
    seen = Seen(shown)
    assert seen.tags[:2] == ["style", "div"]
    assert not {"img", "script"} & set(seen.tags)
    assert seen.tags.count("style") == 1
    assert not [name for name, _ in seen.attributes if name.startswith("on") or name in ("id", "src", "href")]
    assert seen.open == []
    if place != "pill type":  # an unknown type only decides the colour
        values = [value for _, value in seen.attributes]
        assert ATTACK in " ".join([seen.text, *filter(None, values)]).replace('\\"', '"')
    style, _, content = shown.partition("</style>")
    classes = {one for found in re.findall(r'class="([^"]*)"', content) for one in found.split()}
    for rule in re.findall(r"([^{}<>]+)\{", style.removeprefix("<style>")):
        assert set(re.findall(r"\.(b24nb[\w-]*)", rule)) <= classes, rule
    every = str(html.css())
    for one in classes:
        assert (f".{one}" in every) == (f".{one}" in style)
    assert len(style) < 1_800


def test_the_style_reaches_nothing_but_ours() -> None:
    rules = re.sub(r"\{[^}]*\}", "\n", str(html.css()).removeprefix("<style>").removesuffix("</style>"))
    assert "#" not in rules, "outputs repeat on a page, so nothing is addressed by an id"
    assert "@" not in rules
    for rule in rules.strip().split("\n"):
        assert all(".b24nb" in selector for selector in rule.split(",")), rule


# -- where every style is stripped ------------------------------------------------------------------


def stripped(source: str) -> str:
    """What is left for a code host that keeps no style and a mail that keeps no element."""
    return re.sub(r"[ \n]+", " ", Seen(source).text).strip()


def test_words_stand_apart_without_any_style() -> None:
    table = stripped(html.page(html.badges_table(BADGES)))
    assert table.startswith("Badges: 4 badge code title type languages [Missed] missedCall Missed call failure")
    assert stripped(html.badge_card(BADGES[0])) == (
        "Missed call [Missed] code missedCall type failure title Missed call value Missed"
    )
    assert stripped(html.frame(pd.DataFrame({"a": [1], "b": [2]}))) == "a b 1 2"
    message = html.Message("error", "No.", "C", "Look.", details="More.").__html__()
    assert stripped(message) == "Error: No. Error code: C Look. Details More."
    assert stripped(html.answer("m", {})) == "m answered {}"
    assert "10,013 more characters; .raw has all" in stripped(html.answer("m", {"a": "x" * 30_000}))


HERE = {"kind": "SANDBOX", "own_sandbox": True}
THERE = {"kind": "SANDBOX", "host": "127.0.0.1:80"}
UNKNOWN = dict.fromkeys(("admin", "user", "scopes"))


def test_a_banner_is_a_sentence() -> None:
    for fields, sentence in (
        ({}, "LIVE portal.example: Maria (administrator), scopes: crm, user; changes here are real."),
        (HERE | {"admin": False, "scopes": ()}, "SANDBOX (this notebook): Maria (not an administrator), scopes: none."),
        (THERE | UNKNOWN, "SANDBOX 127.0.0.1:80: user unknown (rights unknown), scopes: unknown."),
    ):
        assert stripped(html.portal_banner(portal(**fields))) == sentence


def test_code_can_be_copied_as_it_is() -> None:
    text = "a = 'x' < \"&amp;\"\n\n\n# *b*\n\t_c_ </pre>\n"
    assert Seen(html.code(text, "label")).text == text


def test_pills_can_be_read() -> None:
    assert contrast("#767676", "#ffffff") == pytest.approx(4.54, abs=0.005), "as in the guidelines, WCAG 2.2"
    rules = re.findall(r"\.b24nb-pill-(\w+){background:(#\w+);color:(#\w+)}", str(html.css()))
    assert {(type, background) for type, background, _ in rules} == {
        (type, colour.background) for type, colour in spec.BADGE_COLOURS.items()
    }, "as the kanban paints it"
    assert all(contrast(text, background) >= 4.5 for _, background, text in rules)
    assert html.pill("v", "sparkling") == html.pill("v", "secondary")


def test_live_and_sandbox_differ_in_more_than_a_word() -> None:
    assert 'class="b24nb-banner b24nb-live"' in html.portal_banner(portal())
    assert 'class="b24nb-banner"' in html.portal_banner(portal(**HERE))
    assert re.search(r"\.b24nb-banner{[^}]*1px dashed", str(html.css()))
    assert re.search(r"\.b24nb-live{[^}]*2px solid", str(html.css()))


def test_an_output_below_does_not_take_the_red_of_an_error_or_of_a_live_portal() -> None:
    """Each output has only its own rules, and the last one on the page wins between equal selectors."""
    rules = re.findall(r"^([^{\n]+){", str(html.css()).replace("}", "}\n"), re.MULTILINE)
    for name, more in (("banner", ["live"]), ("message", ["error", "done", "check"])):
        assert {f".b24nb-{name}", *(f".b24nb-{name}.b24nb-{one}" for one in more)} <= {*rules}
        assert not {f".b24nb-{one}" for one in more} & {*rules}


# -- languages ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "viewer", "shown"),
    [
        ({"de": "Kunde", "en": "Client"}, "ru", ("Client", "en")),
        ({"ru": "Клиент", "de": "Kunde"}, "fr", ("Клиент", "ru")),
        ({"de": "", "en": "Client"}, "de", ("Client", "en")),
        ({"en": 7}, "de", ("7", "en")),
        ({}, "de", ("", None)),
    ],
)
def test_viewers_see_their_language_then_english_then_the_first(text: Any, viewer: str, shown: Any) -> None:
    assert pick(text, viewer) == shown


def test_texts_carry_their_language_for_screen_readers() -> None:
    card = Seen(str(html.badge_card(Badge("c", {"la": "Cliente", "br": "Cliente"}, {"zz": "?"}, "success"))))
    languages = [value for name, value in card.attributes if name == "lang"]
    assert languages == ["es", "es", "pt-BR"], "not the portal's own codes; unknown ones are not claimed"


# -- badges: the same in words and in HTML ---------------------------------------------------------


def test_table_names_the_languages_and_hints_at_the_others() -> None:
    seen = Seen(str(html.badges_table([BADGES[1]], "de")))
    assert "Kunde (+1)" in seen.text
    assert "en, de, ua, ar" in seen.text
    assert ("title", "en: Client; de: Kunde") in seen.attributes


def test_prices_and_formulas_are_no_mathematics() -> None:
    for text in ("Discount $5 to $10", r"\(x\)"):
        assert "mathjax_ignore" in html.page(html.paragraph(text))


def test_what_a_portal_may_show_without_an_english_text_is_said() -> None:
    for title, unsure in (({"en": "Client", "de": "Kunde"}, False), ({"de": "Kunde"}, True), ({}, False)):
        assert ("number of languages" in html.viewers_table(Badge("vip", title, "VIP", "primary"))) is unsure


# -- frames ---------------------------------------------------------------------------------------


def cells(source: str, tag: str = "td") -> list[tuple[str, bool]]:
    found = re.findall(rf"<{tag}(|\s[^>]*)>(.*?)</{tag}>", source)
    return [(Seen(text).text, "b24nb-number" in attributes) for attributes, text in found]


def test_frames_align_numbers_and_say_what_is_missing() -> None:
    df = pd.DataFrame(
        {
            "name": pd.array(["a", None], dtype="string"),
            "n": pd.array([1, None], dtype="Int64"),
            "ms": [1234.5678, 0.012345],
            "yes": [True, False],
            "at": pd.to_datetime(["2026-01-02 03:04:05.678", None], utc=True),
        }
    )
    shown = html.frame(df)
    assert cells(shown, "th") == [("name", False), ("n", True), ("ms", True), ("yes", False), ("at", False)]
    assert cells(shown) == [
        ("a", False), ("1", True), ("1,234.6", True), ("True", False), ("2026-01-02 03:04:05 UTC", False),
        ("NA", False), ("NA", True), ("0.0123", True), ("False", False), ("NA", False),
    ]  # fmt: skip
    elsewhere = pd.DataFrame({"at": pd.to_datetime(["2026-07-01 09:00"]).tz_localize("Europe/Berlin")})
    assert cells(html.frame(elsewhere)) == [("2026-07-01 09:00:00 CEST", False)]


def test_frames_show_a_named_index_and_not_a_counter_and_odd_columns() -> None:
    df = pd.DataFrame({"n": [1]}, index=pd.Index(["list"], name="method"))
    assert cells(html.frame(df), "th") == [("method", False), ("n", True)]
    assert cells(html.frame(df)) == [("list", False), ("1", True)]
    assert cells(html.frame(df.reset_index(drop=True)), "th") == [("n", True)]
    same = pd.DataFrame([[1, 2.5]], columns=pd.Index(["same", "same"]))
    assert cells(html.frame(same)) == [("1", True), ("2.5", True)]
    many = pd.DataFrame([[1]], columns=pd.MultiIndex.from_tuples([("a", "b")]))
    assert cells(html.frame(many), "th") == [("('a', 'b')", True)]
    for empty in (pd.DataFrame(), pd.DataFrame({"a": []})):
        assert Seen(str(html.frame(empty, "Nothing"))).tags == ["p"], "a table without rows is its caption"
    assert Seen(str(html.frame(pd.DataFrame(index=[1, 2])))).tags.count("table") == 1
    assert cells(html.frame(pd.DataFrame({"n": [1], "error": [""]})), "th") == [("n", True)]


def test_frames_have_limits() -> None:
    df = pd.DataFrame({"n": range(1_060)})
    shown = html.frame(df, caption="Numbers")
    assert len(cells(shown)) == 50
    assert "1,010 more rows not shown" in shown
    assert "<caption>Numbers</caption>" in shown
    assert len(cells(html.frame(df, limit=3))) == 3
    assert "not shown" not in html.frame(df, limit=1_060)


# -- messages, gauges -----------------------------------------------------------------------------


def test_messages_say_in_a_word_what_the_line_says_in_colour() -> None:
    for kind, word in {"done": "Done. ", "error": "Error: ", "check": "Note: ", "note": ""}.items():
        seen = Seen(html.Message(kind, "Text.").__html__())
        assert seen.text == f"{word}Text."
        assert ("role", "status") in seen.attributes


def test_gauges_stay_in_their_frame() -> None:
    for value, limit, *bar in ((479.6, 480, 480, 479.6), (80, 50, 50, 50), (-1, 50, 50, 0), (5, 0, 1, 0)):
        gauge = html.gauge("Requests", value, limit, "requests")
        assert '<progress max="{}" value="{}">'.format(*bar) in gauge
        assert f"Requests: {value} of {limit} requests" in gauge


def test_headings_stand_over_their_columns_and_what_is_left_out_is_counted() -> None:
    row = {"code": "vip", "activity_id": "7", "owner_type": "deal", "owner_id": "3", "title": "Tea", "subject": "Call"}
    row |= {"certainty": "no", "reason": "closed", "link": ""}
    for others, code in (([], []), ([row | {"code": "new"}], ["code"])):
        plan = SimpleNamespace(holders=[row, *others], actions={"7": "clear badgeCode"})
        shown = html.holders_table(plan, [row], hidden=1234)
        heads = [*code, "activity", "belongs to", "subject", "holds it?", "release would"]
        assert [text for text, _ in cells(shown, "th")] == heads
        assert dict(zip(heads, (text for text, _ in cells(shown)), strict=True))["holds it?"] == "no: closed"
        assert "1,234 more rows not shown" in shown
    shown = html.changes_table([("+", "vip", None, Badge("vip", "T", "V", "primary"), "new")], "Plan", hidden=1234)
    assert [text for text, _ in cells(shown, "th")] == ["", "code", "before", "after", "note"]
    assert [text for text, _ in cells(shown)] == ["+", "vip", "", "[V] T", "new"]
    assert "1,234 more rows not shown" in shown


def test_a_call_whose_code_is_empty_is_shown_as_an_error_and_what_is_left_out_is_counted() -> None:
    shown = html.calls_table(TROUBLE, "Calls", 2)
    assert [shown.count(text) for text in ("(empty code)", "<tr>", "4 more rows not shown")] == [1, 3, 1]


def test_what_is_long_is_cut_or_collapsed_and_nothing_else() -> None:
    assert [html.shortened("x" * length)[199:] for length in (200, 201)] == ["x", "x…"]
    assert [*html.collapsed_after("x" * 10, Markup)] == ["x" * 10]
    assert "<summary>1 more</summary>" in [*html.collapsed_after("x" * 11, Markup)][1]


def test_a_bar_says_how_far_it_is_where_that_is_known() -> None:
    assert html.progress("Wait.", 3, 10) == '<label>Wait. 3 of 10 <progress value="3" max="10"></progress></label>'
    assert html.progress("Wait.", 0, 0) == "<label>Wait. <progress></progress></label>"


def test_a_client_that_nothing_is_wrong_with_shows_no_message(b24: Client) -> None:
    assert "Check:" not in b24._repr_html_()
