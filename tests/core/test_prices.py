"""The price of tokens is exact, rounded up once, and never above its bound."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollkeeper.core.prices import bound, price
from tollkeeper.core.terms import ModelTerms

NUMBER = st.integers(0, 10**7)
PRICE = st.integers(0, 10**9)
MODEL = st.builds(
    ModelTerms,
    name=st.just("m"),
    input=PRICE,
    output=PRICE,
    cache_read=st.none() | PRICE,
    cache_write=st.none() | PRICE,
    per_call=PRICE,
)


@given(MODEL, NUMBER, NUMBER, NUMBER, NUMBER)
def test_a_price_is_exact_and_rounded_up_once(model: ModelTerms, a: int, b: int, c: int, d: int) -> None:
    read = model.input if model.cache_read is None else model.cache_read
    write = model.input if model.cache_write is None else model.cache_write
    exact = Fraction(a * model.input + b * model.output + c * read + d * write, 10**6) + model.per_call
    assert 0 <= price(model, (a, b, c, d)) - exact < 1


@given(MODEL, NUMBER, NUMBER, NUMBER, NUMBER)
def test_a_bound_holds_however_input_is_cached(model: ModelTerms, a: int, b: int, c: int, d: int) -> None:
    assert price(model, (a, b, c, d)) <= bound(model, a + c + d, b)


def test_negative_tokens_are_refused() -> None:
    with pytest.raises(ValueError, match="negative"):
        price(ModelTerms("m", 1, 1), (0, -1, 0, 0))
