"""Verbs that write subscriptions and their periods. Each assumes the caller's transaction."""

from __future__ import annotations

import datetime as dt

from django.db import IntegrityError, transaction

from tollkeeper.core import period as periods
from tollkeeper.core.money import tax_inside
from tollkeeper.core.period import Period
from tollkeeper.core.settlement import RenewalFact, SubscriptionFact, towards
from tollkeeper.core.states import ORDER, SUBSCRIPTION, step
from tollkeeper.core.terms import OffTerms, decode_line_terms, encode
from tollkeeper.sales import changes, coupons, rhythm
from tollkeeper.sales.changes import CannotChange
from tollkeeper.sales.models import Order, OrderLine, Subscription, SubscriptionPeriod
from tollkeeper.sales.services import LIVE


class NoSuchPlan(LookupError):
    """The customer has no such live subscription."""


def renews(order: Order) -> bool:
    """True if the order bought something with periods."""
    return decode_line_terms(order.lines.get().terms).period is not None


def lock_plan(subscription_id: int) -> Subscription:
    """The subscription, locked until the transaction ends."""
    return Subscription.objects.select_for_update().get(pk=subscription_id)


def own_plan(customer_id: int, number: str) -> Subscription:
    """A customer's live subscription, locked; raises :class:`NoSuchPlan`."""
    rows = Subscription.objects.select_for_update().filter(customer_id=customer_id, number=number)
    row = rows.filter(state__in=LIVE).first()
    if row is None:
        raise NoSuchPlan(number)
    return row


def subscribe(order: Order, *, provider: str, renewal: RenewalFact) -> Subscription | None:
    """Begin the subscription that a paid order bought and open its first period; once.

    A trial is the period before the anchor. Answers None if the customer has another live one
    of the same plan, or has had a trial before: the caller gives the money back and tells an
    operator.
    """
    line = order.lines.get()
    terms, anchor = decode_line_terms(line.terms), renewal.anchor_at
    begins = renewal.trial_from if terms.trial is not None else None
    tries = begins is not None and begins < anchor
    cost = (order.total_minor, line.tax_minor)
    if terms.renews_minor is not None:
        cost = (terms.renews_minor, terms.renews_tax_minor)
    if order.subscription_id:
        return order.subscription
    try:
        with transaction.atomic():
            made = Subscription.objects.create(
                customer_id=order.customer_id,
                plan=line.plan,
                plan_version=line.plan_version,
                price=line.price,
                period=terms.period or "month",
                terms=encode(terms.lasting()),
                title=line.title,
                currency=order.currency,
                amount_minor=cost[0],
                tax_minor=cost[1],
                tax_bp=line.tax_bp,
                tax_note=order.tax_note,
                live=order.live,
                provider=provider,
                reference=renewal.reference,
                state=step(SUBSCRIPTION, SUBSCRIPTION.initial, "try" if tries else "start"),
                anchor_at=anchor,
                trial_ends_at=anchor if tries else None,
            )
    except IntegrityError:
        return None
    order.subscription = made
    order.save(update_fields=["subscription"])
    if terms.off is not None:
        _keep_coupon(made, order, terms.off)
    span = Period(-1, begins, anchor) if begins is not None and tries else None
    open_period(made, order, span or periods.nth(anchor, made.period, 0), source=renewal.invoice)
    return made


def _keep_coupon(made: Subscription, order: Order, off: OffTerms) -> None:
    """A coupon goes on taking off what it took off the first period, as long as it lasts."""
    ends = {
        "once": periods.nth(made.anchor_at, made.period, 0).ends_at,
        "months": periods.add_months(made.anchor_at, off.months),
        "forever": None,
    }
    made.coupon, made.off_minor, made.off_ends_at = coupons.of_order(order), off.minor, ends[off.duration]
    made.save(update_fields=["coupon", "off_minor", "off_ends_at"])


def open_period(subscription: Subscription, order: Order, span: Period, *, source: str) -> SubscriptionPeriod:
    """A period is paid for by an order whose lines have no bounds yet, or those of the period; once."""
    row, _ = SubscriptionPeriod.objects.get_or_create(
        subscription=subscription,
        number=span.number,
        defaults={"starts_at": span.starts_at, "ends_at": span.ends_at, "order": order, "source": source},
    )
    order.lines.filter(starts_at=None).update(starts_at=row.starts_at, ends_at=row.ends_at)
    return row


def period_order(subscription_id: int, source: str) -> int | None:
    """The order of the period that ``source`` paid for, if it was opened."""
    rows = SubscriptionPeriod.objects.filter(subscription_id=subscription_id, source=source)
    return rows.values_list("order_id", flat=True).first()


def is_paid(subscription: Subscription, instant: dt.datetime) -> bool:
    """True if a paid period holds ``instant``."""
    return subscription.periods.filter(starts_at__lte=instant, ends_at__gt=instant).exists()


