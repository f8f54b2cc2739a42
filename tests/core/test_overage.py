"""No use costs more than its cap, and what a cap allows costs no less than it must."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tollkeeper.core.overage import cost, units_for
from tollkeeper.core.tax import Tax
from tollkeeper.core.terms import MICRO, OverageTerms

TERMS = st.builds(
    OverageTerms,
    unit=st.just("calls"),
    per=st.integers(1, 10**12),
    currency=st.just("EUR"),
    price_minor=st.integers(1, 10**7),
)
TAX = st.builds(
    Tax,
    mode=st.sampled_from(["none", "inclusive", "exclusive"]),
    rate_bp=st.integers(0, 10_000),
    home_bp=st.integers(0, 3000),
    note=st.sampled_from(["", "reverse_charge"]),
)


@given(TERMS, st.integers(0, 10**9), TAX, st.floats(0, 1))
def test_no_use_within_the_allowance_costs_more_than_the_cap(
    terms: OverageTerms, cap: int, tax: Tax, part: float
) -> None:
    units = units_for(terms, cap, tax)
    assert cost(terms, units, tax)[0] <= cap
    assert cost(terms, int(units * part), tax)[0] <= cap


@given(TERMS, st.integers(1, 10**9), TAX)
def test_the_next_sum_before_tax_would_pass_the_cap(terms: OverageTerms, cap: int, tax: Tax) -> None:
    units = units_for(terms, cap, tax)
    one_more = units + terms.per // terms.price_minor + 1
    net = one_more * terms.price_minor // terms.per
    assert tax.of(net + 1)[0] > cap


def test_a_cap_of_ten_euro_at_forty_cents_a_thousand() -> None:
    terms = OverageTerms("calls", 1000 * MICRO, "EUR", 40)
    assert units_for(terms, 1000, Tax()) == 25_000 * MICRO
    exclusive = Tax("exclusive", 1900, 1900)
    assert cost(terms, units_for(terms, 1000, exclusive), exclusive) == (1000, 160)
