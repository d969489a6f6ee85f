"""Inspecting one badge: the badge, the raw answer, and then who holds it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from b24nb.badges import wire
from b24nb.forms.presenters.base import Presenter
from b24nb.forms.presenters.holding import Holding, look
from b24nb.forms.presenters.state import NOTHING_SENT, FormState, Message

if TYPE_CHECKING:
    from b24nb.rest.connection import Response


@dataclass(frozen=True, slots=True, kw_only=True)
class InspectState(FormState):
    """``result`` is the badge.

    Attributes
    ----------
    answer : Response or None
        What the portal sent, with its ``time`` block.
    holding : Holding
        Who holds the badge.
    """

    answer: Response | None = None
    holding: Holding = field(default_factory=Holding)


class InspectBadge(Presenter[InspectState]):
    """Reads one badge in two steps, so that the badge is on show before its holders are found."""

    blank = InspectState()

    def inspect(self, code: str) -> InspectState:
        """Read the badge of this code.

        Parameters
        ----------
        code : str
            As typed; most portals ignore letter case.
        """
        return self.send(lambda: self._inspect(code))

    def _inspect(self, code: str) -> InspectState:
        if not code:
            wrong = {"code": "Type a code, or choose one of the list."}
            return InspectState(phase="invalid", message=NOTHING_SENT, field_errors=wrong)
        answer = self.b24.call(wire.GET, {"code": code})
        badge = wire.badge_of(answer)
        return InspectState(
            phase="done",
            message=Message("done", f"The portal has the badge {badge.code!r}."),
            result=badge,
            answer=answer,
        )

    def find_holders(self) -> InspectState:
        """Look which open activities may hold the badge on show; a trouble here leaves the badge there."""
        if self.state.phase != "done":
            return self.state
        return self.send(lambda: replace(self.state, holding=look(self, [self.state.result])))
