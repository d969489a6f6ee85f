"""Badges as values, in files and tables, and as a portal takes them: lossless, immutable, refused when wrong."""

import copy
import json
import os
import pickle
from pathlib import Path
from typing import Any, get_type_hints

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import b24nb
from b24nb import Client, SandboxPortal, connect
from b24nb.badges import files
from b24nb.badges.badge import Badge, Badges, folded, listed
from b24nb.badges.changes import Action, problems
from b24nb.errors import InvalidInput
from b24nb.spec import BadgeType

VIP = Badge("vip", {"en": "Client", "de": "Kunde"}, "VIP", "primary")
MISSED = Badge("missedCall", "Missed call", {"de": "Verpasst"}, "failure")

texts = st.text() | st.dictionaries(st.text(), st.text())
badges = st.builds(Badge, st.text(), texts, texts, st.sampled_from([*BadgeType]) | st.text())


@given(badges)
def test_a_badge_can_be_sent_copied_pickled_hashed_and_read_from_its_repr(badge: Badge) -> None:
    assert Badge.from_wire(badge.to_wire()) == badge
    assert copy.deepcopy(badge) == badge == pickle.loads(pickle.dumps(badge))
    assert eval(repr(badge), {"Badge": Badge}) == badge
    assert badge in {badge}
    assert badge.type.__class__ is str


def test_neither_a_badge_nor_badges_change() -> None:
    source = {"en": "Client"}
    badge = Badge("vip", source, "VIP", "primary")
    source["en"] = "changed"
    assert badge.title == {"en": "Client"}
    with pytest.raises(AttributeError):
        badge.code = "changed"
    both = Badges([VIP, MISSED])
    assert both[-1:] == Badges([MISSED])
    assert both == Badges([VIP, MISSED]) != [VIP, MISSED]
    assert "vip" in both[1:] + both[:1] == Badges([MISSED, VIP])
    assert get_type_hints(b24nb.Badge)["title"] == str | dict[str, str], "converters of dataclasses read them"
    assert hash(both) == hash(Badges([VIP, MISSED]))
    with pytest.raises(TypeError):
        both[0] = MISSED
    df = both.df
    df.loc[0, "code"] = "changed"
    assert both[0] == VIP


def test_in_language_shows_what_a_viewer_sees() -> None:
    assert [badge.title for badge in Badges([VIP, MISSED]).in_language("de")] == ["Kunde", "Missed call"]
    assert Badges([VIP]).in_language("DE")[0].title == "Kunde"
    assert [badge.value for badge in Badges([VIP, MISSED]).in_language("fr")] == ["VIP", "Verpasst"]


def test_text_and_html_show_the_same_badges() -> None:
    many = Badges(Badge(f"code{n}", "<b>&", "'\"", "primary") for n in range(150))
    text, html = repr(many), many._repr_html_()
    for n in range(150):
        assert (f"code{n} " in text) == (f"code{n}<" in html), n
    assert "50 more" in text
    assert "50 more" in html
    assert repr(Badges()) == "Badges: 0"


GOOD: dict[str, Any] = {"code": "vip", "title": "Client", "value": "VIP", "type": "primary"}


def test_what_a_portal_takes_is_taken() -> None:
    # A portal takes an empty map, and shows nothing; two quotes are stored with the long text.
    taken = {"title": ({"en": "Client", "de": "Kunde"}, {}, "x" * 3998), "code": (" ", "ю" * 30), "type": BadgeType}
    changes = [{field: one} for field, values in taken.items() for one in values]
    assert [problem for change in changes for problem in problems(Badge(**GOOD | change))] == []


@pytest.mark.parametrize(
    ("field", "wrong"),
    [
        *((field, wrong) for field in ("title", "value") for wrong in ("", None, 5, True, ["a"], {"en": ""})),
        *((field, wrong) for field in ("title", "value") for wrong in ({"en": 5}, {5: "a"}, {"": "a"})),
        *((field, wrong) for field in ("title", "value") for wrong in ("x" * 3999, "ю" * 667, "\ud800")),
        ("title", {"en": "x" * 4000}),
        ("title", {"en": "\ud800"}),
        *(("type", wrong) for wrong in ("", "Primary", "pink", None, 5, ["primary"])),
        *(("code", wrong) for wrong in ("", None, 7, ["a"], "x" * 31, "\ud800")),
    ],
)
def test_what_a_portal_would_refuse_is_named_by_field(field: str, wrong: Any) -> None:
    problem, *_ = problems(Badge(**GOOD | {field: wrong}))
    assert isinstance(problem, InvalidInput)
    assert problem.field == field


def test_a_plan_says_how_the_portal_spells_a_code_and_a_blank_behind_it_makes_no_second_badge(b24: Client) -> None:
    (step,) = b24.badges.plan([Badge("MISSEDcall", "Missed call", "Call back", "failure")]).steps
    assert (step.action, step.note) == (Action.REPLACE, "new code; the portal has it as 'missedCall'")
    b24.badges.add("Müll", "Missed call", "Call back", "failure")
    blank = ["missedCall ", "missedCall\u200b", "\ufeffmissedCall", "missedCall\xa0", "missed\u2060Call"]
    for pasted in [*blank, "Mu\u0308ll"]:
        with pytest.raises(InvalidInput, match=r"differs from the portal's '.*' only in what can't be seen"):
            b24.badges.plan([Badge(pasted, "Missed call", "Call back", "failure")], prune=True)


