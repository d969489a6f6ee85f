"""Tables and files: what people bring is read exactly or refused; what leaves is exact and harmless."""

import copy
import csv
import dataclasses
import io
import json
import os
import pickle
import re
import tracemalloc
from collections.abc import Iterator
from contextlib import suppress
from itertools import product
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import b24nb
from b24nb.badges import files
from b24nb.badges.badge import Badge, Badges, Texts
from b24nb.badges.files import codes_of
from b24nb.errors import Interrupted, InvalidInput
from b24nb.rest.calls import CallLog

H, R = "code,title,value,type\n", "vip,Client,VIP,primary\n"
VIP = Badge("vip", "Client", "VIP", "primary")

TEXTS = [
    *("Client", "Клиент ждёт", "Größe", "a,b", "a;b", "a\tb", "a|b", 'say "hi"', '"', "two\nlines", "cr\rhere"),
    *("=1+1", "@SUM(1)", "-5", "+7 900", "'=1", "'tis", "''", " edges ", "NA", "null", "1e5", "007", "🙂"),
    *("{draft}", "[]", "sep=;", "code", "\ufeffx"),
]
MAPS = [{"en": "Client", "de": "Kunde"}, {"ru": "Клиент"}, {"en": "=1", "pt-BR": "a;b"}]
CODES = ["vip", "007", "NA", "null", "=x", "'=y", "a,b", "a;b", "клиент", "two\nlines", " blank", "title", "-"]
CODES += [f"code{n}" for n in range(len(TEXTS))]
#: Each text and map once as a title and once as a value.
PAIRS = zip([*MAPS, *TEXTS], [*TEXTS, *MAPS], strict=True)
KNOWN = [Badge(code, title, value, "primary") for code, (title, value) in zip(CODES, PAIRS, strict=False)]
COLUMNS = [*files.FIELDS, *(f"{field}.{code}" for field in ("title", "value") for code in ("en", "de", "ru", "pt-BR"))]


def table_of(badges: list[Badge]) -> list[list[str]]:
    """The rows that a person would write, headings first."""

    def cell(badge: Badge, column: str) -> str:
        field, _, language = column.partition(".")
        text = getattr(badge, field, "note")
        if isinstance(text, dict):
            return text.get(language, "")
        return "" if language else text

    columns = [*COLUMNS[::-1], "comment"]
    return [columns, *([cell(badge, column) for column in columns] for badge in badges)]


def spreadsheets(badges: list[Badge]) -> Iterator[list[list[str]]]:
    """The rows of a file with these badges, as people, pandas and this package write them."""
    rows = table_of(badges)
    yield rows
    yield [[f" {name} ".replace(".", " . ") if "." in name else name.upper() for name in rows[0]], *rows[1:]]
    yield [[(name[0].upper() + name[1:]).replace(".en", ".EN").replace(".de", ".De") for name in rows[0]], *rows[1:]]
    yield [[], *([*row, "", " "] for row in rows), [""] * 20, [" ", "", ""]]  # blank rows and cells to the right
    yield [row[: max(n + 1 for n, cell in enumerate(row) if cell)] for row in rows]  # rows end where their cells end
    own = files.write(Badges(badges), Path("own.csv"), portal="", at="").read_bytes().decode("utf-8-sig")
    for text in (own, Badges(badges).flat.to_csv(quoting=csv.QUOTE_ALL)):
        names, *cells = csv.reader(io.StringIO(text, newline=""))
        yield from ([names, *cells], [[f" {name[:1].upper()}{name[1:]}" for name in names], *cells])


def written(rows: list[list[str]], separator: str, end: str, quoting: Any = csv.QUOTE_ALL) -> str:
    out = io.StringIO(newline="")
    csv.writer(out, delimiter=separator, lineterminator=end, quoting=quoting).writerows(rows)
    return out.getvalue()


WRITTEN = [(separator, end, "utf-8-sig") for separator in ",;\t|" for end in ("\r\n", "\n", "\r")]


