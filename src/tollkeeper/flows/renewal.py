"""What happens every month: paid periods open, unpaid ones are asked for, and some plans end.

A period opens when its invoice is paid, never because a subscription says it is active. The
provider's truth is looked up; events, the sweeper and pages all come through
:func:`look_at_subscription`.
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
from tollkeeper.core.settlement import Collected
from tollkeeper.delivery import queries as delivery
from tollkeeper.flows.disclosing import about_customer
from tollkeeper.flows.purchase import begin_payment
from tollkeeper.flows.reconcile import reconcile
from tollkeeper.kit import queries as jobs
from tollkeeper.kit.jobs import Context, enqueue, job, schedule
from tollkeeper.payments import queries as payment_queries
from tollkeeper.payments import services as payments
from tollkeeper.payments.providers import Asked, Missing, Refused
from tollkeeper.payments.registry import get_provider
from tollkeeper.sales import plans
from tollkeeper.sales import queries as sales_queries
from tollkeeper.sales.queries import PlanView

GRACE = dt.timedelta(days=7)
"""How long an unpaid plan stays merely overdue."""

REMINDERS = (dt.timedelta(0), dt.timedelta(days=3), dt.timedelta(days=6))
"""When a customer is reminded of an unpaid renewal, counted from the first failure."""


def look_at_subscription(provider: str, reference: str, invoice: str = "") -> bool:
    """Bring a subscription up to date, and open the period of ``invoice`` if it is paid.

    False if it is none of ours. Raises ``ProviderError`` if the provider does not answer.
    """
    try:
        fact = get_provider(provider).subscription(reference)
    except Missing:
        return False
    plan = sales_queries.find_plan(provider, reference)
    if plan is None:
        order = sales_queries.find_order(fact.order) if fact.order else None
        if order is None:
            return False
        reconcile(order.order_id)  # which begins it, if it is paid
        plan = sales_queries.find_plan(provider, reference)
        if plan is None:
            return True
    for name in dict.fromkeys(filter(None, (invoice, fact.invoice))):
        _take_invoice(plan, name)
    with transaction.atomic():
        row = plans.lock_plan(plan.subscription_id)
        before = plans.apply_fact(row, fact, timezone.now())
        if row.state == "past_due" and before != "past_due":
            _remind(row.pk, row.past_due_at)
        elif row.state == "cancelled" and before != "cancelled":
            enqueue("mail_plan", f"mail:plan_ended:{row.pk}", subscription_id=row.pk, template="plan_ended")
    return True


def _take_invoice(plan: PlanView, invoice: str) -> None:
    known = plans.period_order(plan.subscription_id, invoice)
    known = known or payment_queries.order_of(plan.provider, reference=invoice)
    if known is not None:
        reconcile(known)
        return
    ask = Asked("", "", invoice, plan.amount_minor, plan.currency, settings.ENV.live, "processing")
    with about_customer(plan.customer_id):
        told = get_provider(plan.provider).fetch(ask)
    if told.state != "succeeded" or told.renewal is None or told.renewal.starts_at is None:
        return
    order_id = _open(plan, invoice, told, told.renewal.starts_at)
    if order_id is not None:
        reconcile(order_id)


def _open(plan: PlanView, invoice: str, told: Collected, starts_at: dt.datetime) -> int | None:
    now = timezone.now()
    with transaction.atomic():
        row = plans.lock_plan(plan.subscription_id)
        if not told.amount_minor and plans.is_paid(row, starts_at):
            return None  # over nothing, for days that are paid: a change of rhythm has such an invoice
        # an hour into the period: the provider's clock may differ by some seconds
        order, fresh = plans.renew(row, instant=starts_at + dt.timedelta(hours=1), source=invoice, now=now)
        if fresh:
            payments.adopt(
                order.pk,
                plan.provider,
                told,
                asked_minor=order.total_minor,
                currency=order.currency,
                live=order.live,
                now=now,
            )
    return order.pk


@schedule("renew_plans", every_s=300, purpose="order")
def renew_plans(context: Context) -> None:
    """Open the next period of what we renew ourselves, and ask after what should have been heard of."""
    now = timezone.now()
    slot = int(now.timestamp()) // 3600
    with transaction.atomic():
        for subscription_id in sales_queries.plans_to_renew("free", now):
            enqueue("renew_own", f"renew:{subscription_id}:{slot}", subscription_id=subscription_id)
        for name in payment_queries.providers_in_use():
            if not get_provider(name).remote:
                continue
            for subscription_id, _ in sales_queries.plans_to_check(name, now):
                enqueue("look_at_plan", f"look:{subscription_id}:{slot}", subscription_id=subscription_id)


@job("look_at_plan", purpose="order")
def look_at_plan(context: Context, subscription_id: int) -> None:
    """A look at the provider, because no event came."""
    plan = sales_queries.get_plan(subscription_id)
    look_at_subscription(plan.provider, plan.reference)


@job("renew_own", purpose="order")
def renew_own(context: Context, subscription_id: int) -> None:
    """The next period of a plan that costs nothing; days on which no worker ran are not made up for."""
    now = timezone.now()
    with transaction.atomic():
        row = plans.lock_plan(subscription_id)
        if row.state not in ("active", "past_due") or row.amount_minor:
            return
        if row.ends_with_period:
            plans.end(row, now)
            return
        order, _ = plans.renew(row, instant=now, source=f"{row.reference}:{now:%Y%m%d%H}", now=now)
    begin_payment(order.number, "free")


# ---- what the customer wishes


def cancel_plan(customer_id: int, number: str) -> None:
    """End a plan with its paid period. Raises ``sales.plans.NoSuchPlan``."""
    _wish(customer_id, number, True)


def keep_plan(customer_id: int, number: str) -> None:
    """Take a cancellation back while the period lasts. Raises ``sales.plans.NoSuchPlan``."""
    _wish(customer_id, number, False)


def _later(kind: str, word: str, row: Any, **what: int) -> None:
    """Tell the provider after the commit; jobs may change places, so each knows its turn."""
    key = f"{word}:{row.pk}:{row.version}"
    enqueue(kind, key, run_at=None, subscription_id=row.pk, turn=row.version, **what)


def _overtaken(word: str, plan: PlanView, turn: int) -> bool:
    """Whether the customer has wished otherwise since: the newest wish is the one that is told."""
    later = range(turn + 1, plan.version + 1)
    return any(jobs.find_job(f"{word}:{plan.subscription_id}:{version}") for version in later)


def pause_plan(customer_id: int, number: str) -> None:
    """Let a plan rest: the paid period goes on to its end, the next one opens when it goes on.

    Raises ``sales.plans.NoSuchPlan`` and ``CannotChange``.
    """
    with transaction.atomic():
        row = plans.own_plan(customer_id, number)
        plans.pause(row)
        tell_pause(row, rests=True)


def unpause_plan(customer_id: int, number: str) -> bool:
    """Let a plan go on; False if its product is stopped, with which it goes on then.

    Raises ``sales.plans.NoSuchPlan``.
    """
    with transaction.atomic():
        row = plans.own_plan(customer_id, number)
        if row.state == "paused" and row.plan in delivery.stops():
            plans.await_product(row, True)
            return False
        plans.unpause(row)
        tell_pause(row, rests=False)
    return True


def follow_product(subscription_id: int, *, stopped: bool) -> None:
    """See that a plan asks for nothing while its product is stopped, and goes on when the product does."""
    with transaction.atomic():
        row = plans.lock_plan(subscription_id)
        ended = row.ends_with_period
        if not (plans.rest_with_product(row) if stopped else plans.go_on_with_product(row)):
            return
        if row.ends_with_period == ended:
            tell_pause(row, rests=row.state == "paused")
        else:
            _tell_wish(row)


def tell_pause(row: Any, *, rests: bool) -> None:
    """Have the provider told whether a locked subscription rests, after the caller's commit."""
    _later("push_pause", "pause", row, rests=int(rests))


