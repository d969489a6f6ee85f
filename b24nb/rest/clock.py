"""The clock of the client, which tests replace so that they need not wait."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """The functions that the client needs of a clock; the module :mod:`time` has them."""

    def time(self) -> float:
        """Seconds since 1970, UTC."""

    def monotonic(self) -> float:
        """Seconds of a clock that never goes backwards."""

    def sleep(self, seconds: float, /) -> None:
        """Wait."""


SYSTEM_CLOCK: Clock = time
