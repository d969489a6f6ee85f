"""The four methods as the vendor describes them, for their pages; `tests/docs/test_vendor_pages.py` compares them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from b24nb import spec

BADGE_DOCS = "https://apidocs.bitrix24.com/api-reference/crm/timeline/activities/configurable/badges"


class Parameter(NamedTuple):
    """One documented parameter of a method."""

    name: str
    type: str
    required: bool
    description: str


class Method(NamedTuple):
    """One REST method: its parameters, who may call it, its result and its errors.

    ``documented_errors`` are those on the vendor's page, ``errors`` those that a portal really answers, in the order
    of its checks. All of them are in ``error_codes.toml``.
    """

    name: str
    summary: str
    parameters: tuple[Parameter, ...]
    result: str
    documented_errors: tuple[str, ...]
    errors: tuple[str, ...]
    changes: bool = False
    access: str = "any intranet user (not extranet)"
    access_documented: str = "any user"

    @property
    def page(self) -> str:
        """The vendor's page."""
        return f"{BADGE_DOCS}/{self.name.replace('.', '-')}.html"


_CODE = Parameter("code", "string", True, "Code of the badge, for example `missedCall`")
_TITLE = Parameter("title", "string | map", True, "Title of the badge: a text, or a map language -> text")
_VALUE = Parameter("value", "string | map", True, "Text of the pill: a text, or a map language -> text")
_TYPE = Parameter("type", "string", True, f"Colour: {', '.join(f'`{one}`' for one in spec.BadgeType)}")
_ADMIN: Any = {
    "changes": True,
    "access": "an administrator of the portal",
    "access_documented": "users with administrative access to the crm section",
}
_ONE = '{"badge": {"code", "title", "value", "type"}}'
_ALL = '{"badges": [{"code", "title", "value", "type"}, ...]}, with "total" beside it'
_INTRANET = "allowed_only_intranet_user"
_ADD_DOCUMENTED = ("ACCESS_DENIED", "100", "REQUIRED_ARG_MISSING", "WRONG_TYPE_VALUE", "BX_INVALID_VALUE", "0")
_ADD_CHECKS = ("ACCESS_DENIED", "REQUIRED_ARG_MISSING", "0", "WRONG_TYPE_VALUE", "BX_EMPTY_REQUIRED")
_ADD_ERRORS = (_INTRANET, "100", *_ADD_CHECKS, "BX_INVALID_VALUE", "400")
_GET_DOCUMENTED, _GET_ERRORS = ("ACCESS_DENIED", "NOT_FOUND"), (_INTRANET, "100", "NOT_FOUND")
_DELETE_DOCUMENTED = ("ACCESS_DENIED", "NOT_FOUND", "ENTITY_WITH_BADGE_EXISTS")
_DELETE_ERRORS = (_INTRANET, "100", *_DELETE_DOCUMENTED)
_ADD_SUMMARY = "Registers a badge for configurable activities"
_TEXTS = (_CODE, _TITLE, _VALUE, _TYPE)

#: Name, summary, parameters, result, errors as documented, errors as they are answered.
_METHODS = (
    Method("crm.activity.badge.add", _ADD_SUMMARY, _TEXTS, _ONE, _ADD_DOCUMENTED, _ADD_ERRORS, **_ADMIN),
    Method("crm.activity.badge.get", "Returns one badge", (_CODE,), _ONE, _GET_DOCUMENTED, _GET_ERRORS),
    Method("crm.activity.badge.list", "Returns every badge of the portal at once", (), _ALL, (), (_INTRANET,)),
    Method(
        "crm.activity.badge.delete", "Deletes a badge", (_CODE,), "true", _DELETE_DOCUMENTED, _DELETE_ERRORS, **_ADMIN
    ),
)
METHODS: Mapping[str, Method] = {method.name: method for method in _METHODS}
