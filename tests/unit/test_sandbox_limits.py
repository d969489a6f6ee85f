"""The two limits of a portal, by the figures of https://apidocs.bitrix24.com/limits.html."""

from __future__ import annotations

import pytest

from b24nb import spec
from b24nb.sandbox.rate_limits import LeakyBucket, OperatingTime


@pytest.mark.parametrize(("plan", "burst", "per_second"), [("standard", 50, 2), ("enterprise", 250, 5)])
def test_a_burst_passes_then_what_drains(plan: str, burst: int, per_second: int) -> None:
    bucket, tariff = LeakyBucket(), spec.TARIFFS[plan]
    assert [bucket.admit(tariff, 0.0) for _ in range(burst + 3)] == [True] * burst + [False] * 3
    assert [bucket.admit(tariff, 1.0) for _ in range(per_second + 1)] == [True] * per_second + [False]


def test_a_full_bucket_is_empty_again_after_a_while_and_no_emptier() -> None:
    bucket, tariff = LeakyBucket(), spec.TARIFFS["standard"]
    for _ in range(50):
        bucket.admit(tariff, 0.0)
    assert [bucket.admit(tariff, 1e6) for _ in range(51)].count(True) == 50


def test_a_clock_that_goes_back_does_not_fill_the_bucket() -> None:
    bucket, tariff = LeakyBucket(), spec.TARIFFS["standard"]
    bucket.admit(tariff, 100.0)
    bucket.admit(tariff, 0.0)
    assert bucket.level == 2


def test_short_calls_are_free() -> None:
    work = OperatingTime()
    work.add(0.1, now=0)
    assert work.seconds(now=0) == 0
    work.add(0.11, now=0)
    assert work.seconds(now=0) == 0.11


def test_a_basket_takes_a_minute_and_lives_ten() -> None:
    work = OperatingTime()
    work.add(1, now=0)
    work.add(2, now=59)  # still the first basket
    work.add(4, now=60)  # the second
    assert work.seconds(now=599) == 7
    assert work.reset_at(now=599) == 600
    assert work.seconds(now=600) == 4
    assert work.reset_at(now=600) == 660
    assert work.seconds(now=660) == 0
    assert work.reset_at(now=660) == 1260


def test_at_most_ten_baskets_are_alive() -> None:
    work = OperatingTime()
    for minute in range(100):
        work.add(1, now=minute * 60)
    assert work.seconds(now=99 * 60) == 10
