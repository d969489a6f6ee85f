"""Many commands in one request: how they are written, and what the portal's answer means for each."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from b24nb.credentials import Credentials
from b24nb.display.literals import command
from b24nb.errors import ApiError, BadResponse
from b24nb.rest.calls import Call
from b24nb.rest.response import Response, error_of

Command = tuple[str, str, Mapping[str, Any] | None]

#: PHP turns a map with the keys 0, 1, 2 into a list; with a letter in front it stays a map.
_PREFIX = "k"
#: What the answer says of each command, and in which of its maps.
_PARTS = {"result": "result"} | {name: f"result_{name}" for name in ("error", "total", "next", "time")}
#: What ``batch`` takes for a reference to another command's result, also in the middle of a text.
_REFERENCE = re.compile(r"\$(result|error|total|next|time)\[")


class BatchResponse(Mapping[str, "Response | ApiError"]):
    """Answers by key, in the caller's order; an error of one command is a value.

    Attributes
    ----------
    not_sent : tuple of str
        Keys of the commands that were left out after an error, with ``halt``.
    """

    def __init__(self, answers: Mapping[str, Response | ApiError], not_sent: Sequence[str] = ()) -> None:
        self._answers = dict(answers)
        self.not_sent = tuple(not_sent)

    def __getitem__(self, key: str) -> Response | ApiError:
        return self._answers[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._answers)

    def __len__(self) -> int:
        return len(self._answers)

    @property
    def errors(self) -> dict[str, ApiError]:
        """The commands that failed."""
        return {key: answer for key, answer in self.items() if isinstance(answer, ApiError)}

    def __repr__(self) -> str:
        left = f", {len(self.not_sent)} not sent" if self.not_sent else ""
        return f"<BatchResponse: {len(self)} answers, {len(self.errors)} errors{left}>"

    def _repr_html_(self) -> str:
        import pandas as pd

        from b24nb.display import html

        rows = [
            (key, "error", f"{answer.code}: {answer.description}")
            if isinstance(answer, ApiError)
            else (key, "ok", repr(answer.result)[:200])
            for key, answer in self.items()
        ]
        rows += [(key, "not sent", "") for key in self.not_sent]
        frame = pd.DataFrame(rows, columns=["key", "outcome", "answer"])
        return html.page(html.frame(frame, caption=repr(self).strip("<>")))


def fits_query(params: Mapping[str, Any]) -> bool:
    """Whether parameters survive the query text of a command.

    An empty map can't be written there, and a text like ``$result[a]`` would be replaced. Both can be
    sent by a call of their own.
    """
    texts = [params.values(), *(text.values() for text in params.values() if isinstance(text, Mapping))]
    flat = [item for group in texts for item in group]
    return not any(_REFERENCE.search(item) if isinstance(item, str) else item == {} for item in flat)


def write(commands: Sequence[Command], *, halt: bool) -> dict[str, Any]:
    """The parameters of a ``batch`` call."""
    texts = {f"{_PREFIX}{place}": command(method, params) for place, (_, method, params) in enumerate(commands)}
    return {"halt": 1 if halt else 0, "cmd": texts}


def read(
    commands: Sequence[Command], envelope: Mapping[str, Any], sent: Call, credentials: Credentials, *, halt: bool
) -> tuple[BatchResponse, list[Call]]:
    """Answers in the caller's order, and a row for the log per command that ran.

    ``commands`` without secrets: they go into the log.

    Raises
    ------
    BadResponse
        For a result that is not a batch's, or that leaves out a command which was to run.
    """
    parts = envelope["result"]
    if not isinstance(parts, dict) or not isinstance(parts.get("result"), dict | list):
        raise _silent("has no results", sent)
    # PHP writes an empty map as a list.
    maps = {name: parts[part] if isinstance(parts.get(part), dict) else {} for name, part in _PARTS.items()}
    answers: dict[str, Response | ApiError] = {}
    rows: list[Call] = []
    for place, (key, method, params) in enumerate(commands):
        wire = f"{_PREFIX}{place}"
        single = {name: found[wire] for name, found in maps.items() if wire in found}
        failed = single.get("error")
        row = Call(sent.at, "command", method, key, params or {})
        row.note_times(single.get("time"), {}, sent.client_ms)
        if isinstance(failed, dict) and "error" in failed:
            answers[key] = error = error_of(failed, method, credentials, None)
            row.error, row.outcome = error.code, "error"
        elif "result" in single:
            answers[key] = Response.of(single, row)
        elif halt and any(row.error is not None for row in rows):
            continue
        else:
            raise _silent(f"says nothing about the command {key!r} ({method})", sent)
        rows.append(row)
    return BatchResponse(answers, [key for key, *_ in commands if key not in answers]), rows


def _silent(what: str, sent: Call) -> BadResponse:
    hint = "Commands may have been carried out: look before you repeat a write."
    return BadResponse(f"batch: the answer {what}.", method="batch", http_status=sent.http_status, hint=hint)
