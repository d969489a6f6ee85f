"""Threads, processes and Dask give the same rows, and no secret travels to any of them."""

import asyncio
import functools
import logging
import os
import pickle
import signal
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack
from multiprocessing import get_context
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from b24nb import Badge, Client, Fleet, OAuthToken, Webhook, errors
from b24nb.sandbox import SandboxFleet
from tests import fleets
from tests.fakes import secrets_of
from tests.fleets import QUIET, rows
from tests.layers import require_package

SHARES = {"revoked": 0.1, "noscope": 0.1, "limited": 0.1, "renamed": 0.1}
WANTED = [Badge("vip", {"en": "Client", "de": "Kunde"}, "VIP", "primary"), Badge("paid", "Paid", "P", "success")]


@pytest.fixture(scope="module")
def sandboxes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxFleet]:
    with SandboxFleet(10, seed=3, **SHARES) as fleet, pytest.MonkeyPatch.context() as patch:
        tokens = {name: dict(fleet.portals[name].oauth) for name in fleet.names[:2]}
        assert not tokens.keys() & fleet.trouble.keys()
        fleets.fill(tmp_path_factory.mktemp("vault") / "vault.json", fleet.webhooks | tokens, patch.setenv)
        yield fleet


@pytest.fixture(scope="module")
def executors(sandboxes: SandboxFleet) -> Iterator[dict[str, Executor | None]]:
    require_package("distributed")
    import distributed

    with ExitStack() as stack:
        cluster = distributed.LocalCluster(
            n_workers=2, threads_per_worker=2, processes=True, dashboard_address=":0", silence_logs=logging.CRITICAL
        )
        client = distributed.Client(stack.enter_context(cluster))
        dask = stack.enter_context(client).get_executor()
        pool = ProcessPoolExecutor(2, mp_context=get_context("spawn"))
        threads = stack.enter_context(ThreadPoolExecutor(4))
        yield {"threads": None, "thread pool": threads, "processes": stack.enter_context(pool), "dask": dask}


def leaked(sandboxes: SandboxFleet, content: bytes) -> list[str]:
    return [one for portal in sandboxes.portals.values() for one in secrets_of(portal) if one.encode() in content]


def all_that_a_fleet_gives(fleet: Fleet) -> dict[str, list[dict[str, Any]]]:
    """Read, plan, change and take back."""
    plan = fleet.plan(WANTED, **QUIET)
    found = {"check": fleet.check(**QUIET), "badges": fleet.badges(**QUIET), "plan": plan}
    found |= {"report": plan.apply(**QUIET), "undo": plan.undo(**QUIET)}
    found |= {function.__name__: fleet.map(function, **QUIET) for function in (fleets.code_count, fleets.broken)}
    frames = {name: rows(one.df) for name, one in found.items()}
    return frames | {f"{name}.status": rows(one.status) for name, one in found.items()}


def test_no_more_portals_are_begun_than_the_executor_has_workers(sandboxes: SandboxFleet) -> None:
    with ThreadPoolExecutor(1) as executor:
        plan = Fleet(sandboxes.names, fleets.webhook_of, executor=executor).plan(WANTED, **QUIET)
        sandboxes.portals[sandboxes.names[0]].faults.next("ACCESS_DENIED", times=10)
        report = plan.apply(max_failures=0, **QUIET)
        sandboxes.portals[sandboxes.names[0]].faults.clear()
    assert list(report.status["status"])[:2] == ["no access", "not visited"]
    assert "ok" not in set(report.status["status"])


def test_each_executor_gives_the_same_rows(sandboxes: SandboxFleet, executors: dict[str, Executor | None]) -> None:
    given = {}
    for name, executor in executors.items():
        before = fleets.badges_of(sandboxes)
        given[name] = all_that_a_fleet_gives(Fleet(sandboxes.names, fleets.webhook_of, executor=executor))
        told = [given[name][what] for what in ("report", "undo", "undo.status")]
        assert fleets.badges_of(sandboxes) == before, (name, told)
    assert {len(found["report"]) for found in given.values()} == {12}
    for name, found in given.items():
        for what, table in found.items():
            # The order of a portal's badges changes, since what was put back is the last.
            assert sorted(map(str, table)) == sorted(map(str, given["threads"][what])), (name, what)


