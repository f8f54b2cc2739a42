"""Until when a request about personal data must be answered, by the calendars of the laws.

A period of a month ends with the day that has the same number as the day of receipt, or the
last day of a shorter month; if that is a Saturday, Sunday or public holiday, the next working
day is the last (Regulation 1182/71, Art. 3(2)(c) and (4)). The CCPA counts calendar days for
the answer (11 CCR §7021) and business days for the rest.
"""

from __future__ import annotations

import calendar
import datetime as dt
from collections.abc import Collection
from dataclasses import dataclass

from tollkeeper.core import holidays

Holidays = Collection[dt.date]
NONE: Holidays = frozenset()


def is_working(day: dt.date, holidays: Holidays = NONE) -> bool:
    """Monday to Friday and no holiday."""
    return day.weekday() < 5 and day not in holidays


def next_working(day: dt.date, holidays: Holidays = NONE) -> dt.date:
    """The day itself if it is a working day, else the next one."""
    while not is_working(day, holidays):
        day += dt.timedelta(days=1)
    return day


def add_working(day: dt.date, count: int, holidays: Holidays = NONE) -> dt.date:
    """The ``count``-th working day after ``day``."""
    while count > 0:
        day += dt.timedelta(days=1)
        count -= is_working(day, holidays)
    return day


def add_months(day: dt.date, months: int) -> dt.date:
    """The same day number ``months`` later, or the last day of a shorter month."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    last = calendar.monthrange(year, month + 1)[1]
    return day.replace(year=year, month=month + 1, day=min(day.day, last))


def gdpr_answer(received_on: dt.date, months: int = 1, holidays: Holidays = NONE) -> dt.date:
    """The last day for the answer under Art. 12(3): one month, three with an extension."""
    return next_working(add_months(received_on, months), holidays)


def ccpa_answer(received_on: dt.date, days: int = 45) -> dt.date:
    """The last day for the answer under §1798.130(a)(2): 45 calendar days, 90 with an extension."""
    return received_on + dt.timedelta(days=days)


def earlier(*days: dt.date) -> dt.date:
    """Where several laws may apply, the earlier day wins."""
    return min(days)


@dataclass(frozen=True, slots=True)
class Deadlines:
    """The days of one request: confirm receipt, answer, answer at the latest once extended.

    ``acknowledge_on`` is None where no law sets it, ``extended_on`` None where nothing may be extended.
    """

    acknowledge_on: dt.date | None
    answer_on: dt.date
    extended_on: dt.date | None


def deadlines(
    kind: str, regimes: Collection[str], received_on: dt.date, *, country: str = "", paused_days: int = 0
) -> Deadlines:
    """The clock of a request under every law that may apply; of each day the earlier one wins.

    ``paused_days`` are days spent waiting for the person to show who they are: they stop the
    GDPR's clock (EDPB Guidelines 01/2022, no. 157) and never the CCPA's (11 CCR §7021(b)).
    """
    found = []
    if "gdpr" in regimes or "ccpa" not in regimes:
        found.append(_gdpr(received_on, country, paused_days))
    if "ccpa" in regimes:
        found.append(_ccpa(kind, received_on))
    return Deadlines(
        min((one.acknowledge_on for one in found if one.acknowledge_on), default=None),
        min(one.answer_on for one in found),
        min((one.extended_on for one in found), key=lambda day: day or dt.date.max)
        if all(one.extended_on for one in found)
        else None,
    )


def _gdpr(received_on: dt.date, country: str, paused_days: int) -> Deadlines:
    def last(months: int) -> dt.date:
        day = add_months(received_on, months) + dt.timedelta(days=paused_days)
        return next_working(day, holidays.around(country, day))

    return Deadlines(None, last(1), last(3))


def _ccpa(kind: str, received_on: dt.date) -> Deadlines:
    free = holidays.around("US", received_on)
    if kind in ("opt_out", "limit", "object", "withdraw"):
        return Deadlines(None, add_working(received_on, 15, free), None)
    return Deadlines(
        add_working(received_on, 10, free), ccpa_answer(received_on), ccpa_answer(received_on, 90)
    )
