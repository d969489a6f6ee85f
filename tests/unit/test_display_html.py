"""What readers see: escaped wherever a text comes in, readable, the same in words and in HTML."""

from __future__ import annotations

import re
from collections.abc import Callable
from html.parser import HTMLParser
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup

from b24nb import spec
from b24nb.badges.badge import Badge, Badges
from b24nb.display import html
from b24nb.display.colour import READABLE, contrast, readable
from b24nb.display.language import pick
from b24nb.display.visible import visible
from b24nb.errors import ConnectionFailed, InvalidInput, from_answer

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


def portal(**fields: Any) -> SimpleNamespace:
    known = {"kind": "LIVE", "host": "portal.example", "user": "Maria", "admin": True}
    known |= {"scopes": ("crm", "user"), "read_only": False, "place": "portal.example", "sources": ()}
    return SimpleNamespace(**(known | fields))


def attacked_frame() -> pd.DataFrame:
    index = pd.MultiIndex.from_tuples([(ATTACK, 1), (None, 2)], names=[ATTACK, None])
    return pd.DataFrame({ATTACK: [ATTACK, None], "map": [{ATTACK: ATTACK}, [ATTACK]]}, index=index)


#: Every place where a text from outside comes in.
PLACES: dict[str, Callable[[], Any]] = {
    "pill text": lambda: html.pill(ATTACK, "success"),
    "pill type": lambda: html.pill("v", ATTACK),
    "pill language": lambda: html.pill({ATTACK: ATTACK}, "success", ATTACK),
    "card": lambda: html.badge_card(Badge(ATTACK, ATTACK, ATTACK, ATTACK)),
    "card with maps": lambda: html.badge_card(Badge("c", {ATTACK: ATTACK}, {ATTACK: ATTACK}, ATTACK), ATTACK),
    "table": lambda: html.badges_table([Badge(ATTACK, ATTACK, ATTACK, ATTACK)], caption=ATTACK),
    "table with maps": lambda: html.badges_table([Badge("c", {ATTACK: ATTACK}, {"en": ATTACK}, ATTACK)]),
    "frame": lambda: html.frame(attacked_frame(), caption=ATTACK),
    "message": lambda: html.message("error", ATTACK, ATTACK, ATTACK),
    "folded": lambda: html.folded(ATTACK, Markup("")),
    "error": lambda: html.error_box(from_answer(ATTACK, ATTACK, http_status=400, method=ATTACK)),
    "own error": lambda: html.error_box(InvalidInput(ATTACK, hint=ATTACK)),
    "code": lambda: html.code(ATTACK, ATTACK),
    "answer": lambda: html.answer(ATTACK, {ATTACK: ATTACK}),
    "gauge": lambda: html.gauge(ATTACK, 1, 2, ATTACK),
    "banner": lambda: html.portal_banner(
        portal(kind=ATTACK, place=ATTACK, sources=(ATTACK,), user=ATTACK, scopes=(ATTACK, ATTACK))
    ),
}

#: One output of each kind, with harmless texts.
SAMPLES: dict[str, Callable[[], Any]] = {
    "pill": lambda: html.pill("VIP", "primary"),
    "card": lambda: html.badge_card(BADGES[1], "de"),
    "table": lambda: html.badges_table(BADGES),
    "frame": lambda: html.frame(BADGES.df, caption="All"),
    "message": lambda: html.message("done", "It is gone.", "NOT_FOUND", "Look.", Markup("<p>more</p>")),
    "error": lambda: html.error_box(ConnectionFailed("No answer.", hint="Is it on?")),
    "answer": lambda: html.answer("crm.activity.badge.list", {"result": {"badges": []}}),
    "gauge": lambda: html.gauge("Requests", 40, 50, "requests"),
    "banner": lambda: html.portal_banner(portal()),
}


@pytest.mark.parametrize("place", PLACES)
def test_every_place_where_a_text_comes_in_is_escaped(place: str) -> None:
    seen = Seen(html.page(PLACES[place]()))
    assert "img" not in seen.tags
    assert "script" not in seen.tags
    assert seen.tags.count("style") == 1
    assert not [name for name, _ in seen.attributes if name.startswith("on") or name in ("id", "src", "href")]
    assert seen.open == []
    if place != "pill type":  # an unknown type only decides the colour
        values = [value for _, value in seen.attributes]
        assert ATTACK in " ".join([seen.text, *filter(None, values)]).replace('\\"', '"')


@given(st.text(), st.text(min_size=1), st.sampled_from(list(spec.BadgeType)))
def test_any_text_comes_out_as_it_went_in_or_marked(title: str, value: str, type: str) -> None:
    card = Seen(str(html.badge_card(Badge("code", title, {"en": value}, type))))
    for text in (title, value):
        assert _read(visible(text)) in card.text
    assert set(card.tags) <= {"div", "span", "dl", "dt", "dd", "code"}


def _read(text: str) -> str:
    """A text as a parser of HTML hands it back; it knows one kind of line end, and no NUL."""
    return Seen(str(Markup("{}").format(text))).text


