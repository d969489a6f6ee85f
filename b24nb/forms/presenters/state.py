"""What a form may show, as frozen values: presenters make them, views draw them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from b24nb.badges.badge import Badge, Badges
from b24nb.credentials import redact
from b24nb.errors import (
    ApiError,
    B24Error,
    BadResponse,
    ConnectionFailed,
    InvalidInput,
    ReadOnly,
    Timeout,
    find_fact,
)

if TYPE_CHECKING:
    import pandas as pd

    from b24nb.client import Portal
    from b24nb.rest.calls import Call

ROWS = 10

_SENTENCES: Mapping[type, str] = {
    ConnectionFailed: "The portal could not be reached, or the connection to it broke.",
    Timeout: "The portal did not answer in time.",
    BadResponse: "What came back is not an answer of the portal's REST API{status}.",
}

Phase = Literal["idle", "invalid", "confirm", "done", "failed"]


@dataclass(frozen=True, slots=True)
class Message:
    """One sentence to the reader, the vendor's code if there is one, and what to do next."""

    kind: Literal["done", "error", "check", "note"]
    text: str
    code: str | None = None
    hint: str | None = None
    details: str | None = None


NOTHING_SENT = Message("check", "Some fields need a look. Nothing has been sent.")


@dataclass(frozen=True, slots=True, kw_only=True)
class FormState:
    """All that a view may show; each form adds what its result needs.

    Attributes
    ----------
    phase : {"idle", "invalid", "confirm", "done", "failed"}
        ``confirm``: a preview is shown and waits for the typed word.
    message : Message or None
        What just happened.
    field_errors : mapping
        Field name to what is wrong with it, in words.
    result : object
        What the form is about: the last good answer. It stays when a later step fails.
    call : Call or None
        The last call that was made for it.
    """

    phase: Phase = "idle"
    message: Message | None = None
    field_errors: Mapping[str, str] = field(default_factory=dict)
    result: Any = None
    call: Call | None = None

    @property
    def df(self) -> pd.DataFrame:
        """The result as a DataFrame; one without rows before there is a result."""
        result = Badges([self.result]) if isinstance(self.result, Badge) else self.result
        frame: pd.DataFrame = Badges().df if result is None else result.df
        return frame

    @property
    def first_rows(self) -> pd.DataFrame:
        """The first ten rows of ``df``."""
        return self.df.head(ROWS)


def told(error: B24Error) -> Message:
    """An error as a sentence that an administrator of a CRM understands.

    Parameters
    ----------
    error : B24Error
        Whatever a call raised.

    Returns
    -------
    Message
        With the vendor's code verbatim, if the portal answered.

    Examples
    --------
    >>> from b24nb.errors import from_answer
    >>> told(from_answer("QUERY_LIMIT_EXCEEDED", "Too many requests", http_status=503, method="")).code
    'QUERY_LIMIT_EXCEEDED'
    """
    if isinstance(error, ApiError):
        fact = find_fact(error.code, error.description, error.method)
        status = f" (HTTP {error.http_status})" if error.http_status else ""
        return Message(
            "error",
            fact.meaning if fact else "The portal answered with an error that nobody has described yet.",
            code=error.code,
            hint=error.hint,
            details=f"The portal's own words{status}: {error.description or '(none)'}",
        )
    if isinstance(error, InvalidInput | ReadOnly):
        return Message("check", error.message, hint=error.hint)
    http_status = getattr(error, "http_status", None)
    sentence = _SENTENCES.get(type(error))
    return Message(
        "error",
        sentence.format(status=f" (HTTP {http_status})" if http_status else "")
        if sentence
        else error.message,
        hint=error.hint or "Try again in a moment.",
        details=f"{type(error).__name__}: {error.message}",
    )


def unexpected(error: Exception) -> Message:
    """A fault of this package, shown without any secret that its text may quote."""
    return Message(
        "error",
        f"Unexpected error: {type(error).__name__}: {redact(str(error))}",
        hint="The form can still be used; its last_error holds the exception.",
    )


def standing_notices(portal: Portal, *, changes: bool) -> tuple[Message, ...]:
    """What will go wrong here before anything is sent, as far as the portal told when connecting.

    Parameters
    ----------
    portal : Portal
        Rights and scopes.
    changes : bool
        Whether the form adds or deletes something.
    """
    notices = []
    if portal.scopes is not None and "crm" not in portal.scopes:
        notices.append(
            Message(
                "check",
                "These credentials lack the scope crm: the portal refuses every call about badges.",
                code="insufficient_scope",
                hint="Tick CRM in the settings of the webhook, or make a webhook that has it.",
            )
        )
    if changes and portal.admin is False:
        notices.append(
            Message(
                "check",
                f"Adding and deleting badges takes an administrator of the portal, and "
                f"{portal.user or 'this user'} is none as far as the portal says.",
                code="ACCESS_DENIED",
                hint="Connect with a webhook that an administrator made. Nothing has been sent.",
            )
        )
    if changes and portal.read_only:
        notices.append(
            Message(
                "check",
                "This client is read-only: every change is refused before it is sent.",
                hint="Connect without read_only (and without B24_READ_ONLY) to change something.",
            )
        )
    return tuple(notices)
