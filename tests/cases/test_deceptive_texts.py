"""Texts that deceive the eye are marked wherever a badge is looked at before something is done to it."""

import html
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from b24nb import Client, SandboxPortal, connect, forms
from b24nb.badges.badge import Badge, Badges
from b24nb.display.visible import visible
from tests.widgets import confirm
from tests.widgets import shown as words_of


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        *(("vi\u200bp", "vi⟨U+200B⟩p"), ("\u202epiv", "⟨U+202E⟩piv"), ("vip\ufeff", "vip⟨U+FEFF⟩"), ("vip ", "vip␣")),
        *(("  vip", "␣␣vip"), ("a  b", "a␣␣b"), ("a\u00a0b", "a⟨U+00A0⟩b"), ("a\tb\n", "a⟨U+0009⟩b⟨U+000A⟩")),
        *(("v\u0456p", "v\u0456⟨U+0456⟩p"), ("K\u043b\u0438", "K⟨U+004B⟩\u043b\u0438"), ("ｖip", "ｖ⟨U+FF56⟩ip")),
        *(("vip\u200d", "vip⟨U+200D⟩"), ("vip\ufe0f", "vip⟨U+FE0F⟩"), ("vip\U000e0041", "vip⟨U+E0041⟩")),
        *(("\ud83d", "⟨U+D83D⟩"), ("⟨U+200B⟩", "⟨U+27E8⟩U+200B⟩"), ("␣vip", "⟨U+2423⟩vip")),
        *(("vip１", "vip１⟨U+FF11⟩"), ("𝐯𝐢", "𝐯⟨U+1D42F⟩𝐢⟨U+1D422⟩")),  # variants of digits and letters
    ],
)
def test_what_can_not_be_seen_is_shown(text: str, shown: str) -> None:
    assert visible(text) == visible(text, code=True) == shown


ORDINARY = ["", "VIP client", "Клиент с оплатой", "РОСТ", "SMS-ка", "Größe №5… ½", "1️⃣ first", "©️", "ＶＩＰ顧客"]
ORDINARY += ["👩‍💻 ❤️", "می‌خواهم", "日本語", "Νέος"]


@pytest.mark.parametrize("text", ORDINARY)
def test_ordinary_texts_of_any_script_stay_as_they_are(text: str) -> None:
    assert visible(text) == text


def test_a_code_of_look_alikes_or_wide_letters_alone_is_marked_but_not_a_word() -> None:
    marked = "\u0441⟨U+0441⟩\u043e⟨U+043E⟩\u0440⟨U+0440⟩"
    assert (visible("\u0441\u043e\u0440"), visible("\u0441\u043e\u0440", code=True)) == ("\u0441\u043e\u0440", marked)
    assert (visible("ＶＩ"), visible("ＶＩ", code=True)) == ("ＶＩ", "Ｖ⟨U+FF36⟩Ｉ⟨U+FF29⟩")
    assert visible("клиент", code=True) == "клиент"
    assert marked in Badge("\u0441\u043e\u0440", "t", "v", "primary")._repr_html_()


@given(st.text())
def test_a_marked_text_can_always_be_sent_to_a_browser_and_two_texts_never_look_the_same(text: str) -> None:
    shown = visible(text)
    shown.encode()
    assert not re.search("^ | $|  |[\u200b\u202a-\u202e\u2066-\u2069\ufeff\x00-\x1f]", shown)


@given(st.text("ab \u200b⟨⟩U+20B␣\u202e", max_size=8), st.text("ab \u200b⟨⟩U+20B␣\u202e", max_size=8))
def test_two_texts_are_never_shown_as_one(one: str, other: str) -> None:
    assert (visible(one) == visible(other)) == (one == other)


FAKE = Badge("vi\u200bp", {"en": "Cl\u0456ent", "de": " Kunde"}, "\u202ePIV", "prim\u00a0ary")
MARKS = ("U+200B", "U+0456", "U+202E", "U+00A0")


def test_badges_plans_and_reports_show_it(b24: Client) -> None:
    badges, plan = Badges([FAKE]), b24.badges.plan([Badge(FAKE.code, FAKE.title["en"], FAKE.value, "primary")])
    for shown in (badges._repr_html_(), FAKE._repr_html_()):
        assert [mark for mark in MARKS if mark not in shown] == []
        assert "␣Kunde" in html.unescape(shown)
    assert "vi⟨U+200B⟩p" in repr(badges)
    looks_like = b24.badges.plan([Badge("vіp", "Cliеnt", "VIP", "primary")])
    assert "'vі⟨U+0456⟩p', title='Cliе⟨U+0435⟩nt'" in repr(looks_like)
    assert [mark for mark in MARKS[:3] if mark not in plan._repr_html_()] == []
    assert "U+200B" in plan.apply(progress=False)._repr_html_()
    assert "vi⟨U+200B⟩p" in repr(b24.journal)


def test_the_code_to_be_typed_is_the_one_that_is_seen(b24: Client) -> None:
    b24.badges.add("vi\u200bp", "Client", "VIP", "primary")
    for typed, left in (("vip", True), ("vi⟨U+200B⟩p", False)):
        form = forms.delete_form(b24, "vi\u200bp", run=True)
        confirm(form, typed)
        assert ("vi\u200bp" in b24.badges.list()) is left


def test_what_a_form_says_of_codes_marks_it() -> None:
    codes = ["x\u202epiv", "\u0441\u043e\u0440", "vi\u200bp" + "y" * 30]
    rows = [Badge(code, "t", "v", "primary").to_wire() for code in codes]
    with SandboxPortal(badges=rows) as portal, connect(portal) as b24:
        form = forms.delete_form(b24, [codes[2], "nos\u202euch", "vip"], run=True)
        said = words_of(form)
        assert "Can't be restored: the portal would refuse to add vi⟨U+200B⟩p" in said
        assert "nothing to delete: nos⟨U+202E⟩uch, vip." in said
        for code in codes[:2]:
            form = forms.delete_form(b24, code, run=True)
            confirm(form, form.state.word)
            assert form.undo_button.description == f"Undo: restore {visible(code, code=True)}"
