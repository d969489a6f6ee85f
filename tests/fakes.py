"""Time that passes only when it is told to, and the parts below a client, for what no client can be made to do."""

import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from typing import Any

import b24nb
from b24nb.badges.apply import ChangeApplier
from b24nb.badges.journal_store import ChangeSet, JournalStore
from b24nb.rest.calls import Call, CallLog
from b24nb.rest.connection import Connection
from b24nb.rest.limits import LeakyBucket, Limits
from b24nb.rest.transport import Transport


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


def eventually(true: Callable[[], bool]) -> None:
    """Wait for what another thread will do."""
    for _ in range(1000):
        if true():
            return
        time.sleep(0.01)
    raise AssertionError("It did not happen within ten seconds.")


def rows(count: int) -> list[dict[str, Any]]:
    """So many badges as a portal has them."""
    return [{"code": f"c{n:04}", "title": f"Title {n}", "value": "v", "type": "primary"} for n in range(count)]


def translated(numbers: Iterable[int], title: str = "Title") -> list[dict[str, Any]]:
    """Badges of which every other one has two languages."""
    texts = {n: {"en": f"{title} {n}", "ru": f"Название {n}"} if n % 2 else f"{title} {n}" for n in numbers}
    rest = {"value": "quoted ' <&>", "type": "primary"}
    return [{"code": f"code{n}", "title": text, **rest} for n, text in texts.items()]


def log_of(*calls: Call) -> CallLog:
    """A call log with these rows."""
    clock = FakeClock()
    log = CallLog(Limits(LeakyBucket("standard", clock), clock))
    for call in calls:
        log.record(call)
    return log


def asked(portal: b24nb.SandboxPortal) -> list[str]:
    """The methods that a portal was asked for after ``connect``; those of badges by their last word."""
    return [request.method.removeprefix("crm.activity.badge.") for request in portal.requests[1:]]


def secrets_of(portal: b24nb.SandboxPortal) -> set[str]:
    """What nobody may see: the codes of all webhooks, the tokens and the secret of the application."""
    tokens = {portal.oauth[key] for key in ("access_token", "refresh_token", "client_secret")}
    return {webhook.split("/")[-2] for webhook in portal.webhooks.values()} | tokens


def edit(portal: b24nb.SandboxPortal, code: str) -> None:
    """What somebody else does of whom our client knows nothing: the badge has another title then."""
    with b24nb.connect(portal) as somebody:
        somebody.call("crm.activity.badge.delete", {"code": code})
        somebody.call("crm.activity.badge.add", {"code": code, "title": "theirs", "value": "VIP", "type": "primary"})


def together(*works: Callable[[], Any]) -> list[Any]:
    """Do all of these at once, each in a thread of its own; what they return, or what one of them raised."""
    with ThreadPoolExecutor(len(works)) as pool:
        return [future.result() for future in [pool.submit(work) for work in works]]


@contextmanager
def applier_of(portal: b24nb.SandboxPortal, journal: Any = None, **options: Any) -> Iterator[ChangeApplier]:
    """What the badge methods of another process of this user work with."""
    webhook = b24nb.Webhook.parse(portal.webhook)
    host = webhook.host if journal else "sandbox"
    with (
        closing(JournalStore(journal or portal.journal_path, host=host, user="1")) as store,
        closing(Connection(webhook, Transport(), **options)) as connection,
    ):
        yield ChangeApplier(connection, store, settle_after=60)


def leave_unfinished(
    portal: b24nb.SandboxPortal, kind: str, *steps: Any, at: float = 1_764_000_000.0, journal: Any = None
) -> None:
    """What a process leaves behind that is killed right after its intent."""
    with applier_of(portal, journal) as killed:
        killed.store.intend(ChangeSet(kind), steps, at)


@contextmanager
def exit_when_told() -> Iterator[None]:
    """SIGTERM ends the program, as services have it."""
    before = signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended by the system"))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def ctrl_c(when: Callable[[], bool]) -> Iterator[Callable[[], bool]]:
    """A ``cancel`` that never ends a run, but has Ctrl-C pressed once, as soon as ``when`` is true."""
    pressed = threading.Event()

    def press() -> bool:
        if not pressed.is_set() and when():
            pressed.set()
            signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
        return False

    yield press
    assert pressed.is_set()
