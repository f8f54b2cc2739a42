"""A plan that renews is taxed with what holds when its period begins: rates, the buyer's place and number.

What the next period costs is reckoned ahead and written down as a change of the plan. The customer
is told before the provider is, so nobody is charged more than was said; a rise that comes too late
to be told in time waits for the period after, and its tax is the shop's to bear.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from tollkeeper.accounts import queries as accounts
from tollkeeper.accounts import services as account_verbs
from tollkeeper.catalog import queries as catalog
from tollkeeper.core.money import show, tax_inside
from tollkeeper.flows import plan_change
from tollkeeper.flows.taxes import STALE, tax_for
from tollkeeper.kit.jobs import Context, Retry, enqueue, job, schedule
from tollkeeper.payments import buyers
from tollkeeper.sales import changes, plans, records, rhythm
from tollkeeper.sales.changes import Coming, Offer

AHEAD = dt.timedelta(days=8)
"""So long before a period its tax is looked at; a buyer who changes their details is looked at at once."""

NOTICE = dt.timedelta(days=3)
"""A customer hears of a rise at least so long before the period that costs more."""


@schedule("watch_taxes", every_s=900, purpose="order")
def watch_taxes(context: Context) -> None:
    """Find the plans whose next period costs or contains something else than is written down."""
    now = timezone.now()
    for known in list(changes.coming_before(now + AHEAD)):
        with transaction.atomic():
            if known.tax_note == "reverse_charge" and settings.VIES_API:
                _ask_again(known.customer_id, now)
            wanted = _sums(_offer(known))
            if _sums(known) != wanted:  # asked for once a day: a rise may have to wait
                key = f"tax:{known.subscription_id}:{now:%Y%m%d}:{':'.join(map(str, wanted))}"
                enqueue("reckon_tax", key, subscription_id=known.subscription_id)


def _ask_again(customer_id: int, now: dt.datetime) -> None:
    if buyers.vat_to_check(customer_id, now - STALE):
        enqueue("check_vat", f"vat:{customer_id}:{now:%Y%m%d}", customer_id=customer_id)


def _offer(known: Coming, coupon: Any = None) -> Offer:
    """What is sold, as it was sold, with the tax of today."""
    plan = catalog.get_plan(known.plan, version=known.plan_version)
    return changes.offer(plan, plan.price(known.price), tax_for(known.customer_id), coupon)


def _sums(of: Coming | Offer) -> tuple[int, int, int, str]:
    return of.amount_minor, of.tax_minor, of.tax_bp, of.tax_note


@job("reckon_tax", purpose="order", attempts=40)
def reckon_tax(context: Context, subscription_id: int) -> None:
    """Bring what is written down for the next period in line with the tax of today."""
    now = timezone.now()
    with transaction.atomic():
        held = plans.lock_plan(subscription_id)
        if not changes.goes_on(held):
            return
        if changes.is_being_paid(held):
            raise Retry(1800)  # a change whose order is open: it is paid or over within two hours
        known, begins = changes.coming(held), rhythm.next_start(held, now)
        offer = _offer(known, held.coupon)
        if _cost(held, offer, begins) > _cost(held, known, begins) and begins - now < NOTICE:
            amount, bp = known.amount_minor, offer.tax_bp
            offer = replace(
                offer, amount_minor=amount, tax_minor=tax_inside(amount, bp), off_minor=known.off_minor
            )
        if _sums(offer) == _sums(known):
            return
        change = changes.request_tax(held, offer, now)
        before = _cost(held, known, begins)
        if before != _cost(held, offer, begins):
            enqueue("announce_tax", f"tax:told:{change.pk}", change_id=change.pk, before_minor=before)
        else:
            enqueue("push_change", f"change:push:{change.pk}", change_id=change.pk)


def _cost(held: Any, of: Coming | Offer, begins: dt.datetime) -> int:
    """What the period that begins then is paid with, after a coupon that still holds."""
    return of.amount_minor - (of.off_minor if changes.off_at(held, begins) else 0)


@job("announce_tax", purpose="order", attempts=40)
def announce_tax(context: Context, change_id: int, before_minor: int) -> None:
    """The customer hears of the new sum first, then the provider."""
    context.call("tell", _tell, change_id, before_minor)
    context.call("push", plan_change.push, change_id)


def _tell(change_id: int, before_minor: int) -> str:
    change = records.change(change_id)
    if change.state == "withdrawn":
        return "withdrawn"
    language = accounts.language_of(accounts.get_customer(change.customer_id).owner_id)
    now_minor = change.amount_minor - (change.off.minor if change.off else 0)
    values = {
        "title": change.title,
        "before": show(before_minor, change.currency, language),
        "amount": show(now_minor, change.currency, language),
        "begins": change.begins_at,
        "link": f"{settings.PUBLIC_URL}/console/plans/{change.subscription}/",
    }
    return "sent" if account_verbs.write_to(change.customer_id, "plan_tax", values) else "nobody"


__all__ = ["reckon_tax", "watch_taxes"]
