"""The work of a task on one portal (a *visit*), in a thread, or by an executor in a process on any machine.

Nothing here writes a journal or stores a secret; a task returns plain values.
"""

from __future__ import annotations

import pickle
import re
import sys
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor, wait
from contextlib import closing, suppress
from functools import partial
from pathlib import Path
from secrets import token_hex
from typing import Any, NamedTuple

from b24nb import errors
from b24nb.badges.apply import STALE, ChangeApplier
from b24nb.badges.badge import Badges
from b24nb.badges.bulk import RunOptions, apply_many, compare
from b24nb.badges.changes import LIST, Outcome, Step, Verdict, error_name
from b24nb.badges.evidence import badges_of, list_badges
from b24nb.badges.methods import BadgeMethods
from b24nb.client import WHO_AM_I, Client, Portal
from b24nb.credentials import Credentials, OAuthToken, Webhook
from b24nb.rest.clock import SYSTEM_CLOCK, Clock
from b24nb.rest.connection import Connection, nothing
from b24nb.rest.token_renewals import call_sync
from b24nb.rest.transport import Transport
from b24nb.secret import Secret, known_secrets, redact

OK, UNKNOWN, NOT_VISITED = "ok", "unknown", "not visited"
#: Seconds before the vault is asked again: another process may be about to store a renewed token, or it was busy.
_PAUSE = 0.5
#: After so many seconds without a result, check whether the executor still accepts tasks.
_CHECK_SECONDS = 5
#: Whether this thread is running a task. What it calls must not use the fleet: it would wait for itself.
visiting = threading.local()
#: The address of a webhook: its code has a digit or is long, which tells it from the words of other addresses.
_WEBHOOK = re.compile(rb"/rest/[\w.@+-]+/(?:(?=[\w.~-]*\d)[\w.~-]{8,}|[\w.~-]{16,})")

_WORDS: dict[str, tuple[type[Exception], ...]] = {
    "revoked": (errors.BadCredentials, errors.TokenExpired),
    "no access": (errors.AccessDenied, errors.InsufficientScope, errors.ReadOnly, errors.VaultError),
    "unreachable": (errors.ConnectionFailed, errors.Timeout, errors.BadResponse, errors.PortalUnavailable),
    "limit": (errors.RateLimited, errors.OperatingTimeExceeded),
    "changed": (errors.BadgeChanged,),
    NOT_VISITED: (errors.JournalError,),
    UNKNOWN: (errors.OutcomeUnknown,),
}


class Access:
    """How to connect to portals; ``settings`` are those of :class:`Connection`. A pickle holds only the arguments."""

    def __init__(self, vault: Any, timeout: Any, verify: Any = True, **settings: Any) -> None:
        self._given = partial(Access, vault, timeout, verify, **settings)
        self.vault = vault
        self.clock: Clock = settings.get("clock", SYSTEM_CLOCK)
        # One for all visits in this process: to make one for each would take longer than the rest of a visit.
        # It keeps connections to as many portals alive as are visited at a time, about.
        self._transport = Transport(timeout, verify=verify, hosts=64)
        self.close, self._settings = self._transport.close, settings

    def __reduce__(self) -> tuple[Any, ...]:
        return self._given, ()

    def connection(self, credentials: Any) -> Connection:
        """A connection with these settings."""
        return Connection(credentials, self._transport, shared=True, **self._settings)


class Visit(NamedTuple):
    """The result of a task on one portal.

    Attributes
    ----------
    status : str
        ``ok, revoked, no access, unreachable, limit, changed, unknown`` or ``not visited``.
    value : object
        What the task returned; ``None`` if nothing.
    failure : B24Error or None
        Why the task did not succeed completely.
    portal : Portal or None
        The portal and the user's rights there, if the task asked for them.
    """

    status: str = OK
    value: Any = None
    failure: errors.B24Error | None = None
    portal: Portal | None = None

    @classmethod
    def failed(cls, error: BaseException, secrets: Iterable[Secret] = ()) -> Visit:
        """The visit for an error that the task raised."""
        if isinstance(error, errors.B24Error):
            return cls(status_of(error), None, error)
        failure = errors.B24Error(f"{type(error).__name__}: {redact(str(error), secrets)}")
        vars(failure)["code"] = type(error).__name__
        return cls(status_of(error), None, failure)

    @property
    def why(self) -> tuple[str, str, str]:
        """Status, the vendor's code or the class of the error, and the text of the error."""
        return self.status, error_name(self.failure), str(self.failure or "")