@pytest.mark.parametrize("undo", [True, False], ids=["undone", "restored"])
def test_a_deleted_badge_comes_back_beside_two_other_spellings_of_its_code(undo: bool) -> None:
    badges = [Badge(code, code, "V", "primary") for code in ("AA", "Aa", "aa")]
    with SandboxPortal(badges=badges, case_sensitive=True) as portal, connect(portal) as b24:
        deleted = b24.badges.delete("aa")
        plan = b24.journal.plan_undo() if undo else b24.journal.plan_restore([deleted])
        assert plan.apply(progress=False).counts == {"added": 1}
        assert [*b24.badges.list()] == badges


def test_a_code_that_is_taken_in_another_spelling_keeps_no_other_badge_from_being_restored(b24: Client) -> None:
    gone = [b24.badges.delete(code) for code in ("missedCall", "newsletter", "birthday")]
    b24.badges.add("MISSEDCALL", "Theirs", "V", "primary")
    assert b24.journal.plan_restore(gone).apply(progress=False).counts == {"added": 2, "changed": 1}


def test_a_pasted_code_is_not_taken_for_one_that_is_gone(b24: Client) -> None:
    assert not b24.badges.delete_many(["missedCall\xa0"], missing_ok=True, progress=False).ok
    assert b24.badges.delete_many(["nobody"], missing_ok=True, progress=False).ok


@pytest.mark.parametrize("twins", [("missedCall", "missedCall "), ("Straße", "Strasse")])
def test_of_two_codes_that_are_almost_the_same_the_closest_one_is_found(twins: tuple[str, str]) -> None:
    for badges in (Badges(Badge(**GOOD | {"code": code}) for code in order) for order in (twins, twins[::-1])):
        assert [badges[code.upper() if code == twins[0] == "missedCall" else code].code for code in twins] == [*twins]


def test_a_look_alike_beside_it_does_not_keep_a_badge_from_being_restored(b24: Client) -> None:
    b24.badges.add("missedCall\u200b", "Twin", "Twin", "primary")
    deleted = b24.badges.delete("missedCall")
    assert "missedCall" not in b24.badges.list()
    assert b24.journal.plan_restore([deleted]).apply(progress=False).counts == {"added": 1}
    assert b24.badges.plan(b24.badges.list()).counts["keep"] == 13


characters = st.characters(exclude_categories=["Cs"])
words = st.text(characters, min_size=1).filter(lambda text: not text.strip().startswith("{"))  # a map is refused
languages = st.sampled_from(["en", "de", "ru", "pt-BR", "zh_CN"])
writable_texts = words | st.dictionaries(languages, words, min_size=1)
writable = st.lists(
    st.builds(Badge, words.filter(str.strip), writable_texts, writable_texts, st.sampled_from(BadgeType)),
    unique_by=lambda badge: folded(badge.code),
).map(Badges)


def write(badges: Badges, path: Path) -> Path:
    return files.write(badges, path, portal="example.bitrix24.com", at="2026-01-01T00:00:00+00:00")


@pytest.mark.parametrize("suffix", ["csv", "json"])
@given(badges=writable)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_files_frames_and_lists_give_back_what_they_got(badges: Badges, suffix: str, tmp_path: Path) -> None:
    assert files.read(write(badges, tmp_path / f"badges.{suffix}")) == badges
    assert files.read(badges.df) == files.read(badges.flat) == files.read(badge.to_wire() for badge in badges) == badges


def test_a_backup_names_its_portal_and_time_and_no_more_and_a_table_begins_as_excel_wants_it(tmp_path: Path) -> None:
    content = json.loads(write(Badges([VIP]), tmp_path / "b.json").read_text(encoding="utf-8"))
    assert content["portal"] == "example.bitrix24.com"
    assert set(content) == {"format", "version", "created_at", "portal", "badges"}
    text = write(Badges([VIP]), tmp_path / "b.csv").read_bytes()
    assert text.startswith(b"\xef\xbb\xbfcode,type,title,value,title.en,title.de\r\n")


@pytest.mark.parametrize(
    ("rows", "field", "message"),
    [
        ([GOOD | {"code": ""}], "code", "Row 1: The code is empty"),
        ([GOOD | {"code": 7}], "code", "Row 1: The code 7 is not a text"),
        ([GOOD, GOOD | {"code": None}], "code", "Row 2: The code None is not a text"),
        ([{key: GOOD[key] for key in ("title", "value", "type")}], "code", "Row 1: The code is missing"),
        ([{key: GOOD[key] for key in ("code", "value", "type")}], "title", "Row 1: The title is missing"),
        ([GOOD | {"title.en": "t"}], "title", "given as one text and by language"),
        ([GOOD | {"Title": "t"}], "title", "two columns 'Title'"),
        (5, "wanted", "Can't read badges"),
        ([{}] * 8, "code", "and 3 more"),
    ],
)
def test_what_is_wrong_is_named_by_row_and_field(rows: Any, field: str, message: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        files.read(rows)
    assert caught.value.field == field
    assert message in str(caught.value)


def test_a_backup_is_whole_or_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(Badges([VIP]), tmp_path / "work" / "b.json")
    before = path.read_bytes()

    def full(handle: int) -> None:
        raise OSError(28, "disk full")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match=r"disk full: .*b\.json'"):
        write(Badges(), path)
    assert path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir()] == ["b.json"]


def test_many_names_are_cut_off_and_counted() -> None:
    assert (listed("abcde"), listed("abcdefg")) == ("a, b, c, d, e", "a, b, c, d, e and 2 more")