@pytest.mark.parametrize("sample", SAMPLES)
def test_outputs_need_nothing_from_elsewhere_and_have_no_ids(sample: str) -> None:
    first, second = (html.page(SAMPLES[sample]()) for _ in range(2))
    assert first == second
    assert not re.search(r"\sid=|<script|https?:|//|url\(|@import|javascript:", first)
    seen = Seen(first)
    assert seen.open == []
    assert seen.tags[:2] == ["style", "div"]


def test_the_style_is_small_and_has_no_ids() -> None:
    style = str(html.css())
    assert len(style.encode()) < 3_000
    assert "\n" not in style
    rules = re.sub(r"\{[^}]*\}", " ", style)
    assert "#" not in rules, "outputs repeat on a page, so nothing is addressed by an id"
    selectors = re.split(r"\s+(?=\.b24nb|</style>)|,", rules.removeprefix("<style>"))
    assert [one for one in selectors if not one.startswith((".b24nb", "</style>"))] == []


# -- colours --------------------------------------------------------------------------------------


@pytest.mark.parametrize("type", spec.BadgeType)
def test_pills_can_be_read(type: spec.BadgeType) -> None:
    rule = re.search(rf"\.b24nb-pill-{type}{{background:(#\w+);color:(#\w+)}}", str(html.css()))
    assert rule is not None
    background, text = rule.groups()
    assert background == spec.BADGE_COLOURS[type].background, "as the kanban paints it"
    assert contrast(text, background) >= 4.5


def test_contrast_is_that_of_the_guidelines() -> None:
    # WCAG 2.2: white on #767676 is the darkest grey that passes AA.
    assert contrast("#ffffff", "#000000") == contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#767676", "#ffffff") == pytest.approx(4.54, abs=0.005)
    assert contrast("#777777", "#ffffff") < 4.5


@given(st.integers(0, 0xFFFFFF), st.integers(0xD0, 0xFF))
def test_any_colour_becomes_readable_on_a_light_ground(text: int, light: int) -> None:
    background = f"#{light:02x}{light:02x}{light:02x}"
    assert contrast(readable(f"#{text:06x}", background), background) >= READABLE


def test_an_unknown_type_is_painted_grey() -> None:
    assert html.pill("v", "sparkling") == html.pill("v", "secondary")


def test_live_and_sandbox_differ_in_more_than_a_word() -> None:
    live, sandbox = (
        Seen(str(html.portal_banner(portal()))),
        html.portal_banner(portal(kind="SANDBOX", place="this notebook")),
    )
    assert live.text.startswith("LIVEportal.example")
    assert "changes here are real" in live.text
    assert ("class", "b24nb-banner b24nb-live") in live.attributes
    seen = Seen(str(sandbox))
    assert seen.text.startswith("SANDBOXthis notebook")
    assert "portal.example" not in sandbox
    assert "real" not in seen.text
    assert ("class", "b24nb-banner") in seen.attributes
    style = str(html.css())
    assert "1px dashed" in re.search(r"\.b24nb-banner{[^}]*}", style)[0]  # type: ignore[index]
    assert "2px solid" in re.search(r"\.b24nb-live{[^}]*}", style)[0]  # type: ignore[index]
    assert contrast("#ffffff", "#b3261e") >= 4.5


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"admin": True}, "Maria (administrator)"),
        ({"admin": False}, "Maria (not an administrator)"),
        ({"admin": None, "user": None}, "user unknown (rights unknown)"),
        ({"scopes": None}, "scopes: unknown"),
        ({"scopes": ()}, "scopes: none"),
        ({"scopes": ("crm", "user")}, "scopes: crm, user"),
        ({"read_only": True, "sources": ("read-only",)}, "read-only"),
        ({"sources": ("B24_WEBHOOK in .env",)}, "B24_WEBHOOK in .env"),
    ],
)
def test_the_banner_says_what_is_known_and_what_is_not(fields: dict[str, Any], words: str) -> None:
    assert words in Seen(str(html.portal_banner(portal(**fields)))).text


# -- languages ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "viewer", "shown"),
    [
        ("VIP", "de", ("VIP", None)),
        ({"en": "Client", "de": "Kunde"}, "de", ("Kunde", "de")),
        ({"de": "Kunde", "en": "Client"}, "ru", ("Client", "en")),
        ({"ru": "Клиент", "de": "Kunde"}, "fr", ("Клиент", "ru")),
        ({"ru": "Клиент", "de": "Kunde"}, None, ("Клиент", "ru")),
        ({"de": "", "en": "Client"}, "de", ("Client", "en")),
        ({}, "de", ("", None)),
        ("", None, ("", None)),
    ],
)
def test_viewers_see_their_language_then_english_then_the_first(text: Any, viewer: str, shown: Any) -> None:
    assert pick(text, viewer) == shown