@job("push_pause", purpose="order", attempts=40)
def push_pause(context: Context, subscription_id: int, turn: int, rests: int) -> None:
    """Tell the provider whether a plan rests."""
    plan = sales_queries.get_plan(subscription_id)
    if plan.state == "cancelled" or _overtaken("pause", plan, turn):
        return
    provider = get_provider(plan.provider)
    with about_customer(plan.customer_id):
        if rests:
            provider.pause(plan.reference)
        else:
            provider.resume(plan.reference)
    if provider.remote:
        look_at_subscription(plan.provider, plan.reference)


def _wish(customer_id: int, number: str, ends: bool) -> None:
    with transaction.atomic():
        row = plans.own_plan(customer_id, number)
        plans.wish(row, ends)
        _tell_wish(row)


def _tell_wish(row: Any) -> None:
    _later("push_wish", "wish", row, ends=int(row.ends_with_period))
    if not row.ends_with_period:
        enqueue("reckon_tax", f"tax:{row.pk}:{row.version}", subscription_id=row.pk)


@job("push_wish", purpose="order", attempts=40)
def push_wish(context: Context, subscription_id: int, turn: int, ends: int) -> None:
    """Tell the provider whether a plan goes on."""
    plan = sales_queries.get_plan(subscription_id)
    if plan.state == "cancelled" or _overtaken("wish", plan, turn):
        return
    provider = get_provider(plan.provider)
    with about_customer(plan.customer_id):
        if ends:
            provider.cancel(plan.reference, at_end=True)
        else:
            provider.resume(plan.reference)
    if provider.remote:
        look_at_subscription(plan.provider, plan.reference)


