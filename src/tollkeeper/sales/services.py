"""Verbs that write orders and subscriptions. Each assumes the caller's transaction."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import msgspec
from django.db import IntegrityError, transaction

from tollkeeper.core.settlement import Due, Settlement
from tollkeeper.core.states import ORDER, step
from tollkeeper.core.tax import Tax
from tollkeeper.core.terms import OffTerms, PlanTerms, PriceTerms, encode
from tollkeeper.sales.models import Order, OrderLine, Subscription

OPEN_FOR = dt.timedelta(hours=23)
"""How long an order waits for its money. Checkout pages of providers live 24 hours at most."""

UNTAXED = Tax()

MOST_PIECES = 100
"""Of a pack in one order."""

LIVE = ("trialing", "active", "past_due", "suspended", "paused")
"""States of a subscription that is not over."""


OURS = ("second_subscription", "period_twice")
"""Reasons for a review that no settlement sees: they stay until an operator clears them."""


class CannotOrder(Exception):
    """The order cannot be made. ``code``: ``already_subscribed``, ``only_once``, ``not_sold``,
    ``quantity``, or one of those of ``sales.coupons.look_up``.
    """

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class NoSuchOrder(LookupError):
    """There is no such order, or it is somebody else's."""


@dataclass(frozen=True, slots=True)
class Settled:
    """What a settlement changed. ``late`` is money that came after the end and is to go back.

    ``line_ids`` are the lines that were not handed over yet.
    """

    became_paid: bool
    fulfil: bool
    late: bool
    line_ids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Pieces:
    """How many are ordered. ``off_minor`` is what a coupon takes off the price of them all;
    ``variant`` tells orders of the same offer apart that differ by it; ``tax`` is how it is reckoned;
    ``trial`` begins with the plan's trial and costs nothing yet; ``lasts`` is the coupon's duration
    and its months, for what renews.
    """

    quantity: int = 1
    off_minor: int = 0
    variant: str = ""
    tax: Tax = UNTAXED
    trial: bool = False
    lasts: tuple[str, int] = ("once", 0)


def open_order(
    customer_id: int,
    plan: PlanTerms,
    price: PriceTerms,
    *,
    now: dt.datetime,
    language: str = "en",
    live: bool = False,
    pieces: Pieces | None = None,
) -> Order:
    """Make an order, or answer the one already open for the same offer (two tabs, a double click).

    Raises :class:`CannotOrder`.
    """
    pieces = pieces or Pieces()
    quantity, tax = pieces.quantity, pieces.tax
    terms = plan.line(price.id)
    check_orderable(customer_id, plan)
    if not 1 <= quantity <= (MOST_PIECES if plan.kind == "pack" else 1):
        raise CannotOrder("quantity")
    offer = f"{plan.slug}/{price.id}" + (f"*{quantity}" if quantity > 1 else "") + pieces.variant
    same = Order.objects.filter(
        customer_id=customer_id, offer=offer, lifecycle="open", money="unpaid", kind="purchase", review=""
    )
    if known := same.first():
        return known  # what was offered is kept until it expires, even if the plan has changed
    amount, tax_minor = tax.of(price.amount_minor * quantity - pieces.off_minor)
    regular = tax.of(price.amount_minor * quantity)
    if pieces.off_minor and plan.kind == "subscription":
        off = OffTerms(regular[0] - amount, *pieces.lasts)
        terms = msgspec.structs.replace(terms, off=off, renews_minor=regular[0], renews_tax_minor=regular[1])
    if pieces.trial and plan.trial is not None:
        terms = msgspec.structs.replace(
            terms.tried(plan.trial), renews_minor=amount, renews_tax_minor=tax_minor
        )
        amount, tax_minor = 0, 0
    try:
        with transaction.atomic():
            order = Order.objects.create(
                customer_id=customer_id,
                offer=offer,
                lifecycle=step(ORDER, ORDER.initial, "confirm"),
                currency=price.currency,
                total_minor=amount,
                tax_minor=tax_minor,
                tax_note=tax.note,
                live=live,
                language=language,
                created_at=now,
                expires_at=now + OPEN_FOR,
            )
            OrderLine.objects.create(
                order=order,
                title=plan.name,
                plan=plan.slug,
                plan_version=plan.version,
                price=price.id,
                quantity=quantity,
                amount_minor=amount,
                off_minor=regular[0] - amount if pieces.off_minor else 0,
                tax_minor=tax_minor,
                tax_bp=tax.rate_bp,
                terms=encode(terms),
            )
    except IntegrityError:
        return same.get()
    return order


