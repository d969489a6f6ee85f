"""A coordinator or worker killed at any moment: nothing is sent twice, a second apply finishes, undo restores all."""

import os
import random
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

import b24nb
from b24nb.sandbox import SandboxFleet
from tests import fleets
from tests.layers import require_package

#: Two to add, two to replace, two to delete; two stay.
HERE = [
    {"code": f"code{n}", "title": {"en": f"T{n}", "ru": f"Т{n}"}, "value": f"<{n}>", "type": "primary"}
    for n in range(6)
]
WANTED = [b24nb.Badge(code, "New", "new", "success") for code in ("new1", "new2", "code0", "code1")]
WANTED += [b24nb.Badge(**row) for row in HERE[2:4]]
QUIET = {"progress": False}

#: Applies the plan; its worker, or itself, is killed after some seconds.
VICTIM = """
import os, signal, sys, threading, time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import b24nb
from tests import fleets
from tests.contract.test_fleet_killed import WANTED


def main():
    where, whom, delay, journal, *names = sys.argv[1:]
    executor, workers = None, [os.getpid()]
    if where == "processes":
        executor = ProcessPoolExecutor(2, mp_context=get_context("spawn"))
        workers = [executor.submit(os.getpid).result()]
    if where == "dask":
        import distributed
        client = distributed.Client(n_workers=2, threads_per_worker=2, dashboard_address=":0", silence_logs=50)
        executor, workers = client.get_executor(), [*client.run(os.getpid).values()]
    fleet = b24nb.Fleet(names, fleets.webhook_of, executor=executor, journal=journal, parallel=8, settle_after=1)
    plan = fleet.plan(WANTED, prune=True, progress=False)
    victim = os.getpid() if whom == "coordinator" else workers[0]
    print("ready", flush=True)
    threading.Timer(float(delay), lambda: os.kill(victim, signal.SIGKILL)).start()
    report = plan.apply(confirm=plan.confirmation, progress=False)
    print(dict(report.counts), flush=True)
    os._exit(0)


if __name__ == "__main__":
    main()
"""


class Scene:
    """Portals that are changed by somebody who does not live long."""

    def __init__(self, sandboxes: SandboxFleet, folder: Path) -> None:
        self.sandboxes, self.folder = sandboxes, folder
        self.script = folder / "victim.py"
        self.script.write_text(VICTIM)

    def sent(self) -> dict[str, Counter[str]]:
        """How often each method was called, alone or in a batch."""
        found = {}
        for name, portal in self.sandboxes.portals.items():
            found[name] = Counter[str]()
            for record in portal.requests:
                found[name] += Counter({record.method: 1}) + Counter(record.commands)
        return found

    def kill(self, where: str, whom: str, delay: float, journal: Path) -> subprocess.Popen[str]:
        command = [sys.executable, str(self.script), where, whom, str(delay), str(journal), *self.sandboxes.names]
        victim = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, start_new_session=True
        )
        assert victim.stdout.readline() == "ready\n"
        try:
            victim.wait(60)
        finally:
            victim.kill()
        return victim

    def play(self, where: str, whom: str, delay: float, number: int) -> int:
        """Kill, finish, take back; how many portals the victim had changed."""
        journal = self.folder / f"journal-{where}-{whom}-{number}"
        before, sent = fleets.badges_of(self.sandboxes), self.sent()
        victim = self.kill(where, whom, delay, journal)
        try:
            changed = sum(fleets.badges_of(self.sandboxes)[name] != badges for name, badges in before.items())
            self.finish_and_take_back(journal, before, sent)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(victim.pid, signal.SIGKILL)  # workers that have lost their coordinator
            victim.stdout.close()
        return changed

    def finish_and_take_back(self, journal: Path, before: dict[str, list[str]], sent: dict[str, Counter[str]]) -> None:
        fleet = b24nb.Fleet(self.sandboxes.names, fleets.webhook_of, journal=journal, settle_after=1)
        report = fleet.plan(WANTED, prune=True, **QUIET).apply(**QUIET)
        assert report.ok, report.failed.to_string()
        for name, counts in self.sent().items():
            made = counts - sent[name]
            assert made["crm.activity.badge.add"] == 4, f"{name}: each is sent once, by whomever"
            assert made["crm.activity.badge.delete"] == 4, name
        plan = fleet.plan_undo(10, **QUIET)
        assert plan.apply(confirm=plan.confirmation, **QUIET).ok
        assert fleets.badges_of(self.sandboxes) == before


@pytest.fixture(scope="module")
def scene(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    folder, count = tmp_path_factory.mktemp("killed"), getattr(request, "param", 12)
    with SandboxFleet(count, badges=HERE, latency_ms=30) as sandboxes, pytest.MonkeyPatch.context() as patch:
        fleets.fill(folder / "vault.json", sandboxes.webhooks, patch.setenv)
        paths = [str(Path(fleets.__file__).parents[1]), os.environ.get("PYTHONPATH")]
        patch.setenv("PYTHONPATH", os.pathsep.join(filter(None, paths)))
        yield Scene(sandboxes, folder)


@pytest.mark.parametrize(
    ("scene", "kills"), [(12, 1), pytest.param(50, 10, marks=pytest.mark.slow)], indirect=["scene"]
)
@pytest.mark.parametrize(
    ("where", "whom"),
    [("threads", "coordinator"), ("processes", "coordinator"), ("processes", "worker"), ("dask", "worker")],
)
def test_what_was_killed_is_finished_and_taken_back(scene: Scene, kills: int, where: str, whom: str) -> None:
    if where == "dask":
        require_package("distributed")
    chance = random.Random(f"{where} {whom}")
    changed = [scene.play(where, whom, chance.uniform(0.05, 1.5) if kills > 1 else 0.25, n) for n in range(kills)]
    half_done = [count for count in changed if 0 < count < len(scene.sandboxes.names)]
    assert kills == 1 or len(half_done) >= 3, changed


CLUSTER = """
import time

import distributed

if __name__ == "__main__":
    cluster = distributed.LocalCluster(n_workers=2, threads_per_worker=2, dashboard_address=":0", silence_logs=50)
    print(cluster.scheduler_address, flush=True)
    time.sleep(600)
"""


def test_a_cluster_that_is_gone_leaves_rows_that_the_next_apply_finishes(scene: Scene) -> None:
    require_package("distributed")
    import distributed

    script = scene.folder / "cluster.py"
    script.write_text(CLUSTER)
    before, sent, journal = fleets.badges_of(scene.sandboxes), scene.sent(), scene.folder / "journal-cluster"
    cluster = subprocess.Popen(
        [sys.executable, str(script)], stdout=subprocess.PIPE, stderr=-3, text=True, start_new_session=True
    )
    with cluster, distributed.Client(cluster.stdout.readline().strip(), timeout=3) as client:
        options: dict[str, Any] = {"executor": client.get_executor(), "parallel": 4, "settle_after": 1}
        fleet = b24nb.Fleet(scene.sandboxes.names, fleets.webhook_of, journal=journal, **options)
        plan = fleet.plan(WANTED, prune=True, **QUIET)
        threading.Timer(0.2, lambda: os.killpg(cluster.pid, signal.SIGKILL)).start()
        report = plan.apply(**QUIET)
        assert set(report.missing.values()) <= {"unknown", "not visited"}
        assert report.missing
    scene.finish_and_take_back(journal, before, sent)