def status_of(error: BaseException | None, other: str = UNKNOWN) -> str:
    """The status word for an error; ``other`` if no word fits."""
    return next((word for word, kinds in _WORDS.items() if isinstance(error, kinds)), other)


def visit_of(found: Iterable[Outcome]) -> Visit:
    """A visit with all outcomes of a portal and the status of the worst one; a step that was left out is no reason."""

    def word(one: Outcome) -> str:
        status = one.verdict.value if one.verdict in (UNKNOWN, Verdict.CHANGED) else status_of(one.error, OK)
        return NOT_VISITED if one.verdict is Verdict.NOT_SENT and status in (OK, UNKNOWN) else status

    outcomes = [*found]
    bad = [one for one in outcomes if not one.ok]
    bad.sort(key=lambda one: (word(one) != UNKNOWN, one.left_out, word(one) == OK))
    failure = next((one.error or (errors.B24Error(one.why) if one.why else None) for one in bad), None)
    return Visit(word(bad[0]) if bad else OK, outcomes, failure)


def visit(access: Access, name: str, host: str, work: Callable[..., Any], *args: Any) -> Visit:
    """Run ``work(connection, *args)`` on this portal; an error is returned in the visit, not raised.

    ``host``: the host that the credentials must be for; ``""``: any.
    """
    secrets: Sequence[Secret] = ()
    visiting.on = True
    try:
        credentials = _look_up(access, name)
        if host and credentials.host != host:
            text = f"The vault gives {credentials.host} now, and the plan was made for {host}. Nothing was sent."
            raise errors.JournalError(text, hint="Make a new plan.")
        secrets, connection = credentials.secrets, access.connection(credentials)
        if hasattr(access.vault, "store"):
            connection.store_token = partial(_store, access, name)
        connection.newer_token = partial(_newer, access, name)
        with closing(connection):
            return Visit(value=work(connection, *args))
    except (Exception, SystemExit) as error:  # noqa: BLE001 - any error becomes a row of the report
        return Visit.failed(error, secrets)
    finally:
        visiting.on = False


def _look_up(access: Access, name: str) -> Credentials:
    """The credentials that the vault returns for a portal. The vault is called only where they are used."""

    def ask() -> Any:
        given = access.vault(name)
        return Webhook.parse(given) if isinstance(given, str | Secret) else given

    found = _vault(f"gave nothing for {name!r}", ask)
    if not isinstance(found, Webhook | OAuthToken):
        hint = "It must give a Webhook, an OAuthToken or the address of a webhook for the name of a portal."
        raise errors.VaultError(f"The vault gave a {type(found).__name__} for {name!r}.", hint=hint)
    return found


def _store(access: Access, name: str, token: OAuthToken) -> object:
    """Store a renewed token before it is used. If the vault can't, the next visit finds it among the renewals."""
    problem = f"did not take the renewed token of {name!r}, which a fleet in threads keeps for the next visit"
    for _ in range(2):
        with suppress(errors.VaultError):
            return _vault(problem, access.vault.store, name, token)
        access.clock.sleep(_PAUSE)
    return _vault(problem, access.vault.store, name, token)


def _vault(problem: str, work: Callable[..., Any], *args: Any) -> Any:
    """Call the vault. Its errors may hold a secret, so only the name of their class is shown."""
    try:
        return call_sync(work, *args)
    except Exception as error:  # noqa: BLE001 - the user's function can raise anything
        why = error.message if isinstance(error, errors.InvalidInput) else f"It raised {type(error).__name__}."
    raise errors.VaultError(f"The vault {problem}. {why}", hint="Check the vault.")