@pytest.mark.parametrize(("separator", "end", "encoding"), [*WRITTEN, (",", "\n", "utf-8"), ("\t", "\r\n", "utf-16")])
def test_a_table_is_read_exactly_however_a_spreadsheet_writes_it(separator: str, end: str, encoding: str) -> None:
    for badges in ([], KNOWN, *([one] for one in KNOWN)):
        # Python leaves some line ends in a cell unquoted.
        quoting = csv.QUOTE_ALL if re.search(r"\\[rn]", repr(badges)) else csv.QUOTE_MINIMAL
        for rows in spreadsheets(badges):
            text = written(rows, separator, end, quoting)
            for head in ("", f"sep={separator}{end}"):
                Path("SHEET.CSV").write_bytes((head + text).encode(encoding))
                assert files.read("SHEET.CSV") == Badges(badges), (head, text)


@pytest.mark.parametrize("encoding", ["cp1251", "cp1252", "utf-16-le", "utf-32"])
def test_a_table_in_another_encoding_is_refused_or_read_exactly(encoding: str) -> None:
    for one in KNOWN:
        content = written(table_of([one]), ";", "\r\n").encode(encoding, "replace")
        Path("b.csv").write_bytes(content)
        with suppress(InvalidInput):
            # With a question mark the file holds another text: its encoding lacks a letter.
            assert files.read("b.csv") == Badges([one]) or b"?" in content


@pytest.mark.parametrize("text", ["{'en': 'x'}", '{"en": "x"}', "{}"])
def test_what_looks_like_a_map_in_a_table_is_refused_or_read_exactly(text: str) -> None:
    for badge in (Badge("vip", text, "VIP", "primary"), Badge("vip", {"de": text}, "VIP", "primary")):
        Path("b.csv").write_text(written(table_of([badge]), ",", "\n"))
        with suppress(InvalidInput):
            assert files.read("b.csv") == Badges([badge])


@pytest.mark.parametrize("title", [{}, {"en": ""}, {"en": "Client", "de": "Kunde"}])
def test_the_text_of_a_map_replaces_no_map_of_the_portal(title: dict[str, str]) -> None:
    odd, good = Badge("odd", title, "v", "primary"), Badge("good", "t", '{"en": "x"}', "primary")
    with b24nb.SandboxPortal(badges=[odd.to_wire(), good.to_wire()]) as portal, b24nb.connect(portal) as b24:
        plan = b24.badges.plan(b24.badges.list())
        assert plan.counts["keep"] == 2
        for text in (json.dumps(title), str(title)):
            with pytest.raises(InvalidInput, match="'odd': The title is a map written as text"):
                b24.badges.plan([Badge("odd", text, "v", "primary"), good])
        Path("plan.json").write_text(plan.df.to_json(orient="records"))
        with b24nb.SandboxPortal(badges=[]) as empty, b24nb.connect(empty) as other:
            for source, client in product((plan.df.to_dict("records"), "plan.json"), (b24, other)):
                with pytest.raises(InvalidInput, match="Row 1: the title is a map written as text"):
                    client.badges.plan(source)


@pytest.mark.parametrize(
    "shape",
    [
        *(lambda badges: badges, lambda badges: badges.df, lambda badges: badges.flat, pd.DataFrame),
        *(lambda badges: badges.df.set_index("code"), lambda badges: badges.flat.set_index("code")),
        lambda badges: badges.df.set_index(["code", "type"]).reset_index("type"),
        *(
            lambda badges, missing=missing: badges.flat.where(pd.notna, missing).to_dict("records")
            for missing in (None, float("nan"), pd.NaT, pd.NA)
        ),
        lambda badges: pd.concat([badges.flat, pd.DataFrame([{"code": None}])]),
    ],
)
def test_every_shape_of_the_portals_own_badges_changes_nothing(b24: b24nb.Client, shape: Any) -> None:
    badges = b24.badges.list()
    nothing = dict.fromkeys(("add", "replace", "delete"), 0)
    assert b24.badges.plan(shape(badges), prune=True).counts == nothing | {"keep": len(badges)}


