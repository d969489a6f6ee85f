"""Badges in files: CSV for people with a spreadsheet, JSON for keeping everything.

Files are read as text: a code ``007`` or ``NA`` stays what it is. In CSV a text in several languages
takes a column per language (``title.en``, ``title.de``); what CSV can't hold is refused, not bent.
"""

from __future__ import annotations

import csv
import io
import json
import os
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from b24nb.badges.badge import FIELDS, Badge, Badges
from b24nb.badges.checks import code_problems
from b24nb.errors import InvalidInput

if TYPE_CHECKING:
    import pandas as pd

Source = str | os.PathLike[str] | Iterable[Badge | Mapping[str, Any]]
Row = Badge | Iterable[tuple[Any, Any]]

FORMAT, VERSION = "b24nb badges", 1
#: Complaints that one error shows.
_SHOWN = 5


def read(source: Source | pd.DataFrame) -> Badges:
    """Badges from a file, a DataFrame or a list.

    Parameters
    ----------
    source : path, DataFrame or iterable of Badge or mapping
        A path ends in ``.csv`` or ``.json``. Columns and keys: ``code``, ``title``, ``value``, ``type``;
        ``title.en`` and the like for languages. Others are ignored.

    Returns
    -------
    Badges

    Raises
    ------
    InvalidInput
        Names the rows and fields that are wrong: something missing, a code that is repeated or not a text,
        codes that differ only in letter case (one code on most portals).

    Examples
    --------
    >>> read([{"code": "vip", "title.en": "Client", "title.de": "Kunde", "value": "VIP", "type": "primary"}])
    Badges: 1
      vip  primary  {'en': 'Client', 'de': 'Kunde'}  'VIP'
    """
    complaints: list[InvalidInput] = []
    badges: list[Badge] = []
    for where, row in _rows(source):
        try:
            badge = row if isinstance(row, Badge) else _badge(row)
            for problem in code_problems(badge.code):
                raise problem
            badges.append(badge)
        except InvalidInput as problem:
            complaints.append(InvalidInput(f"{where}: {problem.message}", field=problem.field))
    refuse(complaints)
    refuse(clashes(badge.code for badge in badges))
    return Badges(badges)


def clashes(codes: Iterable[str]) -> Iterator[InvalidInput]:
    """Complaints about codes that are repeated or differ only in letter case."""
    spelled: dict[str, Counter[str]] = {}
    for code in codes:
        spelled.setdefault(code.casefold(), Counter())[code] += 1
    for spellings in spelled.values():
        if len(spellings) > 1:
            names = " and ".join(map(repr, spellings))
            yield InvalidInput(f"{names} differ only in letter case: one code on most portals.", field="code")
        elif spellings.total() > 1:
            yield InvalidInput(f"The code {next(iter(spellings))!r} is repeated.", field="code")


def refuse(complaints: Iterable[InvalidInput]) -> None:
    """Raise one error for all complaints, if there are any."""
    found = list(complaints)
    if found:
        more = f" (and {len(found) - _SHOWN} more)" if len(found) > _SHOWN else ""
        text = " ".join(complaint.message for complaint in found[:_SHOWN])
        raise InvalidInput(f"{text}{more}", field=found[0].field, hint="Nothing has been changed.")


def write(badges: Badges, path: str | os.PathLike[str], *, portal: str, at: str) -> Path:
    """Write badges to a ``.json`` or ``.csv`` file, whole or not at all; an existing one is replaced.

    Host and time are noted in a JSON file. Raises :class:`InvalidInput` for another suffix, and for a
    badge that CSV can't hold.
    """
    target = Path(path)
    if _suffix(target) == ".json":
        rows = [badge.to_wire() for badge in badges]
        head = {"format": FORMAT, "version": VERSION, "created_at": at, "portal": portal}
        content = json.dumps({**head, "badges": rows}, ensure_ascii=False, indent=1).encode()
    else:
        content = _csv(badges).encode("utf-8-sig")  # the mark tells spreadsheets that it is UTF-8
    # Renamed into place when it is complete: a crash can't leave half a backup.
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(target)
    except BaseException:
        Path(name).unlink()
        raise
    return target


def _rows(source: Source | pd.DataFrame) -> Iterator[tuple[str, Row]]:
    """Rows with where they stand."""
    if isinstance(source, str | os.PathLike):
        path = Path(source)
        yield from _csv_rows(path) if _suffix(path) == ".csv" else _items(_json_rows(path))
    elif hasattr(source, "to_dict"):  # a DataFrame; NaN and its like mean that there is nothing
        frame = cast("pd.DataFrame", source)
        rows = frame.astype(object).where(frame.notna(), None).to_dict("records")
        yield from _items({key: cell for key, cell in row.items() if cell is not None} for row in rows)
    elif isinstance(source, Iterable):
        yield from _items(source)
    else:
        raise InvalidInput(f"Can't read badges from a {type(source).__name__}.", field="wanted")


