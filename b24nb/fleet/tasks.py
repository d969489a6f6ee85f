"""Portals side by side: who is next, what ends a run, and how a task gets to where it is done."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterable
from concurrent.futures import Executor, wait
from contextlib import closing, suppress
from dataclasses import replace
from secrets import token_hex
from typing import Any

from b24nb import errors
from b24nb.badges.apply import INTERRUPTED, RunOptions, in_threads
from b24nb.fleet.visit import NOT_VISITED, Visit, refuse_secrets
from b24nb.rest.calls import event_list
from b24nb.secret import known_secrets

#: After so many seconds without a result the executor is asked whether it still takes tasks.
_STILL_THERE = 5


def each(
    names: Iterable[str], work: Callable[[str], Visit], what: str, options: RunOptions, failures: int | None
) -> tuple[dict[str, Visit], str]:
    """What ``work`` gives for each portal, without those that were not begun; what stopped the run, else ``""``.

    Trouble is a result. More than ``failures`` of them end the run; portals that are visited are waited for.
    """
    todo, found, failed, stopped = [*names], dict[str, Visit](), list[str](), list[str]()
    begun, listener = iter(todo), event_list.get()

    def go_on() -> None:
        event_list.set(listener)
        for name in begun:  # which the threads share
            if options.cancelled:
                stopped.append("cancelled")
            elif failures is not None and len(failed) > failures:
                stopped.append("stopped after too many failures")
            if stopped:
                break
            found[name] = work(name)
            if found[name].failure:
                failed.append(name)

    in_threads(go_on, options, stopped.append, found, len(todo), what, "portal")
    return found, max(stopped, key=INTERRUPTED.__eq__, default="")


def prepare(executor: Executor | None, *task: Any) -> None:
    """Refuse what can't travel; start processes while there are no threads yet, since a fork may block then."""
    if executor is not None:
        _packed(task)
        with suppress(Exception):  # it is broken, or shut down: a row per portal
            executor.submit(int).result()


def carry_out(executor: Executor | None, *task: Any) -> Visit:
    """Do a task here, or where the executor does it."""
    if executor is None:
        return task[0](*task[1:])  # type: ignore[no-any-return]
    try:
        # Dask would take tasks with the same arguments for one, and give the answer of the first to all.
        submitted = executor.submit(run_packed, _packed(task), token_hex(8))
    except Exception as error:  # noqa: BLE001 - it is broken, or shut down
        return replace(Visit.failed(error), status=NOT_VISITED)
    try:
        while not wait([submitted], timeout=_STILL_THERE).done:
            executor.submit(int)  # Dask may lose a result with its scheduler and not say so; this raises then
        return pickle.loads(submitted.result())  # type: ignore[no-any-return]  # noqa: S301 - our own task's
    except BaseException as error:  # noqa: BLE001 - executors have errors of their own for a worker that died
        text = f"The worker was lost ({type(error).__name__}), so nobody knows how far it came."
        return Visit.failed(errors.OutcomeUnknown(text, hint="Do it again with an executor that works."))


def run_packed(payload: bytes, _: str) -> bytes:
    """Do a task in another process. It never raises: executors log what is raised, with the arguments."""
    try:
        task, access, *args = pickle.loads(payload)  # noqa: S301 - packed by the coordinator
        with closing(access):
            return pickle.dumps(task(access, *args))
    except Exception as error:  # noqa: BLE001
        text = f"The vault can't be imported by the worker, or the result can't travel: {type(error).__name__}."
        return pickle.dumps(Visit.failed(errors.InvalidInput(text)))


def _packed(task: tuple[Any, ...]) -> bytes:
    """A task as bytes, in which there is no secret."""
    try:
        payload = pickle.dumps(task)
    except Exception as error:  # noqa: BLE001 - whatever can't be pickled says what it likes
        text = f"The vault or the function can't travel to another process: {type(error).__name__}."
        hint = "Both are importable: functions of a module, without credentials in them."
        raise errors.InvalidInput(text, hint=hint) from None
    refuse_secrets(payload, known_secrets())
    return payload