def test_a_saved_answer_is_taken_back(b24: b24nb.Client) -> None:
    answer = b24.call("crm.activity.badge.list")
    Path("answer.json").write_text(json.dumps(answer.raw))
    Path("list.json").write_text(json.dumps(answer.result["badges"]))
    for source in ("answer.json", "list.json", answer.raw, answer.result):
        assert b24.badges.plan(source).counts["keep"] == len(b24.badges.list())


ROW, DEEP = b'"title": "T", "value": "V", "type": "primary"', b"[" * 900 + b"]" * 900
TWICE = "code,title.en,title.en,value,type\nvip,a,b,VIP,primary\n"  # pandas numbers the second heading
#: The name of a file with that content, or what is given instead of one; and what is said of it.
NO_BADGES: list[tuple[str, Any, str]] = [
    *(("b.csv", text, "no column `code`") for text in (b"", b"\xef\xbb\xbf", b"\n\n\n", b",,,\n", R.encode())),
    *(
        ("", table, "no column `code`")
        for table in (pd.DataFrame(), pd.DataFrame({"title": ["t"]}), Badges([VIP]).df.T)
    ),
    ("b.csv", b"Code list\n" + H.encode(), "no column `code`"),
    *(("", {"result": {"badges": []}, **more}, "sent") for more in ({"total": 120}, {"next": 50}, {"total": "120"})),
    *(("", path, "ends in .csv or .json") for path in ("badges.xlsx", "", "https://portal.example/rest/1/s3cret/")),
    ("", "a\0.csv", "."),
    ("b.csv", "code\nю".encode("cp1251"), "not UTF-8"),
    ("b.csv", TWICE.encode(), "two columns"),
    ("", pd.read_csv(io.StringIO(TWICE)), "names no language"),
    ("b.csv", b"code,title,value,type\n\na,b,c,d,e\n", "Line 3: 5 cells under 4 headings"),
    ("b.csv", b'code,title,value,type\n"a,b\n', "unexpected end"),
    ("b.csv", b"code,title,value,type\nvip,Client\n", "Line 2: The value is missing"),
    ("b.json", b"{", "not JSON"),
    ("b.json", '["ü"]'.encode("latin-1"), "^b.json is not UTF-8. Save it as UTF-8"),
    *(("b.json", text, "Can't read badges from a") for text in (b"7", b'"x"', b"null")),
    *(("b.json", text, "no list of badges under a key `badges`") for text in (b"{}", b'{"badges": {"x": 1}}')),
    ("b.json", b'{"badges": Infinity}', "."),
    ("b.json", b"[5]", "Row 1: This is a int"),
    ("b.json", b'{"format": "b24nb badges", "version": 2}', "update b24nb"),
    *(("b.json", b"[" * deep + b"]" * deep, ".") for deep in (900, 100_000)),
    *(("b.json", b'[{"code": ' + code + b", " + ROW + b"}]", ".") for code in (b"9" * 5000, b'"\\ud800"', b"[]", DEEP)),
    *(
        ("b.json", b'[{"code": "x", "title": ' + title + b', "value": "V", "type": "primary"}]', ".")
        for title in (b"NaN", b"[1]", b'{"": "T"}', b'{"en": ' + DEEP + b"}")
    ),
    ("b.json", b'[{"code": "x", "title": "T", "value": "V", "type": ' + DEEP + b"}]", "."),
    *(
        ("b.json", text, ".")
        for text in (b'[{"code.": "x"}]', b'{"format": "b24nb badges", "version": [], "badges": []}')
    ),
    ("b.json", b'[{"code": "' + b"x" * 1_000_000 + b'", ' + ROW + b"}, " + b'{"code": "X", "title": "T"}]', "."),
]


