"""The portal's own HTML page: its kanban, its badges and the last requests.

It shows what a badge is: the pill on the card of a deal. The template escapes everything.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from b24nb import spec
from b24nb.sandbox import php
from b24nb.sandbox.crm_methods import DEAL, STAGES
from b24nb.sandbox.http_messages import Record
from b24nb.sandbox.store import Store

if TYPE_CHECKING:
    import jinja2

#: The page allows no script.
HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'self'",
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
}
SHOWN_REQUESTS = 20
SHOWN_BADGES = 200


def render(store: Store, records: Sequence[Record]) -> str:
    """The page as HTML.

    Parameters
    ----------
    store : Store
        The portal's database.
    records : sequence of Record
        Its last requests; the page shows the newest first.

    Returns
    -------
    str
    """
    store.badges.age()
    badges = store.badges.all()
    by_code = {badge["code"]: badge for badge in badges}
    newest = {
        row["entity_id"]: by_code.get(row["value"])
        for row in store.rows("SELECT entity_id, value FROM attachment WHERE entity_type_id = ? ORDER BY id", (DEAL,))
    }
    deals = [{**dict(row), "badge": newest.get(row["id"])} for row in store.rows("SELECT * FROM deal ORDER BY id")]
    columns = {
        stage: shown
        for stage_id, stage in STAGES.items()
        if (shown := [deal for deal in deals if deal["stage_id"] == stage_id]) or not stage.final
    }
    return _template().render(
        badges=badges[:SHOWN_BADGES],
        hidden=max(len(badges) - SHOWN_BADGES, 0),
        columns=columns,
        requests=[*reversed(records)][:SHOWN_REQUESTS],
        language=store.switches.language,
        types=list(spec.BadgeType),
    )


def localised(text: Any, language: str) -> str:
    """The text of a title or value that a viewer sees.

    In the viewer's language, else in English. If both are missing, the documentation says "the first element", but
    the portal shows the number of elements, and so does this page.
    """
    if not isinstance(text, list | dict):
        return php.to_text(text)
    texts = dict(php.items(text))
    if not texts:
        return ""
    shown = texts.get(language) or texts.get(spec.FALLBACK_LANGUAGE) or len(texts)
    return str(shown)


def colour(badge_type: str) -> spec.BadgeColour:
    """Colours of a type; an unknown type has those of ``secondary``."""
    return spec.BADGE_COLOURS.get(badge_type, spec.BADGE_COLOURS[spec.BadgeType.SECONDARY])


@lru_cache(maxsize=1)
def _template() -> jinja2.Template:
    import jinja2  # imported only when the page is opened, since it is slow to import

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("b24nb.sandbox"), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"localised": localised, "colour": colour, "iso": php.iso}
    return environment.get_template("portal.html")
