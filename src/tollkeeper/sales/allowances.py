"""Verbs and rows of use beyond a plan: caps, allowances, their bills. In the caller's transaction."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import msgspec

from tollkeeper.core import period as periods
from tollkeeper.core.states import ALLOWANCE, ORDER, step
from tollkeeper.core.terms import LineTerms, OverageTerms, decode_line_terms, encode
from tollkeeper.sales.models import Allowance, Order, OrderLine, Subscription


class CannotAllow(Exception):
    """``code``: ``not_offered``, ``not_active``, ``too_small``, ``too_large`` or ``unpaid``."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, slots=True)
class Bill:
    """What is asked for use beyond a plan: the sum, the tax in it, and in whose language."""

    title: str
    total_minor: int
    tax_minor: int
    tax_bp: int
    language: str


@dataclass(frozen=True, slots=True)
class AllowanceView:
    """Use beyond a plan in one period. Amounts of units are micro-units; ``order`` is the bill's number."""

    allowance_id: int
    subscription_id: int
    starts_at: dt.datetime
    ends_at: dt.datetime
    grant_id: int
    cap_minor: int
    terms: OverageTerms
    state: str
    used: int | None
    order: str


def _view(row: Allowance) -> AllowanceView:
    return AllowanceView(
        row.pk,
        row.subscription_id,
        row.starts_at,
        row.ends_at,
        row.grant_id,
        row.cap_minor,
        msgspec.json.decode(row.terms, type=OverageTerms),
        row.state,
        row.used,
        row.order.number if row.order else "",
    )


def terms_of(subscription: Subscription) -> OverageTerms | None:
    """What use beyond the plan costs, as it was sold; None if it is not offered."""
    return decode_line_terms(subscription.terms).overage


def set_cap(subscription: Subscription, cap_minor: int) -> None:
    """Write the customer's cap into a locked subscription; 0 is off."""
    subscription.overage_cap_minor = cap_minor
    subscription.version += 1
    subscription.save(update_fields=["overage_cap_minor", "version"])


def span(subscription: Subscription, now: dt.datetime) -> tuple[dt.datetime, dt.datetime] | None:
    """The bounds of the present round of units, if it is paid for."""
    row = subscription.periods.filter(starts_at__lte=now, ends_at__gt=now).order_by("-number").first()
    if row is None or row.number < 0:
        return None
    every = decode_line_terms(subscription.terms).units_every
    if every is None:
        return row.starts_at, row.ends_at
    month = periods.at(subscription.anchor_at, every, now)
    return max(month.starts_at, row.starts_at), min(month.ends_at, row.ends_at)


def in_debt(subscription: Subscription) -> bool:
    """True while a bill for earlier use beyond the plan is not paid."""
    bills = Order.objects.filter(subscription=subscription, kind="overage", lifecycle="open")
    return bills.filter(money__in=["unpaid", "processing"]).exists()


def find(subscription: Subscription, ends_at: dt.datetime) -> Allowance | None:
    """The allowance of the round that ends then, locked."""
    rows = Allowance.objects.select_for_update().filter(subscription=subscription, ends_at=ends_at)
    return rows.first()


def count(subscription: Subscription) -> int:
    """How many rounds of a subscription have had an allowance."""
    return subscription.allowances.count()


def open_one(
    subscription: Subscription,
    terms: OverageTerms,
    grant_id: int,
    *,
    cap_minor: int,
    ends_at: dt.datetime,
    now: dt.datetime,
) -> int:
    """Note an allowance that begins now; answers its id."""
    return Allowance.objects.create(
        subscription=subscription,
        starts_at=now,
        ends_at=ends_at,
        grant_id=grant_id,
        cap_minor=cap_minor,
        terms=encode(terms),
        state=ALLOWANCE.initial,
        created_at=now,
    ).pk


def change_cap(allowance: Allowance, cap_minor: int) -> None:
    """Write another cap into an open allowance."""
    allowance.cap_minor = cap_minor
    allowance.save(update_fields=["cap_minor"])


def lock(allowance_id: int) -> tuple[Allowance, Subscription]:
    """An allowance and its subscription, locked in that order of all verbs: the subscription first."""
    name = Allowance.objects.values_list("subscription_id", flat=True).get(pk=allowance_id)
    held = Subscription.objects.select_for_update().get(pk=name)
    return Allowance.objects.select_for_update().get(pk=allowance_id), held


def close(allowance: Allowance, used: int) -> None:
    """An allowance has ended and is not worth a bill."""
    allowance.state, allowance.used = step(ALLOWANCE, allowance.state, "close"), used
    allowance.save(update_fields=["state", "used"])


def bill(allowance: Allowance, held: Subscription, asked: Bill, *, used: int, now: dt.datetime) -> Order:
    """Make the order by which an allowance that has ended is paid."""
    order = Order.objects.create(
        customer_id=held.customer_id,
        kind="overage",
        offer=f"{held.plan}/overage",
        subscription=held,
        lifecycle=step(ORDER, ORDER.initial, "confirm"),
        currency=held.currency,
        total_minor=asked.total_minor,
        tax_minor=asked.tax_minor,
        tax_note=held.tax_note,
        live=held.live,
        language=asked.language,
        created_at=now,
    )
    terms = decode_line_terms(held.terms)
    OrderLine.objects.create(
        order=order,
        title=asked.title[:200],
        plan=held.plan,
        plan_version=held.plan_version,
        price=held.price,
        amount_minor=asked.total_minor,
        tax_minor=asked.tax_minor,
        tax_bp=asked.tax_bp,
        terms=encode(LineTerms(terms.plan, terms.provisioner, terms.key, kind="overage")),
        starts_at=allowance.starts_at,
        ends_at=allowance.ends_at,
    )
    allowance.state, allowance.used, allowance.order = step(ALLOWANCE, allowance.state, "bill"), used, order
    allowance.save(update_fields=["state", "used", "order"])
    return order


def view(allowance_id: int) -> AllowanceView:
    """Raises ``Allowance.DoesNotExist``."""
    return _view(Allowance.objects.select_related("order").get(pk=allowance_id))


def present(subscription_id: int) -> AllowanceView | None:
    """The open allowance of a subscription."""
    rows = Allowance.objects.select_related("order").filter(subscription_id=subscription_id, state="open")
    row = rows.order_by("-ends_at").first()
    return _view(row) if row else None


def by_grant(grant_id: int) -> AllowanceView | None:
    """The allowance that a grant holds."""
    row = Allowance.objects.select_related("order").filter(grant_id=grant_id).first()
    return _view(row) if row else None
