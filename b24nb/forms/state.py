"""The state of a form, a frozen value, and the state that forms share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal
from weakref import WeakKeyDictionary

import traitlets

from b24nb.badges.badge import Badge, Badges
from b24nb.client import Client
from b24nb.display.html import Message
from b24nb.errors import InvalidInput
from b24nb.spec import FALLBACK_LANGUAGE

Change = Literal["badges", "listed", "selection", "released", "language"]
NO_BADGES = Badges()


@dataclass(frozen=True, slots=True, kw_only=True)
class FormState:
    """Everything that a form shows; subclasses add what their result needs.

    Attributes
    ----------
    phase : {"idle", "invalid", "confirm", "done", "failed"}
        ``confirm``: a preview is shown, and a typed word is needed to go on.
    message : Message or None
        What happened last.
    field_errors : mapping
        Name of a field -> a text that says what is wrong with it.
    result : object
        The last result. It stays if a later step fails.
    """

    phase: Literal["idle", "invalid", "confirm", "done", "failed"] = "idle"
    message: Message | None = None
    field_errors: Mapping[str, str] = field(default_factory=dict)
    result: Any = None

    def saying(self, kind: Any, text: str, hint: str | None = None, **more: Any) -> Any:
        """This state with a message, and with ``more`` attributes replaced."""
        return replace(self, message=Message(kind, text, hint=hint), **more)

    def refused(self, **wrong: str) -> Any:
        """This state with the problems of some fields, by their names."""
        text = "Some fields are empty or wrong, so nothing was sent."
        return self.saying("check", text, phase="invalid", field_errors=wrong)

    @property
    def table(self) -> Any:
        """The result as an object with ``df``: before the first result no badges, for one badge a list of one."""
        if self.result is None or isinstance(self.result, Badge):
            return Badges(filter(None, [self.result]))
        return self.result


class SharedState(traitlets.HasTraits):
    """One portal, its badges as last seen, and a selection of codes. Nothing here sends anything.

    All forms of an explorer have the same one, so that a badge selected in the list is also selected in the other
    forms; a form alone has one of its own. If one form of a client changes the badges or lists them, all shared
    states of this client are updated. Forms observe the traits.

    Attributes
    ----------
    b24 : Client
        The portal.
    badges : Badges
        As last listed, updated by what forms read and change; before the first list only these.
    listed : bool
        Whether ``badges`` are all badges of the portal, to be shown in tables.
    selection : tuple of str
        Selected codes, in the order they were chosen.
    released : frozenset of str
        Ids of the activities that some form of this client has released last.
    language : str
        The language in which texts are shown.
    """

    badges: Badges = traitlets.Any(NO_BADGES)  # type: ignore[assignment]
    listed: bool = traitlets.Bool(False)  # type: ignore[assignment]
    selection: tuple[str, ...] = traitlets.Tuple()  # type: ignore[assignment]
    released: frozenset[str] = traitlets.Any(frozenset())  # type: ignore[assignment]
    language: str = traitlets.Unicode(FALLBACK_LANGUAGE)  # type: ignore[assignment]

    def __init__(self, b24: Any, kind: type = Client, **traits: Any) -> None:
        if not isinstance(b24, kind):
            raise InvalidInput(f"This form shows a {kind.__name__}, not a {type(b24).__name__}.", field="b24")
        super().__init__(**traits)
        self.b24: Any = b24
        self._siblings = _OF_CLIENT.setdefault(b24, WeakKeyDictionary())
        self._siblings[self] = None

    @property
    def shown(self) -> Badges:
        """The badges for tables and choices: none before the first list."""
        return self.badges if self.listed else NO_BADGES

    @property
    def codes(self) -> tuple[str, ...]:
        """The listed codes, in the portal's order, without those with a lone surrogate: no browser can receive them."""
        return tuple(one.code for one in self.shown if one.code.encode(errors="ignore").decode() == one.code)

    def see(self, badges: Badges) -> None:
        """Take over the badges that the portal has listed."""
        self.listed = True
        self._change(lambda _: badges)

    def see_changed(self, gone: Iterable[str] = (), added: Iterable[Badge] = ()) -> None:
        """Take over changes: badges that are gone, and badges that were added or read; new ones become the last."""
        fresh, left_out = {badge.code: badge for badge in added}, {*gone}
        self._change(lambda known: ({b.code: b for b in known if b.code not in left_out} | fresh).values())

    def see_released(self, ids: frozenset[str]) -> None:
        """Take over that activities were released: other forms show them no more."""
        for shared in self._alive():
            shared.released = frozenset()  # so that the same ones, released once more, are a change
            shared.released = ids

    def _alive(self) -> Iterable[SharedState]:
        """All shared states of this client; safe while other threads add some."""
        return filter(None, (ref() for ref in self._siblings.keyrefs()))

    def _change(self, change: Callable[[Badges], Iterable[Badge]]) -> None:
        """Apply a change to all shared states of this client."""
        for shared in self._alive():
            before, shared.badges = shared.badges, Badges(change(shared.badges))
            if shared.listed and shared.selection and shared.badges != before:
                shared.selection = tuple(code for code in shared.selection if shared.badges.find(code))


_OF_CLIENT: WeakKeyDictionary[Any, WeakKeyDictionary[SharedState, None]] = WeakKeyDictionary()
