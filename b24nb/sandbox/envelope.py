"""What stands around a result: the ``time`` block and the order of the envelope's keys."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from functools import lru_cache
from typing import Any

from b24nb.sandbox.calls import Answer
from b24nb.sandbox.limits import OperatingTime
from b24nb.sandbox.php import int_if_whole
from b24nb.sandbox.switches import Switches

#: The portal's own time zone. It is not the reader's, and the ``time`` block shows that.
TIME_ZONE = timezone(timedelta(hours=3))


def iso(at: float) -> str:
    """A time as portals write it: ``2026-05-14T10:26:32+03:00``."""
    return _iso(int(at))


@lru_cache(maxsize=8)  # thousands of answers may fall into one second
def _iso(second: int) -> str:
    return datetime.fromtimestamp(second, TIME_ZONE).isoformat()


def time_block(
    switches: Switches, start: float, processing: float, finish: float, work: OperatingTime | None
) -> dict[str, Any]:
    """The ``time`` of an answer, from the marks of a call: arrived, began to work, done.

    Newer builds have whole seconds in ``start`` and ``processing``, which makes ``duration``, finish
    minus start, up to a second too long. ``work`` is absent where the portal does not count.
    """
    mark = int if switches.integer_time else float
    block = {
        "start": int_if_whole(mark(start)),
        "finish": int_if_whole(finish),
        "duration": int_if_whole(finish - mark(start)),
        "processing": int_if_whole(mark(finish) - mark(processing)),
        "date_start": iso(start),
        "date_finish": iso(finish),
    }
    if work:
        block["operating_reset_at"] = int(work.reset_at(finish))
        block["operating"] = int_if_whole(work.seconds(finish))
    return block


def envelope(answer: Answer, time: dict[str, Any], signature: str | None = None) -> dict[str, Any]:
    """A success in the portal's order of keys: ``result``, ``next``, ``total``, ``signature``, ``time``."""
    body: dict[str, Any] = {"result": answer.result}
    if answer.next is not None:
        body["next"] = answer.next
    if answer.total is not None:
        body["total"] = answer.total
    if signature is not None:
        body["signature"] = signature
    body["time"] = time
    return body
