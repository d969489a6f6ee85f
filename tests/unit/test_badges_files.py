"""Badges in CSV and JSON files, DataFrames and lists: lossless, read as text, refused when wrong."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from b24nb.badges import files
from b24nb.badges.badge import Badge, Badges, folded
from b24nb.errors import InvalidInput
from b24nb.spec import BadgeType

characters = st.characters(exclude_categories=["Cs"])
words = st.text(characters, min_size=1).filter(lambda text: not text.strip().startswith("{"))  # a map is refused
languages = st.sampled_from(["en", "de", "ru", "pt-BR", "zh_CN"])
texts = words | st.dictionaries(languages, words, min_size=1)
writable = st.lists(
    st.builds(Badge, words.filter(str.strip), texts, texts, st.sampled_from(BadgeType)),
    unique_by=lambda badge: folded(badge.code),
).map(Badges)

VIP = Badge("vip", {"en": "Client", "de": "Kunde"}, "VIP", "primary")


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


ROW: dict[str, Any] = {"code": "a", "title": "t", "value": "v", "type": "primary"}


@pytest.mark.parametrize(
    ("rows", "field", "message"),
    [
        ([ROW | {"code": ""}], "code", "Row 1: The code is empty"),
        ([ROW | {"code": 7}], "code", "Row 1: The code 7 is not a text"),
        ([ROW, ROW | {"code": None}], "code", "Row 2: The code None is not a text"),
        ([{key: ROW[key] for key in ("title", "value", "type")}], "code", "Row 1: The code is missing"),
        ([{key: ROW[key] for key in ("code", "value", "type")}], "title", "Row 1: The title is missing"),
        ([ROW | {"title.en": "t"}], "title", "given as one text and by language"),
        ([ROW | {"Title": "t"}], "title", "two columns 'Title'"),
        ([5], "wanted", "Row 1: This is a int"),
        *((other, "wanted", "Can't read badges") for other in (5, None)),
        ([{}] * 8, "code", "and 3 more"),
    ],
)
def test_what_is_wrong_is_named_by_row_and_field(rows: Any, field: str, message: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        files.read(rows)
    assert caught.value.field == field
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("b.txt", b"", "ends in .csv or .json"),
        ("b.csv", "code\nю".encode("cp1251"), "not UTF-8"),
        ("b.csv", b"code,title,value,type\n\na,b,c,d,e\n", "Line 3: 5 cells under 4 headings"),
        ("b.csv", b'code,title,value,type\n"a,b\n', "unexpected end"),
        ("b.csv", b"code,title,value,type\nvip,Client\n", "Line 2: The value is missing"),
        ("b.json", b"{", "not JSON"),
        ("b.json", b"5", "read badges from a int"),
        ("b.json", b"{}", "no list of badges under a key `badges`"),
        ("b.json", b"[5]", "Row 1: This is a int"),
        ("b.json", b'{"format": "b24nb badges", "version": 2}', "newer version"),
    ],
)
def test_files_that_can_not_be_read_say_why(name: str, content: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(InvalidInput, match=message):
        files.read(path)


def test_a_backup_is_whole_or_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(Badges([VIP]), tmp_path / "work" / "b.json")
    before = path.read_bytes()

    def full(handle: int) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="disk full"):
        write(Badges(), path)
    assert path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir()] == ["b.json"]
