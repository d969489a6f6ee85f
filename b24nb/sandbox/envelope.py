"""What stands around a result: the ``time`` block and the order of the envelope's keys."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from functools import lru_cache
from typing import Any, NamedTuple

from b24nb import spec
from b24nb.sandbox.calls import Answer
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


class Timing(NamedTuple):
    """The marks of one call. ``operating`` is ``None`` where the portal does not count."""

    start: float
    processing_start: float
    finish: float
    operating: float | None = None
    reset_at: float | None = None

    def block(self, switches: Switches) -> dict[str, Any]:
        """The ``time`` of an answer.

        Newer builds have whole seconds in ``start`` and ``processing``, which makes ``duration``,
        finish minus start, up to a second too long.
        """
        whole = switches.integer_time
        start = int(self.start) if whole else int_if_whole(self.start)
        processing = (
            int(self.finish) - int(self.processing_start) if whole else self.finish - self.processing_start
        )
        block = {
            "start": start,
            "finish": int_if_whole(self.finish),
            "duration": int_if_whole(self.finish - start),
            "processing": int_if_whole(processing),
            "date_start": iso(self.start),
            "date_finish": iso(self.finish),
        }
        if self.operating is not None:
            reset_at = self.reset_at or self.start + spec.OPERATING_WINDOW_SECONDS
            block |= {"operating_reset_at": int(reset_at), "operating": int_if_whole(self.operating)}
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
