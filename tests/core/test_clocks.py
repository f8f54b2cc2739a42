"""Dated cases of the laws' calendars."""

import datetime as dt
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollkeeper.core import clocks, holidays
from tollkeeper.core.rehearsal import Scene
from tollkeeper.drills import clocks as drill

DAYS = st.dates(dt.date(2020, 1, 1), dt.date(2040, 1, 1))


def day(text: str) -> dt.date:
    return dt.date.fromisoformat(text)


@pytest.mark.parametrize(
    ("received", "answer"),
    [
        ("2026-01-15", "2026-02-16"),  # 15 February is a Sunday
        ("2026-01-31", "2026-03-02"),  # February has no 31st: its 28th is a Saturday
        ("2024-01-31", "2024-02-29"),  # a leap year
        ("2026-03-31", "2026-04-30"),
        ("2026-08-31", "2026-09-30"),
        ("2026-11-25", "2026-12-28"),  # 25 December is a holiday, then comes a week-end
        ("2026-12-10", "2027-01-11"),  # over the end of the year, 10 January is a Sunday
    ],
)
def test_one_month(received: str, answer: str) -> None:
    assert clocks.gdpr_answer(day(received), holidays={day("2026-12-25")}) == day(answer)


def test_three_months_with_an_extension() -> None:
    assert clocks.gdpr_answer(day("2025-11-30"), 3) == day("2026-03-02")


def test_california_counts_days() -> None:
    assert clocks.ccpa_answer(day("2026-01-01")) == day("2026-02-15")
    assert clocks.ccpa_answer(day("2026-01-01"), 90) == day("2026-04-01")
    assert clocks.add_working(day("2026-12-23"), 10, {day("2026-12-25"), day("2027-01-01")}) == day(
        "2027-01-08"
    )
    assert clocks.earlier(day("2026-02-16"), day("2026-02-15")) == day("2026-02-15")


@given(DAYS)
def test_an_answer_is_never_due_on_a_free_day_nor_before_the_month_is_over(received: dt.date) -> None:
    last = clocks.gdpr_answer(received)
    assert clocks.is_working(last)
    assert dt.timedelta(days=28) <= last - received <= dt.timedelta(days=34)


@given(DAYS, st.integers(0, 40))
def test_working_days_are_counted_one_by_one(start: dt.date, count: int) -> None:
    end = clocks.add_working(start, count)
    days = [start + dt.timedelta(days=n) for n in range(1, (end - start).days + 1)]
    assert sum(clocks.is_working(one) for one in days) == count


def test_the_drills_cases() -> None:
    assert drill.run(Scene(Path(), 1)).figures["wrong"] == 0


@given(DAYS, st.sampled_from(["", "DE", "FR", "IT"]), st.integers(0, 40))
def test_the_earlier_of_two_laws_wins(received: dt.date, country: str, paused: int) -> None:
    one = clocks.deadlines("access", ("gdpr",), received, country=country, paused_days=paused)
    two = clocks.deadlines("access", ("ccpa",), received)
    both = clocks.deadlines("access", ("gdpr", "ccpa"), received, country=country, paused_days=paused)
    assert both.answer_on == min(one.answer_on, two.answer_on)
    assert both.acknowledge_on == two.acknowledge_on
    assert one.extended_on is not None
    assert one.extended_on > one.answer_on


def test_holidays_of_the_united_states() -> None:
    assert {day.isoformat() for day in holidays.of_year("US", 2026)} == {
        "2026-01-01", "2026-01-19", "2026-02-16", "2026-05-25", "2026-06-19", "2026-07-03",
        "2026-09-07", "2026-10-12", "2026-11-11", "2026-11-26", "2026-12-25",
    }  # fmt: skip
    assert dt.date(2027, 12, 31) in holidays.of_year("US", 2027)  # New Year 2028 is a Saturday
