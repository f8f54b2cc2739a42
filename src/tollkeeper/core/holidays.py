"""Public holidays, nation-wide ones only, for the last day of a period (Regulation 1182/71, Art. 3(4)).

A day missing here only makes an answer due earlier than the law asks, never later.
"""

from __future__ import annotations

import datetime as dt
from functools import cache

_NEW_YEAR, _LABOUR, _CHRISTMAS, _STEPHEN = (1, 1), (5, 1), (12, 25), (12, 26)
_EPIPHANY, _ASSUMPTION, _SAINTS, _MARY = (1, 6), (8, 15), (11, 1), (12, 8)
_MONDAY, _ASCENSION, _WHIT, _FRIDAY, _CORPUS = 1, 39, 50, -2, 60

_TABLE: dict[str, tuple[tuple[tuple[int, int], ...], tuple[int, ...]]] = {
    "AT": (
        (_NEW_YEAR, _EPIPHANY, _LABOUR, _ASSUMPTION, (10, 26), _SAINTS, _MARY, _CHRISTMAS, _STEPHEN),
        (_MONDAY, _ASCENSION, _WHIT, _CORPUS),
    ),
    "BE": (
        (_NEW_YEAR, _LABOUR, (7, 21), _ASSUMPTION, _SAINTS, (11, 11), _CHRISTMAS),
        (_MONDAY, _ASCENSION, _WHIT),
    ),
    "DE": ((_NEW_YEAR, _LABOUR, (10, 3), _CHRISTMAS, _STEPHEN), (_FRIDAY, _MONDAY, _ASCENSION, _WHIT)),
    "DK": ((_NEW_YEAR, _CHRISTMAS, _STEPHEN), (-3, _FRIDAY, _MONDAY, _ASCENSION, _WHIT)),
    "ES": (
        (_NEW_YEAR, _EPIPHANY, _LABOUR, _ASSUMPTION, (10, 12), _SAINTS, (12, 6), _MARY, _CHRISTMAS),
        (-2,),
    ),
    "FI": ((_NEW_YEAR, _EPIPHANY, _LABOUR, (12, 6), _CHRISTMAS, _STEPHEN), (_FRIDAY, _MONDAY, _ASCENSION)),
    "FR": (
        (_NEW_YEAR, _LABOUR, (5, 8), (7, 14), _ASSUMPTION, _SAINTS, (11, 11), _CHRISTMAS),
        (_MONDAY, _ASCENSION, _WHIT),
    ),
    "IE": ((_NEW_YEAR, (3, 17), _CHRISTMAS, _STEPHEN), (_MONDAY,)),
    "IT": (
        (_NEW_YEAR, _EPIPHANY, (4, 25), _LABOUR, (6, 2), _ASSUMPTION, _SAINTS, _MARY, _CHRISTMAS, _STEPHEN),
        (_MONDAY,),
    ),
    "LU": (
        (_NEW_YEAR, _LABOUR, (5, 9), (6, 23), _ASSUMPTION, _SAINTS, _CHRISTMAS, _STEPHEN),
        (_MONDAY, _ASCENSION, _WHIT),
    ),
    "NL": ((_NEW_YEAR, (4, 27), _CHRISTMAS, _STEPHEN), (_MONDAY, _ASCENSION, _WHIT)),
    "PL": (
        (_NEW_YEAR, _EPIPHANY, _LABOUR, (5, 3), _ASSUMPTION, _SAINTS, (11, 11), _CHRISTMAS, _STEPHEN),
        (_MONDAY, _CORPUS),
    ),
    "PT": (
        (_NEW_YEAR, (4, 25), _LABOUR, (6, 10), _ASSUMPTION, (10, 5), _SAINTS, (12, 1), _MARY, _CHRISTMAS),
        (_FRIDAY, _CORPUS),
    ),
    "SE": (
        (_NEW_YEAR, _EPIPHANY, _LABOUR, (6, 6), _CHRISTMAS, _STEPHEN),
        (_FRIDAY, _MONDAY, _ASCENSION),
    ),
}
"""Country → fixed days as (month, day), and movable ones as days after Easter Sunday."""
_FEDERAL = ((1, 0, 3), (2, 0, 3), (5, 0, -1), (9, 0, 1), (10, 0, 2), (11, 3, 4))
"""The United States' movable days: month, weekday (Monday is 0), which one (-1 the last)."""
_FEDERAL_FIXED = (_NEW_YEAR, (6, 19), (7, 4), (11, 11), _CHRISTMAS)
COUNTRIES = frozenset({*_TABLE, "US"})


def easter(year: int) -> dt.date:
    """Easter Sunday of the Gregorian calendar (the anonymous algorithm)."""
    a, b, c = year % 19, year // 100, year % 100
    d, e = divmod(b, 4)
    g = (8 * b + 13) // 25
    h = (19 * a + b - d - g + 15) % 30
    i, k = divmod(c, 4)
    m = (32 + 2 * e + 2 * i - h - k) % 7
    n = (a + 11 * h + 22 * m) // 451
    month, day = divmod(h + m - 7 * n + 114, 31)
    return dt.date(year, month, day + 1)


def _nth(year: int, month: int, weekday: int, which: int) -> dt.date:
    if which > 0:
        first = dt.date(year, month, 1)
        return first + dt.timedelta(days=(weekday - first.weekday()) % 7 + 7 * (which - 1))
    last = dt.date(year + month // 12, month % 12 + 1, 1) - dt.timedelta(days=1)
    return last - dt.timedelta(days=(last.weekday() - weekday) % 7)


def _observed(day: dt.date) -> dt.date:
    """A Saturday's holiday is kept on Friday, a Sunday's on Monday (5 U.S.C. 6103(b))."""
    return day + dt.timedelta(days={5: -1, 6: 1}.get(day.weekday(), 0))


@cache
def of_year(country: str, year: int) -> frozenset[dt.date]:
    """The holidays of a country in a year; empty for a country that is not in the table."""
    if country == "US":
        fixed = {_observed(dt.date(one, *day)) for one in (year, year + 1) for day in _FEDERAL_FIXED}
        return frozenset(
            {day for day in fixed if day.year == year} | {_nth(year, *rule) for rule in _FEDERAL}
        )
    fixed_days, movable = _TABLE.get(country, ((), ()))
    sunday = easter(year)
    return frozenset(
        {dt.date(year, *day) for day in fixed_days} | {sunday + dt.timedelta(days=n) for n in movable}
    )


def around(country: str, day: dt.date) -> frozenset[dt.date]:
    """The holidays of a country in the year of ``day`` and the next."""
    return of_year(country, day.year) | of_year(country, day.year + 1)
