"""Billing periods: half-open UTC intervals computed from one anchor, never chained.

Chaining "plus one month" leaves the anchor's day for good after the first short
month; counting from the anchor comes back to it. Days 29 to 31 are clipped to
the month's last day. Time zones are for display only.
"""

from __future__ import annotations

import calendar
import datetime as dt
from dataclasses import dataclass

from tollkeeper.core.money import split

MONTHS = {"month": 1, "year": 12}
"""Months in one period of each kind."""


@dataclass(frozen=True, slots=True)
class Period:
    """``starts_at <= t < ends_at``; ``number`` counts from 0 at the anchor."""

    number: int
    starts_at: dt.datetime
    ends_at: dt.datetime

    @property
    def seconds(self) -> int:
        """Whole seconds in the period."""
        return (self.ends_at - self.starts_at) // dt.timedelta(seconds=1)

    def holds(self, instant: dt.datetime) -> bool:
        """True if ``instant`` lies in the period."""
        return self.starts_at <= instant < self.ends_at


def add_months(anchor: dt.datetime, months: int) -> dt.datetime:
    """``anchor`` moved by whole months, the day clipped to the month's last."""
    year, month = divmod(anchor.year * 12 + anchor.month - 1 + months, 12)
    last = calendar.monthrange(year, month + 1)[1]
    return anchor.replace(year=year, month=month + 1, day=min(anchor.day, last))


def _utc(anchor: dt.datetime) -> dt.datetime:
    if anchor.tzinfo is None:
        raise ValueError("an anchor needs a time zone")
    return anchor.astimezone(dt.UTC)


def nth(anchor: dt.datetime, kind: str, number: int) -> Period:
    """The period called ``number``; raises ``ValueError`` for naive anchors, ``KeyError`` for kinds."""
    start, months = _utc(anchor), MONTHS[kind]
    return Period(number, add_months(start, months * number), add_months(start, months * (number + 1)))


def at(anchor: dt.datetime, kind: str, instant: dt.datetime) -> Period:
    """The period that holds ``instant``; its number is negative before the anchor."""
    start, months, when = _utc(anchor), MONTHS[kind], instant.astimezone(dt.UTC)
    apart = (when.year - start.year) * 12 + when.month - start.month
    period = nth(anchor, kind, apart // months)
    while when >= period.ends_at:
        period = nth(anchor, kind, period.number + 1)
    while when < period.starts_at:
        period = nth(anchor, kind, period.number - 1)
    return period


def prorate(price_minor: int, period: Period, instant: dt.datetime) -> tuple[int, int]:
    """(used, left) shares of a period's price at ``instant``, by seconds; they sum to the price.

    The denominator is the whole period, however long it is. Raises ``ValueError`` for an
    instant outside the period.
    """
    if not period.starts_at <= instant <= period.ends_at:
        raise ValueError("the instant lies outside the period")
    used = (instant - period.starts_at) // dt.timedelta(seconds=1)
    first, second = split(price_minor, (used, period.seconds - used))
    return first, second
