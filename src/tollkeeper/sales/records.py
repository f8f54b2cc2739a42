"""Rows that flows make or read by id, without knowing the models."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from tollkeeper.sales import plans
from tollkeeper.sales.models import OrderLine, PlanChange
from tollkeeper.sales.plans import Offer


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
    )


def apply_change(change_id: int, now: dt.datetime) -> None:
    """Put a paid change into force, once. In the caller's transaction."""
    row = PlanChange.objects.select_related("subscription").get(pk=change_id)
    row.subscription = plans.lock_plan(row.subscription_id)
    if row.state == "requested":
        plans.apply_change(row, now)
