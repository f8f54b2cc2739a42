"""What tokens cost: the price book's rule. Integers only, rounded up once per call."""

from __future__ import annotations

from tollkeeper.core.terms import ModelTerms

PER = 1_000_000
"""Prices are per this many tokens."""


def price(model: ModelTerms, tokens: tuple[int, int, int, int]) -> int:
    """Micro-units for tokens (input, output, read from cache, written to cache; disjoint).

    Raises ``ValueError`` for a negative number of tokens.
    """
    if min(tokens) < 0:
        raise ValueError("tokens cannot be negative")
    given, made, read, written = tokens
    read_price = model.input if model.cache_read is None else model.cache_read
    write_price = model.input if model.cache_write is None else model.cache_write
    total = given * model.input + made * model.output + read * read_price + written * write_price
    return model.per_call - (-total // PER)


def bound(model: ModelTerms, given: int, made: int) -> int:
    """The most that ``given`` tokens of input and ``made`` of output can cost, however they are cached."""
    dearest = max(model.input, model.cache_read or 0, model.cache_write or 0)
    return model.per_call - (-(given * dearest + made * model.output) // PER)
