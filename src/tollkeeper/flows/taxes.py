"""The tax of a sale, from the shop's table and what the buyer told us, checked where it counts."""

from __future__ import annotations

import datetime as dt

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from tollkeeper.accounts import queries as accounts
from tollkeeper.catalog import queries as catalog
from tollkeeper.core.tax import Tax, decide
from tollkeeper.flows import correcting
from tollkeeper.flows.disclosing import about_customer
from tollkeeper.kit import egress
from tollkeeper.kit.jobs import Context, enqueue, job
from tollkeeper.payments import buyers, vies
from tollkeeper.sales import queries as sales

STALE = dt.timedelta(days=8)
"""An answer of the register that is older is asked for again before a period that rests on it."""


def tax_for(customer_id: int) -> Tax:
    """How tax is reckoned for a customer today."""
    shop = catalog.current_shop()
    country, checked = buyers.tax_facts(customer_id)
    return decide(shop.tax.mode, shop.tax.rates, shop.seller.country, country, vat_checked=checked)


def save_buyer(customer_id: int, *, name: str, address: str, country: str, vat_id: str = "") -> None:
    """Keep whom invoices are made out to, and have a new VAT number looked up.

    Raises ``payments.buyers.BadBuyer``. Until the register has answered, tax is charged.
    """
    now = timezone.now()
    with transaction.atomic():
        row = buyers.set_buyer(
            customer_id, name=name, address=address, country=country, vat_id=vat_id, now=now
        )
        owner = accounts.get_customer(customer_id).owner_id
        if owner is not None:
            correcting.corrected(owner, correcting.BUYER)
        if row.vat_state == "unchecked" and settings.VIES_API:
            enqueue("check_vat", f"vat:{customer_id}:{now:%Y%m%dT%H%M%S%f}", customer_id=customer_id)
        reckon_again(customer_id, now)


def reckon_again(customer_id: int, now: dt.datetime) -> None:
    """What a customer's plans cost from their next period on may be other now; see ``flows.renewal_tax``."""
    for plan in sales.list_plans(customer_id):
        key = f"tax:{plan.subscription_id}:{now:%Y%m%dT%H%M%S%f}"
        enqueue("reckon_tax", key, subscription_id=plan.subscription_id)


@job("check_vat", purpose="order", attempts=30)
def check_vat(context: Context, customer_id: int) -> None:
    """Ask the Union's register after a number; asked again while it does not answer."""
    now = timezone.now()
    number = buyers.vat_to_check(customer_id, now - STALE)
    if not number:
        return
    with about_customer(customer_id):
        valid = vies.ask(egress.session("vies", "order"), settings.VIES_API, number)
    with transaction.atomic():
        buyers.note_vat(customer_id, valid, timezone.now(), number=number)
        reckon_again(customer_id, now)
