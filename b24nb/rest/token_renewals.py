"""The renewals of OAuth tokens by this process: one at a time for each token, and what became of it.

A pair can be renewed once only. A program that presents it again, such as a cell that is run again, has not stored the
new pair, or still holds the old object.
"""

from __future__ import annotations

import os
import threading
from _thread import start_new_thread
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from contextvars import copy_context
from dataclasses import dataclass
from inspect import isawaitable
from typing import Any, TypeVar
from weakref import WeakValueDictionary

from b24nb import errors
from b24nb.credentials import OAuthToken
from b24nb.secret import Secret, redact

T = TypeVar("T")
TokenKey = tuple[str, Secret]
#: By the portal and the access token that was renewed.
_RENEWALS: dict[TokenKey, Renewal] = {}
_MOST = 20_000
_LOCKS: WeakValueDictionary[TokenKey, threading.Lock] = WeakValueDictionary()
_GUARD = threading.Lock()


def _in_child() -> None:
    """A child would wait for ever for a lock that another thread of its parent held at the fork."""
    _LOCKS.clear()
    _GUARD.release()


if hasattr(os, "register_at_fork"):  # Windows has no fork
    os.register_at_fork(before=_GUARD.acquire, after_in_parent=_GUARD.release, after_in_child=_in_child)


@dataclass(eq=False, repr=False)
class Renewal:
    """A pair of tokens that this process got, and whether its application has stored it."""

    pair: Mapping[str, Any]
    stored: bool = False

    def pass_on(self, renewed: OAuthToken) -> None:
        """Give the renewed token to the application's function; only once, since by now it may have a newer one."""
        if renewed.on_refresh is None or self.stored:
            return
        self.stored = True  # for the calls that the function itself makes
        try:
            call_sync(renewed.on_refresh, renewed)
            return
        except BaseException as error:
            self.stored = False
            if not isinstance(error, Exception):
                raise
            why = redact(f"{type(error).__name__}: {error}", renewed.secrets)
        text = f"The token was renewed, but on_refresh failed to store it ({why}). The call was not sent."
        hint = "Correct on_refresh; until then this process alone has the tokens that are valid."
        raise errors.VaultError(text, sent=False, hint=hint)


def call_sync(function: Callable[..., Any], *args: Any) -> Any:
    """Call a function of the application; refused if it is asynchronous, since it would store nothing."""
    answer = function(*args)
    if isawaitable(answer):
        getattr(answer, "close", bool)()
        raise errors.InvalidInput("The function is asynchronous: give a function that is done when it returns.")
    return answer


def run_to_end(function: Callable[..., T], *args: Any) -> tuple[Future[T], BaseException | None]:
    """Run a function in a thread, and wait for its end, also after Ctrl-C, or what another handler of a signal raises,
    which is returned: to lose the answer would lose the new pair, while the old one is used up."""
    future, context, stopped = Future[T](), copy_context(), None
    # Bare locks and a bare thread, since a signal may leave the locks inside of others locked.
    begin, end, over = threading.Lock(), threading.Lock(), list[bool]()

    def work() -> None:
        begin.acquire()  # so that a signal finds nothing sent, or waits
        try:
            future.set_result(context.run(function, *args))
        except BaseException as error:  # noqa: BLE001 - the caller raises it
            future.set_exception(error)
        over.append(True)
        end.release()

    begin.acquire()
    end.acquire()
    try:
        start_new_thread(work, ())
    except RuntimeError:  # no thread can start once the interpreter ends
        begin.release()
        work()
    while not over:
        try:
            if begin.locked():
                begin.release()
            end.acquire(timeout=1)
        except BaseException as error:  # noqa: BLE001 - the caller raises it
            stopped = error
    return future, stopped


def lock_of(token: Any) -> threading.Lock:
    """The lock of all clients of this process that have this token."""
    with _GUARD:
        return _LOCKS.setdefault((token.portal, token.access_token), threading.Lock())


def renewal_of(token: OAuthToken, pair: Mapping[str, Any]) -> Renewal:
    """Take note of the pair that a token was renewed to."""
    renewal = Renewal(pair)
    if pair["access_token"] != token.access_token:  # else newest_of would never end
        with _GUARD:
            _RENEWALS[token.portal, token.access_token] = renewal
            if len(_RENEWALS) > _MOST:
                del _RENEWALS[next(iter(_RENEWALS))]
    return renewal


def newest_of(token: OAuthToken) -> Renewal | None:
    """The last renewal of this token, or of its successors, by this process."""
    newest, access_token = None, token.access_token
    while renewal := _RENEWALS.get((token.portal, access_token)):
        newest, access_token = renewal, renewal.pair["access_token"]
    return newest