def _items(items: Iterable[Any]) -> Iterator[tuple[str, Row]]:
    for place, item in enumerate(items, 1):
        if not isinstance(item, Badge | Mapping):
            raise InvalidInput(f"Row {place} is a {type(item).__name__}, not a badge.", field="wanted")
        yield f"Row {place}", item if isinstance(item, Badge) else item.items()


def _json_rows(path: Path) -> list[Any]:
    """The badges of a backup, of a plain list, or of a saved answer."""
    try:
        content = json.loads(_text(path))
    except json.JSONDecodeError as error:
        raise InvalidInput(f"{path.name} is not JSON: {error}.", field="wanted") from None
    if isinstance(content, dict):
        if content.get("format") == FORMAT and content.get("version") != VERSION:
            raise InvalidInput(f"{path.name} was written by a newer version of b24nb.", field="wanted")
        content = content.get("badges")
    if not isinstance(content, list):
        raise InvalidInput(f"{path.name} holds no list of badges.", field="wanted")
    return content


def _csv_rows(path: Path) -> Iterator[tuple[str, Row]]:
    text = _text(path)
    # Spreadsheets write semicolons where the comma is the decimal sign.
    head = text.partition("\n")[0]
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=max(",;\t", key=head.count), strict=True)
    try:
        names = next(reader, [])
        for cells in filter(None, reader):
            if len(cells) != len(names):
                raise InvalidInput(
                    f"{path.name}, line {reader.line_num}: {len(cells)} cells under {len(names)} headings.",
                    field="wanted",
                )
            yield f"Line {reader.line_num}", zip(names, cells, strict=True)
    except csv.Error as error:
        raise InvalidInput(f"{path.name}, line {reader.line_num}: {error}.", field="wanted") from None


def _badge(row: Iterable[tuple[Any, Any]]) -> Badge:
    """A badge from cells; an empty cell of a language means that the text lacks it."""
    plain: dict[str, Any] = {}
    localised: dict[str, dict[str, Any]] = {}
    for name, cell in row:
        field, dot, language = str(name).strip().partition(".")
        field = field.lower()
        if field not in FIELDS or (dot and cell in ("", None)):
            continue
        cells, key = (localised.setdefault(field, {}), language) if dot else (plain, field)
        if key in cells:
            raise InvalidInput(f"There are two columns {name!r}.", field=field)
        cells[key] = cell
    for field, texts in localised.items():
        if plain.get(field):
            raise InvalidInput(f"The {field} is given as one text and by language.", field=field)
        plain[field] = texts
    for field in FIELDS:
        if field not in plain:
            raise InvalidInput(f"The {field} is missing.", field=field)
    return Badge(**plain)


def _csv(badges: Badges) -> str:
    rows = [_cells(badge) for badge in badges]
    columns = dict.fromkeys([*FIELDS[:1], *(name for row in rows for name in row)])
    order = sorted(columns, key=lambda name: FIELDS.index(name.partition(".")[0]))
    out = io.StringIO(newline="")
    table = csv.DictWriter(out, order if rows else FIELDS, restval="")
    table.writeheader()
    table.writerows(rows)
    return out.getvalue()


def _cells(badge: Badge) -> dict[str, str]:
    """The cells of a badge. An empty one means that there is nothing, so a badge may not need it."""
    cells: dict[str, Any] = {}
    for field, text in badge.to_wire().items():
        cells |= (
            {f"{field}.{key}": item for key, item in text.items()}
            if isinstance(text, dict)
            else {field: text}
        )
    fields = {name.partition(".")[0] for name in cells}
    whole = all(
        isinstance(cell, str) and cell and name == name.strip().rstrip(".") for name, cell in cells.items()
    )
    if not whole or fields != set(FIELDS):
        raise InvalidInput(f"The badge {badge.code!r} holds what CSV can't.", hint="Write a .json file.")
    return cells


def _suffix(path: Path) -> str:
    if path.suffix.lower() not in (".csv", ".json"):
        raise InvalidInput(f"{path} ends neither in .csv nor in .json.", field="path")
    return path.suffix.lower()


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InvalidInput(f"{path.name} is not UTF-8.", hint="Save it as CSV UTF-8.") from None
