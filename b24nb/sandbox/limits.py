"""How much a portal lets through: requests per second, and working time per method.

The first sits in front of the portal and counts requests per source address; the second is the
portal's own and counts seconds of work per method and credential.

Vendor page: https://apidocs.bitrix24.com/limits.html
"""

from __future__ import annotations

from dataclasses import dataclass, field

from b24nb import spec


@dataclass(slots=True)
class LeakyBucket:
    """A counter that every request fills by one and that drains with time. Refused requests don't fill.

    >>> bucket = LeakyBucket()
    >>> tariff = spec.TARIFFS["standard"]
    >>> [bucket.admit(tariff, now=0.0) for _ in range(51)].count(True)
    50
    >>> bucket.admit(tariff, now=0.5)
    True
    """

    level: float = 0
    at: float | None = None

    def admit(self, tariff: spec.Tariff, now: float) -> bool:
        """Whether a request may pass now; if so it is counted."""
        elapsed = max(now - self.at, 0) if self.at is not None else 0
        self.level = max(self.level - elapsed * tariff.per_second, 0)
        self.at = now
        if self.level + 1 > tariff.burst:
            return False
        self.level += 1
        return True


@dataclass(slots=True)
class _Basket:
    created: float
    seconds: float


@dataclass(slots=True)
class OperatingTime:
    """Seconds of work of one method and credential in the last ten minutes, in ten baskets.

    A basket is made by the first counted call of its minute and lives ten minutes from then.

    >>> work = OperatingTime()
    >>> work.add(5.0, now=0.0); work.add(0.05, now=1.0); work.add(7.0, now=70.0)
    >>> work.seconds(now=70.0), work.reset_at(now=70.0), work.seconds(now=601.0)
    (12.0, 600.0, 7.0)
    """

    baskets: list[_Basket] = field(default_factory=list)

    def add(self, seconds: float, now: float) -> None:
        """Count a call; the short ones cost nothing."""
        if seconds <= spec.OPERATING_FREE_SECONDS:
            return
        self._drop_old(now)
        if not self.baskets or now >= self.baskets[-1].created + spec.OPERATING_BASKET_SECONDS:
            self.baskets.append(_Basket(now, 0))
        self.baskets[-1].seconds += seconds

    def seconds(self, now: float) -> float:
        """The sum of the live baskets."""
        self._drop_old(now)
        return sum(basket.seconds for basket in self.baskets)

    def reset_at(self, now: float) -> float:
        """When the oldest basket is emptied."""
        self._drop_old(now)
        return (self.baskets[0].created if self.baskets else now) + spec.OPERATING_WINDOW_SECONDS

    def _drop_old(self, now: float) -> None:
        while self.baskets and now >= self.baskets[0].created + spec.OPERATING_WINDOW_SECONDS:
            del self.baskets[0]
