"""Movable feasts by the calendar."""

import datetime as dt

import pytest

from tollkeeper.core import holidays


@pytest.mark.parametrize("text", ["1999-04-04", "2000-04-23", "2026-04-05", "2027-03-28", "2038-04-25"])
def test_easter(text: str) -> None:
    assert holidays.easter(int(text[:4])) == dt.date.fromisoformat(text)


def test_unknown_countries_have_none() -> None:
    assert holidays.of_year("XX", 2026) == frozenset()


@pytest.mark.parametrize("country", sorted(holidays.COUNTRIES))
def test_every_country_has_new_year(country: str) -> None:
    assert any(day.month in (1, 12) for day in holidays.around(country, dt.date(2026, 6, 1)))
