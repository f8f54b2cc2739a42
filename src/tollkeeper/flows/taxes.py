"""The tax of a sale, from the shop's table and what the buyer told us."""

from __future__ import annotations

from tollkeeper.catalog import queries as catalog
from tollkeeper.core.tax import Tax, decide
from tollkeeper.payments import buyers


def tax_for(customer_id: int) -> Tax:
    """How tax is reckoned for a customer today."""
    shop = catalog.current_shop()
    country, checked = buyers.tax_facts(customer_id)
    return decide(shop.tax.mode, shop.tax.rates, shop.seller.country, country, vat_checked=checked)
