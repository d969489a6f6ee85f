"""The two limits as the client sees them, against the sandbox's own accounts."""

import random

import pandas as pd
import pytest

from b24nb import Client, SandboxPortal, connect, spec
from b24nb.errors import OperatingTimeExceeded
from b24nb.rest.limits import LeakyBucket, Limits
from b24nb.sandbox.rate_limits import LeakyBucket as PortalBucket
from b24nb.sandbox.rate_limits import OperatingTime
from tests.fakes import FakeClock
from tests.servers import answering


@pytest.fixture
def limits(clock: FakeClock) -> Limits:
    return Limits(LeakyBucket("standard", clock), clock)


def test_hours_at_two_a_second_with_bursts() -> None:
    """The client's picture is never more optimistic than the portal's, and hardly more pessimistic."""
    clock, dice = FakeClock(0.0), random.Random(0)
    ours, theirs = LeakyBucket("standard", clock), PortalBucket()
    tariff = spec.TARIFFS["standard"]
    requests = refusals = 0
    while clock.monotonic() < 4 * 3600:
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
    assert requests > 16_000
    assert refusals > 16


def test_a_clock_that_goes_back_does_not_fill_the_bucket_of_the_portal() -> None:
    bucket, tariff = PortalBucket(), spec.TARIFFS["standard"]
    bucket.admit(tariff, 100.0)
    bucket.admit(tariff, 0.0)
    assert bucket.level == 2


def test_operating_time_is_reported_never_added_up(clock: FakeClock, limits: Limits) -> None:
    work = OperatingTime()
    for _ in range(3):
        work.add(100.0, clock())
        limits.reported("crm.activity.badge.list", work.seconds(clock()), work.reset_at(clock()))
        clock.advance(61)
    row = limits.df.iloc[0]
    assert (row["operating_s"], row["limit_s"], row["calls_left"]) == (300.0, 480.0, 2)
    # Two more calls pass (the one that crosses the line still does), the next is refused.
    for _ in range(2):
        assert work.seconds(clock()) <= spec.OPERATING_LIMIT_SECONDS
        work.add(100.0, clock())
    assert work.seconds(clock()) > spec.OPERATING_LIMIT_SECONDS
    clock.advance(600)
    assert limits.df.iloc[0]["operating_s"] == 0.0


def test_a_method_that_costs_nothing_has_no_forecast(clock: FakeClock, limits: Limits) -> None:
    assert list(limits.df) == ["method", "operating_s", "limit_s", "calls_left", "reset_at"]
    assert str(limits.df["reset_at"].dt.tz) == "UTC"
    limits.reported("profile", 0.0, clock() + 600)
    assert limits.df["calls_left"].isna().all()
    limits.reported("silent", None, None)
    assert list(limits.df["method"]) == ["profile"]


def test_the_displays_say_that_others_share_the_bucket(clock: FakeClock, limits: Limits) -> None:
    limits.reported("crm.activity.badge.list", 240.0, clock() + 600)
    limits.reported("profile", 1.0, clock() + 600)
    limits.blocked("scope")
    for _ in range(45):
        limits.bucket.enter(wait=False)
    for shown in (repr(limits), limits._repr_html_()):
        assert "thers on the same address" in shown
        assert "4 at once are safe now, 49 in 23 s" in shown
        assert "240 of 480 s operating time, about 2 more calls" in shown
        assert "profile: 1 of 480 s operating time, about 480 more calls" in shown
        assert "scope: 480 of 480 s operating time, blocked until 16:10:00 UTC at the latest" in shown


def test_the_request_rate_as_a_frame(limits: Limits) -> None:
    for _ in range(45):
        limits.bucket.enter(wait=False)
    frame = limits.rate
    assert list(frame.columns) == ["burst", "seconds_until_safe", "level", "capacity", "drains_per_s"]
    assert frame[["burst", "seconds_until_safe"]].values.tolist() == [[1, 0], [10, 2.75], [25, 10.25], [49, 22.25]]
    assert (frame["level"].iloc[0], frame["capacity"].iloc[0], frame["drains_per_s"].iloc[0]) == (45, 50, 2)


