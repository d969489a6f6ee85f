"""Time that passes only when it is told to: one clock for client and sandbox."""

from __future__ import annotations

import threading
import time


class FakeClock:
    """A clock for both sides: called, it gives the time of day as the sandbox wants it; ``time``,
    ``monotonic`` and ``sleep`` are what the client wants. Sleeping advances it at once."""

    def __init__(self, start: float = 1_764_000_000.0) -> None:
        self._now = start
        self._lock = threading.Lock()

    def __call__(self) -> float:
        return self._now

    time = monotonic = __call__

    def advance(self, seconds: float) -> None:
        with self._lock:
            self._now += seconds

    def sleep(self, seconds: float) -> None:
        if seconds < 0:
            raise ValueError("sleep length must be non-negative")
        self.advance(seconds)
        time.sleep(0)  # let other threads see the new time
