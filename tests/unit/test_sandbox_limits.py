"""The two limits of a portal, by the figures of https://apidocs.bitrix24.com/limits.html."""

from b24nb import spec
from b24nb.sandbox.rate_limits import LeakyBucket, OperatingTime


def test_a_clock_that_goes_back_does_not_fill_the_bucket() -> None:
    bucket, tariff = LeakyBucket(), spec.TARIFFS["standard"]
    bucket.admit(tariff, 100.0)
    bucket.admit(tariff, 0.0)
    assert bucket.level == 2


def test_at_most_ten_baskets_are_alive() -> None:
    work = OperatingTime()
    for minute in range(100):
        work.add(1, now=minute * 60)
    assert work.seconds(now=99 * 60) == 10
