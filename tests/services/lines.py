"""Paid order lines, for tests of what comes after the money."""

from __future__ import annotations

import datetime as dt
import itertools

from django.utils import timezone

from tollkeeper.accounts.models import Customer
from tollkeeper.accounts.services import create_person, ensure_customer
from tollkeeper.core.terms import MICRO, GrantTerms, KeyTerms, LimitTerms, LineTerms, encode
from tollkeeper.sales.models import Order, OrderLine

_serial = itertools.count(1)

FREE = KeyTerms(plan="free", limits=(LimitTerms("minute", "requests", 10, 60),), concurrency=2)
PRO = KeyTerms(plan="pro", limits=(LimitTerms("minute", "requests", 600, 60),), concurrency=20)


def customer() -> int:
    """The id of a new customer with an address."""
    return ensure_customer(create_person(f"buyer-{next(_serial)}@example.org", None))


def line(
    customer_id: int,
    key: KeyTerms = PRO,
    *,
    units: int = 1000,
    per: str = "once",
    lasts_days: int | None = None,
    starts_at: dt.datetime | None = None,
    ends_at: dt.datetime | None = None,
    quantity: int = 1,
) -> int:
    """The id of a paid line that gives ``units`` whole units."""
    grant = GrantTerms(key.unit, units * MICRO, per=per, lasts_days=lasts_days)
    terms = LineTerms(plan=key.plan, provisioner="gate_key", key=key, grants=(grant,) if units else ())
    order = Order.objects.create(
        customer=Customer.objects.get(pk=customer_id),
        offer=f"{key.plan}/x{next(_serial)}",
        lifecycle="open",
        money="paid",
        currency="EUR",
        total_minor=900,
        paid_at=timezone.now(),
    )
    return OrderLine.objects.create(
        order=order,
        title=key.plan.title(),
        plan=key.plan,
        plan_version=1,
        price="main",
        quantity=quantity,
        amount_minor=900,
        terms=encode(terms),
        starts_at=starts_at,
        ends_at=ends_at,
    ).pk
