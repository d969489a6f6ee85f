"""Who holds some badges, so that the portal would refuse to delete them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from b24nb.badges.badge import Badge
from b24nb.errors import B24Error
from b24nb.forms.presenters.state import Message, told

if TYPE_CHECKING:
    import pandas as pd

    from b24nb.forms.presenters.base import Presenter

#: Badges whose holders are looked for, a call each; for more, the report of a delete tells afterwards.
SOUGHT = 10


@dataclass(frozen=True, slots=True)
class Holding:
    """What is known of the holders: nothing yet, a DataFrame as of ``holders``, or why it is not known."""

    found: pd.DataFrame | None = None
    unknown: Message | None = None


def look(presenter: Presenter[Any], badges: Sequence[Badge]) -> Holding:
    """Look which open activities may hold these badges; what goes wrong is told, not raised."""
    import pandas as pd

    if len(badges) > SOUGHT:
        text = f"That takes a call for each badge, and they are more than {SOUGHT}."
        hint = "The report will name who holds those that the portal refuses to delete."
        return Holding(unknown=Message("note", text, hint=hint))
    found = []
    for done, badge in enumerate(badges):
        presenter.progress("Looking which activities hold it", done, len(badges))
        if presenter.cancel.is_set():
            return Holding(unknown=Message("note", "The search was cancelled."))
        try:
            found.append(presenter.b24.badges.holders(badge.code))
        except B24Error as error:
            return Holding(unknown=told(error))
    return Holding(pd.concat(found, ignore_index=True))
