"""Listing badges: one request, then filtering, sorting and paging here."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from b24nb.badges.badge import Badge, Badges
from b24nb.display.language import pick
from b24nb.errors import B24Error
from b24nb.forms.presenters.base import Presenter, counted
from b24nb.forms.presenters.state import ROWS, FormState, Message

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pandas as pd

PAGE = 25
#: How rows can be sorted; the portal's own order is the order of creation.
ORDERS = ("as registered", "code", "title", "value", "type")


@dataclass(frozen=True, slots=True, kw_only=True)
class ListFields:
    """What the fields hold: words to look for, the viewer's language, the order, the page from 0."""

    words: str = ""
    language: str = "en"
    order: str = ORDERS[0]
    page: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ListState(FormState):
    """``result`` holds every badge that matches, in the chosen order; ``rows`` is its page.

    Attributes
    ----------
    rows : Badges
        At most 25.
    page, pages : int
        Which page ``rows`` is, from 0, and how many there are.
    total : int
        Badges of the portal.
    language : str
        In which the rows are shown.
    selection : tuple of str
        Selected codes, on whatever page.
    """

    rows: Badges = field(default_factory=Badges)
    page: int = 0
    pages: int = 0
    total: int = 0
    language: str = "en"
    selection: tuple[str, ...] = ()

    @property
    def first_rows(self) -> pd.DataFrame:
        """As many badges as are needed, since there may be thousands."""
        return Badges((self.result or ())[:ROWS]).df


class ListBadges(Presenter[ListState]):
    """Fetches the badges once and shows what is asked for."""

    blank = ListState()
    _indexed: Badges | None = None
    _index: tuple[str, ...] = ()

    def fetch(self, fields: ListFields) -> ListState:
        """Ask the portal for its badges."""
        return self.send(lambda: self._fetch(fields))

    def _fetch(self, fields: ListFields) -> ListState:
        badges = self.b24.badges.list()
        self.desk.see(badges)
        message = Message("done", f"{counted(badges)} by one request.")
        return self._shown(fields, ListState(phase="done", message=message))

    def show(self, fields: ListFields) -> ListState:
        """Filter, sort and turn pages; sends nothing."""
        return self.settle(self._shown(fields, self.state))

    def select(self, rows: Iterable[str], chosen: Iterable[str]) -> None:
        """Of the codes on this page, these are selected; those on other pages stay as they are."""
        here = frozenset(rows)
        self.desk.select([*(code for code in self.desk.selection if code not in here), *chosen])

    def failed(self, error: B24Error) -> ListState:
        """What was listed before stays on show."""
        lost = super().failed(error)
        return replace(self.state, phase=lost.phase, message=lost.message)

    def _shown(self, fields: ListFields, state: ListState) -> ListState:
        if self.desk.badges is None:
            return replace(state, language=fields.language)
        found = self._sorted(self._matching(fields.words), fields)
        pages = max(1, -(-len(found) // PAGE))
        page = min(max(fields.page, 0), pages - 1)
        return replace(
            state,
            result=found,
            rows=found[page * PAGE : (page + 1) * PAGE],
            page=page,
            pages=pages,
            total=len(self.desk.badges),
            language=fields.language,
            selection=self.desk.selection,
        )

    def _matching(self, words: str) -> Badges:
        """The badges that hold every word, in code, type or a text of any language."""
        badges = self.desk.badges or Badges()
        wanted = words.casefold().split()
        if not wanted:
            return badges
        if self._indexed is not badges:
            self._index = tuple(map(_haystack, badges))
            self._indexed = badges
        found: Iterable[int] = range(len(badges))
        for word in wanted:
            found = [place for place in found if word in self._index[place]]
        return Badges(badges[place] for place in found)

    @staticmethod
    def _sorted(badges: Badges, fields: ListFields) -> Badges:
        if fields.order == ORDERS[0]:
            return badges

        def key(badge: Badge) -> str:
            return pick(getattr(badge, fields.order), fields.language)[0].casefold()

        return Badges(sorted(badges, key=key))


def _haystack(badge: Badge) -> str:
    texts = [badge.code, badge.type]
    for text in (badge.title, badge.value):
        texts += [text] if isinstance(text, str) else text.values()
    return "\n".join(map(str, texts)).casefold()
