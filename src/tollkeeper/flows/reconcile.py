"""The one path that brings an order up to date, whoever asks: payer, event, sweeper, operator.

Ask the providers for their present truth, write it into the rows, derive, and put into the
job table what follows from it. Everything that follows carries the key of what it is about
(a line, a refund, a dispute), never that of an event, so that it happens once.
"""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Any

from django.db import transaction
from django.utils import timezone

from tollkeeper.core.refusal import Refused
from tollkeeper.core.settlement import Collected, RenewalFact, Settlement, derive
from tollkeeper.flows import announcing, noting, receipts
from tollkeeper.flows.disclosing import about_customer
from tollkeeper.flows.intents import intent_of
from tollkeeper.kit.jobs import Context, enqueue, job, schedule
from tollkeeper.payments import queries as payment_queries
from tollkeeper.payments import services as payments
from tollkeeper.payments.providers import Asked, Missing, ProviderError
from tollkeeper.payments.registry import get_provider
from tollkeeper.sales import coupons, plans
from tollkeeper.sales import queries as sales_queries
from tollkeeper.sales import services as sales
from tollkeeper.sales.queries import OrderView

LOOK_AGAIN = dt.timedelta(minutes=10)
TRIAL_NOTICE = dt.timedelta(days=7)
"""How long before the end of a trial its customer is reminded."""
ABANDONED = dt.timedelta(minutes=15)
Truth = tuple[uuid.UUID, str, Collected]
"""(attempt, provider, what the provider says of it)"""


class Restless(ProviderError):
    """The order changed under every look: try again later."""


def reconcile(order_id: int) -> OrderView:
    """Bring an order up to what its providers say now, and act on it once. Safe at any time.

    Raises :class:`ProviderError` if a provider does not answer, and leaves everything as it was.
    """
    for _ in range(8):
        order = sales_queries.order_by_id(order_id)
        with about_customer(order.customer_id):
            _adopt_lost(order)
            truths = [
                (attempt, provider, _truth(provider, ask))
                for attempt, provider, ask in payments.asked(order_id, order.number)
            ]
        with transaction.atomic():
            # what was fetched is at least as new as what was written since: else look again
            row = sales.lock_order(order_id)
            if row.version == order.version:
                _settle(row, truths, timezone.now())
                now = sales_queries.order_by_id(order_id)
                announcing.order(now)
                announcing.payments(now)
                return now
    raise Restless("restless")


def _truth(provider: str, ask: Asked) -> Collected:
    try:
        return get_provider(provider).fetch(ask)
    except Missing:
        return Collected(ask.reference, "failed", 0, ask.currency, ask.live, ask.order, decline="missing")


def _adopt_lost(order: OrderView) -> None:
    """Attempts whose answer never came: find the session at the provider, or give the attempt up."""
    for attempt in payments.unanswered(order.order_id, timezone.now() - ABANDONED):
        found = get_provider(attempt.provider).find(intent_of(order, attempt))
        with transaction.atomic():
            if found:
                payments.note_started(attempt.pk, found)
            else:
                payments.give_up(attempt.pk)


def _settle(row: Any, truths: list[Truth], now: dt.datetime) -> None:
    for attempt, _, told in truths:
        payments.record(attempt, told, order=row.number, now=now)
    facts = payments.facts_of(row.pk)
    settlement = derive(sales.due(row), facts.charges, facts.refunds, facts.disputes)
    if row.money == "processing" and settlement.money == "unpaid":
        key = f"mail:not_collected:{row.pk}:{len(facts.charges)}"
        enqueue("mail_not_collected", key, order_id=row.pk)
    settled = sales.settle(row, settlement, now=now)
    if settled.became_paid:
        coupons.keep(row)
    if settled.fulfil and row.kind == "overage":  # it was used before it was paid
        for line_id in settled.line_ids:
            sales.line_delivered(line_id, now)
        receipts.issue_for(row.pk, now)
    elif settled.fulfil and _subscribed(row, truths, now):
        for line_id in settled.line_ids:
            enqueue("fulfil_line", f"fulfil:{line_id}", line_id=line_id)
            _expect(line_id, now)
        if row.kind == "change":
            enqueue("apply_change", f"change:{row.pk}", order_id=row.pk)
        receipts.issue_for(row.pk, now)
    receipts.correct_for(row.pk, settlement, now)
    _follow_up(row, settlement, settled.late)


