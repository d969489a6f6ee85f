"""The two limits of a portal as the client sees them: request rate and operating time."""

from __future__ import annotations

import math
import random
import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from b24nb import spec
from b24nb.errors import InvalidInput
from b24nb.rest.clock import Clock

if TYPE_CHECKING:
    import pandas as pd
    from markupsafe import Markup

    from b24nb.display.html import Message

#: Room that is kept free in the bucket, since the portal's clock may differ a little from ours.
_RESERVE = 0.5
_LONGEST_PAUSE = 8.0
#: Seconds until a client that slowed down has its full rate again; least seconds between two slow-downs.
_RECOVERY, _BETWEEN_SLOW_DOWNS = 60, 2
_LIMIT = spec.OPERATING_LIMIT_SECONDS
#: Less than this is an error of adding: a call that costs nothing would make millions possible.
_ROUNDING = 0.001
_NO_LIMIT = "Requests: no limit; this portal does not count them."


class LeakyBucket:
    """The request rate: every request adds one, the bucket drains steadily, and a full bucket means a refusal.

    It counts the requests of this client only; other clients of the same address fill the portal's bucket too.

    Parameters
    ----------
    tariff : str
        Name of a tariff in :data:`b24nb.spec.TARIFFS`.
    clock : Clock
        For the draining and waiting.

    Attributes
    ----------
    enforced : bool
        Whether the portal has refused a request. Not every portal counts requests; if it does, to wait before
        sending is quicker than to be refused.
    """

    def __init__(self, tariff: str, clock: Clock) -> None:
        if not isinstance(tariff, str) or tariff not in spec.TARIFFS:
            hint = f"One of: {', '.join(spec.TARIFFS)}."
            raise InvalidInput(f"There is no tariff {tariff!r}.", field="tariff", hint=hint)
        self.tariff = spec.TARIFFS[tariff]
        self._clock = clock
        self._lock = threading.RLock()
        self._level = 0.0
        self._at = self._slowed_at = clock.monotonic()
        self._per_second = self.tariff.per_second
        self.enforced = False

    def _drain(self) -> None:
        with self._lock:
            now = self._clock.monotonic()
            passed, self._at = now - self._at, now
            self._level = max(0.0, self._level - passed * self._per_second)
            full = self.tariff.per_second
            self._per_second = min(full, self._per_second + passed * full / _RECOVERY)

    @property
    def level(self) -> float:
        """How many requests are in the bucket, without those that wait for room."""
        self._drain()
        return min(self._level, self.tariff.burst)

    @property
    def per_second(self) -> float:
        """How many requests drain per second: fewer than the tariff allows after a slow-down."""
        self._drain()
        return self._per_second

    def seconds_until(self, requests: int = 1) -> float:
        """Seconds until so many requests at once will not be refused; ``inf`` for more than the bucket holds."""
        room = self.tariff.burst - _RESERVE
        if requests > room:
            return math.inf
        self._drain()
        return max(0.0, (self._level + requests - room) / self._per_second)

    def enter(self, *, wait: bool) -> None:
        """Add a request to the bucket; first wait for room if ``wait``, or if the portal has refused one before.

        Without the wait the portal refuses the request if there is no room, or it counts less strictly than we do.
        So then the level rises at most to the rim. Threads that wait are served in order.
        """
        with self._lock:
            self._drain()
            if wait or self.enforced:
                pause = self.seconds_until()
                self._level += 1
            else:
                pause, self._level = 0.0, max(self._level, min(self._level + 1, self.tariff.burst))
        # The request was counted before this wait, so that no other thread takes its place.
        if pause:
            self._clock.sleep(pause)

    def overflowed(self) -> None:
        """The portal refused a request, so its bucket is full, whatever we counted.

        If it still refuses after we have waited, other clients fill it too: then this client slows down.
        """
        with self._lock:
            self._drain()
            self._level = max(self._level, float(self.tariff.burst))
            if not self.enforced:
                self.enforced, self._slowed_at = True, self._at
            elif self._at - self._slowed_at > _BETWEEN_SLOW_DOWNS:
                self._slowed_at = self._at
                self._per_second = max(self._per_second / 2, self.tariff.per_second / 64)

    def refused(self, times: int, at_least: float) -> None:
        """Wait after the ``times``-th refusal of a call.

        The pause is random and grows, so that other clients of the same address that were refused, too, do not
        all send again at the same moment.
        """
        self.overflowed()
        most = min(2**times / 2, _LONGEST_PAUSE)
        self._clock.sleep(max(at_least, random.uniform(0, most)))  # noqa: S311 - no secret


