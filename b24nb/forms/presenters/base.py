"""What every presenter does around its work: one click is one request, a fault is a sentence."""

from __future__ import annotations

import threading
import time
import warnings
from collections.abc import Callable, Hashable, Iterator, Sized
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Generic, Literal, TypeVar

from b24nb.errors import B24Error, InvalidInput
from b24nb.forms.presenters.desk import Desk
from b24nb.forms.presenters.state import FormState, Message, standing_notices, told
from b24nb.rest.calls import CallLog

if TYPE_CHECKING:
    import pandas as pd

S = TypeVar("S", bound=FormState)

#: A click this soon after the same change was sent is the echo of a double click, not a decision.
ECHO_SECONDS = 1.0
BUSY = Message("note", "Still at work on the last click.")
TIMINGS = (
    *("at", "kind", "method", "key", "attempts", "http_status", "error", "outcome"),
    *("client_ms", "server_ms", "network_ms", "processing_ms"),
    *("operating_s", "operating_reset_at", "bytes_out", "bytes_in"),
)
ECHO = "Already sent: the second click was not sent again."


class Turnstile:
    """Lets one click through at a time, and no echo of the last change.

    Disabling a button does not stop a double click: both clicks are in the queue before the first one
    is handled, and they may be handled on different threads.

    Parameters
    ----------
    clock : callable
        Seconds that only go forward.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self.busy = False
        self._last: Hashable = None
        self._at = 0.0

    def enter(self, change: Hashable) -> Literal["free", "busy", "echo"]:
        """Whether this click may pass; where it is ``free``, :meth:`leave` has to follow.

        Parameters
        ----------
        change : hashable
            What would be changed, ``None`` for a click that only reads.
        """
        with self._lock:
            echo = change is not None and change == self._last
            if echo and (self.busy or self._clock() - self._at < ECHO_SECONDS):
                return "echo"
            if self.busy:
                return "busy"
            self.busy = True
            if change is not None:
                self._last = change
            return "free"

    def leave(self, change: Hashable, *, sent: bool) -> None:
        """The work is done; the second counts from here, since the echo waited in the queue."""
        with self._lock:
            self.busy = False
            if change is not None:
                self._last = change if sent else None
                self._at = self._clock()


class Presenter(Generic[S]):
    """Turns field values into states. It knows neither widgets nor HTML, and may run on any thread.

    Parameters
    ----------
    desk : Desk
        The portal, and what the forms of one explorer share.
    clock : callable
        Seconds that only go forward; for tests.

    Attributes
    ----------
    state : FormState
        The last one made.
    notices : tuple of Message
        What will go wrong whatever is clicked, as far as the portal told when connecting.
    cancel : threading.Event
        Set, it ends the work between two steps.
    calls : CallLog
        The calls of this form.
    progress : callable
        Called with a sentence, steps done, and steps in all (0: not known).
    """

    changes = False
    blank: S

    def __init__(self, desk: Desk, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.desk = desk
        self.b24 = desk.b24
        self.state: S = self.blank
        self.notices = standing_notices(desk.b24.portal, changes=self.changes)
        self.cancel = threading.Event()
        self.progress: Callable[[str, int, int], None] = lambda text, done, total: None
        self._turnstile = Turnstile(clock)
        self.calls = CallLog(desk.b24.calls.limits)

    @property
    def at_work(self) -> bool:
        """Whether something is being sent; its state is still to come."""
        return self._turnstile.busy

    @property
    def count(self) -> int:
        """Calls so far, those included that the log has let go."""
        return self.calls.dropped + len(self.calls)

    @property
    def timings(self) -> pd.DataFrame:
        """What was called while this form was at work, a row per call.

        Columns: ``at`` (UTC), ``kind`` (``http``, or ``command`` of a batch), ``method, key, attempts,
        http_status, error, outcome``; in milliseconds ``client_ms`` (what was waited, by the last
        attempt), ``server_ms`` and ``processing_ms`` (by the portal's ``time`` block), ``network_ms`` (the
        difference of the first two); ``operating_s, operating_reset_at, bytes_out, bytes_in``.
        """
        frame = self.calls.df
        repeated = frame["attempt"].shift(-1, fill_value=1) > frame["attempt"]
        frame = frame[~repeated].reset_index(drop=True).rename(columns={"attempt": "attempts"})
        frame["network_ms"] = frame["client_ms"] - frame["server_ms"]
        return frame[list(TIMINGS)]

    def send(self, work: Callable[[], S], *, change: Hashable = None) -> S:
        """Do work that may send, once, and turn what goes wrong into a state.

        Parameters
        ----------
        work : callable
            Makes the new state; one with the phase ``invalid`` says that nothing was sent.
        change : hashable, optional
            What it changes, so that an identical second click is known; ``None``: it only reads.
        """
        passage = self._turnstile.enter(change)
        if passage != "free":
            before = self.state.message
            echo = before and passage == "echo" and replace(before, text=f"{before.text} {ECHO}")
            return replace(self.state, message=echo or BUSY)
        self.cancel.clear()
        state = self.state
        try:
            with self._recording():
                try:
                    state = work()
                except B24Error as error:
                    state = self.failed(error)
            return self.settle(replace(state, call=self.calls.last))
        finally:
            self._turnstile.leave(change, sent=state.phase != "invalid")

    @contextmanager
    def _recording(self) -> Iterator[None]:
        """Copy what the client's log gains meanwhile to the log of this form."""
        log = self.b24.calls
        before = log.dropped + len(log)
        try:
            yield
        finally:
            for call in log[max(0, before - log.dropped) :]:
                self.calls.record(call)

    def load(self) -> S:
        """List the badges, so that their codes can be chosen from."""
        return self.send(self._load)

    def _load(self) -> S:
        badges = self.b24.badges.list()
        self.desk.see(badges)
        text = f"{counted(badges)} to choose from."
        return replace(self.state, field_errors={}, message=Message("note", text))

    def failed(self, error: B24Error) -> S:
        """The state after an error; a result that it would sit next to misleadingly is dropped."""
        wrong = {error.field: error.message} if isinstance(error, InvalidInput) and error.field else {}
        return replace(self.blank, phase="failed", message=told(error), field_errors=wrong)

    def settle(self, state: S) -> S:
        """Keep a state as the last one."""
        self.state = state
        return state


@contextmanager
def unwarned(category: type[Warning] | None) -> Iterator[None]:
    """Without a warning that the form has given already; Python's filters are touched only if need be."""
    if category is None:
        yield
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", category)
        yield


def counted(badges: Sized) -> str:
    """``1 badge``, ``2 badges``."""
    return f"{len(badges)} badge{'s' * (len(badges) != 1)}"
