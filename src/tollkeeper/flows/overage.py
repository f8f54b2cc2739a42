"""Use beyond a plan: switched on by the customer with a cap, drawn last, billed when the round ends.

A round is the time for which units come: a period, or a month of a year that is paid at once.
Each round has an allowance, a grant that is spent after everything else and cannot be passed, so
no bill is ever above the cap. A bill that is not paid stops further use beyond the plan.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from tollkeeper.accounts import queries as accounts
from tollkeeper.accounts import services as account_verbs
from tollkeeper.core.money import show
from tollkeeper.core.overage import cost, units_for
from tollkeeper.core.tax import Tax
from tollkeeper.core.terms import MICRO
from tollkeeper.flows.purchase import CannotPay, begin_payment
from tollkeeper.flows.reconcile import reconcile
from tollkeeper.flows.taxes import tax_for
from tollkeeper.kit.jobs import Context, Retry, enqueue, job
from tollkeeper.sales import allowances, plans
from tollkeeper.sales import queries as sales
from tollkeeper.sales.allowances import Bill, CannotAllow
from tollkeeper.usage import queries as usage_queries
from tollkeeper.usage import services as usage

LEAST_BILL = 50
"""Minor units; less is not worth a charge (Stripe takes none) and is forgotten."""

MOST_CAP = 100_000_00
"""Minor units; who wants more talks to the operator."""

REMINDERS = (dt.timedelta(0), dt.timedelta(days=3), dt.timedelta(days=6))
"""When a customer is reminded of a bill that could not be collected."""


def set_cap(customer_id: int, number: str, cap_minor: int) -> int:
    """Allow use beyond a plan up to ``cap_minor`` in each round, tax included; 0 ends it.

    Answers the cap of the present round, which cannot fall below what is used of it already.
    Raises ``sales.plans.NoSuchPlan`` and :class:`CannotAllow`.
    """
    if cap_minor > MOST_CAP:
        raise CannotAllow("too_large")
    with transaction.atomic():
        held = plans.own_plan(customer_id, number)
        terms = allowances.terms_of(held)
        if terms is None:
            raise CannotAllow("not_offered")
        if cap_minor and held.state != "active":
            raise CannotAllow("not_active")
        if cap_minor and allowances.in_debt(held):
            raise CannotAllow("unpaid")
        if cap_minor and units_for(terms, cap_minor, tax_for(customer_id)) < MICRO:
            raise CannotAllow("too_small")
        allowances.set_cap(held, max(0, cap_minor))
        _ensure(held, timezone.now())
        found = allowances.present(held.pk)
    return found.cap_minor if found else 0


@job("open_allowance", purpose="order")
def open_allowance(context: Context, subscription_id: int) -> None:
    """A round has begun: what may be used beyond its units."""
    with transaction.atomic():
        _ensure(plans.lock_plan(subscription_id), timezone.now())


def _ensure(held: Any, now: dt.datetime) -> None:
    """Bring the allowance of the present round of a locked subscription in line with its cap."""
    span = allowances.span(held, now)
    terms = allowances.terms_of(held)
    if span is None or terms is None:
        return
    _, ends_at = span
    known = allowances.find(held, ends_at)
    if known is not None:
        if known.state == "open":
            _change(held, known, now)
        return
    cap = held.overage_cap_minor
    units = units_for(terms, cap, tax_for(held.customer_id))
    if held.state != "active" or units < MICRO or allowances.in_debt(held):
        return
    grant = usage.open_allowance(
        key=f"{held.pk}:{allowances.count(held)}",
        customer_id=held.customer_id,
        unit=terms.unit,
        cap=units,
        effective_at=now,
        ends_at=ends_at,
        scope=held.plan,
    )
    made = allowances.open_one(held, terms, grant, cap_minor=cap, ends_at=ends_at, now=now)
    enqueue("close_allowance", f"allowance:{made}", run_at=ends_at, allowance_id=made)


def _change(held: Any, known: Any, now: dt.datetime) -> None:
    view, tax = allowances.view(known.pk), tax_for(held.customer_id)
    wanted = units_for(view.terms, held.overage_cap_minor, tax)
    kept = usage.change_cap(key=f"{known.pk}:{held.version}", grant_id=view.grant_id, cap=wanted)
    spent = cost(view.terms, kept, tax)[0] if kept > wanted else 0
    allowances.change_cap(known, max(held.overage_cap_minor, spent))


@job("close_allowance", purpose="order", attempts=200)
def close_allowance(context: Context, allowance_id: int) -> None:
    """A round is over: what was used beyond its units is billed, never more than the cap."""
    with transaction.atomic():
        row, held = allowances.lock(allowance_id)
        if row.state == "open":
            used = usage.close_allowance(row.grant_id)
            if used is None:
                raise Retry(30)
            _bill(row, held, used)
        enqueue("open_allowance", f"allowance:after:{allowance_id}", subscription_id=held.pk)


def _bill(row: Any, held: Any, used: int) -> None:
    view, tax = allowances.view(row.pk), tax_for(held.customer_id)
    due = bill_of(view, used, tax)
    if due[0] < LEAST_BILL:
        allowances.close(row, used)
        return
    customer = accounts.get_customer(held.customer_id)
    asked = Bill(
        f"{held.title}: + {used / MICRO:,.6g} {view.terms.unit}",
        *due,
        tax.rate_bp,
        accounts.language_of(customer.owner_id),
    )
    order = allowances.bill(row, held, asked, used=used, now=timezone.now())
    enqueue("charge_overage", f"overage:{order.pk}", order_id=order.pk)


def bill_of(view: allowances.AllowanceView, used: int, tax: Tax) -> tuple[int, int]:
    """(sum, tax in it) for what was used of an allowance; a tax that rose meanwhile is ours to bear."""
    total, inside = cost(view.terms, used, tax)
    if total <= view.cap_minor:
        return total, inside
    return view.cap_minor, inside * view.cap_minor // total


@job("charge_overage", purpose="order", attempts=40)
def charge_overage(context: Context, order_id: int) -> None:
    """Collect a bill with what is on file; if that fails, its customer is told and may pay by hand."""
    order = sales.order_by_id(order_id)
    if order.lifecycle != "open" or order.money != "unpaid":
        return
    held = sales.plan_of_order(order_id)
    assert held is not None
    try:
        begin_payment(order.number, held.provider)
    except CannotPay as no:
        if no.code != "refused":
            raise Retry(60) from no
    order = reconcile(order_id)
    if order.money == "unpaid":
        for number, wait in enumerate(REMINDERS):
            enqueue(
                "mail_bill",
                f"mail:bill:{order_id}:{number}",
                run_at=timezone.now() + wait,
                order_id=order_id,
            )


@job("mail_bill", purpose="order")
def mail_bill(context: Context, order_id: int) -> None:
    """Say that a bill is not paid and where it can be, if that is still so."""
    context.call("send", _mail, order_id)


def _mail(order_id: int) -> str:
    order = sales.order_by_id(order_id)
    if order.money != "unpaid" or order.lifecycle != "open":
        return "settled"
    language = accounts.language_of(accounts.get_customer(order.customer_id).owner_id)
    values = {
        "title": order.title,
        "amount": show(order.total_minor, order.currency, language),
        "link": f"{settings.PUBLIC_URL}/console/orders/{order.number}/",
    }
    return "sent" if account_verbs.write_to(order.customer_id, "bill_unpaid", values) else "nobody"


def used_now(subscription_id: int) -> tuple[allowances.AllowanceView, int, int] | None:
    """(allowance, micro-units used or lent, what they cost now) of the present round."""
    found = allowances.present(subscription_id)
    if found is None:
        return None
    used = usage_queries.allowance_used(found.grant_id)
    held = sales.get_plan(subscription_id)
    return found, used, bill_of(found, used, tax_for(held.customer_id))[0]


# ---- units that move to the next round


@job("carry_over", purpose="order", attempts=200)
def carry_over(context: Context, line_id: int, grant: str) -> None:
    """Give again what the round before left unspent, up to the plan's bound."""
    line = sales.get_line(line_id)
    row = usage_queries.find_grant(grant)
    if row is None or row.expires_at is None or row.state == "void":
        return
    try:
        usage.carry_over(
            key=f"carry:{line.customer_id}:{row.unit}:{row.effective_at:%Y%m%dT%H%M%S}",
            customer_id=line.customer_id,
            unit=row.unit,
            ended_at=row.effective_at,
            until=row.expires_at,
            most=line.terms.carry_over * line.quantity,
            scope=line.plan,
        )
    except usage.StillLent:
        raise Retry(30) from None


__all__ = ["CannotAllow", "set_cap", "used_now"]
