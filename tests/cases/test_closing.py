"""A client that was closed, forgotten, or taken along by a forked process."""

import gc
import os
import sys
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from ipywidgets import Widget

from b24nb import Fleet, OAuthToken, SandboxPortal, connect, errors, explain, forms
from b24nb.credentials import Webhook
from b24nb.forms.state import SharedState
from b24nb.rest.connection import Connection
from b24nb.rest.token_renewals import lock_of
from b24nb.rest.transport import Transport
from b24nb.sandbox import SandboxFleet
from b24nb.secret import Secret, known_secrets
from tests.fakes import FakeClock, eventually
from tests.programs import python
from tests.servers import http, serving

pytestmark = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")


def sandboxes() -> int:
    gc.collect()
    return sum(thread.name == "b24nb-sandbox" for thread in threading.enumerate())


@pytest.mark.parametrize("whose", ["its own sandbox", "a given sandbox", "an address"])
def test_a_closed_client_refuses_in_words_and_sends_nothing(portal: SandboxPortal, whose: str) -> None:
    given = {"its own sandbox": None, "a given sandbox": portal, "an address": portal.webhook}[whose]
    b24 = connect(given)
    b24.badges.delete("newsletter")
    b24.close()
    b24.close()
    sent = len(portal.requests)
    for ask in (
        b24.badges.list,
        lambda: b24.badges.get("missedCall"),
        lambda: b24.badges.delete("missedCall"),
        lambda: b24.badges.plan([]),
        lambda: b24.call("profile"),
        lambda: b24.batch({"a": ("profile", None)}),
    ):
        with pytest.raises(errors.ClientClosed, match=r"was closed.*connect\(\)") as caught:
            ask()
        assert "Nothing was sent" in repr(explain(caught.value))
    assert len(portal.requests) == sent
    assert portal.running
    assert repr(b24)
    assert b24._repr_html_()
    assert b24.calls.df["method"].iloc[-1] == "crm.activity.badge.delete"
    assert whose == "its own sandbox" or list(b24.journal.df["code"]) == ["newsletter"]


@pytest.mark.parametrize("ended", ["client", "sandbox"])
def test_the_journal_of_a_sandbox_that_ended_says_that_it_is_gone(ended: str) -> None:
    portal = SandboxPortal()
    with connect(portal) as b24:
        b24.badges.delete("missedCall")
        path = Path(portal.journal_path)
        (b24.close if ended == "client" else portal.stop)()
        assert "gone" in repr(b24.journal)
        with pytest.raises(errors.JournalError, match="that of a sandbox is temporary"):
            b24.journal.plan_undo()
    assert not path.parent.exists()


def test_a_client_that_nobody_holds_stops_its_sandbox() -> None:
    before = sandboxes()
    for _ in range(3):
        b24 = connect()
        b24.badges.list()
        portal = SandboxPortal()
        b24 = connect(portal)
        b24.badges.list()
    directory = Path(portal.journal_path).parent
    assert directory.is_dir()
    assert sandboxes() <= before + 1
    del b24, portal
    assert sandboxes() == before
    assert not directory.exists()


def test_a_form_that_is_closed_gives_back_its_client() -> None:
    before = sandboxes()
    form = forms.explorer(connect(), run=True)
    assert sandboxes() == before + 1
    form.close()
    del form
    assert sandboxes() == before


def test_a_form_that_is_closed_leaves_no_widget_in_the_kernel(portal: SandboxPortal) -> None:
    with connect(portal) as b24:
        before = [*Widget.get_manager_state()["state"]]
        forms.delete_form(b24, "missedCall", run=True).close()
        assert [*Widget.get_manager_state()["state"]] == before


def test_a_fleet_that_nobody_holds_closes_its_connections_at_once() -> None:
    def open_files() -> int:
        return len([*Path("/proc/self/fd").iterdir()])

    with SandboxFleet(3) as sandboxes:
        before = open_files()
        gc.disable()
        try:
            assert not Fleet(sandboxes.names, sandboxes.webhooks.get).badges(progress=False).missing
            eventually(lambda: open_files() == before)  # the portals close their ends, too
        finally:
            gc.enable()


def test_a_sandbox_that_somebody_else_holds_goes_on() -> None:
    mine = SandboxPortal()
    b24 = connect(mine)
    b24 = connect(mine)
    gc.collect()
    assert b24.badges.list()
    b24.close()
    assert mine.running, "it ran already when this client came"
    mine.stop()


def test_a_connect_that_is_interrupted_leaves_no_sandbox_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[threading.Thread] = []
    start = threading.Thread.start

    def interrupted(thread: threading.Thread) -> None:
        start(thread)
        started.append(thread)
        raise KeyboardInterrupt

    monkeypatch.setattr(threading.Thread, "start", interrupted)
    with pytest.raises(KeyboardInterrupt):
        connect()
    started[0].join(20)
    assert not started[0].is_alive()


def test_clients_connected_in_threads_share_the_sandbox_that_the_first_one_starts() -> None:
    before = sandboxes()
    mine = SandboxPortal()
    with ThreadPoolExecutor(4) as pool:
        clients = list(pool.map(connect, [mine] * 4))
    clients[0].badges.delete("missedCall")
    assert ["missedCall" in b24.badges.list() for b24 in clients] == [False] * 4
    for b24 in clients:
        b24.close()
    assert not mine.running
    assert sandboxes() == before


