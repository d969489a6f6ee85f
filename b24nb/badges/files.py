"""Badges in files: CSV for spreadsheets, JSON for a complete backup.

Cells are read as text: a code ``007`` or ``NA`` is kept as it is. In tables a text in several languages
takes a column per language (``title.en``, ``title.de``); a badge that CSV can't hold unchanged is refused.
"""

from __future__ import annotations

import codecs
import csv
import io
import json
import os
import re
import secrets
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from b24nb.badges.badge import FIELDS, LANGUAGE, Badge, Badges, flat_frame, folded, grouped, text_of
from b24nb.badges.changes import MAP_TEXT, check_code
from b24nb.badges.evidence import whole_list
from b24nb.errors import BadResponse, InvalidInput
from b24nb.secret import is_address

if TYPE_CHECKING:
    import pandas as pd

Source = str | os.PathLike[str] | Mapping[str, Any] | Iterable[Badge | Mapping[Any, Any]]

FORMAT, VERSION = "b24nb badges", 1
#: How many problems one error shows, and how many characters of each.
_SHOWN, _WIDTH = 5, 600
#: A cell that begins so is a formula for spreadsheets, and gets an apostrophe in front; this column names such cells.
FORMULA, _ESCAPED = tuple("=+-@\t\r\n＝＋－＠"), "with_apostrophe"
#: The separator is given by a first line for Excel (``sep=;``), else it is the character beside a known heading.
_SEP_LINE = re.compile(r'"?sep=([^"\r\n])"?[,;\t ]*(?:\r\n?|\n|$)', re.IGNORECASE)
_HEADING = r'(?:^|[\r\n]|([,;\t|]))[ "]*{}[ "]*(?:([,;\t|])|[\r\n]|$)'


class Row(list[tuple[Any, Any]]):
    """Columns and cells; two columns can have the same name."""


def read(source: Source | pd.DataFrame) -> Badges:
    """Badges from a file, a DataFrame, a saved answer or a list.

    Parameters
    ----------
    source : path, DataFrame, mapping or iterable of Badge or mapping
        A path ends in ``.csv`` or ``.json``; a mapping is a saved answer of the portal, or a backup read from JSON.
        Columns and keys: ``code`` (may be the index), ``title``, ``value``, ``type``; ``title.en`` and the
        like for languages. Others are ignored, as are blank rows of tables.

    Returns
    -------
    Badges
        Not checked for :func:`clashes` of codes.

    Raises
    ------
    InvalidInput
        Names the rows and fields that are wrong: no column ``code``, a missing field, a code that is not a text, an
        answer that is not complete.

    Examples
    --------
    >>> read([{"code": "vip", "title.en": "Client", "title.de": "Kunde", "value": "VIP", "type": "primary"}])
    Badges: 1
      vip  primary  {'en': 'Client', 'de': 'Kunde'}  'VIP'
    """
    problems: list[InvalidInput] = []
    badges: list[Badge] = []
    for where, row in _rows(source):
        try:
            badge = _badge(row)
            check_code(badge.code)
            badges.append(badge)
        except InvalidInput as problem:
            problems.append(InvalidInput(f"{where}: {problem.message}", field=problem.field, hint=problem.hint))
    refuse(problems)
    return Badges(badges)


def codes_of(values: Any) -> list[str | Badge]:
    """Codes, or badges where exactly this badge is meant.

    Parameters
    ----------
    values : iterable of str or Badge, DataFrame, Series or Index
        A DataFrame has a column or an index ``code``; a Series or an Index has this name or none.

    Raises
    ------
    InvalidInput
        For anything else, such as a single text, a mapping or a row of a table; for values that can't be codes.

    Examples
    --------
    >>> codes_of(Badges([Badge("vip", "Client", "VIP", "primary")]).df)
    ['vip']
    """
    if (frame := frame_of(values)) is not None:
        column: Any = frame.get("code")
        values = column.tolist() if hasattr(column, "tolist") else None  # a frame of several columns has none
    labels = values.keys() if hasattr(values, "keys") else ()  # of a Series: its index
    name = getattr(values, "name", None) if hasattr(values, "dtype") else None
    is_row = hasattr(values, "_fields") or any(_heading(label)[0] in FIELDS for label in labels)
    is_other = name not in (None, "") and _heading(name) != ("code", None)
    if isinstance(values, str | bytes | Mapping) or is_row or is_other or not isinstance(values, Iterable):
        what = "a row, or another column" if is_row or is_other else type(values).__name__
        what = what if frame is None else "a table without one"
        text = f"codes must be a list of codes or badges, or a table with one column `code`; this is {what}."
        raise InvalidInput(text, field="codes", hint="For one badge, write [code]; for another column, [*column].")
    found = [*values]
    for item in found:
        check_code(item.code if isinstance(item, Badge) else item)
    return found


