"""Money neither appears nor disappears."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollkeeper.core import money

CURRENCIES = st.sampled_from(["EUR", "USD", "JPY", "KWD", "ISK"])


@given(st.integers(-(10**12), 10**12), st.lists(st.integers(0, 10**8), min_size=1, max_size=8))
def test_the_parts_of_a_split_sum_to_the_amount(amount: int, weights: list[int]) -> None:
    if sum(weights) == 0:
        with pytest.raises(ValueError, match="weights"):
            money.split(amount, weights)
        return
    parts = money.split(amount, weights)
    assert sum(parts) == amount
    for part, weight in zip(parts, weights, strict=True):
        assert abs(part * sum(weights) - amount * weight) < sum(weights)


@given(st.integers(-(10**12), 10**12), CURRENCIES)
def test_plain_text_reads_back(minor: int, currency: str) -> None:
    assert money.parse(money.plain(minor, currency), currency) == minor


@pytest.mark.parametrize("text", ["", "x", "1.234", "NaN", "1e99", "Infinity", "1,50"])
def test_what_is_no_amount_is_refused(text: str) -> None:
    with pytest.raises(money.BadAmount):
        money.parse(text, "EUR")


@pytest.mark.parametrize(
    ("minor", "currency", "language", "text"),
    [
        (123450, "EUR", "en", "€1,234.50"),
        (123450, "EUR", "de", "1.234,50 €"),
        (-500, "USD", "en", "−$5.00"),
        (1500, "JPY", "en", "¥1,500"),
        (1500, "KWD", "en", "KWD 1.500"),
        (5, "CHF", "de-CH", "0,05 CHF"),
    ],
)
def test_amounts_are_shown_as_people_write_them(minor: int, currency: str, language: str, text: str) -> None:
    assert money.show(minor, currency, language) == text


@given(st.integers(0, 10**10), st.integers(0, 5000))
def test_tax_inside_and_tax_on_agree(net: int, rate: int) -> None:
    tax = money.tax_on(net, rate)
    assert abs(money.tax_inside(net + tax, rate) - tax) <= 1


def test_currencies_do_not_mix() -> None:
    with pytest.raises(money.BadAmount):
        money.Money(1, "EUR") + money.Money(1, "USD")
    with pytest.raises(money.BadAmount):
        money.Money(1, "euro")
    assert money.Money(1, "EUR") - money.Money(3, "EUR") == money.Money(-2, "EUR")
