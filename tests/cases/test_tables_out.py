"""What leaves as a table or a file: plain cells, exact, harmless in a spreadsheet, and replaced whole."""

import copy
import csv
import dataclasses
import json
import os
import pickle
import re
from pathlib import Path

import pandas as pd
import pytest

import b24nb
from b24nb.badges import files
from b24nb.badges.badge import Badge, Badges, Texts
from b24nb.errors import Interrupted, InvalidInput
from b24nb.rest.calls import CallLog

VIP = Badge("vip", {"en": "Client", "de": "Kunde"}, "VIP", "primary")
GOLD = Badge("gold", "Gold", {"ru": "Золото", "de": "Gold"}, "warning")


def test_badges_are_what_pandas_json_and_dataclasses_expect(b24: b24nb.Client) -> None:
    badges = b24.badges.list()
    frame = pd.DataFrame(badges)
    assert list(frame.columns) == ["code", "title", "value", "type"]
    assert frame.to_dict("records") == badges.df.to_dict("records")
    assert len(badges.df.drop_duplicates()) == badges.df["title"].size
    assert dataclasses.asdict(VIP) == {
        "code": "vip",
        "title": {"en": "Client", "de": "Kunde"},
        "value": "VIP",
        "type": "primary",
    }
    assert json.loads(json.dumps(VIP.title)) == {"en": "Client", "de": "Kunde"}
    assert json.loads(json.dumps([dataclasses.asdict(badge) for badge in badges])) == [*map(dataclasses.asdict, badges)]


def test_a_badge_is_looked_up_by_its_code() -> None:
    badges = Badges([VIP, GOLD, Badge("GOLD", "t", "v", "primary")])
    assert badges["vip"] == badges["VIP"] == badges[0] == VIP
    assert (badges["gold"], badges["GOLD"].type) == (GOLD, "primary")
    assert [code in badges for code in ("vip", "ViP", "nope")] == [True, True, False]
    assert [item in badges for item in (VIP, dataclasses.replace(VIP, type="success"), 7)] == [True, False, False]
    with pytest.raises(KeyError, match="no badge has the code 'nope'"):
        badges["nope"]


@pytest.mark.parametrize("change", ["clear", "pop", "popitem", "setdefault", "update", "__delitem__", "__ior__"])
def test_a_text_in_several_languages_can_not_be_changed_in_place(change: str) -> None:
    arguments = {"clear": (), "popitem": (), "update": ({"en": "x"},), "__ior__": ({"en": "x"},)}
    with pytest.raises(TypeError, match="does not change"):
        getattr(VIP.title, change)(*arguments.get(change, ("en",)))
    assert VIP.title == {"en": "Client", "de": "Kunde"}
    assert VIP.title | {"de": "x"} == {"en": "Client", "de": "x"}


def test_the_error_of_an_interrupted_run_says_the_same_after_copy_and_pickle() -> None:
    error = Interrupted(Badges([VIP]))
    for again in (copy.copy(error), pickle.loads(pickle.dumps(error))):
        assert (str(again), again.report) == (str(error), error.report)
    assert str(error) == f"Interrupted. {error.report!r}"


def test_the_order_of_languages_makes_no_other_hash_and_ten_thousand_titles_do() -> None:
    assert hash(VIP.title) == hash(Texts(reversed(VIP.title.items())))
    assert len({hash(Texts(en=f"title {n}")) for n in range(10_000)}) > 9_990


def test_the_flat_table_has_plain_cells_and_a_column_per_language() -> None:
    flat = Badges([GOLD, VIP]).flat
    columns = ["code", "type", "title", "value", "title.en", "title.de", "value.ru", "value.de"]
    assert list(flat.columns) == columns
    assert flat.iloc[1].tolist() == ["vip", "primary", None, "VIP", "Client", "Kunde", None, None]
    assert len(flat.drop_duplicates()) == flat["code"].nunique() == 2
    assert list(Badges().flat.columns) == ["code", "type", "title", "value"]
    assert list(Badges().df.columns) == ["code", "title", "value", "type"]


