"""Which tax a sale of an electronic service carries. A rate table, dated by the shop file's versions.

Rules of the VAT directive for electronically supplied services, as far as a small seller
meets them: the buyer's country decides for people, the buyer owes the tax itself if it is a
business of another member state with a checked number, and outside the Union nothing is due.
No advice: a shop's own adviser decides what its table says.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tollkeeper.core.money import tax_inside, tax_on

UNION = frozenset(
    {
        "AT",
        "BE",
        "BG",
        "HR",
        "CY",
        "CZ",
        "DK",
        "EE",
        "FI",
        "FR",
        "DE",
        "GR",
        "HU",
        "IE",
        "IT",
        "LV",
        "LT",
        "LU",
        "MT",
        "NL",
        "PL",
        "PT",
        "RO",
        "SK",
        "SI",
        "ES",
        "SE",
    }
)
"""Member states of the European Union, ISO 3166-1."""


@dataclass(frozen=True, slots=True)
class Tax:
    """How tax is reckoned: ``mode`` is ``none``, ``inclusive`` or ``exclusive``; rates in 1/100 %.

    ``home_bp`` is the rate that inclusive prices of the shop contain. ``note`` says why there
    is none: ``reverse_charge``, ``outside`` or empty.
    """

    mode: str = "none"
    rate_bp: int = 0
    home_bp: int = 0
    note: str = ""

    def of(self, price_minor: int) -> tuple[int, int]:
        """(what the customer pays, the tax in it)."""
        if self.mode == "none":
            return price_minor, 0
        if self.mode == "exclusive":
            tax = tax_on(price_minor, self.rate_bp)
            return price_minor + tax, tax
        if self.note:
            return price_minor - tax_inside(price_minor, self.home_bp), 0
        return price_minor, tax_inside(price_minor, self.rate_bp)


def decide(
    mode: str, rates: Mapping[str, int], seller: str, buyer: str = "", *, vat_checked: bool = False
) -> Tax:
    """The tax of a sale from country ``seller`` to ``buyer`` (empty: unknown, taken as the seller's).

    ``vat_checked`` says that the buyer is a business whose number was found valid.
    """
    home = rates.get(seller, 0)
    if mode == "none":
        return Tax()
    where = buyer or seller
    if where == seller:
        return Tax(mode, home, home)
    if where in UNION and seller in UNION:
        if vat_checked:
            return Tax(mode, 0, home, "reverse_charge")
        return Tax(mode, rates.get(where, home), home)
    if where in rates:
        return Tax(mode, rates[where], home)
    return Tax(mode, 0, home, "outside")
