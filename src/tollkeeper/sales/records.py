"""Rows that flows make or read by id, without knowing the models."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from tollkeeper.core.period import add_months
from tollkeeper.core.terms import OffTerms
from tollkeeper.sales import changes, plans
from tollkeeper.sales.changes import Offer
from tollkeeper.sales.models import OrderLine, PlanChange, Subscription


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
    off: OffTerms | None = None
    """What a coupon takes off the periods to come."""
    subscription: str = ""
    """The public number of what changes."""
    begins_at: dt.datetime | None = None
    """When the next period begins."""


def line(
    *,
    title: str,
    offer: Offer,
    amount_minor: int,
    tax_minor: int,
    terms: str,
    starts_at: dt.datetime,
    ends_at: dt.datetime,
) -> OrderLine:
    """A line that is not stored yet."""
    return OrderLine(
        title=title,
        plan=offer.plan.slug,
        plan_version=offer.plan.version,
        price=offer.price.id,
        amount_minor=amount_minor,
        tax_minor=tax_minor,
        tax_bp=offer.tax_bp,
        terms=terms,
        starts_at=starts_at,
        ends_at=ends_at,
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
        held.number,
        changes.next_start(held, row.created_at),
    )


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


def off_of(subscription_id: int) -> OffTerms | None:
    """What a coupon takes off the periods to come of a subscription as it is."""
    held = Subscription.objects.get(pk=subscription_id)
    return _off(held, held.off_minor)


def next_minor(subscription_id: int) -> int:
    """What the next period of a subscription will cost, after what waits for it and with its coupon."""
    held = Subscription.objects.get(pk=subscription_id)
    coming = changes.coming(held)
    off = _off(held, coming.off_minor)
    return coming.amount_minor - (off.minor if off else 0)


def apply_change(change_id: int, now: dt.datetime) -> None:
    """Put a paid change into force, once. In the caller's transaction."""
    row = PlanChange.objects.select_related("subscription").get(pk=change_id)
    row.subscription = plans.lock_plan(row.subscription_id)
    if row.state == "requested":
        changes.apply_change(row, now)