def test_the_first_report_of_a_method_may_hold_the_work_of_others(clock: FakeClock, limits: Limits) -> None:
    limits.reported("old.method", 300.0, clock() + 500, waited=2.0)
    limits.reported("new.method", 1.5, clock() + 600, waited=2.0)
    left = limits.df.set_index("method")["calls_left"]
    assert pd.isna(left["old.method"])
    assert left["new.method"] == 320
    limits.reported("Old.Method", 302.0, clock() + 500, waited=2.0)
    assert limits.df.set_index("method")["calls_left"]["old.method"] == 90


def test_the_forecast_does_not_rise_when_a_part_expires(clock: FakeClock) -> None:
    cost = {"crm.activity.badge.list": 58.0}
    with SandboxPortal(clock=clock, cost=cost) as portal, connect(portal, clock=clock) as b24:

        def left() -> int:
            b24.badges.list()
            return b24.calls.limits.df.set_index("method")["calls_left"]["crm.activity.badge.list"]

        for _ in range(2):
            left()
            clock.advance(2)
        assert left() == 6
        clock.advance(450)  # the first basket expires during the next call
        portal.switches.cost = {"crm.activity.badge.list": 60.0}
        assert left() == 6


def test_after_a_refusal_no_call_is_left_whatever_the_figures_say(clock: FakeClock, limits: Limits) -> None:
    """A plan may allow less than the 480 s of the documentation."""
    limits.reported("crm.activity.badge.list", 100.0, clock() + 300)
    limits.blocked("crm.activity.badge.list")
    limits.blocked("profile")
    assert list(limits.df["calls_left"]) == [0, 0]
    assert list(limits.df["operating_s"]) == [100.0, 480.0]
    clock.advance(300)
    # The oldest part is forgotten, the rest not yet.
    assert list(limits.df["operating_s"]) == [100.0, 480.0]
    assert limits.df["calls_left"][0] == 4
    limits.reported("crm.activity.badge.list", 20.0, clock() + 300)
    assert limits.df["operating_s"][0] == 20.0


def test_the_client_learns_of_a_refusal_alone_and_inside_a_batch(portal: SandboxPortal, b24: Client) -> None:
    portal.faults.next("OPERATION_TIME_LIMIT", times=2, method="server.time")
    with pytest.raises(OperatingTimeExceeded):
        b24.call("server.time")
    assert isinstance(b24.batch({"a": ("server.time", None)})["a"], OperatingTimeExceeded)
    left = b24.calls.limits.df.set_index("method")["calls_left"]
    assert (left["server.time"], left["server.time in a batch"]) == (0, 0)


def test_a_command_of_a_batch_does_not_overwrite_what_single_calls_have_used_up() -> None:
    """A portal counts it under another key, or under that of ``batch`` and states 0."""

    def time(used: float) -> dict[str, object]:
        return {"operating": used, "operating_reset_at": 1_764_000_300}

    commands = {"result": {"k0": []}, "result_time": {"k0": time(0)}}
    answers = [{"result": [], "time": time(485)}, {"result": commands, "time": time(3)}]
    with answering(*answers) as (connection, _):
        connection.call("crm.activity.list")
        connection.batch({"a": ("crm.activity.list", None)})
    used = connection.calls.limits.df.set_index("method")["operating_s"].to_dict()
    assert used == {"crm.activity.list": 485, "crm.activity.list in a batch": 0, "batch": 3}


def test_commands_that_all_state_the_sum_of_their_batch_have_no_forecast() -> None:
    """50 commands of 5 s together do not cost 5 s each."""
    block = {"operating": 0.5, "operating_reset_at": 1_764_000_300}
    answers = [
        {"result": {"result": {"k0": []}, "result_time": {"k0": block | {"operating": used}}}, "time": block}
        for used in (0.0, 0.0001)
    ]
    with answering(*answers) as (connection, _):
        for _ in answers:
            connection.batch({"a": ("crm.deal.list", None)})
    assert pd.isna(connection.calls.limits.df.set_index("method")["calls_left"]["crm.deal.list in a batch"])


def test_a_method_over_its_limit_is_blocked_until_some_of_it_is_forgotten(clock: FakeClock, limits: Limits) -> None:
    for seconds in (470.0, 485.0):
        limits.reported("crm.activity.badge.list", seconds, clock() + 30)
    assert limits.df["calls_left"][0] == 0
    assert "blocked until at least" in repr(limits)
    clock.advance(30)
    assert limits.df["calls_left"].isna().all(), "how much was forgotten, nobody states"
    assert "blocked" not in repr(limits)


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
