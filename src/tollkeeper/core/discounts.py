"""What a coupon takes off a price. Pure."""

from __future__ import annotations

from dataclasses import dataclass

ALL = 10_000
"""The whole, in hundredths of a percent."""


@dataclass(frozen=True, slots=True)
class Discount:
    """``percent_bp`` hundredths of a percent, or ``amount_minor`` of ``currency``; one of them is 0."""

    percent_bp: int = 0
    amount_minor: int = 0
    currency: str = ""

    def __post_init__(self) -> None:
        if (self.percent_bp > 0) == (self.amount_minor > 0):
            raise ValueError("a coupon takes off either a percentage or an amount")
        if not 0 <= self.percent_bp <= ALL or self.amount_minor < 0:
            raise ValueError("a coupon takes off at most everything, and at least something")
        if self.amount_minor and not self.currency:
            raise ValueError("an amount has a currency")

    def off(self, price_minor: int) -> int:
        """What is taken off a price, rounded half up and never more than the price."""
        if self.percent_bp:
            return min(price_minor, (2 * price_minor * self.percent_bp + ALL) // (2 * ALL))
        return min(price_minor, self.amount_minor)
