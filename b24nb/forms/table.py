"""The table from which badges are chosen: filter, sort, pages and selection, all in the browser.

ipywidgets has no table whose rows can be clicked, so this is an anywidget with its code in ``table.js``. Only the
rows (as compressed JSON) and the choices are sent to the browser and saved with a notebook.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Iterable
from functools import lru_cache
from importlib import resources
from typing import Any

import anywidget
import traitlets

from b24nb import spec
from b24nb.badges.badge import Badge, Badges
from b24nb.display.language import pick
from b24nb.display.visible import visible
from b24nb.secret import mask_address


class KeyGuard(anywidget.AnyWidget):
    """Keeps keys from the notebook's shortcuts while its form has the focus; shows a message if the kernel is gone."""

    _esm = resources.files(__package__).joinpath("table.js").read_text(encoding="utf-8")
    _css = resources.files(__package__).joinpath("table.css").read_text(encoding="utf-8")


class Table(anywidget.AnyWidget):
    """A table of badges to filter, sort and select.

    Attributes
    ----------
    badges : Badges
        All of them, in the portal's order.
    selected : list of str
        Codes of the rows that are selected, in the order they were chosen.
    words, kind : str
        The filter: words that a badge must contain, and its type.
    order : str
        The field to sort by, in the shown language; ``-`` before it: descending; ``""``: the portal's order.
    language : str
        The language in which texts are shown.
    label : str
        The name of the table for screen readers.
    """

    _esm = KeyGuard._esm
    _css = KeyGuard._css
    badges = Badges()
    rows = traitlets.Unicode("").tag(sync=True)
    selected = traitlets.List(traitlets.Unicode()).tag(sync=True)
    words = traitlets.Unicode("").tag(sync=True)
    kind = traitlets.Unicode("").tag(sync=True)
    order = traitlets.Unicode("").tag(sync=True)
    language = traitlets.Unicode(spec.FALLBACK_LANGUAGE).tag(sync=True)
    label = traitlets.Unicode("Badges").tag(sync=True)
    types = traitlets.List([str(kind) for kind in spec.BadgeType]).tag(sync=True)

    @traitlets.validate("words")
    def _without_secrets(self, proposal: Any) -> Any:
        return mask_address(proposal["value"])

    def show(self, badges: Badges, selected: Iterable[str] = ()) -> None:
        """Show these badges and select those of ``selected`` that are among them."""
        chosen = frozenset(selected)
        with self.hold_sync():
            self.badges = badges
            self.rows = pack(badges)
            self.selected = [badge.code for badge in badges if badge.code in chosen]

    @property
    def matching(self) -> Badges:
        """The badges that the filter lets through, of all pages, in the table's order."""
        wanted = self.words.lower().replace("\ufeff", " ").split()  # as in table.js
        found = [badge for badge in self.badges if not self.kind or badge.type == self.kind]
        found = [badge for badge in found if all(word in _searched_text(badge) for word in wanted)]
        if column := self.order.removeprefix("-"):

            def key(badge: Badge) -> bytes:
                text = badge.code if column == "code" else _shown(getattr(badge, column))
                # Browsers compare units of UTF-16, in which emoji come before full-width letters.
                return pick(text, self.language)[0].lower().encode("utf-16-be", "replace")

            found.sort(key=key, reverse=self.order.startswith("-"))
        return Badges(found)


@lru_cache(maxsize=2)
def pack(badges: Badges) -> str:
    """Badges as compressed JSON, a tenth of the size, so that a saved notebook stays small."""
    rows = [
        [one.code, visible(one.code, code=True), *map(_shown, (one.title, one.value, one.type)), one.note]
        for one in badges
    ]
    tags = {code: language.tag for code, language in spec.LANGUAGES.items()}
    text = json.dumps({"rows": rows, "tags": tags, "fallback": spec.FALLBACK_LANGUAGE}, ensure_ascii=False)
    return base64.b64encode(zlib.compress(text.encode("utf-8", "replace"), 1)).decode()


def _shown(text: Any) -> Any:
    """A text, or a map of texts, with deceptive characters made visible."""
    return {str(tag): visible(words) for tag, words in text.items()} if isinstance(text, dict) else visible(text)


def _searched_text(badge: Badge) -> str:
    """The code, and the texts as they are shown."""
    texts = [badge.code, _shown(badge.type)]
    for text in map(_shown, (badge.title, badge.value)):
        texts += [text] if isinstance(text, str) else text.values()
    return "\n".join(texts).lower()
