"""Verbs that write changes of a subscription: another plan, another tax. In the caller's transaction."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass

from django.db.models import Max

from tollkeeper.core.period import MONTHS
from tollkeeper.core.states import ORDER, step
from tollkeeper.core.tax import Tax
from tollkeeper.core.terms import PlanTerms, PriceTerms, encode
from tollkeeper.sales import coupons, rhythm
from tollkeeper.sales.models import Coupon, Order, OrderLine, PlanChange, Subscription
from tollkeeper.sales.services import LIVE

WITH_PERIOD = ("downgrade", "tax")
"""Kinds of changes that wait for the next period and need no order."""


class CannotChange(Exception):
    """``code``: ``same``, ``other_currency``, ``not_active``, ``trialing``, ``ends_soon``,
    ``not_resting``, ``moved`` or ``pending``.
    """

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, slots=True)
class Offer:
    """What a subscription would be on another plan, frozen."""

    plan: PlanTerms
    price: PriceTerms
    amount_minor: int
    tax_minor: int
    tax_bp: int
    tax_note: str = ""
    off_minor: int = 0
    """What the subscription's coupon takes off each period, as long as it holds."""

    @property
    def period(self) -> str:
        """How often it renews."""
        return self.price.period or self.plan.period or "month"


@dataclass(frozen=True, slots=True)
class Coming:
    """What the next period is written down to cost: by a change that waits, or as the plan is."""

    subscription_id: int
    customer_id: int
    plan: str
    plan_version: int
    price: str
    amount_minor: int
    tax_minor: int
    tax_bp: int
    tax_note: str
    off_minor: int
    period: str


def offer(plan: PlanTerms, price: PriceTerms, tax: Tax, coupon: Coupon | None = None) -> Offer:
    """A plan at a price with its tax, and what a coupon takes off it."""
    amount, tax_minor = tax.of(price.amount_minor)
    off = coupons.off_on(coupon, plan.slug, price.amount_minor, tax) if coupon else 0
    return Offer(plan, price, amount, tax_minor, tax.rate_bp, tax.note, off)


def off_at(subscription: Subscription, starts_at: dt.datetime) -> int:
    """What a coupon takes off the period that begins then."""
    ends_at = subscription.off_ends_at
    return subscription.off_minor if ends_at is None or starts_at < ends_at else 0


def check_change(subscription: Subscription, other: Offer) -> None:
    """Raises :class:`CannotChange` if a subscription cannot become what is offered."""
    if other.price.currency != subscription.currency:
        raise CannotChange("other_currency")
    if (other.plan.slug, other.price.id) == (subscription.plan, subscription.price):
        raise CannotChange("same")


def off_on_change(subscription: Subscription, other: Offer, starts_at: dt.datetime) -> int:
    """What the subscription's coupon would take off another plan in the period that begins then."""
    return other.off_minor if off_at(subscription, starts_at) else 0


def begins_at_once(period: str, amount_minor: int, other_period: str, other_minor: int) -> bool:
    """True if a change begins when it is paid: to a longer rhythm, or to a dearer plan in the same one."""
    if other_period != period:
        return MONTHS[other_period] > MONTHS[period]
    return other_minor > amount_minor


def request_change(
    subscription: Subscription,
    other: Offer,
    kind: str,
    now: dt.datetime,
    anchor_at: dt.datetime | None = None,
) -> PlanChange:
    """Write down a change of a locked subscription; one that waits is replaced.

    ``anchor_at`` is where another rhythm begins, if it changes.
    """
    withdraw_waiting(subscription)
    return PlanChange.objects.create(
        subscription=subscription,
        kind=kind,
        plan=other.plan.slug,
        plan_version=other.plan.version,
        price=other.price.id,
        title=other.plan.name,
        terms=encode(other.plan.line(other.price.id).lasting()),
        amount_minor=other.amount_minor,
        tax_minor=other.tax_minor,
        tax_bp=other.tax_bp,
        tax_note=other.tax_note,
        off_minor=other.off_minor,
        period=other.period,
        anchor_at=anchor_at,
        created_at=now,
    )


def request_tax(subscription: Subscription, other: Offer, now: dt.datetime) -> PlanChange:
    """Write down that the next period of a locked subscription is taxed otherwise; the plan stays that of
    the change that waits, or as it is. Raises :class:`CannotChange`.
    """
    waiting = subscription.changes.filter(state="requested").first()
    source = waiting or subscription
    withdraw_waiting(subscription)
    return PlanChange.objects.create(
        subscription=subscription,
        kind=waiting.kind if waiting else "tax",
        plan=source.plan,
        plan_version=source.plan_version,
        price=source.price,
        title=source.title,
        terms=source.terms,
        amount_minor=other.amount_minor,
        tax_minor=other.tax_minor,
        tax_bp=other.tax_bp,
        tax_note=other.tax_note,
        off_minor=other.off_minor,
        period=source.period,
        anchor_at=waiting.anchor_at if waiting else None,
        created_at=now,
    )


