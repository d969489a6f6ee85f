"""The four badge methods as requests and answers; what is not an answer ends here."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from b24nb.badges.badge import Badge, Badges, folded
from b24nb.errors import BadResponse

if TYPE_CHECKING:
    from b24nb.rest.connection import Connection, Response

ADD = "crm.activity.badge.add"
DELETE = "crm.activity.badge.delete"
GET = "crm.activity.badge.get"
LIST = "crm.activity.badge.list"

#: What ``batch`` takes for a reference to another command's result, also in the middle of a text.
_REFERENCE = re.compile(r"\$(result|error|total|next|time)\[")
_AGAIN = "Somebody may be changing them; list again."


def list_badges(connection: Connection) -> Badges:
    """All badges of the portal, by one request: ``crm.activity.badge.list`` does not page."""
    return badges_of(connection.call(LIST))


def badges_of(response: Response) -> Badges:
    """The badges of an answer to ``list``, each once."""
    badges = Badges(map(Badge.from_wire, whole_list(response.raw)))
    for code, count in Counter(badge.code for badge in badges).items():
        if count > 1:
            raise BadResponse(f"The portal sent the badge {code!r} {count} times.", method=LIST, hint=_AGAIN)
    return badges


def whole_list(envelope: Mapping[str, Any]) -> list[Any]:
    """The rows of an answer of ``list``, which is refused if it may be a part of them only."""
    result, total = envelope.get("result"), envelope.get("total")
    rows = result.get("badges") if isinstance(result, Mapping) else None
    if not isinstance(rows, list):
        raise BadResponse("There is no list of badges in the answer.", method=LIST)
    if total is not None and number_of(total) != len(rows):
        text = f"The portal counts {str(total)[:20]} badges and sent {len(rows)}."
        raise BadResponse(text, method=LIST, hint=_AGAIN)
    if envelope.get("next"):
        raise BadResponse(f"The portal sent a page of {len(rows)} badges, not all of them.", method=LIST)
    return rows


def number_of(total: Any) -> int | None:
    """How many rows there are, which some servers write as a text; ``None`` if that is no number."""
    try:
        return None if isinstance(total, bool) else int(float(total))
    except (TypeError, ValueError, OverflowError):
        return None


def get_badge(connection: Connection, code: str) -> Badge:
    """One badge; the portal's spelling of the code may differ in letter case."""
    return badge_of(connection.call(GET, {"code": code}), code)


def badge_of(response: Response, code: str | None = None) -> Badge:
    """The badge of an answer to ``get`` or ``add``, which must be the one that was asked for."""
    row = response.result.get("badge") if isinstance(response.result, Mapping) else None
    badge = Badge.from_wire(row)
    if code is not None and folded(badge.code) != folded(code):
        raise BadResponse(f"The portal was asked for the badge {code!r} and sent {badge.code!r}.")
    return badge


def fits_batch(params: Mapping[str, Any]) -> bool:
    """Whether parameters survive the query text of a batch command.

    An empty map can't be written there, and a text like ``$result[a]`` would be replaced. Both can be
    sent by a call of their own.
    """
    texts = [params.values(), *(text.values() for text in params.values() if isinstance(text, Mapping))]
    flat = [item for group in texts for item in group]
    return not any(_REFERENCE.search(item) if isinstance(item, str) else item == {} for item in flat)
