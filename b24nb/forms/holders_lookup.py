"""Who holds some badges, so that the portal would refuse to delete them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from markupsafe import Markup

from b24nb.badges import holders
from b24nb.badges.badge import Badge
from b24nb.display import html
from b24nb.display.visible import visible
from b24nb.errors import B24Error
from b24nb.forms import parts
from b24nb.forms.form import Form
from b24nb.forms.messages import Message, message_for

HEAD = ("code", "activity", "belongs to", "subject", "holds it?")


@dataclass(frozen=True, slots=True)
class HoldersLookup:
    """What is known of the holders: nothing yet, a DataFrame as of ``holders``, or why it is not known."""

    found: pd.DataFrame | None = None
    unknown: Message | None = None

    @classmethod
    def of(cls, form: Form, badges: Sequence[Badge]) -> HoldersLookup:
        """Look which open activities may hold these badges; what goes wrong is told, not raised."""
        form.show_progress("Looking which activities hold it", 0, 0)
        try:
            rows = holders.find_holders(form.b24._connection, {badge.code for badge in badges})
        except B24Error as error:
            return cls(unknown=message_for(error))
        return cls(pd.DataFrame(rows, columns=[*holders.COLUMNS], dtype=object))

    @property
    def held(self) -> frozenset[str]:
        """Codes that the portal would refuse to delete, as far as that can be known."""
        if self.found is None:
            return frozenset()
        return frozenset(self.found["code"][self.found["certainty"] == "likely"])

    @property
    def pieces(self) -> Iterable[Markup]:
        """The same as HTML."""
        if self.unknown:
            yield Markup("<p>Who holds it was not found out.</p>")
            yield parts.message_html(self.unknown)
        elif self.found is not None:
            yield parts.message_html(self._verdict())
            if len(self.found):
                yield html.table(HEAD, self._rows(), "Open activities that name it")

    def _verdict(self) -> Message:
        likely = pd.DataFrame() if self.found is None else self.found[self.found["certainty"] != "no"]
        if not len(likely):
            return Message("note", "No open activity holds it, as far as this user may read.")
        codes = ", ".join(dict.fromkeys(likely["code"]))
        will = "will" if self.held else "may"
        return Message(
            "check",
            f"The portal {will} refuse to delete {codes}: open activities hold it.",
            code="ENTITY_WITH_BADGE_EXISTS",
            hint="Complete them in the portal, or delete them: holders(code) has the call for each.",
        )

    def _rows(self) -> Iterable[tuple[Any, ...]]:
        for row in [] if self.found is None else self.found.itertuples():
            names = (row.code, row.activity_id, f"{row.owner_type} {row.owner_id}", row.subject)
            yield *map(visible, names), f"{row.certainty}: {row.reason}"