def _newer(access: Access, name: str, connection: Connection) -> Credentials | None:
    """What the vault returns now; ``None`` if no other process has renewed the token in the meantime."""
    connection.clock.sleep(_PAUSE)
    found = _look_up(access, name)
    return found if found.secrets != connection.credentials.secrets else None


def refuse_secrets(payload: bytes, secrets: Iterable[Secret]) -> None:
    """Raise :class:`InvalidInput` if bytes that are about to leave this process hold a secret."""
    if _WEBHOOK.search(payload) or any(one.reveal().encode() in payload for one in secrets):
        hint = "Credentials come from the vault, where the portal is visited, and stay there."
        raise errors.InvalidInput("The task or its result holds a secret, so it was not passed on.", hint=hint)


# -- executors ----------------------------------------------------------------------------------------


def parallel_in(executor: Any, parallel: int) -> int:
    """How many portals are visited at a time: what waits in the queue of an executor can't be stopped."""
    if executor and not isinstance(executor, Executor):
        raise errors.InvalidInput("executor must be a concurrent.futures.Executor.", field="executor")
    return min(parallel, getattr(executor, "_max_workers", parallel))


def prepare(executor: Executor | None, *task: Any) -> None:
    """Refuse a task that can't be pickled; start the executor's processes now: a fork while threads run may block."""
    if getattr(visiting, "on", False):  # before the executor is used: this thread may be the only one that it has
        text = "A vault or a function of a fleet can't use a fleet: it would wait for itself."
        raise errors.InvalidInput(text, hint="Use the client that the function is given.")
    if executor is not None:
        _packed(task)
        with suppress(Exception):  # the executor is broken or shut down, which each portal's row will say
            executor.submit(int).result()


def carry_out(executor: Executor | None, access: Access, *task: Any) -> Visit:
    """Visit a portal in this thread, or by the executor."""
    if executor is None:
        return visit(access, *task)
    try:
        # The token makes arguments unique: Dask runs equal calls once, and returns the same result for all.
        submitted = executor.submit(run_packed, _packed((access, *task)), token_hex(8))
    except Exception as error:  # noqa: BLE001 - the executor is broken, or shut down
        return Visit.failed(error)._replace(status=NOT_VISITED)
    try:
        while not wait([submitted], timeout=_CHECK_SECONDS).done:
            # Raises if Dask's scheduler has died, which the result would never show; of equal calls it asks once only.
            executor.submit(str, token_hex(8))
            client: Any = getattr(executor, "_client", None)  # of Dask, whose workers Ctrl-C may have ended
            if client and not client.scheduler_info()["workers"]:
                raise RuntimeError("There are no workers.")
        return pickle.loads(submitted.result())  # type: ignore[no-any-return]  # noqa: S301 - our own task's
    except BaseException as error:  # noqa: BLE001 - each executor has its own error for a worker that died
        text = f"The worker was lost ({type(error).__name__}), so it is not known what it did."
        return Visit.failed(errors.OutcomeUnknown(text, hint="Do it again with an executor that works."))


def run_packed(payload: bytes, _: str) -> bytes:
    """Run a task in another process. It never raises, since executors log errors with the arguments."""
    try:
        access, *task = pickle.loads(payload)  # noqa: S301 - packed by the coordinator
        with closing(access):
            return pickle.dumps(visit(access, *task))
    except Exception as error:  # noqa: BLE001
        text = f"The vault can't be imported by the worker, or the result can't be sent: {type(error).__name__}."
        return pickle.dumps(Visit.failed(errors.InvalidInput(text)))


def _packed(task: tuple[Any, ...]) -> bytes:
    """A pickled task; refused if it holds a secret."""
    try:
        payload = pickle.dumps(task)
    except Exception as error:  # noqa: BLE001 - pickling the user's objects can raise anything
        text = f"The vault or the function can't be sent to another process: {type(error).__name__}."
        hint = "Both must be importable: functions of a module, without credentials in them."
        raise errors.InvalidInput(text, hint=hint) from None
    refuse_secrets(payload, known_secrets())
    return payload


