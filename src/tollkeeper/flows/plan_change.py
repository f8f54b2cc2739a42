"""Another plan: a dearer one at once, for the difference; a cheaper one with the next period.

What the rest of the period costs is reckoned by seconds with the largest remainder and is an
order like any other, so it is exact, is seen before it is paid, and works with every provider.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

import msgspec
from django.db import transaction
from django.utils import timezone

from tollkeeper.catalog import queries as catalog
from tollkeeper.core.handout import Portion, portions
from tollkeeper.core.money import tax_inside
from tollkeeper.core.period import MONTHS, Period, prorate
from tollkeeper.core.terms import GrantTerms, LineTerms, decode_line_terms, encode
from tollkeeper.flows import resuming
from tollkeeper.flows.disclosing import about_customer
from tollkeeper.flows.purchase import end_unpaid
from tollkeeper.flows.taxes import tax_for
from tollkeeper.kit.jobs import Context, enqueue, job
from tollkeeper.payments.providers import Item
from tollkeeper.payments.registry import get_provider
from tollkeeper.sales import changes, plans, records
from tollkeeper.sales import queries as sales_queries
from tollkeeper.sales.changes import CannotChange, Offer

LEAST_LEFT = dt.timedelta(hours=24)
"""So close to the end of a period an upgrade waits for the next one."""

OPEN_FOR = dt.timedelta(hours=2)
"""How long the price of an upgrade holds."""


@dataclass(frozen=True, slots=True)
class Quote:
    """What a change means. ``kind`` is ``upgrade`` (``due_minor`` now) or ``downgrade`` (from ``at``)."""

    kind: str
    due_minor: int
    credit_minor: int
    currency: str
    title: str
    amount_minor: int
    period: str
    at: dt.datetime
    units: tuple[tuple[str, int], ...]


def quote_change(customer_id: int, number: str, plan: str, price: str) -> Quote:
    """What changing to ``plan`` would cost and give, without doing it.

    Raises ``sales.plans.NoSuchPlan``, ``CannotChange`` and ``catalog.queries.NotOffered``.
    """
    now = timezone.now()
    with transaction.atomic():
        held = plans.own_plan(customer_id, number)
        offer, span = _offer(held, plan, price), plans.present_period(held, now)
        return _quote(held, offer, span, now)


def change_plan(customer_id: int, number: str, plan: str, price: str, *, language: str = "en") -> str:
    """Change a plan; answers the number of the order that pays for an upgrade, or empty text.

    Raises as :func:`quote_change`, and ``ProviderError`` if an earlier page cannot be closed.
    """
    if (waiting := sales_queries.waiting_upgrade(customer_id, number)) is not None:
        end_unpaid(waiting, "cancel")  # its page is closed first, so that only one of them can be paid
    now = timezone.now()
    with transaction.atomic():
        held = plans.own_plan(customer_id, number)
        offer, span = _offer(held, plan, price), plans.present_period(held, now)
        quote = _quote(held, offer, span, now)
        change = changes.request_change(held, offer, quote.kind, now)
        if quote.kind == "downgrade":
            enqueue("push_change", f"change:push:{change.pk}", change_id=change.pk)
            return ""
        if span.ends_at - now < LEAST_LEFT:
            raise CannotChange("ends_soon")
        line = records.line(
            title=f"{held.title} → {offer.plan.name}",
            offer=offer,
            amount_minor=quote.due_minor,
            tax_minor=tax_inside(quote.due_minor, offer.tax_bp),
            terms=encode(_difference(held, offer, span, now)),
            starts_at=now,
            ends_at=span.ends_at,
        )
        order = changes.order_change(change, line, expires_at=now + OPEN_FOR, language=language)
    return order.number


def keep_present_plan(customer_id: int, number: str) -> bool:
    """Take a downgrade back while the period lasts; False if there is none."""
    with transaction.atomic():
        held = plans.own_plan(customer_id, number)
        found = changes.withdraw_change(held)
        if found:
            enqueue(
                "push_price", f"price:{held.pk}:{held.version}", subscription_id=held.pk, turn=held.version
            )
            enqueue("reckon_tax", f"tax:{held.pk}:{held.version}", subscription_id=held.pk)
    return found


def _offer(held: Any, plan: str, price: str) -> Offer:
    tax = tax_for(held.customer_id)
    offer = changes.offer(catalog.get_plan(plan), catalog.get_price(plan, price), tax, held.coupon)
    changes.check_change(held, offer)
    return offer


def _quote(held: Any, offer: Offer, span: Period, now: dt.datetime) -> Quote:
    _, credit = prorate(held.amount_minor - changes.off_at(held, span.starts_at), span, now)
    _, cost = prorate(offer.amount_minor - changes.off_on_change(held, offer, span.starts_at), span, now)
    upgrade = offer.amount_minor > held.amount_minor
    extra: tuple[Portion, ...] = ()
    if upgrade:
        terms = _difference(held, offer, span, now)
        extra = portions(terms, 1, now, span.ends_at, held.anchor_at)
    return Quote(
        kind="upgrade" if upgrade else "downgrade",
        due_minor=max(0, cost - credit) if upgrade else 0,
        credit_minor=credit if upgrade else 0,
        currency=held.currency,
        title=offer.plan.name,
        amount_minor=offer.amount_minor,
        period=held.period,
        at=now if upgrade else span.ends_at,
        units=tuple((one.unit, one.amount) for one in extra if one.begins == now),
    )


def _difference(held: Any, offer: Offer, span: Period, now: dt.datetime) -> LineTerms:
    """The new plan's rights, and of its units what the rest of the period is worth beyond the old plan's."""
    new, old = offer.plan.line(offer.price.id), decode_line_terms(held.terms)
    by_month = new.units_every is not None and new.units_every == old.units_every
    have: dict[str, int] = {}
    for grant in old.grants:
        have[grant.unit] = have.get(grant.unit, 0) + _each(old, grant, by_month)
    grants = []
    for grant in new.grants:
        more = max(0, _each(new, grant, by_month) - have.pop(grant.unit, 0))
        if not by_month:  # what comes by the month is cut where it is handed over
            _, more = prorate(more, span, now)
        if more:
            grants.append(GrantTerms(grant.unit, more, grant.priority, None, "period"))
    return msgspec.structs.replace(
        new, grants=tuple(grants), units_every=new.units_every if by_month else None
    )


def _each(terms: LineTerms, grant: GrantTerms, by_month: bool) -> int:
    """What a grant gives in a month, or in a whole period; nothing if it is given once."""
    if grant.per != "period":
        return 0
    if by_month or terms.units_every is None:
        return grant.amount
    return grant.amount * MONTHS[terms.period or "month"] // MONTHS[terms.units_every]


@job("apply_change", purpose="order", attempts=40)
def apply_change(context: Context, order_id: int) -> None:
    """An upgrade was paid: from the next period on its price is asked for. Or the rest of a period was,
    of a plan that rested: it goes on."""
    change_id = sales_queries.change_of(order_id)
    if change_id is None:
        return
    if records.change(change_id).kind == "resume":
        context.step("take up", resuming.take_up, order_id)
        return
    context.call("push", push, change_id)
    context.step("apply", _apply, change_id)


@job("push_change", purpose="order", attempts=40)
def push_change(context: Context, change_id: int) -> None:
    """A downgrade is told to the provider at once and is in force with the next period."""
    context.call("push", push, change_id)


@job("push_price", purpose="order", attempts=40)
def push_price(context: Context, subscription_id: int, turn: int) -> None:
    """Tell the provider the price that a plan has now."""
    plan = sales_queries.get_plan(subscription_id)
    item = Item(plan.title, plan.amount_minor)
    with about_customer(plan.customer_id):
        off = records.off_of(subscription_id)
        key = f"{plan.subscription}-{turn}"
        get_provider(plan.provider).change(plan.reference, item, plan.currency, key, off)


def push(change_id: int) -> str:
    """Tell the provider what a change that is not withdrawn makes of the price; once, however often."""
    change = records.change(change_id)
    if change.state == "withdrawn":
        return "withdrawn"
    item = Item(change.title, change.amount_minor)
    with about_customer(change.customer_id):
        key = f"plan-{change_id}"
        get_provider(change.provider).change(change.reference, item, change.currency, key, change.off)
    return "pushed"


def _apply(change_id: int) -> str:
    records.apply_change(change_id, timezone.now())
    return "applied"