class Recording(Executor):
    """Keeps what would travel, and does it here."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []

    def submit(self, function: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        task = pickle.dumps((function, args, kwargs))
        assert function is int or task not in self.sent, "an engine may take equal tasks for one"
        self.sent.append(task)
        future: Future[Any] = Future()
        future.set_result(pickle.loads(pickle.dumps(function(*args, **kwargs))))
        self.sent.append(pickle.dumps(future.result()))
        return future


def test_no_secret_is_in_a_thousand_tasks_or_their_results(sandboxes: SandboxFleet) -> None:
    recording = Recording()
    fleet = Fleet(sandboxes.names, fleets.webhook_of, executor=recording)
    all_that_a_fleet_gives(fleet)
    told = fleet.map(fleets.telling, **QUIET).df
    assert set(told[told["status"] == "unknown"]["error"]) == {"InvalidInput"}, "it stays where it is"
    assert told["value"].isna().all()
    while len(recording.sent) < 2000:  # each with its result
        for found in (fleet.map(fleets.telling, **QUIET), fleet.badges(**QUIET), fleet.plan(WANTED, **QUIET)):
            assert len(found.visits) == 10
    travelled = b"".join(recording.sent)
    assert not leaked(sandboxes, travelled)


@pytest.mark.parametrize("what", ["address", "token", "vault", "credentials", "lambda"])
def test_what_holds_a_secret_or_is_not_importable_is_not_submitted(sandboxes: SandboxFleet, what: str) -> None:
    recording = Recording()
    address = "https://acme.example/rest/1/a1b2c3d4e5f6a7b8/"  # which nothing here has parsed
    webhook = Webhook.parse(sandboxes.webhooks["portal-0001"])
    token = OAuthToken(portal="https://example.bitrix24.com", access_token="-".join(("a", "token", "known", "here")))
    function = {
        "address": functools.partial(fleets.code_count, address),
        "token": functools.partial(fleets.code_count, token.access_token.reveal()),
        "credentials": functools.partial(fleets.code_count, webhook),
        "lambda": lambda b24: 1,
    }.get(what, fleets.code_count)
    vault = sandboxes.webhooks.get if what == "vault" else fleets.webhook_of
    fleet = Fleet(sandboxes.names, vault, executor=recording)
    with pytest.raises(errors.InvalidInput) as caught:
        fleet.map(function, **QUIET)
    assert recording.sent == []
    assert address not in str(caught.value)


#: What a function uses that `map` calls and that is importable.
INSIDE: list[Fleet] = []


def using_the_fleet(b24: Client) -> int:
    return len(INSIDE[0].badges(**QUIET).df)


def test_a_function_that_uses_its_fleet_is_told_so(sandboxes: SandboxFleet) -> None:
    with ThreadPoolExecutor(1) as pool:
        for executor in (None, pool):
            INSIDE[:] = [Fleet(sandboxes.names, fleets.webhook_of, executor=executor)]
            table = INSIDE[0].map(using_the_fleet, **QUIET).status
            assert table["detail"].str.contains("it would wait for itself").sum() == 7, "and 3 do not answer"


def test_a_worker_closes_its_connections_after_a_task(sandboxes: SandboxFleet, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[socket.socket] = []
    connect = socket.create_connection

    def remembered(*args: Any) -> socket.socket:
        opened.append(connect(*args))
        return opened[-1]

    monkeypatch.setattr(socket, "create_connection", remembered)
    Fleet(sandboxes.names, fleets.webhook_of, executor=Recording()).badges(**QUIET)
    assert len(opened) >= 10
    assert [one.fileno() for one in opened] == [-1] * len(opened)


def test_dask_logs_and_keys_hold_no_secret(sandboxes: SandboxFleet, executors: dict[str, Executor | None]) -> None:
    dask = executors["dask"]
    fleet = Fleet(sandboxes.names, fleets.webhook_of, executor=dask)
    fleet.map(fleets.broken, **QUIET)
    fleet.badges(**QUIET)
    client = dask._client
    story = client.run_on_scheduler(lambda dask_scheduler: repr([*dask_scheduler.transition_log]))
    keys = client.run_on_scheduler(lambda dask_scheduler: repr([*dask_scheduler.tasks, *dask_scheduler.task_prefixes]))
    logs = repr((client.get_scheduler_logs(), client.get_worker_logs(), client.get_events(), story, keys))
    assert "run_packed" in story
    folders = client.run(lambda dask_worker: dask_worker.local_directory)
    files = [path for folder in folders.values() for path in Path(folder).parent.rglob("*") if path.is_file()]
    kept = logs.encode() + b"".join(path.read_bytes() for path in files)
    assert not leaked(sandboxes, kept)


class Dying(Recording):
    """Does so many tasks, then loses one that it has done, which it may not say, and takes no more."""

    left = 100

    def __init__(self, *, silent: bool) -> None:
        super().__init__()
        self.silent = silent
        self.known: dict[Any, Future[Any]] = {}

    def submit(self, function: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        if found := self.known.get((function, args)):  # as Dask, which asks its scheduler only for what is new
            return found
        if self.left <= 0:
            raise BrokenProcessPool("a worker died")
        future = super().submit(function, *args, **kwargs)
        self.left -= 1
        if not self.left:
            future = Future()
            if not self.silent:
                future.set_exception(asyncio.CancelledError())  # what Dask says of a cluster that is gone
        self.known[function, args] = future
        return future


@pytest.mark.parametrize("silent", [False, True])
@mock.patch("b24nb.fleet.visit._CHECK_SECONDS", 0.1)
def test_a_broken_pool_is_a_row_per_portal_and_a_new_one_finishes(sandboxes: SandboxFleet, silent: bool) -> None:
    dying = Dying(silent=silent)
    fleet = Fleet(sandboxes.names, fleets.webhook_of, executor=dying, settle_after=0, parallel=1)
    plan = fleet.plan(WANTED[:1], **QUIET)
    dying.left = 6  # a look and a task for each portal
    report = plan.apply(**QUIET)
    assert report.counts == {"added": 2, "not sent": 3, "unknown": 1}
    assert set(report.df[report.df["verdict"] == "unknown"]["error"]) == {"OutcomeUnknown"}
    assert [report.missing[name] for name in sandboxes.names[4:7]] == ["unknown", "not visited", "not visited"]
    found = fleet.badges(**QUIET)
    assert set(found.missing.values()) == {"not visited"}
    assert set(found.status["error"]) == {"BrokenProcessPool"}
    dying.left = 1000
    again = plan.apply(**QUIET)
    assert again.counts == {"added": 5, "kept": 1}, "what the lost worker had done is there"
    assert plan.undo(**QUIET).counts == {"deleted": 6}


def test_what_a_dead_worker_began_is_not_redone(sandboxes: SandboxFleet, executors: dict[str, Executor | None]) -> None:
    portal = sandboxes.portals[sandboxes.names[0]]
    fleet = Fleet(sandboxes.names[:1], fleets.webhook_of, executor=executors["dask"])
    assert fleet.map(fleets.adding_and_dying, **QUIET).missing == {sandboxes.names[0]: "unknown"}
    assert [request.method for request in portal.requests].count("crm.activity.badge.add") == 1


@mock.patch("b24nb.fleet.visit._CHECK_SECONDS", 0.2)
def test_without_workers_the_run_ends_with_a_row(sandboxes: SandboxFleet) -> None:
    require_package("distributed")
    import distributed

    options = {"processes": True, "dashboard_address": ":0", "silence_logs": logging.CRITICAL}
    with distributed.LocalCluster(n_workers=1, threads_per_worker=1, **options) as cluster:
        fleet = Fleet(sandboxes.names[:1], fleets.webhook_of, executor=distributed.Client(cluster).get_executor())
        threading.Timer(2, os.kill, [cluster.workers[0].pid, signal.SIGINT]).start()  # as Ctrl-C in a terminal
        assert fleet.map(fleets.sleeping, **QUIET).missing == {sandboxes.names[0]: "unknown"}
