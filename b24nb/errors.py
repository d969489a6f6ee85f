"""All exceptions and warnings of b24nb.

::

    B24Error
    ├── InvalidInput (also a ValueError)   refused by b24nb; no change was sent
    ├── ReadOnly                           a write refused by read_only; no change was sent
    ├── BadgeChanged                       the badge is not what the caller saw; no change was sent
    ├── JournalError                       the journal can't be used: what can't be remembered is not sent
    │   └── TooLate                        a task of a fleet started too late to send
    ├── ClientClosed                       the client was closed; nothing was sent
    ├── TransportError                     no usable answer
    │   ├── ConnectionFailed               refused, unreachable, reset, TLS
    │   ├── Timeout                        no complete answer within the total time
    │   ├── BadResponse                    an answer that is not what the REST API sends
    │   ├── NotApplied                     the answer to a write proves nothing; a look showed: it was not made
    │   ├── OutcomeUnknown                 nobody knows whether a change was made
    │   └── VaultError                     no credentials, or a renewed token could not be stored
    └── ApiError                           the portal answered with an error
        ├── NotFound                       no such badge or item
        ├── AccessDenied                   this user, application or tariff may not
        ├── BadCredentials                 webhook or application not accepted
        ├── TokenExpired                   the access token has expired, after one hour
        ├── InsufficientScope              the webhook or token lacks a scope
        ├── BadArgument                    a parameter is missing or wrong
        ├── DuplicateCode                  a badge with this code exists
        ├── BadgeInUse                     open activities hold the badge
        ├── RateLimited                    too many requests; refused before the method ran
        ├── OperatingTimeExceeded          the method has used up its time of the last ten minutes
        └── PortalUnavailable              the portal is closed, overloaded, unpaid or broken

    Interrupted (a KeyboardInterrupt)      Ctrl-C ended a run; it has the report

    UserWarning
    ├── UnfinishedChanges                  the journal holds changes without a verdict
    ├── JournalNotWritten                  what became of a change is not in the journal
    ├── NotRestorable                      add would refuse the badge that is deleted
    ├── StoredDifferently                  the portal stored other texts than were sent
    └── SecretInCell                       a notebook cell contains a webhook

An unknown code of the vendor is raised as :class:`ApiError`, which keeps the code. Most errors have a ``hint``:
it says what to do next. No message contains a secret.
"""

from __future__ import annotations

import re
from typing import Any

from b24nb.error_codes import find_fact
from b24nb.secret import redact

_NOT_SHOWN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def _printable(text: str) -> str:
    """A text that any display can show: without secrets, which a caller may pass by mistake, half characters, and those
    that control a terminal or the direction of the text."""
    return _NOT_SHOWN.sub(lambda found: ascii(found[0])[1:-1], redact(text))


