"""How the periods of a subscription are counted: from an anchor, monthly or yearly.

When the rhythm changes, a new anchor is set where the new rhythm begins, and the numbers of periods go on.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

from tollkeeper.core import period as periods
from tollkeeper.core.period import Period
from tollkeeper.sales.models import OrderLine, Subscription


def span_at(subscription: Subscription, instant: dt.datetime) -> Period:
    """The period of a subscription that holds ``instant``, paid or not."""
    span = periods.at(subscription.anchor_at, subscription.period, instant)
    return replace(span, number=span.number + subscription.first_number)


def next_start(subscription: Subscription, now: dt.datetime) -> dt.datetime:
    """When the next period begins that is not paid for yet."""
    last = subscription.periods.order_by("-number").first()
    return last.ends_at if last is not None and last.ends_at > now else span_at(subscription, now).ends_at


def begin(subscription: Subscription, period: str, anchor_at: dt.datetime) -> None:
    """From ``anchor_at`` on a locked subscription renews every ``period``.

    What was sold before goes on counting its months from where it did.
    """
    sold = OrderLine.objects.filter(order__subscription=subscription, anchor_at=None)
    sold.update(anchor_at=subscription.anchor_at)
    last = subscription.periods.latest("number")
    subscription.period, subscription.anchor_at = period, anchor_at
    subscription.first_number = last.number + 1
    subscription.save(update_fields=["period", "anchor_at", "first_number"])
