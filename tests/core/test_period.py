"""Periods tile time: no gap, no overlap, no drift."""

import datetime as dt
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollkeeper.core import period

FIRST, LAST = dt.datetime(2019, 1, 1), dt.datetime(2031, 1, 1)  # noqa: DTZ001 - hypothesis adds the zones
ANCHORS = st.datetimes(FIRST, LAST, timezones=st.just(dt.UTC))
ZONED = st.datetimes(
    FIRST,
    LAST,
    timezones=st.sampled_from([ZoneInfo(z) for z in ("America/New_York", "Asia/Shanghai", "Pacific/Apia")]),
)
KINDS = st.sampled_from(["month", "year"])


@given(ANCHORS | ZONED, KINDS, st.integers(-30, 60))
def test_each_period_begins_where_the_one_before_ends(anchor: dt.datetime, kind: str, number: int) -> None:
    one, two = period.nth(anchor, kind, number), period.nth(anchor, kind, number + 1)
    assert one.ends_at == two.starts_at
    assert one.starts_at < one.ends_at
    assert one.starts_at.tzinfo is dt.UTC


@given(ANCHORS, KINDS, st.integers(0, 10**9))
def test_every_instant_lies_in_exactly_one_period(anchor: dt.datetime, kind: str, seconds: int) -> None:
    instant = anchor + dt.timedelta(seconds=seconds % (20 * 366 * 86_400))
    found = period.at(anchor, kind, instant)
    assert found.holds(instant)
    assert found == period.nth(anchor, kind, found.number)


def test_the_anchors_day_comes_back_after_a_short_month() -> None:
    anchor = dt.datetime(2027, 1, 31, 12, tzinfo=dt.UTC)
    days = [period.nth(anchor, "month", n).starts_at.day for n in range(5)]
    assert days == [31, 28, 31, 30, 31]
    leap = dt.datetime(2024, 2, 29, tzinfo=dt.UTC)
    assert [period.nth(leap, "year", n).starts_at.day for n in range(5)] == [29, 28, 28, 28, 29]


def test_an_anchor_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="zone"):
        period.nth(dt.datetime(2027, 1, 1), "month", 0)  # noqa: DTZ001 - that is the point


@given(ANCHORS, KINDS, st.integers(0, 10**7), st.floats(0, 1))
def test_the_shares_of_a_period_sum_to_its_price(
    anchor: dt.datetime, kind: str, price: int, part: float
) -> None:
    whole = period.nth(anchor, kind, 3)
    instant = whole.starts_at + dt.timedelta(seconds=int(whole.seconds * part))
    used, left = period.prorate(price, whole, instant)
    assert used + left == price
    assert used >= 0
    assert left >= 0
    assert abs(used * whole.seconds - price * int(whole.seconds * part)) <= whole.seconds


def test_an_instant_outside_has_no_share() -> None:
    whole = period.nth(dt.datetime(2027, 1, 1, tzinfo=dt.UTC), "month", 0)
    with pytest.raises(ValueError, match="outside"):
        period.prorate(100, whole, whole.ends_at + dt.timedelta(seconds=1))