class B24Error(Exception):
    """An error of this package; its message says what happened.

    Attributes
    ----------
    hint : str
        What to do next.
    retry_after : float or None
        Seconds after which to try again, if the answer said so (``Retry-After``).
    """

    retry_after: float | None = None

    def __init__(self, message: str, *, hint: str = "") -> None:
        self.message, self.hint = _printable(message), _printable(hint)
        super().__init__(self.message)

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".rstrip()

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle all attributes except ``call``, since a row of the call log stays in this process."""
        kept = {name: None if name == "call" else value for name, value in vars(self).items()}
        return type(self).__new__, (type(self), *self.args), kept


class InvalidInput(B24Error, ValueError):
    """b24nb refused this. No change was sent.

    Attributes
    ----------
    field : str
        The parameter that is wrong; ``""`` if it is not a single one.
    """

    def __init__(self, message: str, *, field: str = "", hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.field = field


class ReadOnly(B24Error):
    """A call that changes something, refused because this client is read-only. No change was sent."""

    def __init__(self, why: str, *, hint: str = "Leave out read_only, and B24_READ_ONLY.") -> None:
        super().__init__(f"{why} No change was sent.", hint=hint)


class BadgeChanged(B24Error):
    """The portal holds another badge under this code than the caller saw. No change was sent for it.

    Attributes
    ----------
    seen : Badge or None
        The badge that the caller saw; ``None``: no badge.
    now : Badge or None
        The badge that the portal holds; ``None``: no badge.
    """

    def __init__(self, code: str, seen: Any, now: Any) -> None:
        pairs = zip(seen.to_wire().items(), now.to_wire().values(), strict=True) if seen and now else ()
        differences = [f"its {name} was {was!r} and is {has!r} now" for (name, was), has in pairs if was != has]
        what = ", ".join(differences) or f"it was {seen or 'not there'} and is {now or 'not there'} now"
        hint = "Look at it; if the change is still wanted, make it again."
        super().__init__(f"The badge {code!r} has changed: {what}. It was left alone.", hint=hint)
        self.seen = seen
        self.now = now


class JournalError(B24Error):
    """The journal can't be read or written. A change that can't be written to the journal is not sent."""


class TooLate(JournalError):
    """A task started too late and sent nothing: another process may have settled its steps in the journal already."""


class Interrupted(KeyboardInterrupt):
    """Ctrl-C ended a run; requests that were under way were finished. Its report says what was not sent.

    Attributes
    ----------
    report : Report
        What became of each step; steps that were not sent have the verdict ``not sent``. Of a fleet: what was found.
    """

    def __init__(self, report: Any) -> None:
        super().__init__(report)  # the only argument, so that it can be copied and pickled
        self.report = report

    def __str__(self) -> str:
        return f"Interrupted. {self.report!r}"


class ClientClosed(B24Error):
    """A call by a client that was closed. Nothing was sent."""


class TransportError(B24Error):
    """There is no usable answer.

    Attributes
    ----------
    method : str
        The REST method.
    sent : bool
        Whether the portal may have received the request, and so may have carried it out.
    http_status : int or None
        Status of the answer, if there was one.
    call : Call or None
        Its row in the call log.
    waited : float
        How many seconds before the error the last byte of the request was sent; 0 if that is not known.
    """

    call: Any = None
    sent = False
    waited = 0.0

    def __init__(
        self,
        message: str,
        *,
        method: str = "",
        hint: str = "",
        sent: bool | None = None,
        http_status: int | None = None,
    ) -> None:
        super().__init__(message, hint=hint)
        self.method = method
        self.http_status = http_status
        if sent is not None:
            self.sent = sent


class ConnectionFailed(TransportError):
    """The portal could not be reached, or the connection broke."""


class Timeout(TransportError):
    """No complete answer within the total time."""


class BadResponse(TransportError):
    """What came back is no answer of the REST API.

    It is HTML, incomplete JSON, a redirect, or too large.
    """

    sent = True


class NotApplied(TransportError):
    """The answer to a write was lost or proves nothing, and the portal shows no effect: it is safe to repeat."""


class OutcomeUnknown(TransportError):
    """Nobody knows whether a change was made, or by whom: the answers and the looks at the portal do not show it."""

    sent = True


class VaultError(TransportError):
    """There are no credentials for a portal, or a renewed token could not be stored. The call was not made."""


class ApiError(B24Error):
    """The portal answered with an error.

    Attributes
    ----------
    code : str
        The vendor's code; it can be ``"100"``, ``"0"`` or even ``""``.
    description : str
        The vendor's ``error_description``, its secrets masked and its control characters escaped; it can be empty.
    http_status : int or None
        Status of the answer; ``None`` for an error of one command inside a batch.
    method : str
        The REST method.
    fact : spec.ErrorFact or None
        What is known about this error; ``None``: nothing.
    """

    def __init__(self, code: str, description: str = "", *, http_status: int | None = None, method: str = "") -> None:
        self.code, self.description = code, description = _printable(code), _printable(description)
        self.http_status = http_status
        self.method = method
        self.fact = fact = find_fact(code, description, method)
        hint = fact.remedy if fact else "b24nb.catalogue() lists the errors that are known."
        where = ", ".join(part for part in (method, f"HTTP {http_status}" if http_status else "") if part)
        text = f"{code or '(empty code)'}: {description}" if description else (code or "(empty code)")
        super().__init__(f"{text} ({where})." if where else f"{text}.", hint=hint)
        if fact:  # Python and notebooks show a note below the traceback
            self.add_note(f"{fact.meaning} {fact.cause} Safe to repeat: {fact.repeat}.")


class NotFound(ApiError):
    """There is no such badge (or activity)."""


class AccessDenied(ApiError):
    """This user, application or tariff may not do that."""


class BadCredentials(ApiError):
    """The webhook or application was not accepted."""


class TokenExpired(ApiError):
    """The access token has expired, after one hour."""


class InsufficientScope(ApiError):
    """The webhook or token lacks a scope that the method needs."""


class BadArgument(ApiError):
    """A parameter is missing or wrong."""


class DuplicateCode(ApiError):
    """A badge with this code exists."""


class BadgeInUse(ApiError):
    """Open activities hold the badge, so the portal does not delete it."""


class RateLimited(ApiError):
    """Too many requests in a short time; refused before the method ran, so repeating is safe."""


class OperatingTimeExceeded(ApiError):
    """The method has used up its operating time for these credentials and is blocked for some minutes."""


class PortalUnavailable(ApiError):
    """The portal is closed, overloaded, unpaid or broken."""


class UnfinishedChanges(UserWarning):
    """The journal holds changes without a verdict, for example since their process was killed."""


class JournalNotWritten(UserWarning):
    """What became of a change could not be written to the journal, which holds its intent."""


class NotRestorable(UserWarning):
    """``add`` would refuse a badge that is about to be deleted, so perhaps no undo can restore it."""


class StoredDifferently(UserWarning):
    """The portal accepted a badge and stored other texts than were sent."""


class SecretInCell(UserWarning):
    """A notebook cell contains a webhook as text, which is saved with the notebook."""