def test_calls_can_be_compared_and_stored(b24: b24nb.Client) -> None:
    b24.call("crm.activity.list", {"filter": {"SUBJECT": "Ж"}, "select": ["ID"]})
    b24.badges.list()
    df = b24.calls.df
    assert len(df.drop_duplicates()) == len(df)
    assert df.nunique()["params"] >= 2
    sent = df[df["method"] == "crm.activity.list"]["params"].iloc[0]
    assert json.loads(sent) == {"filter": {"SUBJECT": "Ж"}, "select": ["ID"]}
    df.to_csv("calls.csv")
    assert pd.read_csv("calls.csv")["params"].tolist() == df["params"].tolist()


def test_the_documented_line_for_excel_drops_the_time_zones(b24: b24nb.Client) -> None:
    b24.badges.list()
    df = b24.calls.df
    line = re.search(r"``(df\.assign.*)``", CallLog.df.__doc__)[1]
    stored = eval(line, {"df": df})
    assert list(stored.select_dtypes("datetimetz")) == []
    assert (stored["at"] == df["at"].dt.tz_localize(None)).all()


LIVE = Badges(
    Badge(f"{sign}code", f"{sign}HYPERLINK(1)", {"en": f"{sign}1", "de": f"'{sign}1"}, "primary")
    for sign in ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "'=", "'", "''")
)


def test_a_backup_for_spreadsheets_has_no_live_cell_and_comes_back_unchanged(tmp_path: Path) -> None:
    path = files.write(LIVE, tmp_path / "b.csv", portal="", at="")
    with path.open(encoding="utf-8-sig", newline="") as file:
        cells = [cell for row in csv.reader(file) for cell in row]
    assert not [cell for cell in cells if cell.startswith(tuple("=+-@\t\r\n＝"))]
    assert files.read(path) == LIVE
    assert files.read(pd.read_csv(path, dtype=str)) == LIVE


def test_an_apostrophe_of_somebody_else_stays(tmp_path: Path) -> None:
    (tmp_path / "b.csv").write_text("code,title,value,type\nvip,'=1,'x',primary\n")
    assert files.read(tmp_path / "b.csv") == Badges([Badge("vip", "'=1", "'x'", "primary")])


@pytest.mark.parametrize("title", ["{'en': 'x'}", '{"en": "x"}', "{}", "\ud800", {"en": ""}, {"": "x"}, 7, None])
def test_what_csv_can_not_hold_goes_to_json(title: object, tmp_path: Path) -> None:
    badges = Badges([Badge("odd", title, "v", "primary")])
    with pytest.raises(InvalidInput, match=r"'odd' holds what CSV can't\. Write a \.json"):
        files.write(badges, tmp_path / "b.csv", portal="", at="")
    assert not (tmp_path / "b.csv").exists()
    assert files.read(files.write(badges, tmp_path / "b.json", portal="", at="")) == badges


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


@pytest.mark.parametrize(("umask", "expected"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_a_new_file_gets_the_mode_that_any_new_file_gets(umask: int, expected: int, tmp_path: Path) -> None:
    before = os.umask(umask)
    try:
        assert mode(files.write(Badges([VIP]), tmp_path / "b.json", portal="", at="")) == expected
    finally:
        os.umask(before)


def test_an_existing_file_keeps_its_mode_and_a_link_stays_a_link(tmp_path: Path) -> None:
    real, link, dangling = tmp_path / "real.json", tmp_path / "link.json", tmp_path / "new.json"
    real.write_text("x")
    real.chmod(0o664)
    link.symlink_to("real.json")
    dangling.symlink_to("later.json")
    for path in (link, dangling):
        files.write(Badges([VIP]), path, portal="", at="")
        assert path.is_symlink()
        assert files.read(path.resolve()) == Badges([VIP])
    assert mode(real) == 0o664
    assert sorted(path.name for path in tmp_path.glob("*.json")) == ["later.json", "link.json", "new.json", "real.json"]
    assert not list(tmp_path.glob(".b24nb-*"))
