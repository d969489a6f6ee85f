"""What the forms of one explorer share: the badges as last seen, and which of them are selected."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Literal

from b24nb.badges.badge import Badge, Badges, ByCode

if TYPE_CHECKING:
    from b24nb.client import Client

Change = Literal["badges", "selection"]


class Desk:
    """One portal, its badges as last seen, and a selection of codes.

    A form alone has a desk of its own; the explorer gives one to all its forms, so that a badge
    selected in the list is the one that the others speak about. Nothing here sends anything.

    Parameters
    ----------
    b24 : Client
        The portal.

    Attributes
    ----------
    badges : Badges or None
        As last listed, kept up to date with what the forms change; ``None`` before the first list.
    selection : tuple of str
        Selected codes, in the order they were chosen.
    """

    def __init__(self, b24: Client) -> None:
        self.b24 = b24
        self.badges: Badges | None = None
        self.selection: tuple[str, ...] = ()
        self._watchers: list[Callable[[Change], object]] = []

    def watch(self, watcher: Callable[[Change], object]) -> None:
        """Call ``watcher`` after each change, with what has changed."""
        self._watchers.append(watcher)

    @property
    def codes(self) -> tuple[str, ...]:
        """Known codes, in the portal's order."""
        return tuple(badge.code for badge in self.badges or ())

    def find(self, code: str) -> Badge | None:
        """The badge that the portal would find under this code, among those last seen."""
        return ByCode(self.badges or ()).find(code)

    def find_all(self, codes: Iterable[str]) -> dict[str, Badge]:
        """The same for several; codes that no badge has are left out."""
        here = ByCode(self.badges or ())
        return {code: badge for code in codes if (badge := here.find(code))}

    def see(self, badges: Badges) -> None:
        """Take the portal's answer as what there is; codes that are gone leave the selection."""
        self.badges = badges
        self._tell("badges")
        if self.selection:
            self.select(self.find_all(self.selection))

    def see_added(self, added: Iterable[Badge]) -> None:
        """Some badges were added, or found; they take the last places."""
        if self.badges is not None:
            fresh = {badge.code: badge for badge in added}
            kept = [badge for badge in self.badges if badge.code not in fresh]
            self.see(Badges([*kept, *fresh.values()]))

    def see_deleted(self, codes: Iterable[str]) -> None:
        """Some badges are gone."""
        gone = frozenset(codes)
        if self.badges is not None:
            self.see(Badges(badge for badge in self.badges if badge.code not in gone))

    def select(self, codes: Iterable[str]) -> None:
        """Make these codes the selection."""
        chosen = tuple(dict.fromkeys(codes))
        if chosen != self.selection:
            self.selection = chosen
            self._tell("selection")

    def _tell(self, change: Change) -> None:
        for watcher in self._watchers:
            watcher(change)
