"""Trouble on demand: errors by their code, and answers that get lost on the way.

``portal.faults.next("QUERY_LIMIT_EXCEEDED", times=2)`` makes the next two requests fail so;
``portal.faults.next("reset", method="crm.activity.badge.delete", after_effect=True)`` deletes the badge
and resets the connection instead of saying so.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Literal, NamedTuple

from b24nb import spec
from b24nb.sandbox.calls import Refusal

#: Kinds of broken answers, each with what the reader of the answer meets.
TRANSPORT: Mapping[str, str] = {
    "reset": "the connection is reset before a byte of the answer",
    "cut": "the connection ends halfway through the answer",
    "hang": "no answer for `seconds`, then the connection closes",
    "drip": "one byte of the answer every `seconds`",
    "html": "an HTML page with `status`; 302 leads to another host",
    "empty": "status 200 and no body",
    "charset": "a body in windows-1251 that claims to be UTF-8",
    "gzip": "a body that claims to be gzip and is not",
    "list": "a JSON list where an envelope should be",
    "oversized": "`size` bytes of JSON",
}
Effect = Literal["none", "before", "later"]


class Fault(NamedTuple):
    """One trouble in store.

    ``effect`` says what becomes of the call: ``none`` (it is not run), ``before`` (it runs, then its
    answer is replaced or lost), ``later`` (it runs ``delay`` seconds after the connection died).
    """

    kind: str
    times: int
    method: str | None
    effect: Effect
    delay: float = 0
    refusal: Refusal | None = None
    status: int = 502
    seconds: float = 3600
    size: int = 0


class Faults:
    """The troubles that a portal has in store, first come, first served."""

    def __init__(self) -> None:
        self._queue: list[Fault] = []
        self._lock = threading.Lock()

    def next(
        self,
        what: str,
        *,
        times: int = 1,
        method: str | None = None,
        after_effect: bool = False,
        effect_after: float | None = None,
        description: str | None = None,
        status: int | None = None,
        seconds: float | None = None,
        size: int = 100_000_000,
    ) -> None:
        """Let the next requests fail.

        Parameters
        ----------
        what : str
            A code of :func:`b24nb.spec.error_facts` (``"QUERY_LIMIT_EXCEEDED"``), or ``"reset"``,
            ``"cut"``, ``"hang"``, ``"drip"``, ``"html"``, ``"empty"``, ``"charset"``, ``"gzip"``,
            ``"list"``, ``"oversized"``.
        times : int
            How many requests.
        method : str, optional
            Only calls of this method. An error by code also meets commands of a batch by their method.
            ``"oauth/token"`` is the token endpoint. ``None``: the next requests, whatever they call.
        after_effect : bool
            The call is carried out all the same.
        effect_after : float, optional
            The call is carried out this many seconds after its connection died.
        description : str, optional
            For a code with several texts: which (its beginning is enough). With ``status``: the text
            of an error that is not known yet.
        status : int, optional
            HTTP status, if it is to differ from the observed one; for ``"html"`` 502 by default.
        seconds : float, optional
            How long ``"hang"`` lasts, or the pause between two bytes of ``"drip"`` (1 by default).
        size : int
            Bytes of ``"oversized"``.

        Raises
        ------
        ValueError
            Neither a known code nor a kind of broken answer.
        """
        effect: Effect = "before" if after_effect else "none" if effect_after is None else "later"
        fault = Fault(
            kind=what if what in TRANSPORT else "error",
            times=times,
            method=method.lower() if method else None,
            effect=effect,
            delay=effect_after or 0,
            refusal=None if what in TRANSPORT else _refusal(what, description, status),
            status=status or 502,
            seconds=seconds if seconds is not None else (1 if what == "drip" else 3600),
            size=size,
        )
        with self._lock:
            self._queue.append(fault)

    def take(self, method: str, *, command: bool = False) -> Fault | None:
        """The fault that meets this call, used up once. Commands of a batch are met by name only."""
        if not self._queue:
            return None
        method = method.lower()
        with self._lock:
            for index, fault in enumerate(self._queue):
                suits_command = fault.method is not None and fault.kind == "error"
                if fault.method in (None, method) and (suits_command or not command):
                    left = fault._replace(times=fault.times - 1)
                    self._queue[index : index + 1] = [left] if left.times > 0 else []
                    return fault
        return None

    def clear(self) -> None:
        """Forget what is in store."""
        with self._lock:
            self._queue.clear()

    def __len__(self) -> int:
        return sum(fault.times for fault in self._queue)


def _refusal(code: str, description: str | None, status: int | None) -> Refusal:
    facts = [fact for fact in spec.error_facts() if fact.code == code]
    if not facts and (description is None or status is None):
        raise ValueError(
            f"{code!r} is neither a code of spec.error_facts() nor one of {', '.join(TRANSPORT)}."
            " Give description and status for an error that nobody has described yet."
        )
    wanted = description or ""
    facts.sort(key=lambda fact: (fact.message != wanted, not fact.message.startswith(wanted)))
    message, observed = description or "", 400
    if facts:
        observed = facts[0].http_observed or facts[0].http_documented or observed
        message = facts[0].message if facts[0].message.startswith(wanted) else message
    return Refusal(code, message, status or observed)
