"""The four badge methods as requests and answers; what is not an answer ends here."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from b24nb.badges.badge import Badge, Badges
from b24nb.errors import BadResponse

if TYPE_CHECKING:
    from b24nb.rest.connection import Connection, Response

ADD = "crm.activity.badge.add"
DELETE = "crm.activity.badge.delete"
GET = "crm.activity.badge.get"
LIST = "crm.activity.badge.list"

#: What ``batch`` takes for a reference to another command's result, also in the middle of a text.
_REFERENCE = re.compile(r"\$(result|error|total|next|time)\[")


def list_badges(connection: Connection) -> Badges:
    """All badges of the portal, by one request: ``crm.activity.badge.list`` does not page."""
    return badges_of(connection.call(LIST))


def badges_of(response: Response) -> Badges:
    """The badges of an answer to ``list``."""
    rows = response.result.get("badges") if isinstance(response.result, Mapping) else None
    if not isinstance(rows, list):
        raise BadResponse("The portal answered without a list of badges.", method=LIST)
    if response.total not in (None, len(rows)):
        raise BadResponse(
            f"The portal counts {response.total} badges and sent {len(rows)}.",
            method=LIST,
            hint="Somebody may be changing them; list again.",
        )
    return Badges(map(Badge.from_wire, rows))


def get_badge(connection: Connection, code: str) -> Badge:
    """One badge; the portal's spelling of the code may differ in letter case."""
    return badge_of(connection.call(GET, {"code": code}))


def badge_of(response: Response) -> Badge:
    """The badge of an answer to ``get`` or ``add``."""
    row = response.result.get("badge") if isinstance(response.result, Mapping) else None
    return Badge.from_wire(row)


def fits_batch(params: Mapping[str, Any]) -> bool:
    """Whether parameters survive the query text of a batch command.

    An empty map can't be written there, and a text like ``$result[a]`` would be replaced. Both can be
    sent by a call of their own.
    """
    texts = [params.values(), *(text.values() for text in params.values() if isinstance(text, Mapping))]
    flat = [item for group in texts for item in group]
    return not any(_REFERENCE.search(item) if isinstance(item, str) else item == {} for item in flat)