@pytest.mark.parametrize(("name", "given", "says"), NO_BADGES, ids=range(len(NO_BADGES)))
def test_what_holds_no_badges_is_never_nothing_wanted(b24: b24nb.Client, name: str, given: Any, says: str) -> None:
    if name:
        Path(name).write_bytes(given)
    with pytest.raises(InvalidInput, match=says) as caught:
        b24.badges.plan(name or given, prune=True)
    assert len(str(caught.value)) < 5000
    assert "s3cret" not in str(caught.value)


def test_a_long_list_takes_no_more_memory_than_it_needs(tmp_path: Path) -> None:
    (tmp_path / "b.csv").write_text(H + "".join(f"x{n},T,V,primary\n" for n in range(5000)))
    tracemalloc.start()
    try:
        assert len(files.read(tmp_path / "b.csv")) == 5000
        assert tracemalloc.get_traced_memory()[1] < 10_000_000
    finally:
        tracemalloc.stop()


BADGES = Badges([VIP, Badge("007", "t", "v", "success")])


@pytest.mark.parametrize(
    "values",
    [
        *(["vip", "007"], iter(("vip", "007")), BADGES.flat["code"], BADGES.df["code"].to_numpy()),
        *(BADGES.df, BADGES.df.set_index("code"), BADGES.df.set_index("code").index),
        *({"vip": 1, "007": 2}.keys(), ("vip", "007"), pd.Index(["vip", "007"]), pd.Series(["vip", "007"])),
        *(BADGES.df.set_index("title")["code"], BADGES.df.set_index("title"), BADGES.df["code"].astype("category")),
        *(BADGES.df["code"].astype("category").array, BADGES.df.rename(columns=str.title)["Code"]),
    ],
)
def test_codes_come_out_of_any_list_or_table(values: Any) -> None:
    assert codes_of(values) == ["vip", "007"]