def names_of(given: Any) -> list[str]:
    """The codes of a badge, or of several as :func:`codes_of` takes them."""
    found = codes_of([given] if isinstance(given, str | Badge) else given)
    return [one.code if isinstance(one, Badge) else one for one in found]


def clashes(codes: Iterable[str], there: Iterable[Badge] = ()) -> Iterator[InvalidInput]:
    """Problems of codes that are repeated, or that most portals take for the same.

    ``there``: badges that a portal has side by side: it tells their codes apart.
    """
    known = {badge.code for badge in there}
    for same in grouped((folded(code), code) for code in codes).values():
        names = [*dict.fromkeys(same)]
        if len(same) > 1 and not (names == same and known.issuperset(names)):
            shown = " and ".join(map(repr, names))
            text = f"The codes {shown} differ only in letter case or blanks at the end: one code on most portals."
            yield InvalidInput(text if names[1:] else f"The code {shown} is repeated.", field="code")


def refuse(problems: Iterable[InvalidInput]) -> None:
    """Raise one error for all problems, if there are any; what several say is said once."""
    if found := {problem.message[:_WIDTH]: problem for problem in problems}:
        more = f" (and {len(found) - _SHOWN} more)" if len(found) > _SHOWN else ""
        text, shown = " ".join([*found][:_SHOWN]), [*found.values()][:_SHOWN]
        hints = dict.fromkeys([*(problem.hint for problem in shown if problem.hint), "Nothing has been changed."])
        raise InvalidInput(f"{text}{more}", field=shown[0].field, hint=" ".join(hints))


def write(badges: Badges, path: str | os.PathLike[str], *, portal: str, at: str) -> Path:
    """Write badges to a ``.json`` or ``.csv`` file, completely or not at all; an existing file is replaced.

    A JSON file also holds host and time. Raises :class:`InvalidInput` for another suffix, and for a badge
    that CSV can't hold. The file keeps its permissions; a symbolic link stays a link.
    """
    target = Path(path).expanduser()
    if _suffix(target) == ".json":
        head = {"format": FORMAT, "version": VERSION, "created_at": at, "portal": portal}
        text = json.dumps(head | {"badges": [*map(Badge.to_wire, badges)]}, ensure_ascii=False, indent=1)
        content = text.encode(errors="backslashreplace")  # a lone surrogate becomes its JSON escape
    else:
        text = flat_frame([*map(_csv_row, badges)]).to_csv(index=False, lineterminator="\r\n")
        content = text.encode("utf-8-sig")  # spreadsheets recognise UTF-8 by the byte order mark
    _replace(Path(os.path.realpath(target)), content)
    return target


def _replace(target: Path, content: bytes) -> None:
    """Write a temporary file, then rename it to the target: a crash can't leave an incomplete backup."""
    if target.exists() and not target.is_file():  # a device, for example, must not be replaced
        raise InvalidInput(f"{target} is there, and is not a file.", field="path")
    temporary = target.with_name(f".b24nb-{secrets.token_hex(8)}")
    try:
        with temporary.open("xb") as file:
            with suppress(FileNotFoundError):
                temporary.chmod(target.stat().st_mode & 0o777)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(target)
    except OSError as error:
        raise type(error)(error.errno, error.strerror, str(target)) from None  # nobody knows the temporary file
    finally:
        with suppress(OSError):
            temporary.unlink()


