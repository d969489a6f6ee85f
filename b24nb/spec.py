"""The vendor's facts about badges, as data: methods, parameters, error codes, colours, limits.

Client and sandbox share these facts, but no code, so that an error in the code of one is found by the other. There
is no behaviour here except reading the table of errors, which is in ``error_codes.toml`` because much of it is text.

The vendor's pages: https://apidocs.bitrix24.com/api-reference/crm/timeline/activities/configurable/badges/
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple

# -- badges ---------------------------------------------------------------------------------------


class BadgeType(StrEnum):
    """The types of a badge; the type determines only its colour."""

    SUCCESS = "success"
    FAILURE = "failure"
    WARNING = "warning"
    PRIMARY = "primary"
    SECONDARY = "secondary"


class BadgeColour(NamedTuple):
    """How a portal shows a type, as CSS colours.

    ``readable`` is ``text`` in the same hue, darkened to a contrast of 4.5:1 on ``background``; displays use it.
    """

    text: str
    background: str
    readable: str


#: The colours of the portal's kanban. A change of a colour is needed only here.
BADGE_COLOURS: Mapping[str, BadgeColour] = {
    BadgeType.SUCCESS: BadgeColour("#76950b", "#e9f6d6", "#5e7709"),
    BadgeType.FAILURE: BadgeColour("#dd4e5f", "#f3d5d3", "#a83b48"),
    BadgeType.WARNING: BadgeColour("#755c18", "#ebe997", "#755c18"),
    BadgeType.PRIMARY: BadgeColour("#1097c2", "#dcf5fd", "#0c7697"),
    BadgeType.SECONDARY: BadgeColour("#79818b", "#e0e2e4", "#5e656c"),
}

#: Characters of a code that ``add`` accepts on newer portal builds; older ones accept up to ``CODE_WIDTH``.
#: Longer codes that were added before can be listed, read and deleted there, but never be added again.
CODE_LIMIT = 30
#: Characters of a code that a portal's database stores.
CODE_WIDTH = 255
#: Characters of a title or value as stored: JSON with ``\uXXXX`` escapes, so Cyrillic takes six each.
TEXT_WIDTH = 4000
#: Characters of a code that an attachment row stores. The portal can't match a longer code with its attachments, so
#: the badge counts as unused even while it is shown.
ATTACHED_CODE_WIDTH = 30
#: Days after which a job of the portal removes an attachment row (a setting: 30, 60 or 90).
ATTACHMENT_DAYS = 30
#: ``TYPE`` of the attachment rows that count as use of a badge.
ATTACHMENT_TYPE = "rest_app_status"


class Language(NamedTuple):
    """One key of a language map: an English name, and the BCP 47 tag for HTML."""

    name: str
    tag: str


#: Codes of the culture table of a cloud portal. Portals may have others; no REST method returns them.
LANGUAGES: Mapping[str, Language] = {
    code: Language(name, tag) for code, name, tag in (
        ("en", "English", "en"), ("de", "German", "de"), ("la", "Spanish", "es"), ("fr", "French", "fr"),
        ("br", "Portuguese (Brazil)", "pt-BR"), ("it", "Italian", "it"), ("pl", "Polish", "pl"),
        ("ua", "Ukrainian", "uk"), ("ru", "Russian", "ru"), ("kz", "Kazakh", "kk"), ("tr", "Turkish", "tr"),
        ("ar", "Arabic", "ar"), ("sc", "Chinese (simplified)", "zh-Hans"), ("tc", "Chinese (traditional)", "zh-Hant"),
        ("ja", "Japanese", "ja"), ("vn", "Vietnamese", "vi"), ("id", "Indonesian", "id"), ("ms", "Malay", "ms"),
        ("th", "Thai", "th"),
    )
}  # fmt: skip
FALLBACK_LANGUAGE = "en"

# -- methods --------------------------------------------------------------------------------------


_TEXT, _TEXTS = (str,), (str, dict)
#: The parameters of each method, all of them required, and the types that each takes: a text, or also a map
#: language -> text. ``tests/docs/test_vendor_pages.py`` compares them with the vendor's pages.
METHODS: Mapping[str, Mapping[str, tuple[type, ...]]] = {
    "crm.activity.badge.add": {"code": _TEXT, "title": _TEXTS, "value": _TEXTS, "type": _TEXT},
    "crm.activity.badge.get": {"code": _TEXT},
    "crm.activity.badge.list": {},
    "crm.activity.badge.delete": {"code": _TEXT},
}

# -- limits ---------------------------------------------------------------------------------------


class Tariff(NamedTuple):
    """Request rate of a tariff: a bucket of ``burst`` requests that drains ``per_second``."""

    burst: int
    per_second: float

    @property
    def limited(self) -> bool:
        """Whether the portal limits the request rate."""
        return self.burst < 10**9


TARIFFS: Mapping[str, Tariff] = {
    "standard": Tariff(burst=50, per_second=2),
    "enterprise": Tariff(burst=250, per_second=5),
    # A self-hosted portal has no limit; these numbers are never reached.
    "self-hosted": Tariff(burst=10**9, per_second=10**9),
}

BATCH_SIZE = 50
#: Seconds of work per method and credential in the window, after which ``OPERATION_TIME_LIMIT`` is answered. This is
#: the documented number; a tariff may have another.
OPERATING_LIMIT_SECONDS = 480
OPERATING_WINDOW_SECONDS = 600
OPERATING_BASKET_SECONDS = 60
#: Calls this short add nothing to the operating time.
OPERATING_FREE_SECONDS = 0.1

ACCESS_TOKEN_SECONDS = 3600
REFRESH_TOKEN_SECONDS = 180 * 24 * 3600
AUTHORIZATION_CODE_SECONDS = 30
OAUTH_SERVER = "https://oauth.bitrix.info"
#: The vendor's OAuth servers; which of them issues tokens depends on the region.
OAUTH_HOSTS = frozenset({"oauth.bitrix.info", "oauth.bitrix24.tech"})

# -- errors ---------------------------------------------------------------------------------------


class ErrorFact(NamedTuple):
    """One error that a portal can answer, as documented and as observed.

    Attributes
    ----------
    code
        The value of ``error`` in the answer, always a text (``"100"``, ``"0"``, even ``""``).
    kind
        Name of the class in :mod:`b24nb.errors` that is raised for it.
    message
        The literal ``error_description``; ``{name}`` is a placeholder.
    http_documented, http_observed
        Status in the documentation, and as observed or read in the server's code; ``None``: not stated.
        An ``http_observed`` of 200 for a batch code means: inside ``result_error``.
    meaning, cause, remedy
        A sentence or two each. ``remedy`` is the hint of the exception.
    repeat
        Whether it is safe to send the same call again: ``"after waiting"``, ``"after a change"``,
        ``"look first"`` or ``"no"``.
    before_effect
        Whether it is known that nothing was changed. After any other error of a write, the portal has to be
        looked at.
    methods
        The methods that can answer it; empty: any.
    section
        ``"method"`` (the badge methods), ``"system"``, ``"batch"``, ``"oauth"``, ``"related"``.
    source
        ``"docs"``, ``"server"``, ``"docs, server"``, ``"observed"``, ``"docs, observed"``.
    system_page
        Whether the vendor lists it among the system errors under every method.
    """

    code: str
    kind: str
    message: str
    http_documented: int | None
    http_observed: int | None
    meaning: str
    cause: str
    remedy: str
    repeat: str
    before_effect: bool
    methods: tuple[str, ...]
    section: str
    source: str
    system_page: bool


@lru_cache(maxsize=1)
def error_facts() -> tuple[ErrorFact, ...]:
    """Every documented and observed error, read once from ``error_codes.toml``.

    Returns
    -------
    tuple of ErrorFact
        Several facts can share a code: ``ACCESS_DENIED`` has one per message.

    Examples
    --------
    >>> [fact.http_observed for fact in error_facts() if fact.code == "QUERY_LIMIT_EXCEEDED"]
    [503]
    """
    import tomllib  # imported here, since most programs never need this table
    from importlib import resources

    table = tomllib.loads(resources.files(__package__).joinpath("error_codes.toml").read_text(encoding="utf-8"))
    absent = {"http_documented": None, "http_observed": None, "before_effect": False, "system_page": False}
    return tuple(ErrorFact(**absent | row | {"methods": tuple(row.get("methods", ()))}) for row in table["error"])
