"""The four badge methods, with their checks in the order of the vendor's server code.

Vendor pages: https://apidocs.bitrix24.com/api-reference/crm/timeline/activities/configurable/badges/
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from b24nb import spec
from b24nb.sandbox import php
from b24nb.sandbox.rest_method import Answer, Call, Refusal, controller
from b24nb.sandbox.store import SqlError

_CODE = "string code"
#: These two texts are in the portal's language; all other texts of these methods are not.
_DENIED = {"en": "Access denied", "ru": "Доступ запрещен"}
_CODE_MISSING = {"en": "The field CODE is required.", "ru": 'Не заполнено обязательное поле "CODE"'}


# `settings` is undocumented and ignored.
@controller("crm.activity.badge.add", _CODE, "mixed title", "mixed value", "string type", "?array settings")
def add(call: Call) -> Any:
    _require_administrator(call)
    params, badges = call.params, call.store.badges
    for problem in _problems(call):
        raise problem  # a portal collects all problems and answers with the first
    code = params["code"]
    if not code:
        raise Refusal("BX_EMPTY_REQUIRED", _CODE_MISSING[call.switches.language])
    limit = call.switches.code_limit
    if len(code) > limit and limit < spec.CODE_WIDTH:  # older builds don't check; their database cuts the code
        raise Refusal("0", f"The length of the code field must not exceed {limit} characters")
    if badges.find(code):
        raise Refusal("BX_INVALID_VALUE", "Code must be unique")
    try:
        badges.add(code, params["title"], params["value"], params["type"])
    except SqlError as error:
        raise Refusal("400", str(error)) from None
    # A portal reads the badge again by the full code: if the code was cut, it finds none and answers null.
    return {"badge": badges.find(code)}


@controller("crm.activity.badge.get", _CODE)
def get(call: Call) -> Any:
    return {"badge": _existing(call)}


@controller("crm.activity.badge.list")
def list_(call: Call) -> Any:
    badges = call.store.badges.all()
    return Answer({"badges": badges}, total=call.counted(len(badges)))


@controller("crm.activity.badge.delete", _CODE)
def delete(call: Call) -> Any:
    _require_administrator(call)
    code = _existing(call)["code"]
    if call.store.badges.in_use(code):
        raise Refusal("ENTITY_WITH_BADGE_EXISTS", "There are entities with this badge. Delete them first.")
    call.store.badges.delete(code)
    return True


def _require_administrator(call: Call) -> None:
    if not call.caller.user.admin:
        raise Refusal("ACCESS_DENIED", _DENIED[call.switches.language])


def _existing(call: Call) -> dict[str, Any]:
    badge = call.store.badges.find(call.params["code"])
    if badge is None:
        raise Refusal("NOT_FOUND", f"Badge not found for code `{call.params['code']}`")
    return badge


def _problems(call: Call) -> Iterator[Refusal]:
    for name in ("title", "value"):
        yield from _text_problems(name, call.params[name], call.switches.languages)
    if call.params["type"] not in set(spec.BadgeType):
        yield Refusal("WRONG_TYPE_VALUE", "Wrong value of field `type`")


def _text_problems(name: str, text: Any, languages: tuple[str, ...]) -> Iterator[Refusal]:
    if text == "" or not isinstance(text, str | list | dict):
        yield Refusal("REQUIRED_ARG_MISSING", f"Argument '{name}' is required")
    for language, translation in php.items(text):
        if language not in languages:
            yield Refusal("0", f"Language `{language}` was not found")
        if not isinstance(translation, str) or not translation:
            yield Refusal("0", f"Wrong value of field `{name}` for language {language}")