def _rows(source: Any) -> Iterable[tuple[str, Any]]:
    """The rows, each with its place for messages (``Line 3``, ``Row 3``)."""
    if isinstance(source, str | os.PathLike):
        path = Path(source).expanduser()
        if _suffix(path) == ".csv":
            lines = csv_lines(path, "code")
            return _table(next(lines, ("", []))[1], lines)
        text = read_text(path)
        try:
            source = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise InvalidInput(f"{path.name} is not JSON that can be read: {error}.", field="wanted") from None
    elif (frame := frame_of(source)) is not None:
        return _table([*frame.columns], _numbered(frame.astype(object).itertuples(index=False, name=None)))
    if isinstance(source, Mapping):
        return _numbered(_listed(source))
    if isinstance(source, str | bytes) or not isinstance(source, Iterable):
        raise InvalidInput(f"Can't read badges from a {type(source).__name__}.", field="wanted")
    return _without_map_texts(_numbered(source))


def _numbered(rows: Iterable[Any]) -> Iterator[tuple[str, Any]]:
    return ((f"Row {place}", row) for place, row in enumerate(rows, 1))


def _listed(content: Mapping[str, Any]) -> list[Any]:
    """The badges of a backup, or of a saved answer, which must be complete."""
    if content.get("format") == FORMAT and content.get("version") != VERSION:
        raise InvalidInput("This version of b24nb can't read this backup: update b24nb.", field="wanted")
    try:
        return whole_list({"result": content, **content})
    except BadResponse as error:
        raise InvalidInput(error.message, field="wanted") from None


def frame_of(source: Any) -> pd.DataFrame | None:
    """The DataFrame, an index with a name made a column; ``None`` if this is no DataFrame."""
    if not (hasattr(source, "iloc") and hasattr(source, "columns")):
        return None
    levels = [name for name in source.index.names if name is not None and name not in source.columns]
    return cast("pd.DataFrame", source.reset_index(level=levels) if levels else source)


def csv_lines(path: Path, heading: str) -> Iterator[tuple[str, list[str]]]:
    """The lines of a CSV file that are not blank, as cells, each with its place for messages; first the headings.

    The separator is the one beside this heading.
    """
    text = read_text(path)
    sep_line, found = _SEP_LINE.match(text), re.search(_HEADING.format(heading), text, re.IGNORECASE)
    separator = sep_line[1] if sep_line else (found and (found[1] or found[2])) or ","
    file = io.StringIO("\n" + text[sep_line.end() :] if sep_line else text, newline="")
    reader, width = csv.reader(file, delimiter=separator, strict=True), 0
    try:
        for cells in (cells for cells in reader if any(map(str.strip, cells))):
            width = width or len(cells)
            if any(map(str.strip, cells[width:])):
                text = f"Line {reader.line_num}: {len(cells)} cells under {width} headings."
                raise InvalidInput(text, field="wanted")
            yield f"Line {reader.line_num}", (cells + [""] * width)[:width]
    except csv.Error as error:
        raise InvalidInput(f"Line {reader.line_num}: {error}.", field="wanted") from None


def _table(names: Sequence[Any], rows: Iterable[tuple[str, Sequence[Any]]]) -> Iterator[tuple[str, Row]]:
    """The rows of a table that are not blank, without their empty cells: an empty cell means no value."""
    if ("code", None) not in map(_heading, names):
        raise InvalidInput("There is no column `code`; the first row names the columns.", field="wanted")
    pairs = ((where, zip(names, cells, strict=False)) for where, cells in rows)
    found = ((where, Row((name, cell) for name, cell in row if not _is_empty(cell))) for where, row in pairs)
    for where, row in _without_map_texts(found):
        if any(str(cell).strip() for _, cell in row):
            yield where, row


def _without_map_texts(rows: Iterable[tuple[str, Any]]) -> Iterator[tuple[str, Any]]:
    """The rows; refused if a cell is the text of a map: tables and other programs make texts of maps."""
    for where, row in rows:
        for name, cell in dict(row).items() if isinstance(row, Row | Mapping) else ():
            if isinstance(cell, str) and MAP_TEXT.fullmatch(cell) and _heading(name)[0] in FIELDS:
                text = f"{where}: the {name} is a map written as text; give a map, or a column per language."
                raise InvalidInput(text, field=_heading(name)[0])
        yield where, row


