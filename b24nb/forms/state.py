"""What a form may show, as a frozen value, and what forms share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal
from weakref import WeakKeyDictionary, WeakSet

import pandas as pd

from b24nb.badges.badge import Badge, Badges
from b24nb.client import Client
from b24nb.forms.messages import Message
from b24nb.rest.calls import Call
from b24nb.spec import FALLBACK_LANGUAGE

Phase = Literal["idle", "invalid", "confirm", "done", "failed"]
Change = Literal["badges", "selection", "language"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FormState:
    """All that a form may show; each form adds what its result needs.

    Attributes
    ----------
    phase : {"idle", "invalid", "confirm", "done", "failed"}
        ``confirm``: a preview is shown and waits for the typed word.
    message : Message or None
        What just happened.
    field_errors : mapping
        Field name to what is wrong with it, in words.
    result : object
        What the form is about: the last good answer. It stays when a later step fails.
    call : Call or None
        The last call that was made for it.
    """

    phase: Phase = "idle"
    message: Message | None = None
    field_errors: Mapping[str, str] = field(default_factory=dict)
    result: Any = None
    call: Call | None = None

    def frame(self, limit: int | None = None) -> pd.DataFrame:
        """The first rows of the result as a DataFrame; one without rows before there is a result."""
        result = Badges([self.result]) if isinstance(self.result, Badge) else self.result
        frame: pd.DataFrame = (Badges() if result is None else result[:limit]).df
        return frame


class SharedState:
    """One portal, its badges as last seen, and a selection of codes. Nothing here sends anything.

    The explorer gives one to all its forms, so that a badge selected in the list is the one that the
    others speak about; a form alone has one of its own. What the forms on one client learn about the
    badges reaches all of them that have listed them.

    Parameters
    ----------
    b24 : Client
        The portal.
    language : str
        To begin with.

    Attributes
    ----------
    badges : Badges or None
        As last listed, kept up to date with what the forms change; ``None`` before the first list.
    selection : tuple of str
        Selected codes, in the order they were chosen.
    language : str
        In which texts are shown.
    watchers : list of callable
        Called after each change, with what has changed.
    """

    def __init__(self, b24: Client, language: str = FALLBACK_LANGUAGE) -> None:
        self.b24 = b24
        self.badges: Badges | None = None
        self.selection: tuple[str, ...] = ()
        self.language = language
        self.watchers: list[Callable[[Change], object]] = []
        self._siblings = _OF_CLIENT.setdefault(b24, WeakSet())
        self._siblings.add(self)

    @property
    def codes(self) -> tuple[str, ...]:
        """Known codes, in the portal's order."""
        return tuple(badge.code for badge in self.badges or ())

    def find_all(self, codes: Iterable[str]) -> dict[str, Badge]:
        """The badges that the portal would find under these codes, among those last seen."""
        here = self.badges or Badges()
        return {code: badge for code in codes if (badge := here.find(code))}

    def see(self, badges: Badges) -> None:
        """Take the portal's answer as what there is."""
        if self.badges is None:
            self.badges = badges
            self._tell("badges")
        self._change(lambda _: badges)

    def see_changed(self, gone: Iterable[str] = (), added: Iterable[Badge] = ()) -> None:
        """Some badges are gone, some were added or found anew; these take the last places."""
        fresh = {badge.code: badge for badge in added}
        left_out = {*gone, *fresh}
        self._change(lambda known: [*(b for b in known if b.code not in left_out), *fresh.values()])

    def _change(self, change: Callable[[Badges], Iterable[Badge]]) -> None:
        """Where the badges were never listed, what else there is would be a guess."""
        for shared in tuple(self._siblings):
            if shared.badges is not None and (new := Badges(change(shared.badges))) != shared.badges:
                shared.badges = new
                shared._tell("badges")
                if shared.selection:
                    shared.select(shared.find_all(shared.selection))

    def select(self, codes: Iterable[str]) -> None:
        """Make these codes the selection."""
        chosen = tuple(dict.fromkeys(codes))
        if chosen != self.selection:
            self.selection = chosen
            self._tell("selection")

    def speak(self, language: str) -> None:
        """Show texts in this language from now on."""
        self.language = language
        self._tell("language")

    def _tell(self, change: Change) -> None:
        for watcher in self.watchers:
            watcher(change)


_OF_CLIENT: WeakKeyDictionary[Client, WeakSet[SharedState]] = WeakKeyDictionary()
