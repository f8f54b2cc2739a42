"""Card numbers are struck out, other numbers are not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollkeeper.core import cards

NUMBERS = [
    "4242424242424242",
    "5555 5555 5555 4444",
    "2223-0031-2200-3222",
    "378282246310005",
    "6011111111111117",
    "3056930009020004",
    "3566002020360505",
    "6200000000000005",
    "4000000000000002",
    "4242\u00a04242\u20104242.4242",
]


@pytest.mark.parametrize("number", NUMBERS)
def test_cards_are_struck_out_wherever_they_stand(number: str) -> None:
    assert cards.strike_cards(f"my card: {number}, thanks") == f"my card: {cards.MARK}, thanks"
    assert cards.strike_cards(f"12 {number} 34").startswith(f"12 {cards.MARK}")
    assert cards.strike_cards(number) == cards.MARK


@pytest.mark.parametrize(
    "text",
    [
        "4242424242424241",
        "1234567812345670",
        "order 20261123065200",
        "+49 30 901820",
        "1.4142135623730951",
        "",
    ],
)
def test_other_numbers_stay(text: str) -> None:
    assert cards.strike_cards(text) == text


@given(st.text(alphabet="0123456789 -abc", max_size=60))
def test_nothing_is_left_after_striking(text: str) -> None:
    assert list(cards.find_cards(cards.strike_cards(text))) == []


@given(st.text(max_size=60))
def test_text_without_cards_is_unchanged(text: str) -> None:
    if not list(cards.find_cards(text)):
        assert cards.strike_cards(text) == text