def check_orderable(customer_id: int, plan: PlanTerms) -> None:
    """Raises :class:`CannotOrder` if the customer has what can be had only once."""
    if plan.kind == "subscription" or plan.period:
        live = Subscription.objects.filter(customer_id=customer_id, plan=plan.slug, state__in=LIVE)
        if live.exists():
            raise CannotOrder("already_subscribed")
    if plan.once_per_customer:
        had = OrderLine.objects.filter(order__customer_id=customer_id, plan=plan.slug)
        if had.exclude(order__money__in=["unpaid", "processing"]).exists():
            raise CannotOrder("only_once")


def may_try(customer_id: int) -> bool:
    """True for who never had a plan that renews and is paid for, tried or bought."""
    return not Subscription.objects.filter(customer_id=customer_id, amount_minor__gt=0).exists()


def lock_order(order_id: int) -> Order:
    """The order, locked until the transaction ends; raises :class:`NoSuchOrder`."""
    order = Order.objects.select_for_update().filter(pk=order_id).first()
    if order is None:
        raise NoSuchOrder(str(order_id))
    return order


def due(order: Order) -> Due:
    """What the order asks for."""
    return Due(order.total_minor, order.currency, order.live, order.cleared)


def settle(order: Order, settlement: Settlement, *, now: dt.datetime) -> Settled:
    """Write the derived money into a locked order and move its lifecycle."""
    came = settlement.captured_minor > 0 or settlement.money == "paid"
    late = False
    if came and order.lifecycle in ("expired", "cancelled"):
        if order.late == "fulfil":
            order.lifecycle = step(ORDER, order.lifecycle, "reopen")
        else:
            late = True
    ours = order.review if order.review in OURS and order.review != order.cleared else ""
    order.review = settlement.review or ours
    order.money = settlement.money
    order.captured_minor = settlement.captured_minor
    order.refunded_minor = settlement.refunded_minor
    order.version += 1
    became_paid = settlement.fulfil and order.paid_at is None and not late
    if came and order.paid_at is None:
        order.paid_at = now
    order.save()
    fulfil = not late and not order.review and settlement.money in ("paid", "overpaid", "part_refunded")
    waiting = order.lines.filter(delivered_at=None).values_list("pk", flat=True)
    return Settled(became_paid, fulfil, late, tuple(waiting))


def hold_for_review(order: Order, reason: str) -> None:
    """Stop a locked order until an operator has looked at it."""
    if order.cleared != reason:
        order.review = reason
        order.save(update_fields=["review"])


def line_delivered(line_id: int, now: dt.datetime) -> None:
    """Note that a line was handed over; the last one closes the order."""
    line = OrderLine.objects.select_related("order").get(pk=line_id)
    order = lock_order(line.order_id)
    OrderLine.objects.filter(pk=line_id, delivered_at=None).update(delivered_at=now)
    if order.lifecycle == "open" and not order.lines.filter(delivered_at=None).exists():
        order.lifecycle = step(ORDER, order.lifecycle, "complete")
        order.closed_at = now
        order.save(update_fields=["lifecycle", "closed_at"])


def keep_open(order: Order, until: dt.datetime) -> None:
    """An order outlives every page on which it can be paid."""
    if order.lifecycle == "open" and order.expires_at is not None and order.expires_at < until:
        order.expires_at = until
        order.save(update_fields=["expires_at"])


def end_unpaid(order: Order, event: str, *, now: dt.datetime) -> bool:
    """``expire`` or ``cancel`` a locked order to which no money came; False if some did."""
    if order.lifecycle != "open" or order.money != "unpaid":
        return False
    order.lifecycle = step(ORDER, order.lifecycle, event)
    order.closed_at = now
    order.save(update_fields=["lifecycle", "closed_at"])
    return True


def accept(order_id: int, reason: str) -> None:
    """An operator has looked at what does not match and lets the order go on."""
    order = lock_order(order_id)
    order.cleared, order.review = reason, ""
    order.save(update_fields=["cleared", "review"])
