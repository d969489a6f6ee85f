"""Messages of forms: an error as a sentence, and notices of what the portal or the client will refuse."""

from __future__ import annotations

from collections.abc import Iterator

from b24nb import errors
from b24nb.client import Portal
from b24nb.display.explanations import page_of
from b24nb.display.html import Message
from b24nb.display.visible import visible
from b24nb.secret import redact

_SENTENCES: dict[type, str] = {
    errors.ConnectionFailed: "The portal could not be reached, or the connection to it broke.",
    errors.Timeout: "The portal did not answer in time.",
    errors.BadResponse: "What came back is not an answer of the portal's REST API{status}.",
    errors.NotApplied: "The portal gave no usable answer, and a look at it shows no effect.",
    errors.OutcomeUnknown: "Nobody can tell yet whether the change was made.",
}
_UNKNOWN = "The portal answered with an error that nobody has described yet."


def message_for(error: errors.B24Error, *, sandbox: bool = False) -> Message:
    """An error as a sentence that an administrator of a CRM understands.

    Parameters
    ----------
    error : B24Error
        The error that a call raised.
    sandbox : bool
        Whether the portal is a sandbox, which stops with its notebook.

    Returns
    -------
    Message
        With the vendor's code verbatim, if the portal answered.

    Examples
    --------
    >>> error = errors.ApiError("QUERY_LIMIT_EXCEEDED", "Too many requests", http_status=503)
    >>> message_for(error).code
    'QUERY_LIMIT_EXCEEDED'
    """
    http_status = getattr(error, "http_status", None)
    status = f" (HTTP {http_status})" if http_status else ""
    if isinstance(error, errors.ApiError):
        words = f"The portal's own words{status}: {visible(error.description) or '(none)'}"
        words += f" More: b24nb.explain({error.code!r}), or {page_of(error.code)} in the docs." if error.fact else ""
        return Message("error", error.fact.meaning if error.fact else _UNKNOWN, error.code, error.hint, words)
    renewal = getattr(error, "method", "") == "oauth.token"
    sentence = "The authorization server gave no new token{status}." if renewal else _SENTENCES.get(type(error))
    if sentence:
        details = f"{type(error).__name__}: {error.message}"
        hint = error.hint or "Try again in a moment."
        if sandbox and isinstance(error, errors.ConnectionFailed) and not (error.sent or renewal):
            sentence = "The sandbox portal does not answer any more: it was stopped, or the notebook was restarted."
            hint = "Run the cell with connect() again, then the cell of this form."
        return Message("error", sentence.format(status=status), hint=hint, details=details)
    caught = isinstance(error, errors.InvalidInput | errors.ReadOnly | errors.BadgeChanged)
    return Message("check" if caught else "error", error.message, hint=error.hint)


def unexpected(error: Exception) -> Message:
    """The message for an unexpected exception; secrets that its text may quote are masked."""
    text = f"Unexpected error: {type(error).__name__}: {redact(str(error))}"
    return Message("error", text, hint="The form can still be used; its last_error holds the exception.")


def standing_notices(portal: Portal, *, changes: bool) -> Iterator[Message]:
    """Notices of what will be refused, by the rights and scopes that the portal stated when connecting.

    Parameters
    ----------
    portal : Portal
        Rights and scopes.
    changes : bool
        Whether the form adds or deletes something.
    """
    if portal.scopes is not None and "crm" not in portal.scopes:
        text = "These credentials lack the scope crm: the portal refuses every call about badges."
        hint = "Tick CRM in the settings of the webhook, or make a webhook that has it."
        yield Message("check", text, "insufficient_scope", hint)
    if changes and portal.admin is False:
        text = f"Only an administrator of the portal can add or delete badges; {portal.user or 'this user'} is not one."
        hint = "Connect with a webhook that an administrator made."
        yield Message("check", text, "ACCESS_DENIED", hint)
    if changes and portal.read_only:
        text = "This client is read-only: every change is refused before it is sent."
        hint = "Connect without read_only (and without B24_READ_ONLY) to change something."
        yield Message("check", text, hint=hint)
