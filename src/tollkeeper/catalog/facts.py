"""What pages, mails and receipts may know of the shop: frozen, without behaviour."""

from __future__ import annotations

import msgspec

from tollkeeper.core.terms import TargetTerms


class UnitFacts(msgspec.Struct, frozen=True, omit_defaults=True):
    """How a unit is called. ``currency`` is set if the unit is money."""

    one: str
    many: str
    currency: str | None = None
    words: dict[str, tuple[str, str]] = {}
    """Language → the word for one, the word for many."""


class SellerFacts(msgspec.Struct, frozen=True, omit_defaults=True):
    """Who sells, by law."""

    legal_name: str
    address: tuple[str, ...]
    country: str
    email: str
    phone: str = ""
    vat_id: str = ""
    register: str = ""


class TaxFacts(msgspec.Struct, frozen=True, omit_defaults=True):
    """``rates`` maps a country to hundredths of a per cent: 19 % is 1900."""

    mode: str = "none"
    rates: dict[str, int] = {}


class ShopFacts(msgspec.Struct, frozen=True, omit_defaults=True):
    """The shop as it is offered now."""

    name: str
    brand: str
    currency: str
    currencies: tuple[str, ...]
    """The currencies of the prices, the shop's own first."""
    languages: tuple[str, ...]
    seller: SellerFacts
    support_email: str
    units: dict[str, UnitFacts]
    plans: tuple[tuple[str, int], ...]
    """Slug and version of every plan on offer, in the order of the file."""
    providers: tuple[str, ...]
    tagline: str = ""
    accent: str = "#4f46e5"
    support_hours: str = ""
    support_url: str = ""
    tax: TaxFacts = TaxFacts()
    suspended: bool = False
    taglines: dict[str, str] = {}
    """Language → tagline, for all languages but the first."""
    targets: dict[str, TargetTerms] = {}
    refund_warned: dict[str, int] = {}
    """Currency → minor units up to which a payment that its bank calls fraud goes back by itself."""

    def told_in(self, language: str | None) -> ShopFacts:
        """The same shop with its words in ``language``, where it has them."""
        units = {
            name: msgspec.structs.replace(unit, one=unit.words[language][0], many=unit.words[language][1])
            if language in unit.words
            else unit
            for name, unit in self.units.items()
        }
        return msgspec.structs.replace(
            self, tagline=self.taglines.get(language or "", self.tagline), units=units
        )


def decode_shop_facts(text: str | bytes) -> ShopFacts:
    """Read :class:`ShopFacts`; raises ``msgspec.ValidationError`` naming the path."""
    return msgspec.json.decode(text, type=ShopFacts)