def portal_url(customer_id: int, back: str) -> str:
    """Where the customer changes how a plan is paid. Raises ``Refused`` if there is nothing to change."""
    plan = sales_queries.current_plan(customer_id)
    if plan is None:
        raise Refused("no_plan")
    payer = payment_queries.payer_reference(customer_id, plan.provider, settings.ENV.live, timezone.now())
    if not payer:
        raise Refused("no_payer")
    with about_customer(customer_id):
        return get_provider(plan.provider).portal(payer, back)


def pay_url(customer_id: int, number: str, back: str) -> str:
    """Where the customer pays an overdue period by hand, also where their bank wants to ask them first.

    Raises ``sales.plans.NoSuchPlan`` and ``ProviderError``.
    """
    with transaction.atomic():
        plans.own_plan(customer_id, number)
    plan = next(row for row in sales_queries.list_plans(customer_id) if row.subscription == number)
    with about_customer(customer_id):
        fact = get_provider(plan.provider).subscription(plan.reference)
    return fact.pay_url or portal_url(customer_id, back)


# ---- what was not paid


def _remind(subscription_id: int, since: dt.datetime | None) -> None:
    begin = since or timezone.now()
    for number, wait in enumerate(REMINDERS):
        key = f"mail:payment_failed:{subscription_id}:{begin:%Y%m%d%H%M}:{number}"
        enqueue(
            "mail_plan",
            key,
            run_at=begin + wait,
            subscription_id=subscription_id,
            template="payment_failed",
        )
    enqueue(
        "end_grace",
        f"grace:{subscription_id}:{begin:%Y%m%d%H%M}",
        run_at=begin + GRACE,
        subscription_id=subscription_id,
    )


@job("end_grace", purpose="order")
def end_grace(context: Context, subscription_id: int) -> None:
    """A plan that is still unpaid after the time of grace is suspended."""
    with transaction.atomic():
        plans.suspend(plans.lock_plan(subscription_id))


@job("mail_plan", purpose="order")
def mail_plan(context: Context, subscription_id: int, template: str) -> None:
    """Tell the customer about a plan, if it is still true."""
    plan = sales_queries.get_plan(subscription_id)
    if template == "payment_failed" and plan.state not in ("past_due", "suspended"):
        return
    if template == "trial_ending" and (plan.state != "trialing" or plan.ends_with_period):
        return
    context.call("send", _mail, plan, template)


def _mail(plan: PlanView, template: str) -> str:
    language = accounts.language_of(accounts.get_customer(plan.customer_id).owner_id)
    values = {
        "title": plan.title,
        "amount": show(plan.amount_minor, plan.currency, language),
        "until": (plan.past_due_at + GRACE).date() if plan.past_due_at else None,
        "ends_at": plan.ends_at,
        "link": f"{settings.PUBLIC_URL}/console/orders/",
        "plan_link": f"{settings.PUBLIC_URL}/console/plans/{plan.subscription}/",
    }
    return "sent" if account_verbs.write_to(plan.customer_id, template, values) else "nobody"


__all__ = ["cancel_plan", "keep_plan", "look_at_subscription", "pause_plan", "portal_url", "unpause_plan"]