def test_closing_a_client_leaves_a_sandbox_that_was_started_again_since() -> None:
    mine = SandboxPortal()
    old = connect(mine)
    mine.stop()
    with connect(mine) as b24:
        old.close()
        assert b24.badges.list()
    assert not mine.running


def forked(work: Callable[[], object]) -> Callable[[], str]:
    """Do this in a forked process; a function that waits for its end, and returns what it gave or raised."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            said = str(work())
        except BaseException as error:  # the parent shows it
            said = repr(error)
        os.write(write, said.encode())
        os._exit(0)
    os.close(write)

    def wait() -> str:
        with os.fdopen(read) as pipe:
            said = pipe.read()
        os.waitpid(pid, 0)
        return said

    return wait


def test_a_forked_process_gets_the_answers_to_its_own_questions_and_closes_its_own_client() -> None:
    """Parent and children share the kept connection of before the fork, and must not use it both."""
    with SandboxPortal(latency_ms=5) as portal, connect(portal) as b24:

        def ask(code: str) -> list[str]:
            return [b24.badges.get(code).code for _ in range(12)]

        codes = [badge.code for badge in b24.badges.list()][:4]
        children = [forked(partial(ask, code)) for code in codes]
        assert ask(codes[0]) == [codes[0]] * 12
        assert [child() for child in children] == [str([code] * 12) for code in codes]
        assert forked(lambda: b24.close() or b24.badges.list())().startswith("ClientClosed")
        assert b24.badges.list()


def test_a_process_that_is_forked_during_a_renewal_can_renew(clock: FakeClock) -> None:
    with SandboxPortal(clock=clock) as portal:
        token = OAuthToken(**portal.oauth)
        with connect(token, clock=clock) as b24, ThreadPoolExecutor(1) as pool:
            clock.advance(3601)
            portal.faults.next("hang", method="oauth/token", seconds=3)
            asked = pool.submit(b24.badges.list)
            eventually(lock_of(token).locked)
            assert forked(lambda: len(b24.badges.list()))() == "12"
            with pytest.raises(errors.ConnectionFailed):
                asked.result()


def test_a_forked_process_that_ends_leaves_the_journals_to_its_parent(portal: SandboxPortal) -> None:
    program = """
import os, sys, b24nb
b24 = b24nb.connect(sys.argv[1])
b24.badges.delete("missedCall")
fleet = b24nb.Fleet(["one"], vault=lambda name: sys.argv[1])
fleet.plan([b24nb.Badge("vip", "t", "v", "primary")], progress=False).apply(progress=False)
child = os.fork()
if not child:
    sys.exit()
os.waitpid(child, 0)
print(len(b24.journal.df), fleet.plan_undo(progress=False).confirmation)
"""
    assert python(program, portal.webhook) == "1 1 change on 1 portal"


def test_a_forked_process_is_told_that_the_portal_is_not_there_and_keeps_no_port_or_connection() -> None:
    def look() -> None:
        try:
            _ = portal.webhook
        finally:
            os.read(over, 1)  # it lives longer than the portal

    (over, end), portal = os.pipe(), SandboxPortal().start()
    session, webhook = requests.Session(), portal.webhook
    session.post(f"{webhook}profile")  # a connection that is kept alive
    child = forked(look)
    portal.stop()
    with pytest.raises(requests.ConnectionError):
        session.post(f"{webhook}profile", timeout=20)
    with SandboxPortal(port=urlsplit(webhook).port):
        os.write(end, b".")
    assert "the process that this one was forked from" in child()


@pytest.mark.parametrize("what", ["portals", "forms", "secrets"])
def test_a_client_works_on_while_another_thread_makes_what_is_registered(portal: SandboxPortal, what: str) -> None:
    over, before = threading.Event(), sys.getswitchinterval()
    with connect(portal) as b24, ThreadPoolExecutor(1) as pool:
        shared = SharedState(b24, badges=b24.badges.list())
        make, work, times = {
            "portals": (SandboxPortal, lambda: connect(portal.webhook).close(), 60),
            "forms": (lambda: SharedState(b24), shared.see_changed, 2000),
            "secrets": (lambda: Secret(f"{len(kept)} of many secrets"), known_secrets, 1000),
        }[what]
        kept: deque[Any] = deque(maxlen=1000)
        kept.extend(make() for _ in range(500))

        def go_on() -> None:
            while not over.is_set():
                kept.append(make())

        sys.setswitchinterval(1e-5)
        making = pool.submit(go_on)
        try:
            for _ in range(times):
                work()
        finally:
            over.set()
            sys.setswitchinterval(before)
        assert making.result() is None


def test_a_call_that_waits_while_the_client_is_closed_is_not_sent() -> None:
    with serving(http(b'{"error": "QUERY_LIMIT_EXCEEDED"}', "503 Service Unavailable")) as server:

        class Closing(FakeClock):
            def sleep(self, seconds: float) -> None:
                connection.close()

        connection = Connection(Webhook.parse(server.webhook), Transport(), clock=Closing())
        with pytest.raises(errors.ClientClosed):
            connection.call("profile")
        assert len(server.requests) == 1


@pytest.mark.parametrize("held", [lambda b24: b24.badges, lambda b24: b24.journal, lambda b24: b24.badges.plan([])])
def test_badges_journal_and_plans_outlive_the_name_of_their_client(held: Any) -> None:
    part = held(connect())
    gc.collect()
    assert "missedCall" in connect().badges.list()
    assert repr(part)
    if hasattr(part, "apply"):
        assert part.apply(progress=False).ok
