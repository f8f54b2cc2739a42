"""Money: integer minor units and an ISO 4217 code. No floats, nothing lost to rounding."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

NO_DECIMALS = frozenset(
    {
        "BIF",
        "CLP",
        "DJF",
        "GNF",
        "ISK",
        "JPY",
        "KMF",
        "KRW",
        "PYG",
        "RWF",
        "UGX",
        "UYI",
        "VND",
        "VUV",
        "XAF",
        "XOF",
        "XPF",
    }
)
THREE_DECIMALS = frozenset({"BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"})
SYMBOLS = {"EUR": "€", "USD": "$", "GBP": "£", "JPY": "¥", "CNY": "¥", "INR": "₹", "KRW": "₩"}
_CODE = re.compile(r"[A-Z]{3}")


class BadAmount(ValueError):
    """A text is no amount of that currency; the message says what is wrong."""


@dataclass(frozen=True, slots=True, order=True)
class Money:
    """``minor`` of ``currency``: 1234 EUR is twelve euro and thirty-four cents."""

    minor: int
    currency: str

    def __post_init__(self) -> None:
        if _CODE.fullmatch(self.currency) is None:
            raise BadAmount(f"{self.currency!r} is no ISO 4217 code")

    def __add__(self, other: Money) -> Money:
        return Money(self.minor + self._same(other), self.currency)

    def __sub__(self, other: Money) -> Money:
        return Money(self.minor - self._same(other), self.currency)

    def _same(self, other: Money) -> int:
        if other.currency != self.currency:
            raise BadAmount(f"{self.currency} and {other.currency} do not add up")
        return other.minor


def decimals(currency: str) -> int:
    """Digits after the point that ISO 4217 gives ``currency``."""
    if currency in NO_DECIMALS:
        return 0
    return 3 if currency in THREE_DECIMALS else 2


def plain(minor: int, currency: str) -> str:
    """The amount as digits with a point, for files and machines: ``-12.34``."""
    places = decimals(currency)
    sign, digits = ("-" if minor < 0 else ""), str(abs(minor)).rjust(places + 1, "0")
    return sign + (f"{digits[:-places]}.{digits[-places:]}" if places else digits)


def parse(text: str, currency: str) -> int:
    """Minor units of a plain amount such as ``12.34``; raises :class:`BadAmount`."""
    try:
        value = Decimal(text.strip())
    except InvalidOperation:
        raise BadAmount(f"{text!r} is no amount") from None
    scaled = value.scaleb(decimals(currency)) if value.is_finite() else value
    if not value.is_finite() or scaled != scaled.to_integral_value() or abs(scaled) > 10**15:
        raise BadAmount(f"{text!r} is no amount of {currency}")
    return int(scaled)


def show(minor: int, currency: str, language: str = "en") -> str:
    """The amount as people of ``language`` write it: ``€1,234.50`` or ``1.234,50 €``."""
    whole, _, part = plain(abs(minor), currency).partition(".")
    symbol = SYMBOLS.get(currency)
    sign = "−" if minor < 0 else ""
    groups = f"{int(whole):,}"
    if language.split("-")[0] in ("de", "es", "it", "nl", "pt"):
        body = groups.replace(",", ".") + (f",{part}" if part else "")
        return f"{sign}{body} {symbol or currency}"
    body = groups + (f".{part}" if part else "")
    return f"{sign}{symbol}{body}" if symbol else f"{sign}{currency} {body}"


def split(amount: int, weights: Sequence[int]) -> tuple[int, ...]:
    """Parts of ``amount`` in proportion to ``weights``, summing to it exactly (largest remainder).

    Ties go to the earlier part. Raises ``ValueError`` for negative or all-zero weights.
    """
    total = sum(weights)
    if total <= 0 or min(weights) < 0:
        raise ValueError("weights must not be negative and must not all be zero")
    sign, size = (-1 if amount < 0 else 1), abs(amount)
    parts = [size * weight // total for weight in weights]
    rests = [size * weight % total for weight in weights]
    order = sorted(range(len(weights)), key=lambda i: (-rests[i], i))
    for i in order[: size - sum(parts)]:
        parts[i] += 1
    return tuple(sign * part for part in parts)


def tax_inside(gross_minor: int, rate_bp: int) -> int:
    """The tax contained in a gross amount at ``rate_bp`` hundredths of a percent, half up."""
    return _half_up(gross_minor * rate_bp, 10_000 + rate_bp)


def tax_on(net_minor: int, rate_bp: int) -> int:
    """The tax to add to a net amount at ``rate_bp`` hundredths of a percent, half up."""
    return _half_up(net_minor * rate_bp, 10_000)


def _half_up(numerator: int, denominator: int) -> int:
    sign = -1 if numerator < 0 else 1
    return sign * ((2 * abs(numerator) + denominator) // (2 * denominator))