def coming(subscription: Subscription) -> Coming:
    """What the next period of a subscription is written down to cost."""
    waiting = subscription.changes.filter(state="requested", kind__in=WITH_PERIOD).first()
    source = waiting or subscription
    return Coming(
        subscription.pk,
        subscription.customer_id,
        source.plan,
        source.plan_version,
        source.price,
        source.amount_minor,
        source.tax_minor,
        source.tax_bp,
        source.tax_note,
        source.off_minor,
        source.period or subscription.period,
    )


def coming_before(until: dt.datetime) -> Iterator[Coming]:
    """What is to be paid for the periods that begin before ``until``, of all plans that go on."""
    rows = Subscription.objects.filter(state__in=LIVE, ends_with_period=False, amount_minor__gt=0)
    rows = rows.annotate(until=Max("periods__ends_at")).filter(until__lte=until)
    for row in rows.order_by("until"):
        yield coming(row)


def goes_on(subscription: Subscription) -> bool:
    """True if a subscription will ask for money again."""
    return (
        subscription.state in LIVE and not subscription.ends_with_period and bool(subscription.amount_minor)
    )


def touch(subscription: Subscription) -> int:
    """Count a wish of the customer; answers its turn."""
    subscription.version += 1
    subscription.save(update_fields=["version"])
    return subscription.version


def waits(subscription: Subscription) -> bool:
    """True if a change waits for the next period, of which the provider may have been told."""
    return subscription.changes.filter(state="requested", kind__in=WITH_PERIOD).exists()


def is_being_paid(subscription: Subscription) -> bool:
    """True while a change of a subscription waits for its money."""
    return subscription.changes.filter(state="requested", order__isnull=False).exists()


def withdraw_waiting(subscription: Subscription) -> None:
    """Forget the change that waits. Raises :class:`CannotChange` if its money is on the way."""
    for waiting in subscription.changes.filter(state="requested"):
        if waiting.order is not None and waiting.order.money != "unpaid":
            raise CannotChange("pending")
        waiting.state = "withdrawn"
        waiting.save(update_fields=["state"])


def order_change(change: PlanChange, line: OrderLine, *, expires_at: dt.datetime, language: str) -> Order:
    """The order by which an upgrade is paid; ``line`` says what the rest of the period gives."""
    held = change.subscription
    order = Order.objects.create(
        customer_id=held.customer_id,
        kind="change",
        offer=f"{change.plan}/{change.price}",
        subscription=held,
        lifecycle=step(ORDER, ORDER.initial, "confirm"),
        currency=held.currency,
        total_minor=line.amount_minor,
        tax_minor=line.tax_minor,
        tax_note=change.tax_note,
        live=held.live,
        late="refund",
        language=language,
        created_at=change.created_at,
        expires_at=expires_at,
    )
    line.order = order
    line.save()
    change.order = order
    change.save(update_fields=["order"])
    return order


def apply_change(change: PlanChange, now: dt.datetime) -> None:
    """From now on the subscription is what the change says."""
    held = change.subscription
    held.plan, held.plan_version, held.price = change.plan, change.plan_version, change.price
    held.title, held.terms = change.title, change.terms
    held.amount_minor, held.tax_minor, held.tax_bp = change.amount_minor, change.tax_minor, change.tax_bp
    held.tax_note = change.tax_note
    if held.coupon is not None:
        held.off_minor = change.off_minor
    held.version += 1
    held.save()
    if change.anchor_at is not None:
        rhythm.begin(held, change.period, change.anchor_at)
    change.state, change.applied_at = "applied", now
    change.save(update_fields=["state", "applied_at"])


def apply_waiting(subscription: Subscription, starts_at: dt.datetime, now: dt.datetime) -> None:
    """A period begins: what waits for it holds, but no tax that was other only after its beginning."""
    for change in subscription.changes.filter(state="requested", kind__in=WITH_PERIOD):
        if change.kind == "tax" and change.created_at >= starts_at:
            continue
        if change.anchor_at is not None and starts_at < change.anchor_at:
            continue
        change.subscription = subscription
        apply_change(change, now)


def withdraw_change(subscription: Subscription) -> bool:
    """Forget a downgrade that waits for the end of the period; False if there is none."""
    waiting = subscription.changes.filter(state="requested", kind="downgrade")
    return waiting.update(state="withdrawn") > 0
