"""A customer's bank asks for the money back: keys rest at once, units are set aside, and all
of it is undone if the dispute is won."""

from __future__ import annotations

import json
import uuid
from typing import Any

from django.db import transaction
from django.utils import timezone

from tollkeeper.delivery import queries as delivery_queries
from tollkeeper.delivery import services as delivery
from tollkeeper.flows import noting
from tollkeeper.flows.disclosing import about_customer
from tollkeeper.flows.fulfilment import withdraw_line
from tollkeeper.flows.reconcile import reconcile
from tollkeeper.flows.refund import restore_line, wait_for_goods
from tollkeeper.kit.jobs import Context, enqueue, job
from tollkeeper.payments import queries as payment_queries
from tollkeeper.payments.providers import Evidence
from tollkeeper.payments.queries import DisputeView
from tollkeeper.payments.registry import get_provider
from tollkeeper.sales import queries as sales_queries
from tollkeeper.sales.queries import OrderView
from tollkeeper.usage import queries as usage_queries

REASON = "dispute"
"""The word under which keys rest; gates and the console show it."""


@job("book_dispute", purpose="delivery", attempts=30)
def book_dispute(context: Context, dispute_id: int) -> None:
    """Bring keys and units in line with what the dispute is now."""
    dispute = payment_queries.get_dispute(dispute_id)
    order = sales_queries.order_by_id(dispute.order_id)
    with transaction.atomic():
        _keys(order, payment_queries.open_disputes(order.customer_id))
    wait_for_goods(order, dispute.created_at)
    with transaction.atomic():
        _goods(dispute, order)


def _keys(order: OrderView, contested: tuple[DisputeView, ...]) -> None:
    if contested:
        delivery.suspend_keys(order.customer_id, REASON)
    else:
        delivery.resume_keys(order.customer_id, REASON)


def _goods(dispute: DisputeView, order: OrderView) -> None:
    claim = f"dispute:{dispute.dispute_id}"
    whole = max(1, order.captured_minor)
    for line in order.lines:
        if dispute.phase == "lifted":
            restore_line(line.line_id, claim=claim)
            continue
        withdraw_line(line.line_id, claim=claim, amount_share=(min(dispute.amount_minor, whole), whole))
        if dispute.phase == "lost":
            delivery.revoke_delivery(line.line_id)


@job("send_evidence", purpose="order", attempts=30)
def send_evidence(context: Context, dispute_id: int) -> None:
    """Hand the evidence of a dispute in at its provider, and look what follows."""
    dispute = payment_queries.get_dispute(dispute_id)
    if dispute.state != "needs_response":
        return
    order = sales_queries.order_by_id(dispute.order_id)
    facts = evidence(dispute_id)
    made = Evidence(
        product=", ".join(line["title"] for line in facts["lines"]),
        served_on=next((row["at"][:10] for row in facts["delivered"] if row["at"]), ""),
        activity="\n".join(f"{row['day']}: {row['calls']} calls" for row in facts["calls_by_day"]),
        rest=json.dumps({name: facts[name] for name in ("order", "ordered_at", "paid_at", "receipt")}),
    )
    with about_customer(order.customer_id):
        get_provider(payment_queries.provider_of_dispute(dispute_id)).contest(dispute.reference, made)
    reconcile(order.order_id)


@transaction.atomic
def hand_in(dispute_id: int, *, actor: uuid.UUID | None = None) -> None:
    """An operator wants the evidence handed in; once per dispute."""
    order = sales_queries.order_by_id(payment_queries.get_dispute(dispute_id).order_id)
    noting.deed("dispute.contested", actor, order, str(dispute_id))
    enqueue("send_evidence", f"evidence:{dispute_id}", dispute_id=dispute_id)


def evidence(dispute_id: int) -> dict[str, Any]:
    """What we can show the bank: order, hand-over and counts of calls by day; no call's content."""
    dispute = payment_queries.get_dispute(dispute_id)
    order = sales_queries.order_by_id(dispute.order_id)
    deliveries = [delivery_queries.find_delivery(line.line_id) for line in order.lines]
    receipt = payment_queries.find_receipt(order.customer_id, order.number)
    used = usage_queries.daily_usage(order.customer_id, 90)
    return {
        "order": order.number,
        "ordered_at": order.created_at.isoformat(),
        "paid_at": order.paid_at.isoformat() if order.paid_at else "",
        "amount_minor": order.total_minor,
        "currency": order.currency,
        "receipt": receipt.number if receipt else "",
        "lines": [
            {"title": line.title, "plan": line.plan, "quantity": line.quantity} for line in order.lines
        ],
        "delivered": [
            {"state": row.state, "at": row.delivered_at.isoformat() if row.delivered_at else ""}
            for row in deliveries
            if row is not None
        ],
        "calls_by_day": [
            {"day": str(row.day), "calls": row.ok + row.client_errors + row.server_errors} for row in used
        ],
        "made_at": timezone.now().isoformat(),
    }