def _expect(line_id: int, now: dt.datetime) -> None:
    """What is paid for is looked after when its time of delivery is up; see ``flows.undelivered``."""
    line = sales_queries.get_line(line_id)
    if line.amount_minor:
        due_at = now + dt.timedelta(seconds=line.terms.deliver_within_s)
        enqueue("check_delivery", f"late:{line_id}", run_at=due_at, line_id=line_id)


def _follow_up(row: Any, settlement: Settlement, late: bool) -> None:
    """Money that went or is to go back. The handlers are in ``flows.refund`` and ``flows.dispute``."""
    for refund in payment_queries.list_refunds(row.pk):
        if refund.state == "requested":
            enqueue("submit_refund", f"refund:{refund.refund_id}", refund_id=str(refund.refund_id))
        enqueue("book_refund", f"book:{refund.refund_id}:{refund.phase}", refund_id=str(refund.refund_id))
    for dispute in payment_queries.list_disputes(row.pk):
        if dispute.state != "inquiry":
            enqueue(
                "book_dispute", f"dispute:{dispute.dispute_id}:{dispute.phase}", dispute_id=dispute.dispute_id
            )
    excess = settlement.captured_minor if late else settlement.captured_minor - row.total_minor
    if not row.review and excess > settlement.refunded_minor + settlement.pending_refund_minor:
        reason = "late" if late else "duplicate"
        enqueue(
            "refund_excess", f"excess:{row.pk}:{settlement.captured_minor}", order_id=row.pk, reason=reason
        )


def _subscribed(row: Any, truths: list[Truth], now: dt.datetime) -> bool:
    """Begin the subscription that the order bought, if it is one; False if it may not begin."""
    if row.kind != "purchase" or not plans.renews(row):
        return True
    paid = next(((p, f) for _, p, f in truths if f.state == "succeeded"), None)
    if paid is None or row.subscription_id is not None:
        return row.subscription_id is not None
    provider, facts = paid
    renewal = facts.renewal or RenewalFact(facts.reference, facts.reference, now)
    made = plans.subscribe(row, provider=provider, renewal=renewal)
    if made is not None and made.trial_ends_at is not None:
        _remind_of_trial(made.pk, made.trial_ends_at, now)
    if made is None:
        sales.hold_for_review(row, "second_subscription")
        enqueue(
            "undo_second_subscription",
            f"second:{row.pk}",
            order_id=row.pk,
            provider=provider,
            reference=renewal.reference,
        )
    return made is not None


def _remind_of_trial(subscription_id: int, ends_at: dt.datetime, now: dt.datetime) -> None:
    """Card schemes want a reminder seven days before the first charge; a short trial is halved."""
    enqueue(
        "mail_plan",
        f"mail:trial_ending:{subscription_id}",
        run_at=ends_at - min(TRIAL_NOTICE, (ends_at - now) / 2),
        subscription_id=subscription_id,
        template="trial_ending",
    )


@job("reconcile_order", purpose="order")
def reconcile_order(context: Context, order_id: int) -> None:
    """Look at an order because somebody or something asked for it."""
    reconcile(order_id)


@schedule("sweep_payments", every_s=60, purpose="order")
def sweep_payments(context: Context) -> None:
    """Look at attempts and refunds that are open for long: the event may be lost."""
    now = timezone.now()
    slot = int(now.timestamp()) // int(LOOK_AGAIN.total_seconds())
    with transaction.atomic():
        for order_id in payment_queries.stale_orders(now - LOOK_AGAIN):
            enqueue("reconcile_order", f"sweep:{order_id}:{slot}", order_id=order_id)


UNPASSABLE = ("currency", "mode")
"""Mismatches that nobody can let pass: such money pays for nothing here and can only go back."""


def clear_review(order_id: int, *, actor: uuid.UUID | None = None) -> OrderView:
    """An operator lets an order go on although something did not match. Raises :class:`Refused`."""
    with transaction.atomic():
        order = sales_queries.order_by_id(order_id)
        if order.review in UNPASSABLE:
            raise Refused("This money is not the order's own, in currency or mode: send it back instead.")
        if order.review:
            sales.accept(order_id, order.review)
            noting.deed("order.accepted", actor, order, order.review)
    return reconcile(order_id)
