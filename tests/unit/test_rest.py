"""The call log of a client: its statistics, and the two limits as the client sees them."""

import math
import random
from typing import Any
from unittest import mock

import numpy as np
import pandas as pd
import pytest
from markupsafe import escape

from b24nb import Client, SandboxPortal, connect, spec
from b24nb.errors import InvalidInput, OperatingTimeExceeded
from b24nb.rest.calls import KEPT_BYTES, Call, CallLog
from b24nb.rest.connection import is_write
from b24nb.rest.limits import LeakyBucket, Limits
from b24nb.sandbox.rate_limits import LeakyBucket as PortalBucket
from tests.fakes import FakeClock, log_of
from tests.servers import answering


def http(method: str = "profile", client_ms: float = 10.0, **more: object) -> Call:
    return Call(1_764_000_000.0, "http", method, "", {}, client_ms=client_ms, bytes_out=2, bytes_in=20, **more)


COLUMNS = [
    *("at", "kind", "method", "key", "params", "attempt", "http_status", "error", "outcome", "client_ms", "server_ms"),
    *("network_ms", "processing_ms", "operating_s", "operating_reset_at", "bytes_out", "bytes_in"),
]


def test_the_methods_of_badges_are_known_as_writes_by_their_last_word() -> None:
    writes = {"crm.activity.badge.add", "crm.activity.badge.delete"}
    assert {name for name in spec.METHODS if is_write(name)} == writes


@pytest.mark.parametrize("log", [log_of(), log_of(http())], ids=["empty", "one row"])
def test_the_frame_has_its_columns_and_types_also_when_empty(log: CallLog) -> None:
    frame = log.df
    assert list(frame.columns) == COLUMNS
    assert str(frame["at"].dt.tz) == str(frame["operating_reset_at"].dt.tz) == "UTC"
    assert {str(frame[name].dtype) for name in ("attempt", "http_status", "bytes_in", "bytes_out")} == {"Int64"}
    assert {str(frame[name].dtype) for name in ("client_ms", "server_ms", "operating_s")} == {"Float64"}


@pytest.mark.parametrize(
    ("n", "present"),
    [(4, []), (5, ["p50"]), (19, ["p50"]), (20, ["p50", "p90", "p95"]), (100, ["p50", "p90", "p95", "p99"])],
)
def test_a_percentile_is_that_of_numpy_and_needs_enough_values(n: int, present: list[str]) -> None:
    row = log_of(*(http(client_ms=float(i**2)) for i in range(n))).summary(full=True).loc["profile"]
    figures = {name: row[f"client_{name}"] for name in ("p50", "p90", "p95", "p99")}
    wanted = {name: np.percentile([i**2 for i in range(n)], int(name[1:])) for name in present}
    assert {name: figure for name, figure in figures.items() if pd.notna(figure)} == pytest.approx(wanted)
    assert row["client_max"] == (n - 1) ** 2
    assert pd.isna(row["server_max"])
    assert (row["n"], row["bytes_in"], row["bytes_out"]) == (n, 20 * n, 2 * n)


def test_a_loop_over_the_log_sees_what_was_there_at_its_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("b24nb.rest.calls.KEPT", 2)
    log = log_of(http("a"), http("b"))
    for call in log:  # which adds rows, and drops those that it has not seen yet
        log.record(http(f"after {call.method}"))
    assert [call.method for call in log] == ["after a", "after b"]
    assert (log[0].method, log[-1].method) == ("after a", "after b")


def test_a_missing_server_time_is_no_zero() -> None:
    calls = [http(client_ms=10.0, server_ms=4.0)] * 5 + [http(client_ms=1000.0)] * 5
    row = log_of(*calls).summary(full=True).loc["profile"]
    assert (row["server_p50"], row["network_p50"], row["network_share"]) == (4.0, 6.0, 0.6)


def test_attempts_and_commands_do_not_mix_and_a_refused_batch_has_none(portal: SandboxPortal, clock: FakeClock) -> None:
    with connect(portal, clock=clock) as b24:
        portal.faults.next("QUERY_LIMIT_EXCEEDED", times=3)
        for count in (50, 20):
            b24.batch({str(number): ("server.time", None) for number in range(count)})
            clock.advance(1)
        b24.call("server.time")
    assert b24.calls.df["bytes_in"].sum() == sum(request.bytes for request in [*portal.requests][1:])
    counts = b24.calls.summary(full=True)[["n", "errors", "retries"]]
    assert counts.loc[["batch", "server.time"]].values.tolist() == [[5, 3, 3], [1, 0, 0]]
    for by, wanted in (("method", {"batch": 35, "server.time": 1}), ("attempt", {1: 10.5, 4: 50})):
        commands = b24.calls.summary(by, full=True)["commands_per_request"]
        assert commands.dropna().to_dict() == wanted


