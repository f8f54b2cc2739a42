"""Rows that flows make or read by id, without knowing the models."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from django.utils import timezone

from tollkeeper.core import period as periods
from tollkeeper.core.period import Period, add_months
from tollkeeper.core.terms import OffTerms
from tollkeeper.sales import changes, plans, rhythm, services
from tollkeeper.sales.changes import Offer
from tollkeeper.sales.models import OrderLine, PlanChange, Subscription, SubscriptionPeriod


@dataclass(frozen=True, slots=True)
class ChangeView:
    """A change of plan, and where its subscription is kept."""

    state: str
    kind: str
    title: str
    amount_minor: int
    currency: str
    provider: str
    reference: str
    customer_id: int
    off: OffTerms | None
    """What a coupon takes off the periods to come."""
    subscription_id: int
    subscription: str
    """The public number of what changes."""
    begins_at: dt.datetime
    """When the next period begins."""
    period: str
    """How often it renews after the change."""
    charges_at: dt.datetime
    """When its provider is to charge it next."""
    anew: bool
    """Whether the rhythm changes."""


def line(
    *,
    title: str,
    offer: Offer,
    amount_minor: int,
    tax_minor: int,
    terms: str,
    bounds: tuple[dt.datetime, dt.datetime],
    anchor_at: dt.datetime | None = None,
) -> OrderLine:
    """A line that is not stored yet, for what lies between ``bounds``."""
    return OrderLine(
        title=title,
        plan=offer.plan.slug,
        plan_version=offer.plan.version,
        price=offer.price.id,
        amount_minor=amount_minor,
        tax_minor=tax_minor,
        tax_bp=offer.tax_bp,
        terms=terms,
        starts_at=bounds[0],
        ends_at=bounds[1],
        anchor_at=anchor_at,
    )


def rest_line(
    change: PlanChange,
    *,
    amount_minor: int,
    tax_minor: int,
    terms: str,
    starts_at: dt.datetime,
    ends_at: dt.datetime,
) -> OrderLine:
    """A line, not stored yet, for the rest of a period of the plan as it is."""
    return OrderLine(
        title=change.title,
        plan=change.plan,
        plan_version=change.plan_version,
        price=change.price,
        amount_minor=amount_minor,
        tax_minor=tax_minor,
        tax_bp=change.tax_bp,
        terms=terms,
        starts_at=starts_at,
        ends_at=ends_at,
    )


def change(change_id: int) -> ChangeView:
    """A change of plan; raises ``PlanChange.DoesNotExist``."""
    row = PlanChange.objects.select_related("subscription").get(pk=change_id)
    held = row.subscription
    begins_at = rhythm.next_start(held, row.created_at)
    return ChangeView(
        row.state,
        row.kind,
        row.title,
        row.amount_minor,
        held.currency,
        held.provider,
        held.reference,
        held.customer_id,
        _off(held, row.off_minor),
        held.pk,
        held.number,
        begins_at,
        row.period or held.period,
        next_charge(row) if row.anchor_at else begins_at,
        row.anchor_at is not None,
    )


def next_charge(change: PlanChange) -> dt.datetime:
    """When a provider is to charge a changed rhythm first: what begins at once is paid by its order."""
    assert change.anchor_at is not None
    if change.kind == "upgrade":
        return periods.nth(change.anchor_at, change.period, 0).ends_at
    return change.anchor_at


@dataclass(frozen=True, slots=True)
class Charge:
    """What a provider is to charge next of a subscription, how often from then on, and when."""

    amount_minor: int
    off: OffTerms | None
    period: str
    at: dt.datetime


def next_charge_of(subscription_id: int) -> Charge:
    """What is to be charged next, after what waits for the next period."""
    held = Subscription.objects.get(pk=subscription_id)
    coming = changes.coming(held)
    at = rhythm.next_start(held, timezone.now())
    return Charge(coming.amount_minor, _off(held, coming.off_minor), coming.period, at)


def _off(held: Subscription, minor: int) -> OffTerms | None:
    last = held.periods.order_by("-number").first()
    if not minor or last is None or not changes.off_at(held, last.ends_at):
        return None
    if held.off_ends_at is None:
        return OffTerms(minor, "forever")
    months = 1
    while add_months(last.ends_at, months) < held.off_ends_at:
        months += 1
    return OffTerms(minor, "months", months)


def next_minor(subscription_id: int) -> int:
    """What the next period of a subscription will cost, after what waits for it and with its coupon."""
    charge = next_charge_of(subscription_id)
    return charge.amount_minor - (charge.off.minor if charge.off else 0)


def apply_change(change_id: int, now: dt.datetime) -> bool:
    """Put a paid change into force, once. In the caller's transaction.

    False, and the order is held, if a new rhythm was to begin in a period that is over by now.
    """
    row = PlanChange.objects.select_related("subscription").get(pk=change_id)
    row.subscription = plans.lock_plan(row.subscription_id)
    if row.state != "requested":
        return row.state == "applied"
    if row.anchor_at is None:
        changes.apply_change(row, now)
        return True
    assert row.order_id is not None
    order, last = services.lock_order(row.order_id), row.subscription.periods.latest("number")
    if not last.starts_at < row.anchor_at < last.ends_at:
        row.state = "withdrawn"
        row.save(update_fields=["state"])
        services.hold_for_review(order, "period_twice")
        return False
    SubscriptionPeriod.objects.filter(pk=last.pk).update(ends_at=row.anchor_at)
    changes.apply_change(row, now)
    span = Period(last.number + 1, row.anchor_at, next_charge(row))
    plans.open_period(row.subscription, order, span, source=f"change:{row.pk}")
    return True
