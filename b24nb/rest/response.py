"""What an answer means: a result, an error of the portal, or something that is neither."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from b24nb.errors import ApiError, BadResponse, from_answer
from b24nb.rest.calls import Call
from b24nb.rest.transport import Answer


@dataclass(frozen=True, slots=True, repr=False)
class Response:
    """A successful answer.

    Attributes
    ----------
    result
        As the method answers it.
    total, next : int or None
        Of methods that page.
    time : mapping or None
        The portal's account of its time, as sent.
    call : Call
        The row in the log.
    raw : mapping
        The whole answer; for a command of a batch, put together from the parts of the batch.
    """

    result: Any
    total: int | None
    next: int | None
    time: Mapping[str, Any] | None
    call: Call
    raw: Mapping[str, Any]

    @classmethod
    def of(cls, envelope: Mapping[str, Any], call: Call) -> Response:
        """The values of an envelope."""
        time = envelope.get("time")
        return cls(
            result=envelope["result"],
            total=_whole(envelope.get("total")),
            next=_whole(envelope.get("next")),
            time=time if isinstance(time, dict) else None,
            call=call,
            raw=envelope,
        )

    def __repr__(self) -> str:
        text = json.dumps(self.result, ensure_ascii=False)
        shown = text if len(text) <= 200 else f"{text[:200]}…"
        total = "" if self.total is None else f", total={self.total}"
        return f"<Response {self.call.method}: {shown}{total}>"

    def _repr_html_(self) -> str:
        from b24nb.display import html

        return html.page(html.answer(self.call.method, self.raw))


def understand(answer: Answer, method: str) -> Mapping[str, Any] | ApiError:
    """The envelope of an answer, or the portal's error.

    The key ``error`` decides, not its value: a code can be an empty text.

    Raises
    ------
    BadResponse
        For anything that the REST API does not send.
    """
    return _understand(answer, method, {"result"})


def understand_token(answer: Answer, method: str) -> Mapping[str, Any] | ApiError:
    """The same for the authorization server, whose answers have no ``result``; its errors can come as 200."""
    return _understand(answer, method, {"access_token", "refresh_token"})


def _understand(answer: Answer, method: str, needed: set[str]) -> Mapping[str, Any] | ApiError:
    status = answer.status
    try:
        envelope = json.loads(answer.body)
    except (ValueError, RecursionError):
        raise BadResponse(
            f"{method}: {_described(answer)}, HTTP {status}.",
            method=method,
            http_status=status,
            hint="Something between here and the portal answered, or the portal is in trouble; try later.",
        ) from None
    if isinstance(envelope, dict) and "error" in envelope:
        description = envelope.get("error_description")
        return from_answer(
            str(envelope["error"]),
            description if isinstance(description, str) else "",
            http_status=status,
            method=method,
        )
    if not isinstance(envelope, dict) or not needed <= envelope.keys() or status >= 400:
        raise BadResponse(
            f"{method}: JSON that is no answer of the REST API, HTTP {status}.",
            method=method,
            http_status=status,
            hint="Check that the address is a portal's.",
        )
    return envelope


def _described(answer: Answer) -> str:
    body = answer.body.lstrip()
    if not body:
        return "an empty answer"
    if body[:1] == b"<":
        return "an HTML page instead of JSON"
    try:
        body.decode("utf-8")
    except UnicodeDecodeError:
        return "an answer that is not UTF-8"
    return "an answer that was cut off, or is no JSON"


def _whole(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
