"""Orders and periods checked: what was handed over was paid for, and periods do not overlap."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from tollkeeper.sales.models import OrderLine, SubscriptionPeriod


def unpaid_deliveries() -> Iterator[str]:
    """Numbers of orders of which something was handed over that nobody has paid, nor let pass."""
    rows = OrderLine.objects.filter(
        delivered_at__isnull=False, order__money__in=["unpaid", "processing"], order__cleared=""
    )
    yield from rows.values_list("order__number", flat=True).distinct().order_by("order__number")


def overlapping_periods() -> Iterator[tuple[str, int]]:
    """(subscription, number) of periods that begin before the one before them ends."""
    rows = SubscriptionPeriod.objects.select_related("subscription").order_by("subscription", "number")
    for one, two in pairwise(rows.iterator(2000)):
        if one.subscription_id == two.subscription_id and two.starts_at < one.ends_at:
            yield two.subscription.number, two.number