TRANSLATED = Badges([Badge("vip", {"en": "007", "de": "vip"}, "V", "primary")])
ROWS = [
    *(BADGES.df.iloc[0], BADGES.df.set_index("code").loc["vip"], next(BADGES.df.itertuples()), VIP.to_wire()),
    *(TRANSLATED.flat.set_index("code").loc["vip"], TRANSLATED.flat[["title.en", "title.de"]].iloc[0].rename(None)),
]
SEVERAL = [
    pd.concat([BADGES.df[["code"]]] * 2, axis=1),
    pd.concat({"code": BADGES.df[["code"]].rename(columns={"code": "vip"})}, axis=1),
]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        *((one, f"this is {type(one).__name__}") for one in ("vip", b"vip", 5, None, float("nan"), VIP, {"vip": 1})),
        *((row, "this is a row") for row in ROWS),
        *((titles, "another column") for titles in (BADGES.df["title"], BADGES.df.set_index("title").index)),
        *((texts, "another column") for texts in (TRANSLATED.flat["title.en"], BADGES.df["title"].rename("note"))),
        *((frame, "a table without one") for frame in (BADGES.df[["title"]], pd.DataFrame(), *SEVERAL)),
        ([float("nan")], "nan is not a text"),
        (pd.DataFrame({"code": ["a", None]}), "is not a text"),
        (pd.DataFrame({"code": [1, 2]}), "1 is not a text"),
        ([""], "code is empty"),
    ],
)
def test_what_holds_no_codes_is_refused_before_anything_is_sent(b24: b24nb.Client, values: Any, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        b24.badges.delete_many(values)
    assert not b24.calls


@pytest.mark.parametrize("name", ["b.json", "b.csv"])
def test_badges_that_differ_in_letter_case_are_planned_deleted_and_restored_where_a_portal_has_both(name: str) -> None:
    both = Badges([VIP, Badge("VIP", "Other", "V", "success")])
    with (
        b24nb.SandboxPortal(badges=[badge.to_wire() for badge in both], case_sensitive=True) as portal,
        b24nb.connect(portal) as b24,
    ):
        assert b24.badges.plan(b24.badges.backup(name), prune=True).counts["keep"] == 2
        for repeated in ([VIP, *both], [*both, Badge("Vip", "t", "v", "primary")]):
            with pytest.raises(InvalidInput, match=r"repeated|differ only in letter case"):
                b24.badges.plan(repeated)
        for codes, says in (
            (["vip", "vip"], "'vip' is repeated"),
            ([VIP, "VIP "], "differ only in letter case or blanks"),
        ):
            with pytest.raises(InvalidInput, match=says):
                b24.badges.delete_many(codes)
        assert b24.badges.delete_many(both.df, confirm=2, progress=False).counts == {"deleted": 2}
        with pytest.raises(InvalidInput, match="differ only in letter case"):
            b24.journal.plan_restore([*both, VIP])
        assert b24.journal.plan_restore(both).apply(progress=False).counts == {"added": 2}
        assert b24.badges.list() == both


CLIENT = Badge("vip", {"en": "Client", "de": "Kunde"}, "VIP", "primary")
GOLD = Badge("gold", "Gold", {"ru": "Золото", "de": "Gold"}, "warning")


def test_badges_are_what_pandas_json_and_dataclasses_expect(b24: b24nb.Client) -> None:
    badges = b24.badges.list()
    frame = pd.DataFrame(badges)
    assert list(frame.columns) == ["code", "title", "value", "type"]
    assert frame.to_dict("records") == badges.df.to_dict("records")
    assert len(badges.df.drop_duplicates()) == badges.df["title"].size
    assert dataclasses.asdict(CLIENT) == {name: getattr(CLIENT, name) for name in ("code", "title", "value", "type")}
    assert json.loads(json.dumps(CLIENT.title)) == {"en": "Client", "de": "Kunde"}
    assert json.loads(json.dumps([dataclasses.asdict(badge) for badge in badges])) == [*map(dataclasses.asdict, badges)]


def test_a_badge_is_looked_up_by_its_code() -> None:
    badges = Badges([CLIENT, GOLD, Badge("GOLD", "t", "v", "primary")])
    assert badges["vip"] == badges["VIP"] == badges[0] == CLIENT
    assert (badges["gold"], badges["GOLD"].type) == (GOLD, "primary")
    assert [code in badges for code in ("vip", "ViP", "nope")] == [True, True, False]
    assert [item in badges for item in (CLIENT, dataclasses.replace(CLIENT, type="success"), 7)] == [True, False, False]
    with pytest.raises(KeyError, match="no badge has the code 'nope'"):
        badges["nope"]


CHANGES = dict.fromkeys(("clear", "popitem"), ()) | dict.fromkeys(("pop", "setdefault", "__delitem__"), ("en",))
CHANGES |= dict.fromkeys(("update", "__ior__"), ({"en": "x"},)) | {"__setitem__": ("en", "x")}


@pytest.mark.parametrize(("change", "arguments"), CHANGES.items())
def test_a_text_in_several_languages_can_not_be_changed_in_place(change: str, arguments: Any) -> None:
    with pytest.raises(TypeError, match="does not change"):
        getattr(CLIENT.title, change)(*arguments)
    assert CLIENT.title == {"en": "Client", "de": "Kunde"}
    assert CLIENT.title | {"de": "x"} == {"en": "Client", "de": "x"}


def test_the_error_of_an_interrupted_run_says_the_same_after_copy_and_pickle() -> None:
    error = Interrupted(Badges([CLIENT]))
    for again in (copy.copy(error), pickle.loads(pickle.dumps(error))):
        assert (str(again), again.report) == (str(error), error.report)
    assert str(error) == f"Interrupted. {error.report!r}"


def test_the_order_of_languages_makes_no_other_hash_and_ten_thousand_titles_do() -> None:
    assert hash(CLIENT.title) == hash(Texts(reversed(CLIENT.title.items())))
    assert hash(Texts({"en": "a", "odd": [1], "none": None})) == hash(Texts(en="a")), "a portal can send odd texts"
    assert len({hash(Texts(en=f"title {n}")) for n in range(10_000)}) > 9_990


def test_the_flat_table_has_plain_cells_and_a_column_per_language() -> None:
    flat = Badges([GOLD, CLIENT]).flat
    columns = ["code", "type", "title", "value", "title.en", "title.de", "value.ru", "value.de"]
    assert list(flat.columns) == columns
    assert flat.iloc[1].tolist() == ["vip", "primary", None, "VIP", "Client", "Kunde", None, None]
    assert len(flat.drop_duplicates()) == flat["code"].nunique() == 2
    assert list(Badges().flat.columns) == ["code", "type", "title", "value"]
    assert list(Badges().df.columns) == ["code", "title", "value", "type"]
    odd = Badges([Badge("a", {}, {"de": ""}, "primary"), Badge("b", {"1": "x"}, {"en": None}, "primary")]).flat
    assert odd[["title", "value"]].to_numpy().tolist() == [["{}", '{"de": ""}'], ['{"1": "x"}', '{"en": null}']]


def test_calls_can_be_compared_and_stored_also_by_the_documented_line_for_excel(b24: b24nb.Client) -> None:
    b24.call("crm.activity.list", {"filter": {"SUBJECT": "Ж"}, "select": ["ID"]})
    b24.badges.list()
    df = b24.calls.df
    assert len(df.drop_duplicates()) == len(df)
    assert df.nunique()["params"] >= 2
    sent = df[df["method"] == "crm.activity.list"]["params"].iloc[0]
    assert json.loads(sent) == {"filter": {"SUBJECT": "Ж"}, "select": ["ID"]}
    df.to_csv("calls.csv")
    assert pd.read_csv("calls.csv")["params"].tolist() == df["params"].tolist()
    line = re.search(r"``(df\.assign.*)``", CallLog.df.__doc__)[1]
    stored = eval(line, {"df": df})
    assert list(stored.select_dtypes("datetimetz")) == []
    assert (stored["at"] == df["at"].dt.tz_localize(None)).all()


LIVE = Badges(
    Badge(f"{sign}code", f"{sign}HYPERLINK(1)", {"en": f"{sign}1", "de": f"'{sign}1"}, "primary")
    for sign in ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "'=", "'", "''")
)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with a name on this system")
def test_a_backup_does_not_replace_what_is_not_a_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link.json").symlink_to("pipe")
    with pytest.raises(InvalidInput, match="is not a file"):
        files.write(Badges([VIP]), tmp_path / "link.json", portal="p", at="now")
    assert (tmp_path / "pipe").is_fifo()


