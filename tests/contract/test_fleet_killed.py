"""A coordinator or worker killed at any moment: nothing is sent twice, a second apply finishes, undo restores all."""

import os
import random
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest

import b24nb
from b24nb.sandbox import SandboxFleet
from tests import fleets
from tests.fleets import QUIET
from tests.layers import require_package

#: Two to add, two to replace, two to delete; two stay.
HERE = [
    {"code": f"code{n}", "title": {"en": f"T{n}", "ru": f"Т{n}"}, "value": f"<{n}>", "type": "primary"}
    for n in range(6)
]
WANTED = [b24nb.Badge(code, "New", "new", "success") for code in ("new1", "new2", "code0", "code1")]
WANTED += [b24nb.Badge(**row) for row in HERE[2:4]]


def victim(where: str, whom: str, delay: str, journal: str, *names: str) -> None:
    """What a process of its own does: apply the plan; its worker, or itself, is killed after some seconds."""
    executor, workers = None, [os.getpid()]
    if where == "processes":
        executor = ProcessPoolExecutor(2, mp_context=get_context("spawn"))
        workers = [executor.submit(os.getpid).result()]
    if where == "dask":
        import distributed

        client = distributed.Client(n_workers=2, threads_per_worker=2, dashboard_address=":0", silence_logs=50)
        executor, workers = client.get_executor(), [*client.run(os.getpid).values()]
    fleet = b24nb.Fleet(names, fleets.webhook_of, executor=executor, journal=journal, parallel=8, settle_after=1)
    plan = fleet.plan(WANTED, prune=True, **QUIET)
    pid = os.getpid() if whom == "coordinator" else workers[0]
    print("ready", flush=True)
    threading.Timer(float(delay), lambda: os.kill(pid, signal.SIGKILL)).start()
    plan.apply(confirm=plan.confirmation, **QUIET)
    os._exit(0)


def started(*command: str) -> subprocess.Popen[str]:
    """A Python that is killed with all processes that it has started."""
    options: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL, "text": True}
    return subprocess.Popen([sys.executable, *command], start_new_session=True, **options)


class Scene:
    """Portals that are changed by somebody who does not live long."""

    def __init__(self, sandboxes: SandboxFleet, folder: Path) -> None:
        self.sandboxes, self.folder = sandboxes, folder

    def sent(self) -> dict[str, Counter[str]]:
        """How often each method was called, alone or in a batch."""
        found = dict[str, Counter[str]]()
        for name, portal in self.sandboxes.portals.items():
            counts = (Counter([record.method]) + Counter(record.commands) for record in portal.requests)
            found[name] = sum(counts, Counter())
        return found

    def play(self, where: str, whom: str, delay: float, number: int) -> int:
        """Kill, finish, take back; how many portals the victim had changed."""
        journal = self.folder / f"journal-{where}-{whom}-{number}"
        before, sent = fleets.badges_of(self.sandboxes), self.sent()
        killed = started("-m", __name__, where, whom, str(delay), str(journal), *self.sandboxes.names)
        try:
            assert killed.stdout.readline() == "ready\n"
            killed.wait(60)
            changed = sum(fleets.badges_of(self.sandboxes)[name] != badges for name, badges in before.items())
            self.finish_and_take_back(journal, before, sent)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(killed.pid, signal.SIGKILL)  # also workers that have lost their coordinator
            killed.stdout.close()
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
    repeated = (where, whom) == ("dask", "worker")  # Dask repeats a look whose worker died, so most runs are finished
    assert kills == 1 or repeated or len(half_done) >= 3, changed


CLUSTER = """
import distributed, time
options = {"n_workers": 2, "threads_per_worker": 2, "dashboard_address": ":0", "silence_logs": 50}
print(distributed.LocalCluster(**options).scheduler_address, flush=True)
time.sleep(600)
"""


def test_a_cluster_that_is_gone_leaves_rows_that_the_next_apply_finishes(scene: Scene) -> None:
    require_package("distributed")
    import distributed

    before, sent, journal = fleets.badges_of(scene.sandboxes), scene.sent(), scene.folder / "journal-cluster"
    cluster = started("-c", CLUSTER)
    with cluster, distributed.Client(cluster.stdout.readline().strip(), timeout=3) as client:
        options: dict[str, Any] = {"executor": client.get_executor(), "parallel": 4, "settle_after": 1}
        fleet = b24nb.Fleet(scene.sandboxes.names, fleets.webhook_of, journal=journal, **options)
        plan = fleet.plan(WANTED, prune=True, **QUIET)
        threading.Timer(0.2, lambda: os.killpg(cluster.pid, signal.SIGKILL)).start()
        report = plan.apply(**QUIET)
        assert set(report.missing.values()) <= {"unknown", "not visited"}
        assert report.missing
    scene.finish_and_take_back(journal, before, sent)


if __name__ == "__main__":
    victim(*sys.argv[1:])
