"""A badge and a list of badges: immutable values that keep what the portal sent and have an HTML display.

A title or a value is one text, or a map language -> text. It is kept exactly as the portal sent it, so
that a badge that was read can be added again unchanged.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, NoReturn, SupportsIndex, TypeVar, overload
from unicodedata import normalize

from b24nb import spec
from b24nb.display import html
from b24nb.display.language import pick
from b24nb.display.visible import printable, visible
from b24nb.errors import BadResponse
from b24nb.secret import mask_address

if TYPE_CHECKING:
    import pandas as pd

T = TypeVar("T")
K = TypeVar("K")
Text = str | Mapping[str, str]

FIELDS = ("code", "title", "value", "type")
#: How many rows of a list its text and HTML show.
SHOWN = 100
#: How many names a sentence lists.
_NAMED = 5
#: A language in a column's name. It begins with a letter, since pandas names a repeated column ``title.1``.
LANGUAGE = re.compile(r"[A-Za-z][\w-]*")


class Texts(dict[str, str]):
    """A text in several languages: an immutable dict, so that it can be hashed.

    Examples
    --------
    >>> Texts(en="Client") | {"de": "Kunde"}
    {'en': 'Client', 'de': 'Kunde'}
    """

    __slots__ = ()

    def _refuse(self, *_: Any, **__: Any) -> NoReturn:
        raise TypeError("A badge does not change; make a new text, for example {**title, 'de': 'Kunde'}.")

    __setitem__ = __delitem__ = __ior__ = clear = pop = popitem = setdefault = update = _refuse

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(frozenset(item for item in self.items() if isinstance(item[1], str)))

    def __reduce__(self) -> tuple[Any, ...]:
        return Texts, (dict(self),)


@dataclass(frozen=True, slots=True, repr=False, init=False)
class Badge:
    """One badge, as registered on a portal.

    Attributes
    ----------
    code : str
        Its name in calls and in activities, for example ``missedCall``.
    title : str or mapping of str to str
        What it is about: a text, or a map language -> text.
    value : str or mapping of str to str
        The text of the pill; portals show it in capitals.
    type : str
        ``success``, ``failure``, ``warning``, ``primary`` or ``secondary``: the colour.

    Notes
    -----
    Vendor page:
    https://apidocs.bitrix24.com/api-reference/crm/timeline/activities/configurable/badges/index.html

    Examples
    --------
    >>> Badge("vip", {"en": "Client", "de": "Kunde"}, "VIP", "primary")
    Badge(code='vip', title={'en': 'Client', 'de': 'Kunde'}, value='VIP', type='primary')
    """

    code: str
    title: str | dict[str, str]  # no alias: tools look the names up in `b24nb`
    value: str | dict[str, str]
    type: str

    def __init__(self, code: str, title: Text, value: Text, type: str) -> None:
        put = object.__setattr__  # for speed: thousands are made at once, a __post_init__ takes twice as long
        put(self, "code", code)
        put(self, "title", title if isinstance(title, str) else _kept(title))
        put(self, "value", value if isinstance(value, str) else _kept(value))
        put(self, "type", type.value if isinstance(type, spec.BadgeType) else type)

    @classmethod
    def from_wire(cls, row: Any) -> Badge:
        """Read a badge from an answer of the portal.

        Parameters
        ----------
        row : dict
            With ``code`` (a text), ``title``, ``value`` and ``type`` (anything; ``None`` if missing). Other
            keys are ignored.

        Returns
        -------
        Badge

        Raises
        ------
        BadResponse
            If ``row`` is not a badge.

        Examples
        --------
        >>> Badge.from_wire({"code": "vip", "title": "Client", "value": "VIP", "type": "primary"})
        Badge(code='vip', title='Client', value='VIP', type='primary')
        """
        if not isinstance(row, dict) or not isinstance(code := row.get("code"), str):
            raise BadResponse("The portal answered with something that is not a badge.")
        return cls(code, text_of(row.get("title")), text_of(row.get("value")), row.get("type"))  # type: ignore[arg-type]

    def to_wire(self) -> dict[str, Any]:
        """The badge as parameters of ``crm.activity.badge.add``.

        Returns
        -------
        dict
            ``code``, ``title``, ``value`` and ``type``, in this order.

        Examples
        --------
        >>> Badge("vip", "Client", {"en": "VIP"}, "primary").to_wire()["value"]
        {'en': 'VIP'}
        """
        return {name: getattr(self, name) for name in FIELDS}

    def cells(self) -> dict[str, Any]:
        """The badge as plain cells by column.

        Returns
        -------
        dict
            A row of :attr:`Badges.flat`: a map language -> text takes a column per language, ``title.en``; a
            map that columns can't hold becomes JSON text.

        Examples
        --------
        >>> Badge("vip", "Client", {"en": "VIP"}, "primary").cells()
        {'code': 'vip', 'title': 'Client', 'value.en': 'VIP', 'type': 'primary'}
        """
        cells: dict[str, Any] = {}
        for name, text in self.to_wire().items():
            texts = text.items() if isinstance(text, dict) else ()
            if texts and all(isinstance(one, str) and one and LANGUAGE.fullmatch(language) for language, one in texts):
                cells |= {f"{name}.{language}": one for language, one in texts}
            else:
                cells[name] = json.dumps(text) if isinstance(text, dict | list) else text
        return cells

    @property
    def note(self) -> str:
        """Why ``add`` would refuse to restore this badge; ``""`` if it would not."""
        from b24nb.badges.changes import problems  # not above, since `changes` imports this module

        return next((f"not restorable: {problem.message}" for problem in problems(self)), "")

    def __hash__(self) -> int:
        return hash(self.code)

    def __repr__(self) -> str:
        return f"Badge({', '.join(f'{name}={value!r}' for name, value in self.to_wire().items())})"

    def _repr_html_(self) -> str:
        return html.page(html.badge_card(self, note=self.note))


class Badges(tuple[Badge, ...]):
    """The badges of a portal, in its order: an immutable sequence that is looked up by code too.

    A code is found in its exact spelling first, else in any letter case, else without blanks at its end.

    Examples
    --------
    >>> badges = Badges([Badge("vip", {"en": "Client", "de": "Kunde"}, "VIP", "primary")])
    >>> badges["vip"].type, badges[0].type, "vip" in badges, "gold" in badges
    ('primary', 'primary', True, False)
    >>> badges.df.loc[0, "title"]
    {'en': 'Client', 'de': 'Kunde'}
    >>> badges.in_language("de")
    Badges: 1
      vip  primary  'Kunde'  'VIP'
    """

    @cached_property
    def _by_code(self) -> dict[str, Badge]:
        return {key(badge.code): badge for key in reversed(_KEYS) for badge in self}

    def __add__(self, other: tuple[Any, ...]) -> Badges:
        return Badges(super().__add__(other))

    def find(self, code: str) -> Badge | None:
        """The badge that most portals would find under a code.

        Parameters
        ----------
        code : str
            Its exact spelling first, else as most portals compare codes: no REST method says how this one does.

        Returns
        -------
        Badge or None
            ``None`` if there is none.

        Examples
        --------
        >>> import b24nb
        >>> with b24nb.connect(b24nb.SandboxPortal()) as b24:
        ...     badges = b24.badges.list()
        ...     badges.find("MISSEDCALL").code, badges.find("gold")
        ('missedCall', None)
        """
        return next((found for key in _KEYS if (found := self._by_code.get(key(code)))), None)

    @property
    def df(self) -> pd.DataFrame:
        """A new DataFrame with the columns ``code, title, value, type``; language maps stay dicts.

        No notebook can show a DataFrame that holds half a character; ``.map(ascii)`` makes one that can be shown.

        Examples
        --------
        >>> Badges([Badge("vip", {"en": "Client"}, "VIP", "primary")]).df
          code             title value     type
        0  vip  {'en': 'Client'}   VIP  primary
        """
        import pandas as pd

        return pd.DataFrame({name: [getattr(badge, name) for badge in self] for name in FIELDS}, dtype=object)

    @property
    def flat(self) -> pd.DataFrame:
        """A new DataFrame of plain cells, for ``to_csv``, ``drop_duplicates`` and databases.

        Columns ``code, type, title, value``, then one per language, ``title.en, title.de, …, value.en, …``;
        ``None`` in cells without a text. ``b24.badges.plan`` accepts it. A map that columns can't hold (empty,
        or with an empty text) becomes JSON text, which ``plan`` refuses.

        Examples
        --------
        >>> [*Badges([Badge("vip", {"en": "Client"}, "VIP", "primary")]).flat]
        ['code', 'type', 'title', 'value', 'title.en']
        """
        return flat_frame([badge.cells() for badge in self])

    def in_language(self, language: str) -> Badges:
        """The badges with plain texts in one language, chosen by the documented rule.

        Parameters
        ----------
        language : str
            The portal's code of a language, for example ``"de"``. Where a text lacks it: ``en``, else its
            first language. (Some portals show the number of languages instead of the first one.)

        Returns
        -------
        Badges

        Examples
        --------
        >>> import b24nb
        >>> with b24nb.connect(b24nb.SandboxPortal()) as b24:
        ...     b24.badges.list().in_language("de")["documentSigned"]
        Badge(code='documentSigned', title='Vertrag', value='Unterschrieben', type='success')
        """
        texts = ((badge, pick(badge.title, language)[0], pick(badge.value, language)[0]) for badge in self)
        return Badges(Badge(badge.code, title, value, badge.type) for badge, title, value in texts)

    @overload
    def __getitem__(self, index: SupportsIndex | str) -> Badge: ...
    @overload
    def __getitem__(self, index: slice) -> Badges: ...
    def __getitem__(self, index: SupportsIndex | str | slice) -> Badge | Badges:
        if isinstance(index, str):
            if badge := self.find(index):
                return badge
            raise KeyError(f"no badge has the code {mask_address(index)!r}")
        found = super().__getitem__(index)
        return found if isinstance(found, Badge) else Badges(found)

    def __contains__(self, item: object) -> bool:
        return self.find(item) is not None if isinstance(item, str) else super().__contains__(item)

    def __repr__(self) -> str:
        return listing(f"Badges: {len(self)}", self, _line)

    def _repr_html_(self) -> str:
        return html.page(html.badges_table(self, limit=SHOWN))


def folded(code: str) -> str:
    """The code without letter case and trailing blanks, which most portals ignore when they compare codes
    (``missedCall`` is ``MISSEDCALL``)."""
    return code.rstrip(" ").casefold()


def bare(code: str) -> str:
    """The code also without blanks at its ends and without invisible characters, which come along with a paste, and
    with letters and their accents in one character."""
    return folded(code if code.isascii() else normalize("NFC", re.sub(_INVISIBLE, "", code))).strip()


_INVISIBLE = "[\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u2064\ufeff]"
#: By what a code is found, the closest match first.
_KEYS: tuple[Callable[[str], str], ...] = (str.__str__, str.lower, str.casefold, folded)


def _kept(text: Any) -> Any:
    """A text as a badge keeps it: a map is made immutable."""
    return Texts(text) if isinstance(text, Mapping) else text


def text_of(sent: Any) -> Any:
    """A text as the portal has it. A list is a map again: PHP sends a map that is empty or has the keys 0..n-1 so."""
    return {str(place): item for place, item in enumerate(sent)} if isinstance(sent, list) else sent


def frame(rows: Iterable[Iterable[Any]], columns: Iterable[str]) -> pd.DataFrame:
    """A DataFrame whose cells keep their Python types."""
    import pandas as pd

    return pd.DataFrame([[*row] for row in rows], columns=[*columns], dtype=object)


def flat_frame(rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """A DataFrame of :meth:`Badge.cells`: columns of the fields, then of the languages of titles, then of values."""
    names = dict.fromkeys(name for row in rows for name in row if name not in FIELDS)
    columns = ["code", "type", "title", "value", *sorted(names, key=lambda name: name.partition(".")[0])]
    return frame(([row.get(name) for name in columns] for row in rows), columns)


def frame_html(table: pd.DataFrame, caption: str, notes: Iterable[str] = ()) -> str:
    """The first rows of a table, and notes below them."""
    return html.page(html.frame(table, caption=caption, limit=SHOWN), *(html.Message("check", note) for note in notes))


def frame_text(table: pd.DataFrame) -> str:
    """A table as text for a terminal, with what that would obey or hide made visible."""
    return printable(table.to_string(index=False))


def listing(head: str, items: Sequence[T], line: Callable[[T], str]) -> str:
    """A text with a line per item, for the first 100 items."""
    more = [f"  ({len(items) - SHOWN} more not shown; .df has all)"] if len(items) > SHOWN else []
    return "\n".join([head, *(f"  {line(item)}" for item in items[:SHOWN]), *more])


def grouped(pairs: Iterable[tuple[K, T]]) -> dict[K, list[T]]:
    """The values of each key."""
    groups: dict[K, list[T]] = {}
    for key, value in pairs:
        groups.setdefault(key, []).append(value)
    return groups


def listed(names: Sequence[str], most: int = _NAMED) -> str:
    """The first names, and how many more there are."""
    return ", ".join(names[:most]) + (f" and {len(names) - most:,} more" if len(names) > most else "")


def unrestorable_remarks(badges: Iterable[Any]) -> list[str]:
    """A remark on those of these that could not be restored, if there are any."""
    names = dict.fromkeys(repr(badge.code) for badge in badges if isinstance(badge, Badge) and badge.note)
    return [f"Not restorable, since add would refuse it: {listed([*names])}."] if names else []


def _line(badge: Badge) -> str:
    note = badge.note and f"  ({badge.note})"
    cells = visible(badge.code, code=True), *map(visible, (badge.type, repr(badge.title), repr(badge.value)))
    return f"{'  '.join(cells)}{note}"
