"""Many badges at once: verdicts in the caller's order, refusals with their reasons, runs that end."""

import asyncio
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from unittest import mock

import pytest
from tqdm.auto import tqdm

from b24nb import Client, SandboxPortal, connect, errors, spec
from b24nb.badges.badge import Badge
from b24nb.badges.plan import Plan, Report
from tests.fakes import FakeClock, asked, edit, exit_when_told, rows
from tests.servers import Envelope, through


def codes(count: int) -> list[str]:
    return [row["code"] for row in rows(count)]


@pytest.fixture
def many() -> Iterator[SandboxPortal]:
    with SandboxPortal(badges=rows(300)) as portal:
        yield portal


@pytest.fixture
def b24(many: SandboxPortal) -> Iterator[Client]:
    with connect(many) as client:
        yield client


def verdicts(report: Report) -> list[str]:
    return [str(verdict) for verdict in report.df["verdict"]]


def batches(portal: SandboxPortal) -> int:
    return asked(portal).count("batch")


def test_one_missing_and_one_held_among_120(many: SandboxPortal, b24: Client) -> None:
    activity = many.attach("c0070")
    wanted = codes(120)[::-1]
    wanted[13] = "nobody"
    report = b24.badges.delete_many(wanted, keep_going=True, progress=False)
    df = report.df
    assert df["code"].tolist() == wanted
    assert df["verdict"].value_counts().to_dict() == {"deleted": 118, "refused": 1, "already gone": 1}
    held, missing = df[df["code"] == "c0070"].iloc[0], df[df["code"] == "nobody"].iloc[0]
    assert (held["verdict"], held["error"]) == ("refused", "ENTITY_WITH_BADGE_EXISTS")
    assert held["detail"] == f"held by activity {activity} of deal 1"
    assert (missing["verdict"], missing["detail"]) == ("already gone", "no badge has this code")
    assert not report.ok
    assert repr(report).startswith("Report: 118 deleted, 1 refused, 1 already gone\n  'nobody'  delete: already gone")
    left = {badge["code"] for badge in many.badges}
    assert left == set(codes(300)) - set(wanted) | {"c0070"}


def test_a_failure_leaves_the_rest_unsent_unless_told_otherwise(many: SandboxPortal, b24: Client) -> None:
    many.attach("c0010")
    report = b24.badges.delete_many(codes(120), progress=False)
    assert verdicts(report) == ["deleted"] * 10 + ["refused"] + ["not sent"] * 109
    assert report.df["detail"][119] == "stopped at a failure"
    assert batches(many) == 1
    assert len(many.badges) == 290


def test_a_code_that_is_gone_is_no_failure(many: SandboxPortal, b24: Client) -> None:
    """Somebody deletes some between the list and the request: the portal halts there, the run goes on."""
    with connect(many) as somebody:

        def meddle() -> bool:
            if len(many.badges) == 300:
                somebody.badges.delete_many(["c0003", "c0007", "c0060"], progress=False)
            return False

        report = b24.badges.delete_many(codes(120), progress=False, cancel=meddle)
    gone = [n for n, verdict in enumerate(verdicts(report)) if verdict == "already gone"]
    assert gone == [3, 7, 60]
    assert report.counts == {"deleted": 117, "already gone": 3}
    assert b24.journal.notice == ""
    assert b24.journal.plan_undo(last=2).counts["add"] == 120


def test_a_badge_that_was_edited_while_the_machine_slept_is_left_alone(many: SandboxPortal) -> None:
    class Clock(FakeClock):
        slept = 0.0

        def time(self) -> float:  # goes on while the machine sleeps; the monotonic one may stand still
            return self.monotonic() + self.slept

    def wait() -> bool:
        if asks.append(1) or len(asks) == 2:
            edit(many, "c0149")
            clock.slept = 3600.0
        return False

    clock, asks = Clock(), list[int]()
    with connect(many, clock=clock) as b24:
        report = b24.badges.delete_many(codes(150), progress=False, cancel=wait)
        assert verdicts(report) == ["deleted"] * 149 + ["changed"]


