"""The two limits of a portal: the request rate, and the operating time per method.

The first is applied before the REST API and counts requests per source address; the second counts seconds of
work per method and credential.

Vendor page: https://apidocs.bitrix24.com/limits.html
"""

from __future__ import annotations

import math

from b24nb import spec


class LeakyBucket:
    """A level to which every request adds one, and which drains with time. Refused requests add nothing.

    >>> bucket = LeakyBucket()
    >>> tariff = spec.TARIFFS["standard"]
    >>> [bucket.admit(tariff, now=0.0) for _ in range(51)].count(True)
    50
    >>> bucket.admit(tariff, now=0.5)
    True
    """

    def __init__(self) -> None:
        self.level: float = 0
        self._at = -math.inf

    def admit(self, tariff: spec.Tariff, now: float) -> bool:
        """Whether a request is allowed now; if so it is counted."""
        self.level = max(self.level - max(now - self._at, 0) * tariff.per_second, 0)
        self._at = now
        if self.level + 1 > tariff.burst:
            return False
        self.level += 1
        return True


class OperatingTime:
    """Seconds of work of one method and credential in the last ten minutes, in ten baskets.

    A basket is made by the first counted call of its minute and expires ten minutes later.

    >>> work = OperatingTime()
    >>> work.add(5.0, now=0.0); work.add(0.05, now=1.0); work.add(7.0, now=70.0)
    >>> work.seconds(now=70.0), work.reset_at(now=70.0), work.seconds(now=601.0)
    (12.0, 600.0, 7.0)
    """

    def __init__(self) -> None:
        self._baskets: list[list[float]] = []  # [made at, seconds], the oldest first

    def add(self, seconds: float, now: float) -> None:
        """Count a call; short calls add nothing."""
        if seconds <= spec.OPERATING_FREE_SECONDS:
            return
        self._drop_old(now)
        if not self._baskets or now >= self._baskets[-1][0] + spec.OPERATING_BASKET_SECONDS:
            self._baskets.append([now, 0])
        self._baskets[-1][1] += seconds

    def seconds(self, now: float) -> float:
        """The sum of the baskets that have not expired."""
        self._drop_old(now)
        return sum(seconds for _, seconds in self._baskets)

    def reset_at(self, now: float) -> float:
        """When the oldest basket expires."""
        self._drop_old(now)
        return (self._baskets[0][0] if self._baskets else now) + spec.OPERATING_WINDOW_SECONDS

    def _drop_old(self, now: float) -> None:
        while self._baskets and now >= self._baskets[0][0] + spec.OPERATING_WINDOW_SECONDS:
            del self._baskets[0]