def renew(
    subscription: Subscription, *, instant: dt.datetime, source: str, now: dt.datetime
) -> tuple[Order, bool]:
    """The order for the period that holds ``instant``, of a locked subscription; (order, True if new).

    A period that was opened by something else already holds the new order for review: nobody
    pays twice for the same days unseen.
    """
    if (known := period_order(subscription.pk, source)) is not None:
        return Order.objects.get(pk=known), False
    changes.apply_waiting(subscription, rhythm.span_at(subscription, instant).starts_at, now)
    span = rhythm.span_at(subscription, instant)
    taken = subscription.periods.filter(number=span.number).exists()
    off = min(changes.off_at(subscription, span.starts_at), subscription.amount_minor)
    total = subscription.amount_minor - off
    tax = tax_inside(total, subscription.tax_bp) if off else subscription.tax_minor
    order = Order.objects.create(
        customer_id=subscription.customer_id,
        kind="renewal",
        offer=f"{subscription.plan}/{subscription.price}",
        subscription=subscription,
        lifecycle=step(ORDER, ORDER.initial, "confirm"),
        review="period_twice" if taken else "",
        currency=subscription.currency,
        total_minor=total,
        tax_minor=tax,
        tax_note=subscription.tax_note,
        live=subscription.live,
        language=subscription.orders.order_by("-pk").values_list("language", flat=True).first() or "en",
        created_at=now,
    )
    OrderLine.objects.create(
        order=order,
        title=subscription.title,
        plan=subscription.plan,
        plan_version=subscription.plan_version,
        price=subscription.price,
        amount_minor=total,
        off_minor=off,
        tax_minor=tax,
        tax_bp=subscription.tax_bp,
        terms=subscription.terms,
    )
    if not taken:
        open_period(subscription, order, span, source=source)
    return order, True


def apply_fact(subscription: Subscription, fact: SubscriptionFact, now: dt.datetime) -> str:
    """Bring a locked subscription up to the provider's truth; answers its state before."""
    before = subscription.state
    subscription.state = towards(SUBSCRIPTION, before, fact.state)
    subscription.ends_with_period = fact.ends_with_period
    if subscription.state == "past_due":
        subscription.past_due_at = subscription.past_due_at or now
    elif subscription.state == "active":
        subscription.past_due_at = None
    if subscription.state == "cancelled" and subscription.ended_at is None:
        subscription.ended_at = fact.ended_at or now
    subscription.save()
    return before


def suspend(subscription: Subscription) -> bool:
    """The time of grace is over; False if it was paid or ended meanwhile."""
    if subscription.state != "past_due":
        return False
    subscription.state = step(SUBSCRIPTION, subscription.state, "suspend")
    subscription.save(update_fields=["state"])
    return True


def end(subscription: Subscription, now: dt.datetime) -> None:
    """The subscription is over."""
    subscription.state = step(SUBSCRIPTION, subscription.state, "cancel")
    subscription.ended_at = now
    subscription.save(update_fields=["state", "ended_at"])
    subscription.changes.filter(state="requested").update(state="withdrawn")


def present_period(subscription: Subscription, now: dt.datetime) -> Period:
    """The paid period that holds ``now``; raises :class:`CannotChange`."""
    row = subscription.periods.filter(starts_at__lte=now, ends_at__gt=now).order_by("-number").first()
    if subscription.state == "trialing":
        raise CannotChange("trialing")
    if subscription.state != "active" or row is None or subscription.ends_with_period:
        raise CannotChange("not_active")
    return Period(row.number, row.starts_at, row.ends_at)


def wish(subscription: Subscription, ends: bool) -> None:
    """Whether a locked subscription ends with its period; ``version`` tells one wish from the next."""
    subscription.ends_with_period = ends
    subscription.version += 1
    subscription.save(update_fields=["ends_with_period", "version"])


def pause(subscription: Subscription) -> None:
    """A locked subscription asks for nothing for a while. Raises :class:`CannotChange`."""
    if subscription.state != "active" or subscription.ends_with_period:
        raise CannotChange("not_active")
    subscription.state = step(SUBSCRIPTION, subscription.state, "pause")
    subscription.version += 1
    subscription.save(update_fields=["state", "version"])


def unpause(subscription: Subscription) -> None:
    """A locked subscription goes on; one that is not paused stays as it is."""
    if subscription.state == "paused":
        subscription.state = step(SUBSCRIPTION, subscription.state, "start")
        subscription.version += 1
        subscription.save(update_fields=["state", "version"])


def rest_with_product(subscription: Subscription) -> bool:
    """A locked subscription asks for nothing while its product is stopped: it rests, or ends with its
    period if it cannot. False if there is nothing to do: it rests or ends by another's wish.
    """
    if subscription.state not in LIVE or subscription.state == "paused" or subscription.ends_with_period:
        return False
    if subscription.state == "active":
        pause(subscription)
    else:
        wish(subscription, True)
    await_product(subscription, True)
    return True


def await_product(subscription: Subscription, awaits: bool) -> None:
    """Whether a locked subscription goes on when its product does."""
    subscription.with_product = awaits
    subscription.save(update_fields=["with_product"])


def go_on_with_product(subscription: Subscription) -> bool:
    """Take :func:`rest_with_product` back; False if there is nothing to do, or the customer ended it."""
    waited, rested = subscription.with_product, subscription.state == "paused"
    if waited:
        await_product(subscription, False)
    if not waited or subscription.state not in LIVE or rested == subscription.ends_with_period:
        return False
    if rested:
        unpause(subscription)
    else:
        wish(subscription, False)
    return True
