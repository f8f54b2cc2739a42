"""From a chosen plan to a paid order.

The intent is committed before the provider is asked, under a key made of the attempt, so that
a crash or a second click never makes a second session. Whatever happens afterwards (the payer
comes back, an event arrives, the sweeper looks, an operator presses a button) ends in the one
function :func:`flows.reconcile.reconcile`.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from tollkeeper.catalog import queries as catalog
from tollkeeper.core.settlement import derive
from tollkeeper.core.terms import PlanTerms, TrialTerms
from tollkeeper.flows import announcing, receipts, selling
from tollkeeper.flows.disclosing import about_customer
from tollkeeper.flows.intents import intent_of, return_url
from tollkeeper.flows.reconcile import clear_review, reconcile
from tollkeeper.flows.taxes import tax_for
from tollkeeper.kit.jobs import Context, enqueue, job, schedule
from tollkeeper.payments import queries as payment_queries
from tollkeeper.payments import services as payments
from tollkeeper.payments.providers import Intent, Missing, Refused, Started, Unsure
from tollkeeper.payments.registry import get_provider
from tollkeeper.sales import coupons
from tollkeeper.sales import queries as sales_queries
from tollkeeper.sales import services as sales
from tollkeeper.sales.queries import OrderView

KEY_LIVES = dt.timedelta(hours=20)
"""Idempotency keys may be pruned after 24 hours: an older attempt is looked up before it is asked again."""

__all__ = [
    "CannotPay",
    "Quote",
    "begin_payment",
    "cancel_order",
    "clear_review",
    "quote",
    "reconcile",
    "return_url",
    "start_order",
]


class CannotPay(Exception):
    """The order cannot be paid now.

    ``code``: ``closed``, ``expired``, ``not_sold`` (its plan is stopped), ``no_answer`` or ``refused``.
    """

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, slots=True)
class Quote:
    """What an order would cost: the price of all pieces, what a coupon takes off, the tax, the sum.

    With a trial nothing is due before ``charged_at``; then it is ``later_minor`` for each period.
    ``lasts`` says how long a coupon holds, its duration and months.
    """

    price_minor: int
    off_minor: int
    tax_minor: int
    total_minor: int
    later_minor: int
    trial: TrialTerms | None = None
    charged_at: dt.datetime | None = None
    lasts: tuple[str, int] = ("once", 0)


def quote(customer_id: int, plan: str, price: str, *, quantity: int = 1, coupon: str = "") -> Quote:
    """What the customer would pay, without ordering. Raises ``NotOffered`` and ``CannotOrder``."""
    terms, offered = catalog.get_plan(plan), catalog.get_price(plan, price)
    if not 1 <= quantity <= (sales.MOST_PIECES if terms.kind == "pack" else 1):
        raise sales.CannotOrder("quantity")
    whole, off, lasts = offered.amount_minor * quantity, 0, ("once", 0)
    tax, trial = tax_for(customer_id), _trial(customer_id, terms)
    if coupon:
        found = _coupon(customer_id, coupon, terms, offered.currency)
        off, lasts = coupons.discount_of(found).off(whole), coupons.lasts(found)
    later, _ = tax.of(whole)
    if trial is not None:
        return Quote(whole, 0, 0, 0, later, trial, timezone.now() + dt.timedelta(days=trial.days))
    total, inside = tax.of(whole - off)
    return Quote(whole, off, inside, total, later, lasts=lasts)


def _coupon(customer_id: int, code: str, terms: PlanTerms, currency: str) -> Any:
    """The coupon, if the customer may use it for that. Raises ``sales.services.CannotOrder``."""
    found = coupons.look_up(customer_id, code, terms, currency, timezone.now())
    if _trial(customer_id, terms) is not None:
        raise sales.CannotOrder("coupon_after_trial")
    return found


def _trial(customer_id: int, terms: PlanTerms) -> TrialTerms | None:
    """The trial that this customer may still have of a plan."""
    return terms.trial if terms.trial is not None and sales.may_try(customer_id) else None


def start_order(
    customer_id: int, plan: str, price: str, *, language: str = "en", quantity: int = 1, coupon: str = ""
) -> str:
    """Order ``plan`` at ``price``; answers the order's public number.

    A second call while the first order is unpaid answers the same number. A coupon is set aside
    with the order and free again if it ends unpaid. Raises ``catalog.queries.NotOffered`` and
    ``sales.services.CannotOrder``.
    """
    shop = catalog.current_shop()
    if shop.suspended:
        raise sales.CannotOrder("not_sold")
    terms = catalog.get_plan(plan, language)
    offered = catalog.get_price(plan, price)
    if selling.why_unsold(terms, quantity):
        raise sales.CannotOrder("not_sold")
    now = timezone.now()
    with transaction.atomic():
        known = sales_queries.open_with_coupon(customer_id, f"{plan}/{price}", quantity, coupons.tidy(coupon))
        if known:
            return known
        found = _coupon(customer_id, coupon, terms, offered.currency) if coupon else None
        off = coupons.discount_of(found).off(offered.amount_minor * quantity) if found else 0
        order = sales.open_order(
            customer_id,
            terms,
            offered,
            now=now,
            language=language,
            live=settings.ENV.live,
            pieces=sales.Pieces(
                quantity,
                off,
                f"?{found.code}" if found else "",
                tax_for(customer_id),
                trial=_trial(customer_id, terms) is not None,
                lasts=coupons.lasts(found) if found else ("once", 0),
            ),
        )
        if found:
            coupons.reserve(found, order)
    return order.number


def begin_payment(number: str, provider: str = "") -> str:
    """Answer the address where the order is paid (again the same one, if it is open already).

    Raises ``sales.services.NoSuchOrder`` and :class:`CannotPay`; after ``no_answer`` it is safe to
    call it again.
    """
    order = sales_queries.find_order(number)
    if order is None:
        raise sales.NoSuchOrder(number)
    now = timezone.now()
    _check_payable(order, now)
    attempt = _open_attempt(order, provider or _provider_for(order), now)
    if attempt.state == "processing":
        return return_url(number)
    if attempt.url:
        return str(attempt.url)
    try:
        with about_customer(order.customer_id):
            started = _ask_to_start(intent_of(order, attempt), attempt)
    except Unsure as error:
        with transaction.atomic():
            payments.note_no_answer(attempt.pk, str(error))
        raise CannotPay("no_answer") from error
    except Refused as error:
        with transaction.atomic():
            payments.note_refused(attempt.pk, error.code)
        raise CannotPay("refused") from error
    with transaction.atomic():
        payments.note_started(attempt.pk, started)
        if attempt.provider == "invoice":
            receipts.invoice_for(order.order_id, timezone.now())
    if not get_provider(attempt.provider).remote:
        reconcile(order.order_id)
    return started.url


def _check_payable(order: OrderView, now: dt.datetime) -> None:
    if order.lifecycle in ("expired", "cancelled"):
        raise CannotPay("expired")
    if order.lifecycle != "open" or order.money not in ("unpaid", "processing"):
        raise CannotPay("closed")
    if order.expires_at is not None and order.expires_at <= now:
        raise CannotPay("expired")
    if order.kind in ("purchase", "change", "resume") and selling.any_stopped(order):
        raise CannotPay("not_sold")


def _provider_for(order: OrderView) -> str:
    renews = order.lines[0].terms.kind == "subscription" and order.kind == "purchase"
    if order.total_minor == 0 and not renews:
        return "free"
    names = [name for name in catalog.current_shop().providers if name != "free"]
    return next(name for name in names if not (renews and name == "invoice"))


def _open_attempt(order: OrderView, provider: str, now: dt.datetime) -> Any:
    with transaction.atomic():
        row = sales.lock_order(order.order_id)
        attempt = payments.open_attempt(
            row.pk,
            provider,
            asked_minor=row.total_minor,
            currency=row.currency,
            live=row.live,
            expires_at=now + get_provider(provider).open_for,
            now=now,
        )
        if attempt.expires_at is not None:
            sales.keep_open(row, attempt.expires_at)
    return attempt


def _ask_to_start(intent: Intent, attempt: Any) -> Started:
    provider = get_provider(attempt.provider)
    if timezone.now() - attempt.created_at > KEY_LIVES and (found := provider.find(intent)):
        return found
    try:
        return provider.start(intent)
    except Missing:
        if not intent.payer:
            raise
        with transaction.atomic():  # somebody deleted them there, and we have not heard of it
            payments.forget_payer(attempt.provider, intent.payer)
    except Refused as error:
        if error.code != "idempotency":
            raise
    # the key was used for something slightly else (our own address, the payer): look, then take a new one
    if found := provider.find(intent):
        return found
    with transaction.atomic():
        payments.note_no_answer(attempt.pk, "new_key", next_key=True)
    attempt.refresh_from_db()
    order = sales_queries.order_by_id(attempt.order_id)
    return provider.start(intent_of(order, attempt))


# ---- the end of what nobody paid


@schedule("expire_orders", every_s=60, purpose="order")
def expire_orders(context: Context) -> None:
    """End orders whose time is up."""
    with transaction.atomic():
        for order_id in sales_queries.expiring_orders(timezone.now()):
            enqueue("expire_order", f"expire:{order_id}", order_id=order_id)


@job("expire_order", purpose="order", attempts=40)
def expire_order(context: Context, order_id: int) -> None:
    """Close the page at the provider first; if the money came meanwhile, it wins."""
    end_unpaid(order_id, "expire")


def cancel_order(customer_id: int, number: str) -> bool:
    """The customer does not want an unpaid order any more; False if money came first."""
    order = sales_queries.get_order(customer_id, number)
    return end_unpaid(order.order_id, "cancel")


def end_unpaid(order_id: int, event: str) -> bool:
    """``expire`` or ``cancel`` an order after closing every page on which it could be paid."""
    order = sales_queries.order_by_id(order_id)
    for _, provider, ask in payments.asked(order_id, order.number):
        if ask.state in payments.OPEN:
            with about_customer(order.customer_id):
                get_provider(provider).expire(ask.reference)
    reconcile(order_id)
    with transaction.atomic():
        row = sales.lock_order(order_id)
        now = timezone.now()
        ended = sales.end_unpaid(row, event, now=now)
        if ended:
            coupons.release(row)
            for name in payment_queries.providers_of(order_id):
                if not get_provider(name).remote:
                    payments.end_local(order_id, name)
            facts = payments.facts_of(order_id)
            settlement = derive(sales.due(row), facts.charges, facts.refunds, facts.disputes)
            receipts.correct_for(order_id, settlement, now)
        announcing.order(sales_queries.order_by_id(order_id))
    return ended