# -- the work of tasks --------------------------------------------------------------------------------


def look(connection: Connection) -> tuple[Portal, Badges | errors.ApiError]:
    """The portal with our user and rights, and its badges, by one request."""
    answers = connection.batch({**WHO_AM_I, "badges": (LIST, None)})
    listed = answers["badges"]
    found = listed if isinstance(listed, errors.ApiError) else badges_of(listed)
    return Portal.ask(connection, answers=answers), found


def call(connection: Connection, function: Callable[[Client], Any]) -> tuple[Portal, Any]:
    """Call a function with a client of the portal; returns the portal and the function's value."""
    _refuse_second_time()
    portal, badges = Portal.ask(connection), BadgeMethods(connection, TaskJournal(float("-inf")))  # type: ignore[arg-type]
    value = call_sync(function, Client(connection, portal=portal, badges=badges, release=nothing))
    with suppress(pickle.PicklingError, TypeError, AttributeError):  # with threads it need not be picklable
        refuse_secrets(pickle.dumps(value), connection.credentials.secrets)
    return portal, value


def before_sending(connection: Connection, kind: str, steps: list[Step], keep_going: bool) -> list[Outcome]:
    """The outcomes of the steps that need not or must not be sent; the others are left out."""
    applier = ChangeApplier(connection, TaskJournal(float("-inf")), 0)  # type: ignore[arg-type]
    return compare(applier, kind, steps, RunOptions(keep_going))


def send(
    connection: Connection,
    settle_after: float,
    kind: str,
    steps: list[Step],
    keep_going: bool,
    looked_at: float,
    until: float,
) -> list[Outcome]:
    """Make changes by the one write path; the coordinator has written them to its journal.

    ``looked_at``: when the badges were as the steps say. ``until``: steps that were not begun by this time are not
    sent.
    """
    _refuse_second_time()
    journal, seen = TaskJournal(until), [step.before for step in steps if step.before]
    waited = abs(connection.clock.time() - looked_at) > STALE  # in the executor's queue, or for the vault
    here = list_badges(connection) if waited else seen
    applier = ChangeApplier(connection, journal, settle_after)  # type: ignore[arg-type]
    found, end = apply_many(applier, kind, steps, here, RunOptions(keep_going, progress=False))
    if end and not journal.used:
        raise end
    return found


class TaskJournal:
    """Used instead of a journal by tasks: it only checks the time. The coordinator writes intents and verdicts."""

    def __init__(self, until: float) -> None:
        self._until = until
        self.path, self.host, self.user = Path("(none in fleet.map)"), "", ""
        self.used = False  # once true, something may have been sent

    def intend(self, change_set: object, steps: Sequence[Step], at: float, found: object = ()) -> list[int]:
        """Numbers as ids of the steps; raises :class:`JournalError` or :class:`ReadOnly` if nothing may be sent."""
        if self._until < 0:
            raise errors.ReadOnly("fleet.map allows no changes of badges.", hint="Use fleet.plan(...).")
        self.note_attempt((), at)
        self.used = True
        return [*range(len(steps))]

    def note_attempt(self, ids: Sequence[int], at: float, *, answered: bool = False) -> Sequence[int]:
        """Refuse to begin too late, also after waits for the request rate; a change that has begun is finished."""
        if at > self._until and not answered:
            text = "This task waited too long, or the clock of its machine is fast, so it is not sent."
            raise errors.TooLate(text, hint="Apply the plan again.")
        return ids

    def __getattr__(self, name: str) -> Callable[..., list[object]]:
        return lambda *_, **__: []


def _refuse_second_time() -> None:
    """Raise if this task has begun before: when a worker dies, Dask runs its task again on another worker."""
    if worker := sys.modules.get("distributed.worker"):
        with suppress(ValueError, KeyError):  # not in a Dask worker, or in a thread that a task of one has started
            begun = sys.modules["distributed"].Event(worker.get_worker().get_current_task())
            if begun.is_set():
                raise errors.OutcomeUnknown("The worker that began this task died.", hint="Run it again.")
            begun.set()
