"""Simulated faults: errors by their code, and answers that are lost or broken.

``portal.faults.next("QUERY_LIMIT_EXCEEDED", times=2)`` makes the next two requests fail so;
``portal.faults.next("reset", method="crm.activity.badge.delete", after_effect=True)`` deletes the badge
and resets the connection instead of saying so.
"""

from __future__ import annotations

import asyncio
import re
import socket
import struct
import threading
from collections.abc import AsyncIterator
from typing import Literal, NamedTuple

from tornado.http1connection import HTTP1Connection
from tornado.iostream import IOStream, StreamClosedError

from b24nb import spec
from b24nb.sandbox.http_messages import Reply, Request, head, reason
from b24nb.sandbox.rest_method import Refusal

#: Kinds of broken answers; :meth:`Faults.next` says what each is.
BROKEN = ("reset", "cut", "hang", "drip", "html", "empty", "charset", "gzip", "list", "oversized")
Effect = Literal["none", "before", "later"]
#: Values for the placeholders in the texts of errors. ``localised_text`` is replaced by the error's meaning.
_EXAMPLES = (
    "code=missedCall name=code value=5 type=string field=title language=xx limit=30 column=TITLE row=1 number=1205"
    " text=Deadlock detail=Administrator controller=Bitrix\\Crm\\Controller\\Activity\\Badge action=update"
)
#: The target of a redirect; the name can't be resolved.
RENAMED_HOST = "renamed-portal.bitrix24.example"
_HTML = "text/html; charset=utf-8"
_CHUNK = 1 << 20
#: Bodies that are sent in place of the answer's.
_INSTEAD = {"empty": b"", "list": b"[]", "charset": '{"result":"Звонок пропущен"}'.encode("windows-1251")}


class Fault(NamedTuple):
    """One simulated fault of the next ``times`` calls.

    ``effect`` says what becomes of the call: ``none`` (it is not run), ``before`` (it runs, then its
    answer is replaced or lost), ``later`` (it runs ``delay`` seconds after the connection was closed).
    """

    kind: str
    times: int
    method: str | None
    effect: Effect
    delay: float = 0
    refusal: Refusal | None = None
    status: int | None = None
    seconds: float = 3600
    size: int = 0


