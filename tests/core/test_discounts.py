"""What a coupon takes off: exact, and never more than there is."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollkeeper.core.discounts import Discount


@pytest.mark.parametrize(
    ("discount", "price", "off"),
    [
        (Discount(percent_bp=1000), 2900, 290),
        (Discount(percent_bp=3333), 100, 33),
        (Discount(percent_bp=5000), 1, 1),
        (Discount(percent_bp=10_000), 999, 999),
        (Discount(amount_minor=500, currency="USD"), 300, 300),
        (Discount(amount_minor=500, currency="USD"), 2900, 500),
    ],
)
def test_what_is_taken_off(discount: Discount, price: int, off: int) -> None:
    assert discount.off(price) == off


@given(st.integers(1, 10_000), st.integers(0, 10**12))
def test_never_below_nothing(percent_bp: int, price: int) -> None:
    off = Discount(percent_bp=percent_bp).off(price)
    assert 0 <= off <= price
    assert abs(off * 10_000 - price * percent_bp) <= 5_000


@pytest.mark.parametrize(
    "facts",
    [
        {},
        {"percent_bp": 10_001},
        {"percent_bp": 5, "amount_minor": 5},
        {"amount_minor": 5},
        {"amount_minor": -1},
    ],
)
def test_what_makes_no_sense_is_refused(facts: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"coupon|currency"):
        Discount(**facts)
