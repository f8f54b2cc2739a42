"""What use beyond a plan costs, and how much of it a spend cap allows. Pure integers."""

from __future__ import annotations

from tollkeeper.core.tax import Tax
from tollkeeper.core.terms import OverageTerms


def cost(terms: OverageTerms, used: int, tax: Tax) -> tuple[int, int]:
    """(what the customer pays, the tax in it) for ``used`` micro-units, rounded down before tax."""
    return tax.of(used * terms.price_minor // terms.per)


def units_for(terms: OverageTerms, cap_minor: int, tax: Tax) -> int:
    """Micro-units that may be used for ``cap_minor``, tax included: their cost never passes it."""
    low, high = 0, 2 * cap_minor + 2
    while high - low > 1:  # the largest price before tax that stays below the cap
        middle = (low + high) // 2
        low, high = (middle, high) if tax.of(middle)[0] <= cap_minor else (low, middle)
    return low * terms.per // terms.price_minor
