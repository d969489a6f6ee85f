"""The method ``batch``, many commands in one request: write the commands, and read an answer for each."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from b24nb.display.literals import command
from b24nb.errors import ApiError, BadResponse, InvalidInput
from b24nb.rest.calls import Call
from b24nb.rest.response import Response, error_of
from b24nb.secret import Secret, redact

Commands = Sequence[tuple[str, str, Mapping[str, Any] | None]]

#: PHP turns a map with the keys 0, 1, 2 into a list; with a letter in front it stays a map.
_PREFIX = "k"
#: How many commands a display shows.
_SHOWN = 50
#: The parts of a command's answer, and the map of the batch's answer that holds each.
_PARTS = {"result": "result"} | {name: f"result_{name}" for name in ("error", "total", "next", "time")}
#: ``$result[key]`` in a value of a query, which ``batch`` replaces by another command's result, also in the middle of a
#: text. What it does if the closing bracket is missing is not known.
_REFERENCE = re.compile(r"%24(result|error|total|next|time)%5B([^&=]*?%5D)?(?![^&]*=)")
#: The same in JSON, or an empty map or list. A match inside a text is a false alarm, which only costs a single call.
_UNFIT = re.compile(r"\$(result|error|total|next|time)\[|[:,\[] ?(\{\}|\[\])")


class BatchResponse(dict[str, "Response | ApiError"]):
    """A dict of answers by key, in the caller's order; the value of a command that failed is its error.

    Attributes
    ----------
    not_sent : tuple of str
        Keys of the commands that were not run because of an earlier error, with ``halt``.

    Examples
    --------
    >>> import b24nb
    >>> with b24nb.connect(b24nb.SandboxPortal()) as b24:
    ...     answers = b24.batch({"me": ("profile", None), "odd": ("no.such.method", None)})
    >>> answers["me"].result["NAME"], [*answers.errors]
    ('Anna', ['odd'])
    """

    def __init__(self, answers: Mapping[str, Response | ApiError], not_sent: Sequence[str] = ()) -> None:
        super().__init__(answers)
        self.not_sent = tuple(not_sent)

    @property
    def errors(self) -> dict[str, ApiError]:
        """The commands that failed."""
        return {key: answer for key, answer in self.items() if isinstance(answer, ApiError)}

    def __repr__(self) -> str:
        left = f", {len(self.not_sent)} not sent" if self.not_sent else ""
        return f"<BatchResponse: {len(self)} answers, {len(self.errors)} errors{left}>"

    def _repr_html_(self) -> str:
        from b24nb.display import html

        rows = [
            (key, "error", f"{answer.code}: {answer.description}")
            if isinstance(answer, ApiError)
            else (key, "ok", repr(answer.result)[:200])
            for key, answer in self.items()
        ]
        rows += [(key, "not sent", "") for key in self.not_sent]
        caption = repr(self).strip("<>") + (f"; the first {_SHOWN}" if len(rows) > _SHOWN else "")
        shown = ((redact(str(key)), *said) for key, *said in rows[:_SHOWN])
        return html.page(html.table(("key", "outcome", "answer"), shown, caption))


def fits_query(params: Mapping[str, Any]) -> bool:
    """Whether the query string of a batch command can carry these parameters unchanged.

    It can't carry an empty map or list, and the portal would replace a text like ``$result[a]``. A single call can
    send both.
    """
    return not _UNFIT.search(json.dumps(params, default=str))


def encode(commands: Commands) -> dict[str, str]:
    """The commands as query strings by the keys that are sent (``k0``, ``k1``, ...); references are changed to them.

    Raises
    ------
    InvalidInput
        For what a query string can't carry, and for a reference to no earlier command of the request.
    """
    texts: dict[str, str] = {}
    known: dict[str, str] = {}
    for place, (key, method, params) in enumerate(commands):
        try:
            text, wire = command(method, params), f"{_PREFIX}{place}"
        except InvalidInput as wrong:  # of thousands of commands
            raise InvalidInput(f"{key!r}: {wrong.message}", field=wrong.field, hint=wrong.hint) from None
        if any(found[2] not in known for found in _REFERENCE.finditer(text)):
            problem = f"A text like $result[key] of the command {key!r} names no earlier command of its request."
            raise InvalidInput(problem, field="commands", hint="call() sends such a text as it is.")
        texts[wire] = _REFERENCE.sub(lambda found: f"%24{found[1]}%5B{known[found[2]]}", text)
        known[f"{quote(str(key), safe='', errors='replace')}%5D"] = f"{wire}%5D"
    return texts


def decode(
    commands: Commands, envelope: Mapping[str, Any], sent: Call, secrets: Sequence[Secret], *, halt: bool, write: bool
) -> tuple[BatchResponse, list[Call]]:
    """Answers in the caller's order, and a row for the log per command that ran.

    ``commands``: with secrets masked, since they are written to the log; ``write``: one may change something.

    Raises
    ------
    BadResponse
        If the result is not that of a batch, or has no answer for a command that must have run.
    """
    parts = envelope["result"]
    if not isinstance(parts, dict) or not isinstance(parts.get("result"), dict | list):
        raise _incomplete("has no results", sent, write)
    # PHP writes an empty map as a list.
    maps = {name: parts[part] if isinstance(parts.get(part), dict) else {} for name, part in _PARTS.items()}
    answers: dict[str, Response | ApiError] = {}
    rows: list[Call] = []
    for place, (key, method, params) in enumerate(commands):
        wire = f"{_PREFIX}{place}"
        single = {name: found[wire] for name, found in maps.items() if wire in found}
        failed = single.get("error")
        row = Call(sent.at, "command", method, redact(str(key), secrets), params or {})
        row.note_times(single.get("time"), {}, sent.client_ms)
        if isinstance(failed, dict) and "error" in failed and not single.get("result"):
            answers[key] = error = error_of(failed, method, secrets, None)
            row.error, row.outcome = error.code, "error"
        elif not failed and ("result" in single or "time" in single):  # a result of null leaves only its time
            answers[key] = Response({"result": None} | single, row)
        elif halt and not single and any(row.error is not None for row in rows):
            continue
        else:
            says = "contradicts itself" if single else "says nothing"
            raise _incomplete(f"{says} about the command {key!r} ({method})", sent, write)
        rows.append(row)
    return BatchResponse(answers, [key for key, *_ in commands if key not in answers]), rows


def _incomplete(what: str, sent: Call, write: bool) -> BadResponse:
    error = BadResponse(f"batch: the answer {what}.", method="batch", http_status=sent.http_status)
    error.call, sent.error, sent.outcome = sent, type(error).__name__, "lost" if write else "failed"
    return error
