"""Money on its way back, and the goods with it.

The row is committed first, then the provider is asked under the row's own key. What was
bought for the money is taken back the moment the refund is asked for, and given again if it
fails; nothing is spent twice in between.
"""

from __future__ import annotations

import datetime as dt
import uuid

from django.db import transaction
from django.utils import timezone

from tollkeeper.core.settlement import derive
from tollkeeper.delivery import queries as delivery_queries
from tollkeeper.delivery import services as delivery
from tollkeeper.flows import noting, units
from tollkeeper.flows.disclosing import about_customer
from tollkeeper.flows.fulfilment import withdraw_line
from tollkeeper.flows.reconcile import reconcile
from tollkeeper.kit.jobs import Context, Retry, enqueue, job
from tollkeeper.payments import queries as payment_queries
from tollkeeper.payments import refunds
from tollkeeper.payments import services as payments
from tollkeeper.payments.providers import Refused
from tollkeeper.payments.queries import RefundView
from tollkeeper.payments.refunds import CannotRefund
from tollkeeper.payments.registry import get_provider
from tollkeeper.sales import queries as sales_queries
from tollkeeper.sales import services as sales
from tollkeeper.sales.queries import LineView, OrderView

WITHOUT_GOODS = ("duplicate", "late", "mismatch", "unspent")
"""Reasons of refunds whose goods are none of :func:`book_refund`'s: there were none, or
``flows.unspent`` took them before it asked for the refund."""

SETTLING = dt.timedelta(minutes=1)
"""How long a delivery that was just begun may take before its goods are counted."""


def request_refund(
    number: str,
    amount_minor: int | None = None,
    *,
    reason: str = "requested",
    origin: str = "operator",
    revokes: bool = False,
    actor: uuid.UUID | None = None,
) -> tuple[uuid.UUID, ...]:
    """Give back ``amount_minor`` of an order, or all that is left; answers the refunds' ids.

    ``revokes`` takes the rights too, although only a part is given back; ``actor`` is the operator
    who wants it, for the audit trail. Raises
    ``sales.services.NoSuchOrder`` and :class:`CannotRefund`.
    """
    order = sales_queries.find_order(number)
    if order is None:
        raise sales.NoSuchOrder(number)
    with transaction.atomic():
        row = sales.lock_order(order.order_id)
        facts = payments.facts_of(row.pk)
        settlement = derive(sales.due(row), facts.charges, facts.refunds, facts.disputes)
        if settlement.money == "disputed":
            raise CannotRefund("disputed")
        if settlement.captured_minor == 0:
            raise CannotRefund("not_paid")
        left = settlement.refundable_minor
        wanted = left if amount_minor is None else amount_minor
        if left == 0:
            raise CannotRefund("nothing_left")
        if not 1 <= wanted <= left:
            raise CannotRefund("too_much")
        made = refunds.request(
            row.pk, wanted, reason=reason, origin=origin, revokes=revokes, now=timezone.now()
        )
        for refund_id in made:
            enqueue("submit_refund", f"refund:{refund_id}", refund_id=str(refund_id))
            enqueue("book_refund", f"book:{refund_id}:held", refund_id=str(refund_id))
        if origin == "operator":
            noting.deed("refund.requested", actor, order, f"{reason}:{wanted}")
    return made


def strays(order_id: int) -> tuple[tuple[int, str], ...]:
    """(minor units, currency) of money that came for an order and cannot pay it."""
    return tuple((row.amount_minor, row.currency) for row in refunds.strays(order_id))


def return_strays(number: str, *, actor: uuid.UUID | None = None) -> tuple[uuid.UUID, ...]:
    """Send back, as it came, money in another currency or mode than the order's; the refunds' ids.

    Once it is back the order waits for its payment again. Raises ``sales.services.NoSuchOrder`` and
    :class:`CannotRefund` (``nothing_left``).
    """
    order = sales_queries.find_order(number)
    if order is None:
        raise sales.NoSuchOrder(number)
    with transaction.atomic():
        sales.lock_order(order.order_id)
        made = refunds.request_strays(
            order.order_id, reason="mismatch", origin="operator", now=timezone.now()
        )
        if not made:
            raise CannotRefund("nothing_left")
        for refund_id in made:
            enqueue("submit_refund", f"refund:{refund_id}", refund_id=str(refund_id))
        noting.deed("refund.requested", actor, order, "mismatch")
    return made


def sent_otherwise(refund_id: str, *, actor: uuid.UUID | None = None) -> None:
    """A refund that failed was sent by hand, say to another account. Raises ``CannotRefund``."""
    failed = payment_queries.get_refund(refund_id)
    with transaction.atomic():
        row = sales.lock_order(failed.order_id)
        facts = payments.facts_of(row.pk)
        settlement = derive(sales.due(row), facts.charges, facts.refunds, facts.disputes)
        if failed.state != "failed" or failed.amount_minor > settlement.refundable_minor:
            raise CannotRefund("nothing_left")
        refunds.sent_otherwise(refund_id, timezone.now())
        noting.deed("refund.sent", actor, sales_queries.order_by_id(row.pk), refund_id)
    reconcile(failed.order_id)


