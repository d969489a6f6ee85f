"""Parse an answer: it is a result, an error of the portal, or not an answer of the REST API."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any

from b24nb.error_codes import find_fact
from b24nb.errors import ApiError, BadgeInUse, BadResponse, DuplicateCode
from b24nb.rest.calls import Call
from b24nb.rest.transport import HttpAnswer
from b24nb.secret import Secret, redact, redact_known, without_frames

#: The class of an error by its ``kind`` in the table of codes.
_KINDS = {"ApiError": ApiError} | {cls.__name__: cls for cls in ApiError.__subclasses__()}
_OTHER_SENDER = "Something between here and the portal answered, or the portal has a fault; try later."
_FILTER = (
    "A firewall or filter before the portal refuses this call, often for a text that looks like HTML or SQL: "
    "word it otherwise, or ask who runs it to let /rest/ pass. Repeating gives the same."
)
_OF_PHP = rb"(<br ?/?>\s*)?(<b>|PHP )?(Warning|Notice|Deprecated)(</b>)?: .* on line "
#: Hints for an answer that is not JSON, by its HTTP status.
_BY_STATUS = {
    400: "The server before the portal refuses the call, perhaps for a missing client certificate: ask who runs it.",
    401: "Something before the portal wants a login of its own: ask who runs it to let /rest/ pass.",
    403: _FILTER,
    404: "There is no REST API at this address: check the host.",
    406: _FILTER,
    413: "The call is too large for the server before the portal: send less at once.",
    429: "Something before the portal has counted too many requests: try later, and more slowly.",
}


class Response:
    """A successful answer.

    Attributes
    ----------
    result
        The key ``result`` of the answer.
    total, next : int or None
        The keys of that name, of methods that page.
    time : mapping or None
        The key ``time``: how long the portal says it worked.
    call : Call
        The row in the log.
    raw : mapping
        The whole answer; for a command of a batch, composed of its parts in the batch's answer.

    Examples
    --------
    >>> import b24nb
    >>> with b24nb.connect(b24nb.SandboxPortal()) as b24:
    ...     answer = b24.call("crm.activity.badge.list")
    ...     answer.total, [*answer.result]
    (12, ['badges'])
    """

    def __init__(self, envelope: Mapping[str, Any], call: Call) -> None:
        self.result = envelope["result"]
        self.total = whole_number(envelope.get("total"))
        self.next = whole_number(envelope.get("next"))
        time = envelope.get("time")
        self.time: Mapping[str, Any] | None = time if isinstance(time, dict) else None
        self.call = call
        self.raw = envelope

    def __repr__(self) -> str:
        from b24nb.display.html import shortened

        text = json.dumps(self.result, ensure_ascii=False).encode(errors="backslashreplace").decode()
        total = "" if self.total is None else f", total={self.total}"
        return f"<Response {self.call.method}: {shortened(text)}{total}>"

    def _repr_html_(self) -> str:
        from b24nb.display import html

        return html.page(html.answer(self.call.method, self.raw))


def parse_response(answer: HttpAnswer, method: str, secrets: Iterable[Secret]) -> Mapping[str, Any] | ApiError:
    """The decoded answer (the envelope with ``result``), or the portal's error.

    It is an error if the key ``error`` is there, whatever its value: a code can be an empty text. An error that
    quotes the address of the call is shown without its secret.

    Raises
    ------
    BadResponse
        For anything that the REST API does not send.
    """
    envelope = _decoded(answer, method, secrets)
    if "error" in envelope and not envelope.get("result"):
        return error_of(envelope, method, secrets, answer.status)
    # A batch with results can have the error status of one of its commands. An error beside a result proves neither.
    if "result" not in envelope or "error" in envelope or (answer.status >= 400 and method != "batch"):
        raise _not_of_rest_api(answer, method)
    return envelope


def parse_token_response(answer: HttpAnswer, method: str, secrets: Iterable[Secret]) -> Mapping[str, Any] | ApiError:
    """The same for the OAuth server: its answers have no ``result``, and its errors can have the status 200.

    The secrets are not removed here: a token in the answer may equal the one that was sent.
    """
    envelope = _decoded(answer, method)
    if "error" in envelope:
        return error_of(envelope, method, secrets, answer.status)
    pair = {name: envelope.get(name) for name in ("access_token", "refresh_token")}
    if answer.status >= 400 or not all(isinstance(token, str) and token for token in pair.values()):
        raise _not_of_rest_api(answer, method)
    return {name: Secret(token) for name, token in pair.items()}


def error_of(envelope: Mapping[str, Any], method: str, secrets: Iterable[Secret], status: int | None) -> ApiError:
    """The exception for an envelope that has the key ``error``: for an unknown code, :class:`ApiError` itself.

    ``status`` is ``None`` for a command of a batch.
    """
    if isinstance(inside := envelope["error"], dict) and "code" in inside:  # an answer of REST 3.0
        envelope = {"error": inside["code"], "error_description": inside.get("message")}
    code = redact(str(envelope["error"]), secrets)
    said = envelope.get("error_description")
    description = redact(said, secrets) if isinstance(said, str) else ""
    fact = find_fact(code, description, method) or find_fact(code, description)
    cls = _KINDS[fact.kind] if fact else ApiError
    if fact and cls in (DuplicateCode, BadgeInUse) and method.lower() not in fact.methods:
        cls = ApiError  # these two are about badges
    return cls(code, description, http_status=status, method=method)


def _decoded(answer: HttpAnswer, method: str, secrets: Iterable[Secret] = ()) -> Mapping[str, Any]:
    """The answer's JSON; a list or a scalar is no answer of the REST API, just as an empty map."""
    # The answer's text may quote our secrets, so no traceback may keep the frames that hold it.
    with suppress(ValueError, RecursionError):
        envelope = without_frames(_json_of, answer, secrets)
        return envelope if isinstance(envelope, dict) else {}
    raise _bad(answer, method, *_described(answer))


