"""Card numbers in running text: found by their form and check digit, and struck out.

Nobody should send us one; where it happens all the same (a ticket, a nickname, a header),
it is struck out before it is stored.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_GROUP = re.compile(r"\d+")
_SEPARATOR = re.compile(r"[ .\-\u00a0\u2010-\u2015]?")
_LENGTHS = range(12, 20)
_ISSUERS = re.compile(
    r"4\d{12}(?:\d{3}){0,2}"  # Visa
    r"|5[1-5]\d{14}|2(?:22[1-9]|2[3-9]\d|[3-6]\d\d|7[01]\d|720)\d{12}"  # Mastercard
    r"|3[47]\d{13}"  # American Express
    r"|3(?:0[0-5]|[68]\d)\d{11,16}"  # Diners
    r"|6(?:011|5\d\d|4[4-9]\d)\d{12,15}"  # Discover
    r"|(?:2131|1800|35\d{3})\d{11,14}"  # JCB
    r"|62\d{14,17}"  # UnionPay
    r"|(?:5018|5020|5038|56\d\d|6304|6759|676[1-3])\d{8,15}"  # Maestro
)
MARK = "[card number removed]"


def luhn(digits: str) -> bool:
    """True if the last digit is the right check digit (ISO/IEC 7812-1, annex B)."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (1 + place % 2)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def find_cards(text: str) -> Iterator[tuple[int, int]]:
    """Where card numbers stand in ``text``: (start, end), digits with or without separators.

    A number begins and ends where a group of digits does, so that one is also found right
    after other digits (``order 12 4242 4242 4242 4242``).
    """
    groups = list(_GROUP.finditer(text))
    first = 0
    while first < len(groups):
        length, past = 0, first
        for place in range(first, len(groups)):
            if (
                place > first
                and _SEPARATOR.fullmatch(text, groups[place - 1].end(), groups[place].start()) is None
            ):
                break
            length += len(groups[place].group())
            if length > _LENGTHS[-1]:
                break
            if length in _LENGTHS and _is_card("".join(one.group() for one in groups[first : place + 1])):
                past = place + 1  # the longest wins
        if past > first:
            yield groups[first].start(), groups[past - 1].end()
        first = max(past, first + 1)


def _is_card(digits: str) -> bool:
    return _ISSUERS.fullmatch(digits) is not None and luhn(digits)


def strike_cards(text: str) -> str:
    """``text`` with every card number replaced by :data:`MARK`."""
    made, last = [], 0
    for start, end in find_cards(text):
        made += [text[last:start], MARK]
        last = end
    return "".join([*made, text[last:]])