class Faults:
    """The queue of a portal's simulated faults; each call takes the first one that fits."""

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
            A code of :func:`b24nb.spec.error_facts` (``"QUERY_LIMIT_EXCEEDED"``), or a kind of broken answer:
            ``"reset"`` (the connection is reset before a byte of the answer), ``"cut"`` (half of the answer),
            ``"hang"`` (no answer for ``seconds``, then the connection closes), ``"drip"`` (a byte every
            ``seconds``), ``"html"`` (a page with ``status``; 302 redirects to another host), ``"empty"``
            (no body), ``"charset"`` (windows-1251 declared as UTF-8), ``"gzip"`` (plain JSON
            declared as gzip), ``"list"`` (a list instead of an envelope), ``"oversized"`` (``size`` bytes).
        times : int
            How many requests.
        method : str, optional
            Only calls of this method. An error by code also applies to commands of a batch with this method. A portal
            refuses a whole request for its credentials or its rate: use ``"batch"`` for these errors.
            ``"oauth.token"`` is the token endpoint. ``None``: the next requests, whatever they call.
        after_effect : bool
            Whether the call is carried out before it fails.
        effect_after : float, optional
            For a broken answer: the call is carried out this many seconds after its connection was closed.
        description : str, optional
            For a code with several texts: which one (its beginning is enough; usually that for a webhook, in
            English). With ``status``: the text of an error that is not known yet.
        status : int, optional
            HTTP status, if it should differ from the observed one; ``"html"`` has 502 by default.
        seconds : float, optional
            How long ``"hang"`` lasts, or the pause between two bytes of ``"drip"`` (1 by default).
        size : int
            Bytes of ``"oversized"``.

        Raises
        ------
        ValueError
            ``what`` is neither a known code nor a kind of broken answer, or ``times`` or an effect is not possible.

        Examples
        --------
        >>> import b24nb
        >>> with b24nb.SandboxPortal() as portal, b24nb.connect(portal) as b24:
        ...     portal.faults.next("reset", method="crm.activity.badge.delete", after_effect=True)
        ...     badge = b24.badges.delete("newsletter")
        ...     b24.calls.df[["method", "error", "outcome"]].iloc[1].to_list()
        ['crm.activity.badge.delete', 'ConnectionFailed', 'seen']
        """
        if times < 1:
            raise ValueError("times is how many requests fail: 1 or more; clear() removes all faults")
        if effect_after is not None and (after_effect or what not in BROKEN):
            raise ValueError(f"effect_after goes without after_effect, and with one of {', '.join(BROKEN)}")
        effect: Effect = "before" if after_effect else "none" if effect_after is None else "later"
        fault = Fault(
            kind=what if what in BROKEN else "error",
            times=times,
            method=method.lower().replace("oauth.token", "oauth/token") if method else None,
            effect=effect,
            delay=effect_after or 0,
            refusal=None if what in BROKEN else _refusal(what, method, description, status),
            status=status,
            seconds=seconds if seconds is not None else (1 if what == "drip" else 3600),
            size=size,
        )
        with self._lock:
            self._queue.append(fault)

    def take(self, method: str, *, command: bool = False) -> Fault | None:
        """The fault for this call; its ``times`` is reduced by one.

        Parameters
        ----------
        method : str
            The method that is called, in any letter case.
        command : bool
            Whether it is a command of a batch: only faults with a method apply to those.

        Returns
        -------
        Fault or None
        """
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
        """Remove all faults; effects that are due later (``effect_after``) still come."""
        with self._lock:
            self._queue.clear()

    def __len__(self) -> int:
        return sum(fault.times for fault in self._queue)


def _refusal(code: str, method: str | None, description: str | None, status: int | None) -> Refusal:
    """An error as a portal sends it. If a code has several meanings, the description decides, then the method."""
    facts = [fact for fact in spec.error_facts() if fact.code == code]
    if not facts and (description is None or status is None):
        raise ValueError(
            f"{code!r} is neither a code of spec.error_facts() nor one of {', '.join(BROKEN)}."
            " Give description and status for an error that nobody has described yet."
        )
    wanted, message, observed = description or "", description or "", 400
    if facts:

        def fit(fact: spec.ErrorFact) -> tuple[bool, ...]:
            return fact.message == description, fact.message.startswith(wanted), method in fact.methods

        fact = max(facts, key=fit)
        observed = fact.http_observed or fact.http_documented or observed
        if fact.message.startswith(wanted):
            examples = dict(pair.split("=") for pair in _EXAMPLES.split())
            examples["localised_text"] = fact.meaning
            message = re.sub(r"\{(\w+)\}", lambda found: examples[found[1]], fact.message)
    return Refusal(code, message, status or observed)


# -- broken answers -------------------------------------------------------------------------------


async def send_broken(connection: HTTP1Connection, fault: Fault, reply: Reply, request: Request) -> None:
    """Send the broken answer of a fault, and close the connection; from then on the call of a late effect waits."""
    stream: IOStream = connection.detach()
    try:
        if fault.kind == "reset":  # closing with a linger time of zero sends RST instead of FIN
            stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        elif fault.kind == "hang" and not stream.closed():
            closed = asyncio.Event()
            stream.set_close_callback(closed.set)
            await asyncio.wait_for(closed.wait(), fault.seconds)
        else:
            async for data in _broken(fault, reply, request.target):
                await stream.write(data)
    except (StreamClosedError, TimeoutError):
        pass  # the client has closed the connection, or the time of the fault is over
    finally:
        request.run_late()
        stream.close()


async def _broken(fault: Fault, reply: Reply, target: str) -> AsyncIterator[bytes]:
    body, kind, status = reply.body, reply.content_type, reply.status
    if fault.kind == "html":
        location = f"Location: https://{RENAMED_HOST}{target}\r\n" if status == 302 else ""
        title = f"{status} {reason(status)}"
        page = f"<html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>".encode()
        yield head(status, _HTML, len(page), location) + page
    elif fault.kind == "drip":
        yield head(status, kind, len(body) + 1)  # it never becomes whole
        for index in range(len(body)):
            yield body[index : index + 1]
            await asyncio.sleep(fault.seconds)
    elif fault.kind == "oversized":
        yield head(status, kind, fault.size) + b'{"result":"'
        for start in range(0, fault.size - 13, _CHUNK):
            yield b"x" * min(fault.size - 13 - start, _CHUNK)
        yield b'"}'
    else:
        body = _INSTEAD.get(fault.kind, body)
        encoding = "Content-Encoding: gzip\r\n" if fault.kind == "gzip" else ""
        end = len(body) // 2 if fault.kind == "cut" else len(body)
        yield head(status, kind, len(body), encoding) + body[:end]