@job("submit_refund", purpose="order", attempts=30)
def submit_refund(context: Context, refund_id: str) -> None:
    """Ask the provider, after a look at what it has: an answer may have been lost."""
    refund = payment_queries.get_refund(refund_id)
    if refund.state == "requested":
        order = reconcile(refund.order_id)
        refund = payment_queries.get_refund(refund_id)
        if refund.state == "requested":
            _submit(refund, order)
    if refund.state in ("requested", "submitted"):
        reconcile(refund.order_id)


def _submit(refund: RefundView, order: OrderView) -> None:
    name = str(refund.refund_id)
    provider, payment = refunds.payment_of(name)
    try:
        with about_customer(order.customer_id):
            fact = get_provider(provider).refund(
                name, payment, refund.amount_minor, refund.currency, order.number
            )
    except Refused as error:
        with transaction.atomic():
            refunds.note_refused(name, error.code, timezone.now())
        return
    with transaction.atomic():
        refunds.note_submitted(name, fact)


@job("book_refund", purpose="delivery", attempts=30)
def book_refund(context: Context, refund_id: str) -> None:
    """Take back what the money had bought, or give it again."""
    refund = payment_queries.get_refund(refund_id)
    if refund.reason == "unspent":
        enqueue("book_unspent", f"unspent:{refund_id}:{refund.phase}", refund_id=refund_id)
    if refund.reason in WITHOUT_GOODS:
        return
    order = sales_queries.order_by_id(refund.order_id)
    wait_for_goods(order, refund.created_at)
    whole = refund.amount_minor >= order.captured_minor
    back = sum(r.amount_minor for r in payment_queries.list_refunds(order.order_id) if r.state == "succeeded")
    with transaction.atomic():
        for line in order.lines:
            if refund.phase == "undone":
                restore_line(line.line_id, claim=f"refund:{refund_id}")
                restore_line(line.line_id, claim=f"rest:{refund_id}")
                _take_rests(order, line)
                continue
            share = (1, 1) if whole else (refund.amount_minor, max(1, order.captured_minor))
            withdraw_line(line.line_id, claim=f"refund:{refund_id}", amount_share=share)
            if refund.phase == "done" and (refund.revokes or back >= order.captured_minor):
                withdraw_line(line.line_id, claim=f"refunded:{order.order_id}")


def _take_rests(order: OrderView, line: LineView) -> None:
    """Take what other refunds could not take of a line, because the one that is now undone had it."""
    for refund in payment_queries.list_refunds(order.order_id):
        if refund.phase == "undone" or refund.reason in WITHOUT_GOODS:
            continue
        part = min(refund.amount_minor, order.captured_minor)
        units.take(
            line,
            claim=f"refund:{refund.refund_id}",
            share=(part, max(1, order.captured_minor)),
            rest=f"rest:{refund.refund_id}",
        )


def wait_for_goods(order: OrderView, since: dt.datetime) -> None:
    """Goods that are being handed over are taken back when they are there; raises ``Retry``."""
    for line in order.lines:
        found = delivery_queries.find_delivery(line.line_id)
        under_way = found is not None and found.state in ("none", "queued", "running")
        expected = found is None and line.delivered_at is None and order.paid_at is not None
        if under_way or (expected and timezone.now() - since < SETTLING):
            raise Retry(2)


def restore_line(line_id: int, *, claim: str) -> int:
    """Undo :func:`withdraw_line` of the same ``claim``; answers the micro-units given again."""
    line = sales_queries.get_line(line_id)
    given = delivery.restore_cap(f"{claim}:{line_id}")
    return given + units.give_again(line, claim=claim)


@job("refund_excess", purpose="order")
def refund_excess(context: Context, order_id: int, reason: str) -> None:
    """What was paid twice, or too late to be of use, goes back without being asked."""
    order = reconcile(order_id)
    with transaction.atomic():
        row = sales.lock_order(order_id)
        facts = payments.facts_of(order_id)
        settlement = derive(sales.due(row), facts.charges, facts.refunds, facts.disputes)
        kept = 0 if reason == "late" and row.lifecycle in ("expired", "cancelled") else order.total_minor
        excess = min(settlement.refundable_minor, settlement.captured_minor - kept)
        excess -= settlement.refunded_minor + settlement.pending_refund_minor if kept else 0
        if excess <= 0 or row.review:
            return
        made = refunds.request(
            order_id, excess, reason=reason, origin="system", revokes=False, now=timezone.now()
        )
        for refund_id in made:
            enqueue("submit_refund", f"refund:{refund_id}", refund_id=str(refund_id))


@job("undo_second_subscription", purpose="order")
def undo_second_subscription(context: Context, order_id: int, provider: str, reference: str) -> None:
    """Somebody bought the same plan twice at once: stop the second one and give its money back."""
    context.call("cancel", _cancel, provider, reference)
    order = sales_queries.order_by_id(order_id)
    if order.captured_minor and not payment_queries.list_refunds(order_id):
        request_refund(order.number, reason="duplicate", origin="system")


def _cancel(provider: str, reference: str) -> None:
    get_provider(provider).cancel(reference, at_end=False)


__all__ = ["CannotRefund", "request_refund", "restore_line", "wait_for_goods"]
