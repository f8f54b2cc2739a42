"""A plan that rests goes on at once, in the middle of a period: its customer pays the seconds left.

Whoever waits for the next period pays nothing now. The billing days stay as they are, so periods
go on to tile the time from the anchor.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

import msgspec
from django.db import transaction
from django.utils import timezone

from tollkeeper.catalog import queries as catalog
from tollkeeper.core.handout import portions
from tollkeeper.core.money import tax_inside
from tollkeeper.core.period import Period, prorate
from tollkeeper.core.terms import LineTerms, decode_line_terms, encode
from tollkeeper.flows.purchase import end_unpaid
from tollkeeper.flows.renewal import tell_pause
from tollkeeper.flows.taxes import tax_for
from tollkeeper.kit.jobs import enqueue
from tollkeeper.sales import changes, plans, records, resuming
from tollkeeper.sales.changes import CannotChange, Offer

OPEN_FOR = dt.timedelta(hours=2)
"""How long the price of the rest of a period holds."""


@dataclass(frozen=True, slots=True)
class Quote:
    """What going on costs now; ``units`` are (unit, micro-units) until ``until``."""

    due_minor: int
    currency: str
    until: dt.datetime
    units: tuple[tuple[str, int], ...]


def quote(customer_id: int, number: str) -> Quote | None:
    """What it costs to go on at once; None if it costs nothing, because the period is paid or free.

    Raises ``sales.plans.NoSuchPlan``.
    """
    now = timezone.now()
    with transaction.atomic():
        held = plans.own_plan(customer_id, number)
        span = resuming.unpaid_rest(held, now)
        return _quote(held, span, now) if span else None


def _quote(held: Any, span: Period, now: dt.datetime) -> Quote:
    taxed = _taxed(held)
    _, due = prorate(taxed.amount_minor - changes.off_on_change(held, taxed, span.starts_at), span, now)
    given = portions(_rest(held, span, now), 1, now, span.ends_at, held.anchor_at)
    units = tuple((one.unit, one.amount) for one in given if one.begins == now)
    return Quote(due, held.currency, span.ends_at, units)


def _taxed(held: Any) -> Offer:
    """The plan as it is, with the tax of today: the rest of a period begins now."""
    plan = catalog.get_plan(held.plan, version=held.plan_version)
    return changes.offer(plan, plan.price(held.price), tax_for(held.customer_id), held.coupon)


def _rest(held: Any, span: Period, now: dt.datetime) -> LineTerms:
    """The plan's rights, and of its units what the rest of the period is worth."""
    terms = decode_line_terms(held.terms)
    grants = []
    for grant in terms.grants:
        if grant.per != "period":
            continue
        # what comes by the month is cut where it is handed over
        amount = grant.amount if terms.units_every else prorate(grant.amount, span, now)[1]
        if amount:
            grants.append(msgspec.structs.replace(grant, amount=amount))
    return msgspec.structs.replace(terms, grants=tuple(grants))


def go_on(customer_id: int, number: str, *, language: str = "en") -> str:
    """Order the rest of the present period; answers the order's number.

    Raises ``sales.plans.NoSuchPlan``, ``CannotChange`` (``not_resting``, ``pending``) and
    ``ProviderError`` if an earlier page cannot be closed.
    """
    with transaction.atomic():
        earlier = resuming.waiting_order(plans.own_plan(customer_id, number))
    if earlier is not None:
        end_unpaid(earlier.pk, "cancel")
    now = timezone.now()
    with transaction.atomic():
        held = plans.own_plan(customer_id, number)
        span = resuming.unpaid_rest(held, now)
        if span is None:
            raise CannotChange("not_resting")
        due = _quote(held, span, now).due_minor
        change = resuming.request(held, _taxed(held), now)
        line = records.rest_line(
            change,
            amount_minor=due,
            tax_minor=tax_inside(due, change.tax_bp),
            terms=encode(_rest(held, span, now)),
            starts_at=now,
            ends_at=span.ends_at,
        )
        order = changes.order_change(change, line, expires_at=now + OPEN_FOR, language=language)
    return order.number


def take_up(order_id: int) -> str:
    """The rest is paid: the plan goes on, and its provider is told."""
    now = timezone.now()
    with transaction.atomic():
        row = resuming.take_up(order_id, now)
        if row is None:
            return "held"
        tell_pause(row, rests=False)
        enqueue("reckon_tax", f"tax:{row.pk}:order:{order_id}", subscription_id=row.pk)
    return "goes_on"