def test_other_groupings() -> None:
    log = log_of(http(), http(outcome="error", error="X"), http("scope"))
    assert list(log.summary(full=True, by="outcome")["n"]) == [1, 2]
    both = log.summary(full=True, by=["method", "outcome"])
    assert both.index.names == ["method", "outcome"]
    assert len(both) == 3
    for by, named in (([], "''"), (None, "None"), ("colour", "'colour'")):
        with pytest.raises(InvalidInput, match=f"Can't group by {named}"):
            log.summary(by=by)
    assert list(log_of().summary(full=True).columns) == list(log.summary(full=True).columns)
    assert list(log.summary()) == [
        *("n", "errors", "retries", "client_p50", "client_p95", "client_max", "server_p50", "network_share")
    ]


def test_the_log_is_bounded_in_bytes_too_and_keeps_the_newest() -> None:
    log = log_of()
    for number in range(5):
        log.record(http(client_ms=float(number)), KEPT_BYTES // 3)
    assert (len(log), log.dropped, log[0].client_ms) == (2, 3, 3.0)
    log.record(http(client_ms=9.0), KEPT_BYTES * 2)
    assert [call.client_ms for call in log] == [9.0]
    assert "5 older ones were dropped" in repr(log)
    log.clear()
    assert (len(log), log.dropped, log.last) == (0, 0, None)


def test_the_log_says_why_figures_of_the_portal_are_missing() -> None:
    def told(time: dict[str, object], headers: dict[str, str]) -> Call:
        call = http(client_ms=10.0)
        call.note_times(time, headers, call.client_ms)
        return call

    whole = {"start": 1, "duration": 0.004, "processing": 0}
    late, exact = ({"X-Bitrix-Rest-Time": seconds} for seconds in ("0.0200", "0.0040"))
    refused, command = told({}, {}), told({}, {})  # of these no time is expected
    refused.outcome, command.kind = "error", "command"
    log = log_of(
        told(whole, {}), told(whole, late), told({}, {}), told(whole, exact), told({}, exact), refused, command
    )
    assert log.missing() == [
        "No server time for 1 call: the portal counts in whole seconds and sends no exact header.",
        "No server time for 1 call: the portal's figure is more than the caller waited.",
        "No server time for 1 call: the portal states none.",
        "No processing time for 2 calls: the portal counts it in whole seconds, or states none that can be right.",
    ]
    for reason in log.missing("server_ms"):
        assert str(escape(reason)) in log._repr_html_()
    assert "processing" not in log._repr_html_(), "it does not show that time"
    assert log.missing("server_ms") == log.missing()[:3]
    assert log_of(http(server_ms=1.0, processing_ms=0.5)).missing() == []


def test_what_a_command_states_is_held_against_its_request() -> None:
    command = Call(0.0, "command", "profile", "k", {})
    command.note_times({"start": 1.5, "duration": 3.0, "processing": 0.001}, {}, waited_ms=10.0)
    assert (command.server_ms, command.processing_ms) == (None, 1.0)


@pytest.fixture
def limits(clock: FakeClock) -> Limits:
    return Limits(LeakyBucket("standard", clock), clock)


def test_hours_at_two_a_second_with_bursts() -> None:
    """The client's picture is never more optimistic than the portal's, and hardly more pessimistic."""
    clock, dice = FakeClock(0.0), random.Random(0)
    ours, theirs = LeakyBucket("standard", clock), PortalBucket()
    tariff = spec.TARIFFS["standard"]
    requests = refusals = 0
    while clock.monotonic() < 24 * 3600:
        clock.advance(dice.expovariate(2.0) * 1.3)
        in_turn = dice.random() < 0.5  # single calls don't wait until they are refused
        for _ in range(dice.choice([1] * 200 + [20, 45, 80])):
            ours.enter(wait=in_turn)
            admitted = theirs.admit(tariff, clock.monotonic())
            requests += admitted
            if not admitted:
                assert not in_turn
                ours.overflowed()
                ours.enforced = False  # the first refusal of many clients, one after the other
                refusals += 1
            assert theirs.level <= ours.level <= theirs.level + 2
        # Is a burst said to be safe really safe?
        burst = dice.randint(1, 60)
        if ours.seconds_until(burst) == 0:
            assert theirs.level + burst <= tariff.burst
    assert requests > 96_000
    assert refusals > 96


def test_a_clock_that_goes_back_does_not_fill_the_bucket_of_the_portal() -> None:
    bucket, tariff = PortalBucket(), spec.TARIFFS["standard"]
    bucket.admit(tariff, 100.0)
    bucket.admit(tariff, 0.0)
    assert bucket.level == 2


LIST = "crm.activity.badge.list"


@pytest.mark.parametrize(
    ("told", "known"),
    [
        ([("profile", 0, 600), ("silent", None, 600)], {}),  # costs nothing: no forecast
        # A first report may hold the work of others.
        ([("old", 300, 500, 2), ("new", 1.5, 600, 2)], {"old": (300, None), "new": (1.5, 320)}),
        ([("old", 300, 500, 2), ("Old", 302, 500, 2)], {"old": (302, 90)}),
        # A plan may allow less than the 480 s of the documentation. Later, the oldest part is forgotten.
        ([(LIST, 100, 300), LIST, "profile"], {LIST: (100, 0), "profile": (480, 0)}),
        ([(LIST, 100, 300), LIST, "profile", 300], {LIST: (100, 4), "profile": (480, 0)}),
        ([(LIST, 100, 300), LIST, 300, (LIST, 20, 300)], {LIST: (20, 24)}),
        ([(LIST, 58, 300), (LIST, 174, 300), 300, (LIST, 176, 300, 60)], {LIST: (176, 3)}),  # no call of 2 s
        # Stated is the sum; the call that crosses the line still passes.
        ([(LIST, 100, 600), 61, (LIST, 200, 539), 61, (LIST, 300, 478)], {LIST: (300, 2)}),
        ([(LIST, 100, 600), 61, (LIST, 200, 539), 61, (LIST, 300, 478), 600], {LIST: (0, 5)}),
        ([(LIST, 470, 30), (LIST, 485, 30)], {LIST: (485, 0)}),
        ([(LIST, 0.1, 300), (LIST, 0.1 + 2e-17, 300)], {LIST: (0.1 + 2e-17, 4799)}),  # an error of adding is no call
        ([(LIST, 470, 30), (LIST, 485, 30), 30], {LIST: (485, None)}),  # how much was forgotten, nobody states
    ],
)
def test_the_calls_that_are_left_are_none_after_a_refusal_and_unknown_where_nobody_can_know(
    told: list[Any], known: dict[str, Any], clock: FakeClock, limits: Limits
) -> None:
    """Told are the seconds that a method has used up and when some are forgotten, a refusal, or that time passes."""
    for one in told:
        if isinstance(one, tuple):
            method, seconds, until, waited = (*one, math.inf)[:4]
            limits.note_reported(method, seconds, clock() + until, waited)
        elif isinstance(one, str):
            limits.note_blocked(one)
        else:
            clock.advance(one)
    rows = limits.df.set_index("method")[["operating_s", "calls_left"]].astype(object).itertuples()
    assert {row.Index: (row.operating_s, None if pd.isna(row.calls_left) else row.calls_left) for row in rows} == known
    assert "None" not in repr(limits)
    assert ("blocked until" in repr(limits)) == (0 in [left for _, left in known.values()])
    # Only a part is forgotten then, unless the portal has not stated when: then all of it is.
    assert ("blocked until at least" in repr(limits)) == (known.get(LIST, (0, None))[1] == 0)


def test_frames_and_displays_say_how_much_is_left_and_that_others_share_it(clock: FakeClock, limits: Limits) -> None:
    limits.note_reported("crm.activity.badge.list", 240.0, clock() + 600, math.inf)
    limits.note_reported("profile", 1.0, clock() + 600, math.inf)
    limits.note_blocked("scope")
    for _ in range(45):
        limits.bucket.enter(wait=False)
    for shown in (repr(limits), limits._repr_html_()):
        assert "thers on the same address" in shown
        assert "4 at once are safe now, 49 after 23 s" in shown
        assert "240 of 480 s operating time, about 2 more calls" in shown
        assert "profile: 1 of 480 s operating time, about 480 more calls" in shown
        assert "scope: 480 of 480 s operating time, blocked until 16:10:00 UTC at the latest" in shown
    frame = limits.rate
    assert list(frame.columns) == ["burst", "seconds_until_safe", "level", "capacity", "drains_per_s"]
    assert frame[["burst", "seconds_until_safe"]].values.tolist() == [[1, 0], [10, 2.75], [25, 10.25], [49, 22.25]]
    assert (frame["level"].iloc[0], frame["capacity"].iloc[0], frame["drains_per_s"].iloc[0]) == (45, 50, 2)
    assert list(limits.df) == ["method", "operating_s", "limit_s", "calls_left", "reset_at"]
    assert str(limits.df["reset_at"].dt.tz) == "UTC"
    assert limits.bucket.seconds_until(50) == math.inf
    clock.advance(10)
    assert limits.bucket.level == 25
    with mock.patch.object(clock, "sleep"):  # as many threads wait at a time, of which none has sent its request
        for _ in range(40):
            limits.bucket.enter(wait=True)
    assert repr(limits).startswith("Requests: 50 of 50 in the bucket as this client sees it")
    assert limits.rate["seconds_until_safe"].iloc[0] == 8.25


def test_the_client_learns_of_a_refusal_alone_and_inside_a_batch(portal: SandboxPortal, b24: Client) -> None:
    portal.faults.next("OPERATION_TIME_LIMIT", times=2, method="server.time")
    with pytest.raises(OperatingTimeExceeded):
        b24.call("server.time")
    assert isinstance(b24.batch({"a": ("server.time", None)})["a"], OperatingTimeExceeded)
    left = b24.calls.limits.df.set_index("method")["calls_left"]
    assert (left["server.time"], left["server.time in a batch"]) == (0, 0)


def test_commands_of_a_batch_overwrite_nothing_that_single_calls_have_used_up_and_have_no_forecast() -> None:
    """A portal counts them under another key, or under that of ``batch`` and states 0; or it states the sum of all:
    50 commands of 5 s together do not cost 5 s each."""

    def time(used: float) -> dict[str, object]:
        return {"operating": used, "operating_reset_at": 1_764_000_300}

    def batch(used: float) -> dict[str, object]:
        return {"result": {"result": {"k0": []}, "result_time": {"k0": time(used)}}, "time": time(3)}

    with answering({"result": [], "time": time(485)}, batch(0), batch(0), batch(0.0001)) as (connection, _):
        connection.call("crm.activity.list")
        for method in ("crm.activity.list", "crm.deal.list", "crm.deal.list"):
            connection.batch({"a": (method, None)})
    known = connection.calls.limits.df.set_index("method")
    used = {"crm.activity.list": 485, "crm.deal.list in a batch": 0.0001, "batch": 3}  # not what has cost nothing
    assert known["operating_s"].to_dict() == used
    assert pd.isna(known["calls_left"]["crm.deal.list in a batch"])


def test_a_clock_that_is_behind_the_portals_blocks_no_method_for_hours(clock: FakeClock) -> None:
    late = FakeClock(clock() - 3 * 3600)
    with SandboxPortal(clock=clock, operating=100) as portal, connect(portal, clock=late) as b24:
        portal.switches.cost = {"server.time": 101.0}
        b24.call("server.time")
        with pytest.raises(OperatingTimeExceeded):
            b24.call("server.time")
        assert "blocked until 13:10:00 UTC at the latest" in repr(b24.calls.limits)
        late.advance(600)
        assert "blocked" not in repr(b24.calls.limits)


def test_a_client_that_has_slowed_down_shows_the_rate_that_it_reckons_with(clock: FakeClock) -> None:
    with SandboxPortal(limits=True, clock=clock) as portal, connect(portal, clock=clock) as b24:
        portal.faults.next("QUERY_LIMIT_EXCEEDED", times=8, method="server.time")
        b24.call("server.time")
        first, second = b24.calls.limits.rate[:2].itertuples()
        assert first.drains_per_s < 2
        waits = second.seconds_until_safe - first.seconds_until_safe
        assert waits * first.drains_per_s == pytest.approx(second.burst - first.burst)
        assert f"draining {first.drains_per_s:.2g}/s" in repr(b24.calls.limits)
        clock.advance(60)
        assert "draining 2/s" in repr(b24.calls.limits)


def test_pauses_after_refusals_grow_and_differ_by_chance(clock: FakeClock) -> None:
    def pause(times: int) -> float:
        before = clock.monotonic()
        LeakyBucket("standard", clock).refused(times, 0)
        return clock.monotonic() - before

    for times, most in ((1, 1), (2, 2), (3, 4), (4, 8), (9, 8)):
        pauses = [pause(times) for _ in range(50)]
        assert most / 2 < max(pauses) <= most
        assert min(pauses) < most / 2
    before = clock.monotonic()
    LeakyBucket("standard", clock).refused(1, 30)
    assert clock.monotonic() - before == 30, "not before the portal said"


def test_single_calls_are_paced_from_the_first_refusal_on(clock: FakeClock) -> None:
    bucket, begun = LeakyBucket("standard", clock), clock.monotonic()
    for _ in range(100):
        bucket.enter(wait=False)
    assert clock.monotonic() == begun, "the portal may count less strictly than the plan says"
    for _ in range(3):  # refusals of requests that were under way together
        bucket.overflowed()
    assert bucket.per_second == 2
    for _ in range(20):
        bucket.enter(wait=False)
    assert clock.monotonic() - begun >= 10