@pytest.mark.parametrize("parallel", [1, 4])
@pytest.mark.parametrize("count", [0, 1, 49, 50, 51, 300])
def test_every_code_has_its_verdict(count: int, parallel: int, many: SandboxPortal, b24: Client) -> None:
    report = b24.badges.delete_many(iter(codes(count)), parallel=parallel, progress=False)
    assert report.df["code"].tolist() == codes(count)
    assert verdicts(report) == ["deleted"] * count
    assert batches(many) in (-(-count // 50), -(-count // 49))  # with a look in each, where one has grown old
    assert len(many.badges) == 300 - count
    undo = b24.journal.plan_undo().apply(parallel=parallel, progress=False) if count else report
    assert undo.ok
    here = [badge["code"] for badge in many.badges]
    assert sorted(here) == codes(300)
    if parallel == 1:  # what comes back keeps its order, behind the others
        assert here == codes(300)[count:] + codes(count)


def test_confirm_is_a_number_that_has_to_fit(many: SandboxPortal, b24: Client) -> None:
    for given, wrong, says in ((["c0000", "c0001", "none"], 3, "deletes 2 of 300"), (["c0000"], True, "deletes 1 of")):
        with pytest.raises(errors.InvalidInput, match=says):
            b24.badges.delete_many(given, confirm=wrong)
    assert batches(many) == 0
    wanted = ["c0000", Badge.from_wire(rows(2)[1]), Badge("none", "t", "v", "primary")]
    assert b24.badges.delete_many(wanted, confirm=2, progress=False).counts == {"deleted": 2, "already gone": 1}
    assert not b24.badges.delete_many(["none"], progress=False).ok
    assert b24.badges.delete_many(["none"], missing_ok=True, progress=False).ok


def test_a_plan_sends_nothing_but_a_list(many: SandboxPortal, b24: Client) -> None:
    wanted = [Badge("c0001", "other", "v", "primary"), Badge("new", "t", "v", "success")]
    plan = b24.badges.plan(wanted, prune=True)
    repr(plan), plan._repr_html_(), plan.df, len(plan)
    assert [request.method for request in many.requests[1:]] == ["crm.activity.badge.list"]
    assert plan.counts == {"add": 1, "replace": 1, "delete": 299, "keep": 0}
    assert plan.df["action"].tolist()[:3] == ["replace", "add", "delete"]
    assert list(plan.df.columns) == [
        *("action", "code", "title", "value", "type"),
        *("title_before", "value_before", "type_before", "note"),
    ]
    assert (plan.df["title"][0], plan.df["title_before"][0], plan.df["title"][2]) == ("other", "Title 1", None)
    assert repr(plan).startswith("Plan: 1 add, 1 replace, 299 delete\n  ~ Badge(code='c0001', title='other'")
    assert repr(plan).endswith("Nothing has been sent. .apply(confirm=299) sends it.")
    assert "take the last places of the list." in repr(plan)
    assert "Nothing has been sent" in plan._repr_html_()


def test_more_than_half_needs_its_number(many: SandboxPortal, b24: Client) -> None:
    half = b24.badges.plan(rows(150), prune=True)
    more = b24.badges.plan(rows(149), prune=True)
    for confirm in (None, 150, 300):
        with pytest.raises(errors.InvalidInput, match=r"deletes 151 of 300.*confirm=151") as caught:
            more.apply(confirm=confirm)
        assert caught.value.field == "confirm"
    with pytest.raises(errors.InvalidInput, match="confirm=150"):
        half.apply(confirm=151)
    assert batches(many) == 0
    b24.badges.delete_many([f"c{n:04}" for n in range(200, 300)], progress=False)  # by somebody else, say
    with pytest.raises(errors.InvalidInput, match=r"deletes 51 of 200 badges.*confirm=51\."):
        more.apply(confirm=50)
    assert more.apply(confirm=151, progress=False).counts == {"kept": 149, "deleted": 51, "already gone": 100}
    assert len(many.badges) == 149


@pytest.mark.parametrize("putting_back", ["works", "fails"])
def test_a_replace_whose_add_fails_puts_the_old_badge_back(putting_back: str, many: SandboxPortal, b24: Client) -> None:
    before = sorted(many.badges, key=str)
    if putting_back == "fails":
        many.faults.next("ACCESS_DENIED", method="crm.activity.badge.add", times=2)
    wanted = [Badge("c0001", {"xx": "no such language"}, "v", "primary"), Badge("new", "t", "v", "primary")]
    report = b24.badges.plan(wanted).apply(progress=False)
    assert verdicts(report) == ["failed", "not sent"]
    assert (sorted(many.badges, key=str) == before) == (putting_back == "works")
    if putting_back == "works":
        assert report.df["error"][0] == "0"
        assert report.df["detail"][0].startswith("the old badge was restored, last in the list: 0: Language `xx`")
        assert len(b24.journal.plan_undo()) == 0  # nothing was changed
    else:
        assert "restoring the old badge failed: ACCESS_DENIED" in report.df["detail"][0]
        assert b24.journal.plan_undo().apply(progress=False).counts == {"added": 1}
        assert sorted(many.badges, key=str) == before


@pytest.mark.parametrize("says", ["held by activity 1 of deal 1", "who holds it could not be read: ACCESS_DENIED"])
def test_a_replace_that_is_held_changes_nothing(says: str, many: SandboxPortal, b24: Client) -> None:
    many.attach("c0001")
    if "could not" in says:
        many.faults.next("ACCESS_DENIED", method="crm.activity.list")
    before = many.badges
    report = b24.badges.plan([Badge("c0001", "new", "v", "primary")]).apply(keep_going=True, progress=False)
    assert verdicts(report) == ["refused"]
    assert says in report.df["detail"][0]
    assert many.badges == before


def test_a_stale_plan_leaves_alone_what_changed_since(many: SandboxPortal, b24: Client) -> None:
    plan = b24.badges.plan([Badge("c0000", "mine", "v", "primary"), Badge("new", "t", "v", "primary")], prune=True)
    with connect(many) as somebody:
        theirs = [Badge(code, "theirs", "v", "primary") for code in ("c0000", "c0001")]
        somebody.badges.plan(theirs).apply(progress=False)
        somebody.badges.add("new", "t", "v", "primary")
        somebody.badges.delete("c0002")
    assert "Nothing has been sent" in repr(plan)
    report = plan.apply(confirm=299, progress=False)
    assert "This plan was applied: 297 deleted, " in repr(plan)
    assert verdicts(report)[:5] == ["changed", "kept", "changed", "already gone", "deleted"]
    assert not report.ok
    assert all(text in report.df["detail"][0] for text in ("Title 0", "theirs", "left alone"))
    assert {badge["title"] for badge in many.badges} == {"theirs", "t"}
    assert "There is nothing to send." in repr(b24.badges.plan(b24.badges.list()))


#: What can end a run between two requests, what it raises then, and what the report says of the rest.
ENDS: dict[str, tuple[Callable[[Client], object], type[BaseException] | None, str]] = {
    "cancel": (lambda b24: True, None, "cancelled"),
    "a client that is closed": (lambda b24: b24.close(), None, "was closed"),
    "Ctrl-C": (lambda b24: os.kill(os.getpid(), signal.SIGINT), errors.Interrupted, "stopped by Ctrl-C"),
    "an error": (lambda b24: 1 / 0, ZeroDivisionError, "stopped by ZeroDivisionError"),
    "an exit": (lambda b24: sys.exit(), SystemExit, "stopped by SystemExit"),
    "a service that is told to end": (lambda b24: os.kill(os.getpid(), signal.SIGTERM), SystemExit, "SystemExit"),
}


@pytest.mark.parametrize("parallel", [1, 3])
@pytest.mark.parametrize("name", ENDS)
def test_a_run_that_is_ended_leaves_a_true_report(name: str, parallel: int, many: SandboxPortal, b24: Client) -> None:
    end, error, says = ENDS[name]
    many.switches.latency_ms = 50
    with exit_when_told(), pytest.raises(error) if error else nullcontext() as caught:
        cancel = lambda: batches(many) >= 2 and end(b24) is True  # noqa: E731
        report = b24.badges.delete_many(
            codes(300), parallel=parallel, keep_going=parallel == 3, progress=False, cancel=cancel
        )
    gone = 300 - len(many.badges)
    assert 100 <= gone <= 100 + 50 * parallel
    told = f"{caught.value} {getattr(caught.value, '__notes__', '')}" if caught else str(report)
    assert f"Report: {gone} deleted, {300 - gone} not sent" in told
    assert says in told
    assert isinstance(getattr(caught, "value", None), KeyboardInterrupt) == (name == "Ctrl-C")
    with connect(many) as later:
        assert later.journal.notice == ""
        assert later.journal.plan_undo().counts["add"] == gone


def test_a_service_without_output_deletes(many: SandboxPortal, b24: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", None)
    pressed, never = threading.Event(), asyncio.Event()
    pressed.set()
    assert b24.badges.delete_many(codes(60), cancel=pressed).counts == {"not sent": 60}
    assert b24.badges.delete_many(codes(60), cancel=never).counts == {"deleted": 60}


@pytest.mark.parametrize(
    ("during", "signals"),
    [
        ("batch", [signal.SIGINT, signal.SIGINT]),
        ("crm.activity.list", [signal.SIGINT]),
        ("crm.activity.list", [signal.SIGTERM]),
    ],
    ids=["Ctrl-C twice during a request", "Ctrl-C while holders are named", "a service that is told to end meanwhile"],
)
def test_a_run_that_a_signal_ends_is_reported(during: str, signals: list[signal.Signals], many: SandboxPortal) -> None:
    def answer(method: str, pass_on: Callable[[], Envelope]) -> Envelope:
        for number in signals if method == during and plans else ():
            os.kill(os.getpid(), number)
            time.sleep(0.3)
        return pass_on()

    many.attach("c0001")
    plans: list[Plan] = []
    with through(many, answer) as b24, exit_when_told():
        plans.append(b24.badges.plan(rows(300)[100:], prune=True))
        with pytest.raises(SystemExit if signal.SIGTERM in signals else errors.Interrupted) as caught:
            plans[0].apply(keep_going=True, progress=False)
    gone = 300 - len(many.badges)
    assert gone > 0
    assert f"Report: {gone} deleted" in f"{caught.value} {getattr(caught.value, '__notes__', '')}"
    assert f"This plan was applied: {gone} deleted, 200 kept, 1 refused" in repr(plans[0])


#: Threads add up their waits on this clock, so one that a busy machine delays may look at its badges once more.
@pytest.mark.parametrize(("parallel", "most"), [(1, 1.051), (4, 1.15)])
def test_five_thousand_deletes_keep_to_the_request_rate(clock: FakeClock, parallel: int, most: float) -> None:
    tariff, count = spec.TARIFFS["standard"], 5000
    with SandboxPortal(badges=rows(count), clock=clock, limits=True) as portal, connect(portal, clock=clock) as b24:
        clock.advance(3600)  # the bucket is empty
        start = clock.time()
        assert b24.badges.delete_many(codes(count), parallel=parallel, progress=False).counts == {"deleted": count}
        assert "QUERY_LIMIT_EXCEEDED" not in set(b24.calls.df["error"])
    requests = 1 + -(-count // spec.BATCH_SIZE)
    assert clock.time() - start <= most * (requests - tariff.burst - 1) / tariff.per_second


def test_a_run_without_a_bar_does_not_wait_for_one_that_was_interrupted_while_it_was_drawn(b24: Client) -> None:
    with tqdm.get_lock():
        run = threading.Thread(target=lambda: b24.badges.delete_many(["c0001"], progress=False), daemon=True)
        run.start()
        run.join(10)
        assert not run.is_alive()


def test_a_bar_shows_the_progress(b24: Client, capsys: pytest.CaptureFixture[str]) -> None:
    b24.badges.delete_many(codes(60))
    shown = capsys.readouterr()
    assert "60/60" in shown.err
    assert shown.out == ""
    b24.badges.delete_many(codes(100)[60:], progress=False)
    assert capsys.readouterr() == ("", "")


def test_ctrl_c_while_the_threads_start_leaves_no_thread_that_sends(many: SandboxPortal, b24: Client) -> None:
    """It can come when a thread runs already and its pool does not know it yet."""
    start, interrupted = threading.Thread.start, list[threading.Thread]()

    def start_and_interrupt(thread: threading.Thread) -> None:
        start(thread)
        if "ThreadPool" in thread.name and not interrupted:
            interrupted.append(thread)
            time.sleep(0.05)
            raise KeyboardInterrupt

    before = many.badges
    with mock.patch.object(threading.Thread, "start", start_and_interrupt), pytest.raises(errors.Interrupted) as caught:
        b24.badges.delete_many(codes(120), parallel=4, progress=False)
    interrupted[0].join()
    assert caught.value.report.counts == {"not sent": 120}
    assert many.badges == before
