"""``batch``: up to fifty commands in one request, which can refer to the results of earlier ones.

Vendor page: https://apidocs.bitrix24.com/settings/how-to-call-rest-api/batch.html
"""

from __future__ import annotations

import re
from typing import Any

from b24nb import spec
from b24nb.sandbox import php
from b24nb.sandbox.rest_method import Answer, Call, Refusal, classic

#: The maps of an answer: their names in references, and their keys in the answer.
_PARTS = {"result": "result"} | {part: f"result_{part}" for part in ("error", "total", "next", "time")}
_FORBIDDEN = ("batch", "download", "upload")
#: ``Batch?...`` is not in that list, which compares exact spellings; this limits how deep it can nest.
MAX_NESTED = 5
_REFERENCE = re.compile(rf"\$({'|'.join(_PARTS)})(\[\S*)")
_STEP = re.compile(r"\[([^\[\]]+)\]")


@classic("batch")
async def batch(call: Call) -> Answer:
    params = {str(key).lower(): value for key, value in call.params.items()}
    commands = params.get("cmd")
    halt = php.truthy(params.get("halt"))
    parts: dict[str, dict[str | int, Any]] = {part: {} for part in _PARTS}
    status = 200
    for number, (key, command) in enumerate(php.items(commands if isinstance(commands, list | dict) else [])):
        if not isinstance(command, str):
            continue  # not run and not in the answer, but counted as one of the fifty
        try:
            if number >= spec.BATCH_SIZE:
                raise Refusal("ERROR_BATCH_LENGTH_EXCEEDED", "Max batch length exceeded")
            answer, time = await _run(call, command, parts)
        except Refusal as refusal:
            parts["error"][key] = refusal.envelope
            if refusal.code == "allowed_only_intranet_user":
                status = refusal.status  # this error sets the status of the whole answer
            if halt:
                break
            continue
        parts["result"][key] = answer.result
        parts["time"][key] = time
        if answer.total is not None:
            parts["total"][key] = answer.total
        if answer.next is not None:
            parts["next"][key] = answer.next
    return Answer({key: php.array(parts[part]) for part, key in _PARTS.items()}, status=status)


async def _run(call: Call, command: str, parts: dict[str, Any]) -> tuple[Answer, dict[str, Any]]:
    method, _, query = command.partition("#")[0].partition("?")
    if method in _FORBIDDEN or (method.lower() in _FORBIDDEN and call.depth >= MAX_NESTED):
        raise Refusal("ERROR_BATCH_METHOD_NOT_ALLOWED", "Method is not allowed for batch usage")
    params = {key: resolve(value, parts) for key, value in php.parse_query(query).items()}
    return await call.execute(call, method, params)


def resolve(value: Any, parts: dict[str, Any]) -> Any:
    """Replace references: a value that is only a reference gets the result's type; within a text it becomes text."""
    if isinstance(value, list | dict):
        return php.array({key: resolve(inner, parts) for key, inner in php.items(value)})
    whole = _REFERENCE.fullmatch(value)
    if whole and _STEP.search(whole[2]):
        return _look_up(whole, parts)
    return _REFERENCE.sub(lambda found: _embedded(found, parts), value)


def _embedded(found: re.Match[str], parts: dict[str, Any]) -> str:
    value = _look_up(found, parts) if _STEP.search(found[2]) else None
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return found[0]
    return php.to_text(value)


def _look_up(found: re.Match[str], parts: dict[str, Any]) -> Any:
    """The value that a reference leads to; a key that does not exist ends the search at the array before it."""
    value = parts[found[1]]
    for step in _STEP.findall(found[2]):
        inner = dict(php.items(value)) if isinstance(value, list | dict) else {}
        key = php.array_key(step)
        if key not in inner:
            break
        value = inner[key]
    return value
