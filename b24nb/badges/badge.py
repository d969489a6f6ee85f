"""A badge and a list of badges, as values: immutable, lossless, and they show themselves.

A title or a value is one text, or a map language -> text. It is kept exactly as the portal sent it, so
that a badge that was read can be put back as it was.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, overload

from b24nb.errors import BadResponse
from b24nb.spec import BadgeType

if TYPE_CHECKING:
    import pandas as pd

Text = str | Mapping[str, str]

FIELDS = ("code", "title", "value", "type")
#: Rows of a list that its text and HTML show.
SHOWN = 100


@dataclass(frozen=True, slots=True, repr=False)
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
    title: Text
    value: Text
    type: str

    def __post_init__(self) -> None:
        for name in ("title", "value"):
            text = getattr(self, name)
            if not isinstance(text, str) and isinstance(text, Mapping):
                object.__setattr__(self, name, MappingProxyType(dict(text)))
        if isinstance(self.type, BadgeType):
            object.__setattr__(self, "type", self.type.value)

    @classmethod
    def from_wire(cls, row: Any) -> Badge:
        """Read a badge from an answer of the portal.

        Parameters
        ----------
        row : mapping
            With ``code``, ``title``, ``value`` and ``type``; other keys are ignored.

        Returns
        -------
        Badge

        Raises
        ------
        BadResponse
            If that is not a badge.
        """
        try:
            code, title, value, type_ = row["code"], row["title"], row["value"], row["type"]
        except (TypeError, KeyError):
            raise BadResponse("The portal answered with something that is not a badge.") from None
        if not isinstance(code, str):
            raise BadResponse("The portal answered with a badge whose code is not a text.")
        return cls(code, _text(title), _text(value), type_)

    def to_wire(self) -> dict[str, Any]:
        """The badge as parameters of ``crm.activity.badge.add``; maps become plain dicts."""
        return {
            "code": self.code,
            "title": _plain(self.title),
            "value": _plain(self.value),
            "type": self.type,
        }

    def __hash__(self) -> int:
        return hash(self.code)

    def __reduce__(self) -> tuple[Any, ...]:
        return Badge, tuple(self.to_wire().values())

    def __repr__(self) -> str:
        return f"Badge({', '.join(f'{name}={value!r}' for name, value in self.to_wire().items())})"

    def _repr_html_(self) -> str:
        from b24nb.display import html

        return html.page(html.badge_card(self))


class Badges(Sequence[Badge]):
    """The badges of a portal, in its order: an immutable sequence.

    Examples
    --------
    >>> badges = Badges([Badge("vip", {"en": "Client", "de": "Kunde"}, "VIP", "primary")])
    >>> badges.df.loc[0, "title"]
    {'en': 'Client', 'de': 'Kunde'}
    >>> badges.in_language("de")
    Badges: 1
      vip  primary  'Kunde'  'VIP'
    """

    __slots__ = ("_badges",)

    def __init__(self, badges: Iterable[Badge] = ()) -> None:
        self._badges = tuple(badges)

    @property
    def df(self) -> pd.DataFrame:
        """A new DataFrame with the columns ``code, title, value, type``; language maps stay dicts."""
        import pandas as pd

        return pd.DataFrame(
            {
                "code": [badge.code for badge in self],
                "title": [_plain(badge.title) for badge in self],
                "value": [_plain(badge.value) for badge in self],
                "type": [badge.type for badge in self],
            },
            dtype=object,
        )

    def in_language(self, language: str) -> Badges:
        """The badges with plain texts, as a viewer of this language is shown them.

        Parameters
        ----------
        language : str
            The portal's code of a language, for example ``"de"``. Where a text lacks it, ``en`` is
            shown, else its first language.

        Returns
        -------
        Badges
        """
        from b24nb.display.language import pick

        return Badges(
            Badge(badge.code, pick(badge.title, language)[0], pick(badge.value, language)[0], badge.type)
            for badge in self
        )

    @overload
    def __getitem__(self, index: int) -> Badge: ...
    @overload
    def __getitem__(self, index: slice) -> Badges: ...
    def __getitem__(self, index: int | slice) -> Badge | Badges:
        found = self._badges[index]
        return found if isinstance(found, Badge) else Badges(found)

    def __len__(self) -> int:
        return len(self._badges)

    def __iter__(self) -> Iterator[Badge]:
        return iter(self._badges)

    def __eq__(self, other: object) -> bool:
        return self._badges == other._badges if isinstance(other, Badges) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._badges)

    def __repr__(self) -> str:
        lines = [f"Badges: {len(self)}"]
        for badge in self._badges[:SHOWN]:
            row = badge.to_wire()
            lines.append(f"  {badge.code}  {badge.type}  {row['title']!r}  {row['value']!r}")
        if len(self) > SHOWN:
            lines.append(f"  ({len(self) - SHOWN} more not shown; .df has all)")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        from b24nb.display import html

        return html.page(html.badges_table(self, limit=SHOWN))


class ByCode:
    """Finds badges by code: the exact spelling first, else in any letter case.

    Most portals compare codes without regard to letter case (``missedCall`` is ``MISSEDCALL``), some
    don't, and no method tells which kind one talks to.
    """

    def __init__(self, badges: Iterable[Badge]) -> None:
        self._exact = {badge.code: badge for badge in badges}
        self._folded = {code.casefold(): badge for code, badge in self._exact.items()}

    def find(self, code: str) -> Badge | None:
        """The badge that the portal would find under this code, ``None`` if there is none."""
        return self._exact.get(code) or self._folded.get(code.casefold())


def _text(sent: Any) -> Any:
    """A text as the portal sent it; PHP writes an empty map, or one with the keys 0..n-1, as a list."""
    return {str(place): item for place, item in enumerate(sent)} if isinstance(sent, list) else sent


def _plain(text: Any) -> Any:
    return text.copy() if type(text) is MappingProxyType else text