def _json_of(answer: HttpAnswer, secrets: Iterable[Secret]) -> Any:
    """The answer's JSON without the secrets that were sent with the call."""
    text = answer.body.decode(json.detect_encoding(answer.body), "surrogatepass")
    text = text.lstrip("\ufeff")  # each of the portal's files that begins with a mark sends one
    return json.loads(redact_known(text, secrets))


def _not_of_rest_api(answer: HttpAnswer, method: str) -> BadResponse:
    hint = _BY_STATUS.get(answer.status, "Check that the address is a portal's.")
    return _bad(answer, method, "JSON that is no answer of the REST API", hint)


def _bad(answer: HttpAnswer, method: str, what: str, hint: str) -> BadResponse:
    return BadResponse(f"{method}: {what}, HTTP {answer.status}.", method=method, http_status=answer.status, hint=hint)


def _described(answer: HttpAnswer) -> tuple[str, str]:
    """What an answer is that is not JSON, and what to do."""
    body, hint = answer.body.lstrip(), _BY_STATUS.get(answer.status, _OTHER_SENDER)
    if not body:
        return "an empty answer", hint
    if re.match(_OF_PHP, body):
        hint = "The administrator of the server has to switch PHP's display_errors off."
        return "a message of PHP before the answer", hint
    if body[:1] == b"<":
        return "an HTML page instead of JSON", hint
    try:
        body.decode("utf-8")
    except UnicodeDecodeError:
        return "an answer that is not UTF-8", hint
    return "an answer that was cut off, or is no JSON", hint


def whole_number(value: Any) -> int | None:
    """A whole number, also if PHP wrote it as a text or as a float (``"3"``, ``3.0``)."""
    if isinstance(value, float | str):
        with suppress(ValueError):
            return int(float(value)) if float(value).is_integer() else None
    return value if isinstance(value, int) and not isinstance(value, bool) else None
