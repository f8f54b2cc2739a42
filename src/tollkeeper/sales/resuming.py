"""Verbs of plans that rest and go on in the middle of a period. Each assumes the caller's transaction."""

from __future__ import annotations

import datetime as dt

from tollkeeper.core.period import Period
from tollkeeper.sales import changes, plans, rhythm, services
from tollkeeper.sales.changes import Offer
from tollkeeper.sales.models import Order, PlanChange, Subscription


def unpaid_rest(subscription: Subscription, now: dt.datetime) -> Period | None:
    """The present period of a plan that rests, if nobody has paid for it; None if it needs no money."""
    if subscription.state != "paused" or not subscription.amount_minor:
        return None
    span = rhythm.span_at(subscription, now)
    return None if subscription.periods.filter(number=span.number).exists() else span


def request(subscription: Subscription, taxed: Offer, now: dt.datetime) -> PlanChange:
    """Write down that a locked subscription is to go on at once, ``taxed`` as today; one that waits is
    replaced.
    """
    changes.withdraw_waiting(subscription)
    return PlanChange.objects.create(
        subscription=subscription,
        kind="resume",
        plan=subscription.plan,
        plan_version=subscription.plan_version,
        price=subscription.price,
        title=subscription.title,
        terms=subscription.terms,
        amount_minor=taxed.amount_minor,
        tax_minor=taxed.tax_minor,
        tax_bp=taxed.tax_bp,
        tax_note=taxed.tax_note,
        off_minor=taxed.off_minor,
        period=subscription.period,
        created_at=now,
    )


def take_up(order_id: int, now: dt.datetime) -> Subscription | None:
    """The rest of the period is paid: open it and let the plan go on, once; answers the subscription.

    None, and the order is held, if the period was opened by something else meanwhile.
    """
    change = PlanChange.objects.get(order_id=order_id)
    row, order = plans.lock_plan(change.subscription_id), services.lock_order(order_id)
    if change.state != "requested":
        return row
    starts_at = order.lines.get().starts_at
    assert starts_at is not None
    span = rhythm.span_at(row, starts_at)
    change.state, change.applied_at = "applied", now
    change.save(update_fields=["state", "applied_at"])
    if row.periods.filter(number=span.number).exists():
        services.hold_for_review(order, "period_twice")
        return None
    plans.open_period(row, order, Period(span.number, starts_at, span.ends_at), source=f"resume:{change.pk}")
    plans.unpause(row)
    return row


def waiting_order(subscription: Subscription) -> Order | None:
    """The unpaid order by which a plan is to go on."""
    return Order.objects.filter(
        plan_change__subscription=subscription,
        plan_change__state="requested",
        lifecycle="open",
        money="unpaid",
    ).first()