class Operating(NamedTuple):
    """Operating time of one method, as last reported.

    Attributes
    ----------
    seconds, reset_at
        The accumulated seconds, and when the oldest part of them stops counting.
    reported_at
        Ten minutes later none of them counts any more.
    per_call : float or None
        What was added by the last call that added anything.
    blocked : bool
        Whether the portal has refused the method since.
    """

    seconds: float
    reset_at: float
    reported_at: float
    per_call: float | None = None
    blocked: bool = False

    @property
    def until(self) -> float:
        """``reset_at`` by our clock, which may be behind the portal's: nothing counts longer than the window."""
        return min(self.reset_at, self.reported_at + spec.OPERATING_WINDOW_SECONDS)

    def used(self, now: float) -> float:
        """The seconds that may still count. They expire in parts, and the portal states only when the first does."""
        return self.seconds if now < self.reported_at + spec.OPERATING_WINDOW_SECONDS else 0.0

    def calls_left(self, now: float) -> int | None:
        """How many more calls of ``per_call`` seconds are possible; ``None`` if that is not known."""
        left = _LIMIT - self.used(now)
        if now < self.until and (self.blocked or left < 0):
            return 0
        # The call that exceeds the limit still succeeds. How many seconds expire at the reset is not known.
        return int(left // self.per_call) + 1 if self.per_call and left >= 0 else None

    def forecast(self, now: float) -> str:
        """How many more calls are possible, as text."""
        left = self.calls_left(now)
        if left == 0:  # when a part of the seconds stops counting, the rest may still be too much
            least = self.reset_at < self.reported_at + spec.OPERATING_WINDOW_SECONDS
            end = f"{datetime.fromtimestamp(self.until, UTC):%H:%M:%S} UTC"
            return f", blocked until at least {end}" if least else f", blocked until {end} at the latest"
        return "" if left is None else f", about {left} more {'call' if left == 1 else 'calls'}"


class Limits:
    """How near the limits are. Shown as text, HTML and ``.df``; showing it sends nothing."""

    def __init__(self, bucket: LeakyBucket, clock: Clock) -> None:
        self.bucket = bucket
        self._clock = clock
        self._operating: dict[str, Operating] = {}

    def note_reported(self, method: str, seconds: float | None, reset_at: float | None, waited: float) -> None:
        """Take note of ``operating`` and ``operating_reset_at`` of an answer.

        The first figure may include calls of earlier programs, and from the next reset on a part has expired: if
        such a figure is more than the caller waited, only the next one shows what a call adds.

        Parameters
        ----------
        method : str
            The method that was called.
        seconds, reset_at : float or None
            What the answer states: the seconds used up, and when (Unix time) some of them stop counting.
        waited : float
            How long the caller waited, in seconds. 0 for a command of a batch: each states the sum of all of them.
        """
        if seconds is None or reset_at is None:
            return
        known = self._operating.get(method.lower())
        before = known if known and known.reset_at >= reset_at else None
        per_call = known.per_call if known else None
        if waited and (before or seconds <= waited):
            grown = seconds - (before.seconds if before else 0)
            per_call = grown if grown > _ROUNDING else per_call
        self._operating[method.lower()] = Operating(seconds, reset_at, self._clock.time(), per_call)

    def note_blocked(self, method: str) -> None:
        """Note that the portal answered ``OPERATION_TIME_LIMIT``; its limit may be lower than the documented one.

        Parameters
        ----------
        method : str
            The method that was refused.
        """
        now = self._clock.time()
        known = self._operating.get(method.lower())
        if known is None or now >= known.until:
            end = now + spec.OPERATING_WINDOW_SECONDS
            known = Operating(float(_LIMIT), end, now, known.per_call if known else None)
        self._operating[method.lower()] = known._replace(blocked=True)

    @property
    def rate(self) -> pd.DataFrame:
        """The request rate: how long until a burst of so many requests is safe.

        Columns: ``burst``, requests at once; ``seconds_until_safe``; ``level, capacity``, requests in the
        bucket and how many it holds (``inf``: no limit); ``drains_per_s``. As this client sees it: others
        on the same address fill the bucket too.
        """
        import pandas as pd

        tariff = self.bucket.tariff
        bursts = [1, 10, 25, int(tariff.burst - _RESERVE) if tariff.limited else 50]
        columns = {
            "burst": bursts,
            "seconds_until_safe": [self.bucket.seconds_until(burst) for burst in bursts],
            "level": self.bucket.level,
            "capacity": tariff.burst if tariff.limited else math.inf,
            "drains_per_s": self.bucket.per_second if tariff.limited else math.inf,
        }
        return pd.DataFrame(columns)

    @property
    def df(self) -> pd.DataFrame:
        """A row per method that has cost operating time.

        Columns: ``method``; commands of a batch have a row of their own, since a portal may count them
        separately, or not at all; ``operating_s``, accumulated, as reported; ``limit_s``, the documented limit;
        ``calls_left``: how many more calls are possible that cost as much as the last one that cost anything (NA:
        no call did, or commands of a batch; 0: after a refusal); ``reset_at`` (UTC). With several threads at once,
        whose answers overtake each other, the figures are approximate.
        """
        import pandas as pd

        now, methods = self._counting()
        rows = [(name, one.used(now), float(_LIMIT), one.calls_left(now), one.until) for name, one in methods]
        frame = pd.DataFrame(rows, columns=["method", "operating_s", "limit_s", "calls_left", "reset_at"])
        frame["reset_at"] = pd.to_datetime(frame["reset_at"].astype("Float64"), unit="s", utc=True).dt.as_unit("us")
        return frame.astype({"method": "string", "operating_s": "Float64", "limit_s": "float64", "calls_left": "Int64"})

    def __repr__(self) -> str:
        bucket, rate = self.bucket, _NO_LIMIT
        if bucket.tariff.limited:
            rate = f"Requests: {bucket.level:.0f} of {bucket.tariff.burst} in the bucket as this client sees it, "
            rate += f"draining {bucket.per_second:.2g}/s; {self._safe()}. Others on the same address fill it too."
        used = [f"{name}: {seconds:g} of {_LIMIT} {words}" for name, seconds, words in self._used()]
        return "\n".join([rate, *used])

    def _counting(self) -> tuple[float, list[tuple[str, Operating]]]:
        """The time, and the methods that have cost operating time."""
        now, methods = self._clock.time(), sorted(self._operating.items())
        return now, [(name, one) for name, one in methods if one.used(now) or one.calls_left(now) is not None]

    def _used(self) -> list[tuple[str, float, str]]:
        """For each method: name, seconds used up, and the text that follows the number."""
        now, methods = self._counting()
        return [(name, one.used(now), f"s operating time{one.forecast(now)}") for name, one in methods]

    def _safe(self) -> str:
        most = int(self.bucket.tariff.burst - _RESERVE)
        wait = self.bucket.seconds_until(most)
        later = f", {most} after {math.ceil(wait)} s" if wait else ""
        return f"{max(0, int(most - self.bucket.level))} at once are safe now{later}"

    def _repr_html_(self) -> str:
        from b24nb.display import html

        return html.page(*self.gauges())

    def gauges(self) -> list[Markup | Message]:
        """A bar for each limit, as HTML.

        Returns
        -------
        list of Markup or Message
            The request rate first, then each method that has cost operating time.
        """
        from b24nb.display import html

        bucket = self.bucket
        rate: Markup | Message = html.Message("note", _NO_LIMIT)
        if bucket.tariff.limited:
            label = "Request rate (this client only; others on the same address fill the bucket too)"
            rate = html.gauge(label, round(bucket.level), bucket.tariff.burst, f"requests; {self._safe()}")
        return [rate, *(html.gauge(name, seconds, _LIMIT, words) for name, seconds, words in self._used() if seconds)]