@lru_cache(maxsize=1000)
def _heading(name: Hashable) -> tuple[str, str | None]:
    """The field and the language of a column; the language is ``None`` for a column of plain texts."""
    field, dot, language = map(str.strip, str(name).partition("."))
    capitals = not field.islower() and (language.isupper() or language.istitle())  # Excel's: Title.EN
    return field.lower(), (language.lower() if capitals else language) if dot else None


def _is_missing(cell: Any) -> bool:
    """Whether it is ``None``, NaN, NaT or ``pandas.NA``; pandas need not be loaded."""
    return type(cell).__name__ in ("NoneType", "NAType", "NaTType") or (isinstance(cell, float) and cell != cell)


def _is_empty(cell: Any) -> bool:
    return _is_missing(cell) or (isinstance(cell, str) and not cell)


def _badge(row: Any) -> Badge:
    """A badge from cells; an empty cell of a language means that the text is not given in it."""
    if isinstance(row, Badge):
        return row
    if not isinstance(row, Row | Mapping):
        raise InvalidInput(f"This is a {type(row).__name__}, not a badge.", field="wanted")
    plain: dict[str, Any] = {}
    localised: dict[str, dict[str, Any]] = {}
    pairs = row.items() if isinstance(row, Mapping) else row
    row = [(name, None if _is_missing(cell) else cell) for name, cell in pairs]
    escaped = {_heading(one) for name, cell in row if _heading(name)[0] == _ESCAPED for one in str(cell).split()}
    for name, cell in row:
        field, language = _heading(name)
        if field not in FIELDS or (language is not None and _is_empty(cell)):
            continue
        if language is not None and not LANGUAGE.fullmatch(language):
            raise InvalidInput(f"The column {name!r} names no language.", field=field)
        cells, key = (localised.setdefault(field, {}), language) if language else (plain, field)
        if key in cells:
            raise InvalidInput(f"There are two columns {name!r}.", field=field)
        cells[key] = cell.removeprefix("'") if (field, language) in escaped and isinstance(cell, str) else text_of(cell)
    for field, texts in localised.items():
        if plain.get(field):
            raise InvalidInput(f"The {field} is given as one text and by language.", field=field)
        plain[field] = texts
    for field in FIELDS:
        if field not in plain:
            hint = "A row is a whole badge; badges.backup('portal.csv') writes those of the portal."
            raise InvalidInput(f"The {field} is missing.", field=field, hint=hint)
    return Badge(**plain)


def _csv_row(badge: Badge) -> dict[str, str]:
    """The cells of a badge, none of them a formula; refused if reading them would not give the same badge."""
    row = badge.cells()
    if formulas := [name for name, cell in row.items() if str(cell).startswith(FORMULA)]:
        row |= {name: f"'{row[name]}" for name in formulas} | {_ESCAPED: " ".join(formulas)}
    with suppress(InvalidInput, TypeError, UnicodeEncodeError):
        "".join(row.values()).encode()
        if [_badge(cells) for _, cells in _table([*row], [("", [*row.values()])])] == [badge]:
            return row
    raise InvalidInput(f"The badge {badge.code!r} holds what CSV can't.", hint="Write a .json file.")


def _suffix(path: Path) -> str:
    """The suffix, which must be that of a file of badges. No error shows the path: it could be a webhook URL."""
    if path.suffix.lower() not in (".csv", ".json") or "\0" in str(path) or is_address(path):
        raise InvalidInput("A file of badges has a name that ends in .csv or .json.", field="path")
    return path.suffix.lower()


def read_text(path: Path) -> str:
    """The content of a file in an encoding that Excel writes; refused if it is another one."""
    content = path.read_bytes()
    wide = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))  # Excel's "Unicode text"
    try:
        return content.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError:
        raise InvalidInput(f"{path.name} is not UTF-8.", hint="Save it as UTF-8 (in Excel: CSV UTF-8).") from None
