"""Which tax a sale carries."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollkeeper.core.tax import Tax, decide

RATES = {"DE": 1900, "AT": 2000, "CH": 810}


@pytest.mark.parametrize(
    ("buyer", "checked", "rate", "note"),
    [
        ("", False, 1900, ""),
        ("DE", False, 1900, ""),
        ("DE", True, 1900, ""),
        ("AT", False, 2000, ""),
        ("AT", True, 0, "reverse_charge"),
        ("FR", False, 1900, ""),
        ("FR", True, 0, "reverse_charge"),
        ("CH", False, 810, ""),
        ("US", False, 0, "outside"),
        ("US", True, 0, "outside"),
    ],
)
def test_the_buyers_country_decides(buyer: str, checked: bool, rate: int, note: str) -> None:
    found = decide("exclusive", RATES, "DE", buyer, vat_checked=checked)
    assert (found.rate_bp, found.note) == (rate, note)


def test_a_shop_without_tax_has_none() -> None:
    assert decide("none", RATES, "DE", "AT", vat_checked=True) == Tax()


def test_prices_with_tax_inside_lose_it_where_none_is_due() -> None:
    assert decide("inclusive", RATES, "DE", "DE").of(11_900) == (11_900, 1_900)
    assert decide("inclusive", RATES, "DE", "US").of(11_900) == (10_000, 0)
    assert decide("exclusive", RATES, "DE", "AT").of(10_000) == (12_000, 2_000)


@given(
    st.sampled_from(["inclusive", "exclusive"]),
    st.sampled_from(["", "DE", "AT", "US"]),
    st.integers(0, 10**9),
)
def test_the_tax_is_part_of_what_is_paid(mode: str, buyer: str, price: int) -> None:
    paid, tax = decide(mode, RATES, "DE", buyer).of(price)
    assert 0 <= tax <= paid