def test_a_backup_for_spreadsheets_has_no_live_cell_and_comes_back_unchanged(tmp_path: Path) -> None:
    path = files.write(LIVE, tmp_path / "b.csv", portal="", at="")
    with path.open(encoding="utf-8-sig", newline="") as file:
        cells = [cell for row in csv.reader(file) for cell in row]
    assert not [cell for cell in cells if cell.startswith(tuple("=+-@\t\r\n＝"))]
    assert files.read(path) == LIVE
    assert files.read(pd.read_csv(path, dtype=str)) == LIVE


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
        assert mode(files.write(Badges([CLIENT]), tmp_path / "b.json", portal="", at="")) == expected
    finally:
        os.umask(before)


def test_an_existing_file_keeps_its_mode_and_a_link_stays_a_link(tmp_path: Path) -> None:
    real, link, dangling = tmp_path / "real.json", tmp_path / "link.json", tmp_path / "new.json"
    real.write_text("x")
    real.chmod(0o664)
    link.symlink_to("real.json")
    dangling.symlink_to("later.json")
    for path in (link, dangling):
        files.write(Badges([CLIENT]), path, portal="", at="")
        assert path.is_symlink()
        assert files.read(path.resolve()) == Badges([CLIENT])
    assert mode(real) == 0o664
    assert sorted(path.name for path in tmp_path.glob("*.json")) == ["later.json", "link.json", "new.json", "real.json"]
    assert not list(tmp_path.glob(".b24nb-*"))
