"""Run tasks of many portals in parallel: the order, what ends a run, and how an executor is given a task."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, wait
from contextlib import closing, suppress
from dataclasses import replace
from secrets import token_hex
from typing import Any

from b24nb import errors
from b24nb.badges.bulk import INTERRUPTED, RunOptions, in_threads
from b24nb.fleet.visit import NOT_VISITED, Visit, refuse_secrets, visiting
from b24nb.secret import known_secrets

#: After so many seconds without a result, check whether the executor still accepts tasks.
_CHECK_SECONDS = 5


def each(
    names: Sequence[str], work: Callable[[str], Visit], what: str, options: RunOptions, failures: int | None
) -> tuple[dict[str, Visit], str, BaseException | None]:
    """Call ``work`` for each portal; returns the visits that were made, what stopped the run (``""``: nothing), and
    Ctrl-C or what the caller's ``cancel`` raised.

    A failed visit is a result, too. More than ``failures`` of them end the run, after the running visits.
    """
    remaining, found, failed, stopped = iter(names), dict[str, Visit](), list[str](), list[str]()
    raised: BaseException | None = None

    def visit_remaining() -> None:
        for name in remaining:  # the threads share this iterator
            if options.cancelled:
                stopped.append("cancelled")
            elif failures is not None and len(failed) > failures:
                stopped.append("stopped after too many failures")
            if stopped:
                break
            found[name] = work(name)
            if found[name].failure:
                failed.append(name)

    try:
        in_threads(visit_remaining, options, stopped.append, found, len(names), what, "portal")
    except BaseException as error:  # noqa: BLE001 - Ctrl-C, raised by the caller's `cancel`, or a bug of this package
        raised = error
    return found, INTERRUPTED if INTERRUPTED in stopped else next(iter(stopped), ""), raised


def prepare(executor: Executor | None, *task: Any) -> None:
    """Refuse a task that can't be pickled; start the executor's processes now: a fork while threads run may block."""
    if getattr(visiting, "on", False):  # before the executor is used: this thread may be the only one that it has
        text = "A vault or a function of a fleet can't use a fleet: it would wait for the portal that is visited."
        raise errors.InvalidInput(text, hint="Use the client that the function is given.")
    if executor is not None:
        _packed(task)
        with suppress(Exception):  # the executor is broken or shut down, which each portal's row will say
            executor.submit(int).result()


def carry_out(executor: Executor | None, task: Callable[..., Visit], *args: Any) -> Visit:
    """Run a task in this thread, or by the executor."""
    if executor is None:
        return task(*args)
    try:
        # The token makes arguments unique: Dask runs equal calls once, and returns the same result for all.
        submitted = executor.submit(run_packed, _packed((task, *args)), token_hex(8))
    except Exception as error:  # noqa: BLE001 - the executor is broken, or shut down
        return replace(Visit.failed(error), status=NOT_VISITED)
    try:
        while not wait([submitted], timeout=_CHECK_SECONDS).done:
            # Raises if Dask's scheduler has died, which the result would never show; of equal calls it asks once only.
            executor.submit(str, token_hex(8))
        return pickle.loads(submitted.result())  # type: ignore[no-any-return]  # noqa: S301 - our own task's
    except BaseException as error:  # noqa: BLE001 - each executor has its own error for a worker that died
        text = f"The worker was lost ({type(error).__name__}), so nobody knows how far it came."
        return Visit.failed(errors.OutcomeUnknown(text, hint="Do it again with an executor that works."))


def run_packed(payload: bytes, _: str) -> bytes:
    """Run a task in another process. It never raises, since executors log errors with the arguments."""
    try:
        task, access, *args = pickle.loads(payload)  # noqa: S301 - packed by the coordinator
        with closing(access):
            return pickle.dumps(task(access, *args))
    except Exception as error:  # noqa: BLE001
        text = f"The vault can't be imported by the worker, or the result can't be sent: {type(error).__name__}."
        return pickle.dumps(Visit.failed(errors.InvalidInput(text)))


def _packed(task: tuple[Any, ...]) -> bytes:
    """A pickled task; refused if it holds a secret."""
    try:
        payload = pickle.dumps(task)
    except Exception as error:  # noqa: BLE001 - pickling the user's objects can raise anything
        text = f"The vault or the function can't be sent to another process: {type(error).__name__}."
        hint = "Both are importable: functions of a module, without credentials in them."
        raise errors.InvalidInput(text, hint=hint) from None
    refuse_secrets(payload, known_secrets())
    return payload
