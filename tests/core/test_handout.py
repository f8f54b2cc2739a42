"""What a line gives tiles the time it is paid for, and adds up."""

from __future__ import annotations

import datetime as dt
from itertools import pairwise

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollkeeper.core import period as periods
from tollkeeper.core.handout import portions
from tollkeeper.core.terms import GrantTerms, KeyTerms, LineTerms, TrialTerms

UTC = dt.UTC
ANCHOR = st.integers(1_577_836_800, 2_082_758_399).map(lambda at: dt.datetime.fromtimestamp(at, UTC))
YEARLY = LineTerms(
    plan="pro",
    provisioner="gate_key",
    key=KeyTerms(plan="pro"),
    grants=(GrantTerms("calls", 1000, 10, None, "period"),),
    period="year",
    kind="subscription",
    units_every="month",
)


@given(ANCHOR, st.integers(0, 5))
def test_the_months_of_a_year_tile_it(anchor: dt.datetime, number: int) -> None:
    year = periods.nth(anchor, "year", number)
    made = portions(YEARLY, 1, year.starts_at, year.ends_at, anchor)
    assert len(made) == 12
    assert {one.amount for one in made} == {1000}
    assert (made[0].begins, made[-1].ends) == (year.starts_at, year.ends_at)
    assert all(one.ends == two.begins for one, two in pairwise(made))
    assert len({one.mark for one in made}) == 12


@given(ANCHOR, st.floats(0.001, 0.999))
def test_a_line_that_begins_in_the_middle_gets_its_share_of_the_month(
    anchor: dt.datetime, where: float
) -> None:
    year = periods.nth(anchor, "year", 0)
    since = anchor + dt.timedelta(seconds=int(year.seconds * where))
    first, *rest = portions(YEARLY, 1, since, year.ends_at, anchor)
    month = periods.at(anchor, "month", first.begins)
    assert first.amount == periods.prorate(1000, month, max(since, month.starts_at))[1]
    assert {one.amount for one in rest} <= {1000}
    assert ([first, *rest][-1]).ends == year.ends_at
    assert all(one.ends == two.begins for one, two in pairwise([first, *rest]))


def test_a_trial_gives_all_at_once() -> None:
    start = dt.datetime(2026, 1, 31, tzinfo=UTC)
    terms = YEARLY.tried(TrialTerms(14, units=50))
    (one,) = portions(terms, 1, start, start + dt.timedelta(days=14), start + dt.timedelta(days=14))
    assert (one.amount, one.mark) == (50, "0")
    assert terms.lasting() == YEARLY


@pytest.mark.parametrize(
    ("grant", "days", "renews"),
    [
        (GrantTerms("calls", 7, lasts_days=30), 30, False),
        (GrantTerms("calls", 7), None, False),
        (GrantTerms("calls", 7, per="period"), 31, True),
    ],
)
def test_what_is_given_once(grant: GrantTerms, days: int | None, renews: bool) -> None:
    start = dt.datetime(2026, 1, 1, tzinfo=UTC)
    terms = msgspec.structs.replace(YEARLY, grants=(grant,), period="month", units_every=None)
    (one,) = portions(terms, 3, start)
    assert one.amount == 21
    assert one.renews is renews
    assert one.ends == (None if days is None else start + dt.timedelta(days=days))