def test_texts_carry_their_language_for_screen_readers() -> None:
    card = Seen(str(html.badge_card(Badge("c", {"la": "Cliente", "br": "Cliente"}, {"zz": "?"}, "success"))))
    languages = [value for name, value in card.attributes if name == "lang"]
    assert languages == ["es", "es", "pt-BR"], (
        "the portal's codes are not those of the web; unknown ones are not claimed"
    )


# -- badges: the same in words and in HTML ---------------------------------------------------------


def test_table_and_words_show_the_same() -> None:
    seen, words = Seen(BADGES._repr_html_()).text, repr(BADGES)
    for badge in BADGES:
        assert badge.code in seen
        assert badge.code in words
        for text in (badge.title, badge.value):
            shown = pick(text)[0]
            assert shown in seen
            assert shown in words


def test_card_and_words_show_every_text() -> None:
    for badge in BADGES:
        seen, words = Seen(badge._repr_html_()).text, repr(badge)
        texts = [
            text
            for one in (badge.title, badge.value)
            for text in ([one] if isinstance(one, str) else one.values())
        ]
        for text in (badge.code, badge.type, *texts):
            assert text in seen
            assert text in words


def test_table_names_the_languages_and_hints_at_the_others() -> None:
    seen = Seen(str(html.badges_table([BADGES[1]], "de")))
    assert "Kunde (+1)" in seen.text
    assert "en, de, ua, ar" in seen.text
    assert ("title", "en: Client; de: Kunde") in seen.attributes


def test_long_tables_say_what_is_missing() -> None:
    many = [Badge(f"c{number}", "t", "v", "success") for number in range(1_205)]
    seen = Seen(str(html.badges_table(many))).text
    assert "c199" in seen
    assert "c200" not in seen
    assert "1,005 more rows not shown; .df has all." in seen
    assert "Badges: 1205" in seen
    assert "not shown" not in html.badges_table(many[:200])


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
        ("a", False), ("1", True), ("1,234.6", True), ("True", False), ("2026-01-02 03:04:05", False),
        ("NA", False), ("NA", True), ("0.0123", True), ("False", False), ("NA", False),
    ]  # fmt: skip


def test_frames_show_a_named_index_and_not_a_counter() -> None:
    df = pd.DataFrame({"n": [1]}, index=pd.Index(["list"], name="method"))
    assert cells(html.frame(df), "th") == [("method", False), ("n", True)]
    assert cells(html.frame(df)) == [("list", False), ("1", True)]
    assert cells(html.frame(df.reset_index(drop=True)), "th") == [("n", True)]


def test_frames_have_limits() -> None:
    df = pd.DataFrame({"n": range(1_060)})
    shown = html.frame(df, caption="Numbers")
    assert len(cells(shown)) == 50
    assert "1,010 more rows not shown" in shown
    assert "<caption>Numbers</caption>" in shown
    assert len(cells(html.frame(df, limit=3))) == 3
    assert "not shown" not in html.frame(df, limit=1_060)


@pytest.mark.parametrize("df", [pd.DataFrame(), pd.DataFrame({"a": []}), pd.DataFrame(index=[1, 2])])
def test_empty_frames_are_tables_too(df: pd.DataFrame) -> None:
    assert Seen(str(html.frame(df))).tags.count("table") == 1


def test_odd_columns_are_shown() -> None:
    df = pd.DataFrame([[1, 2.5]], columns=pd.Index(["same", "same"]))
    assert cells(html.frame(df)) == [("1", True), ("2.5", True)]
    many = pd.DataFrame([[1]], columns=pd.MultiIndex.from_tuples([("a", "b")]))
    assert cells(html.frame(many), "th") == [("('a', 'b')", True)]


# -- messages, gauges -----------------------------------------------------------------------------


def test_messages_say_in_a_word_what_the_line_says_in_colour() -> None:
    kinds = {"done": "Done.", "error": "Error:", "check": "Check:"}
    for kind, word in kinds.items():
        seen = Seen(str(html.message(kind, "Text.")))
        assert seen.text == f"{word} Text."
        assert ("role", "status") in seen.attributes
    assert Seen(str(html.message("note", "Text."))).text == "Text."


def test_errors_show_the_portals_words_its_code_and_the_next_step() -> None:
    error = from_answer("NOT_FOUND", "Badge not found", http_status=400, method="crm.activity.badge.get")
    seen = Seen(str(html.error_box(error))).text
    for words in ("Error: Badge not found", "The portal's code: NOT_FOUND", error.hint):
        assert words in seen
    assert "(empty)" in html.error_box(from_answer("", "Oops", http_status=400, method="x"))


@pytest.mark.parametrize(
    ("value", "limit", "width"),
    [(0, 50, 0), (25, 50, 50), (50, 50, 100), (80, 50, 100), (-1, 50, 0), (5, 0, 0)],
)
def test_gauges_stay_in_their_frame(value: float, limit: float, width: int) -> None:
    gauge = html.gauge("Requests", value, limit, "requests")
    assert f"width:{width}%" in gauge
    assert f"Requests: {value} of {limit} requests" in gauge
