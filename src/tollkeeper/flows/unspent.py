"""What was bought and not used, given back: stopped first, then counted, then paid back.

The order matters. As long as a key works, what is left of it is a guess; so the key stops
at once, gates return what they hold, a relay is asked when all of its calls are counted,
and only then is the money reckoned: the share of the price that the unused units are of
those sold, rounded down. If nothing can go back, the line goes on as if nobody had asked.
"""

from __future__ import annotations

import datetime as dt

from django.db import transaction
from django.utils import timezone

from tollkeeper.delivery import queries as delivery_queries
from tollkeeper.delivery import services as delivery
from tollkeeper.flows.fulfilment import HOME
from tollkeeper.flows.refund import CannotRefund, request_refund, restore_line
from tollkeeper.flows.relaying import provisioner
from tollkeeper.kit import egress
from tollkeeper.kit.fields import to_micros
from tollkeeper.kit.jobs import Context, GiveUp, Retry, enqueue, job
from tollkeeper.payments import queries as payment_queries
from tollkeeper.sales import queries as sales_queries
from tollkeeper.sales import services as sales
from tollkeeper.sales.queries import LineView, OrderView
from tollkeeper.usage import queries as usage_queries
from tollkeeper.usage import services as usage

REASON = "unspent"
LEASES_WAIT = dt.timedelta(minutes=1)
"""How long gates may take to return what they hold; what is still out then counts as spent."""


def returnable_until(order: OrderView) -> dt.datetime | None:
    """Until when its customer may give an order back by himself; None if never or not any more."""
    if order.money != "paid" or order.review or order.paid_at is None or not _is_whole(order):
        return None
    until = order.paid_at + dt.timedelta(seconds=min(line.terms.refund_unspent_s for line in order.lines))
    return until if until > timezone.now() else None


def returning(order: OrderView) -> bool:
    """Whether an order is stopped and being counted."""
    rows = [delivery_queries.find_delivery(line.line_id) for line in order.lines]
    return any(row is not None and row.state == "suspended" for row in rows)


def can_return(order: OrderView) -> bool:
    """Whether an operator may have the unspent part of an order counted and paid back."""
    return order.money in ("paid", "part_refunded") and _is_whole(order) and not returning(order)


def _is_whole(order: OrderView) -> bool:
    """Bought once, and all of it handed over."""
    rows = [delivery_queries.find_delivery(line.line_id) for line in order.lines]
    packs = all(line.terms.kind == "pack" and line.terms.grants for line in order.lines)
    return bool(rows) and packs and all(row is not None and row.state == "delivered" for row in rows)


def give_back(number: str, *, origin: str) -> None:
    """Stop what an order gave, and have its unused part counted and refunded.

    Raises ``sales.NoSuchOrder``, and :class:`CannotRefund` with ``disputed``, ``not_paid``,
    ``nothing_left`` or ``not_returnable``.
    """
    found = sales_queries.find_order(number)
    if found is None:
        raise sales.NoSuchOrder(number)
    with transaction.atomic():
        sales.lock_order(found.order_id)
        order = sales_queries.order_by_id(found.order_id)
        if order.captured_minor == 0:
            raise CannotRefund("not_paid")
        if order.captured_minor <= order.refunded_minor:
            raise CannotRefund("nothing_left")
        if order.money == "disputed":
            raise CannotRefund("disputed")
        if not can_return(order):
            raise CannotRefund("not_returnable")
        for line in order.lines:
            delivery.stop_line(line.line_id)
            _withhold(line, "first")
        key = f"return:{_claim(order.lines[0], 'order')}"
        enqueue("return_unspent", key, order_id=order.order_id, origin=origin)


@job("return_unspent", purpose="order", attempts=40)
def return_unspent(context: Context, order_id: int, origin: str) -> None:
    """Count what is unused of an order that was stopped, and ask for its refund."""
    order = sales_queries.order_by_id(order_id)
    for line in order.lines:
        if line.terms.provisioner == HOME:
            context.step(f"count {line.line_id}", _count_at_home, line)
        else:
            used = context.call(f"read {line.line_id}", _read_there, line)
            context.step(f"count {line.line_id}", _cut, line, used)
    context.step("refund", _refund, order.number, origin)


def _withhold(line: LineView, turn: str) -> None:
    """Take what is left of a line's grants out of reach."""
    for position in range(len(line.terms.grants)):
        grant = usage_queries.find_grant(f"line:{line.line_id}:{position}")
        left = None if grant is None else usage.left_of(grant.id, line.customer_id)
        if grant is not None and left:
            usage.claw_back(key=f"{_claim(line, turn)}:{grant.id}", grant_id=grant.id, amount=left)


def _stopped(line: LineView) -> tuple[delivery_queries.DeliveryRow, dt.datetime]:
    """The delivery of a line, and since when it is stopped."""
    row = delivery_queries.find_delivery(line.line_id)
    if row is None or row.stopped_at is None:
        raise GiveUp("not_stopped")
    return row, row.stopped_at


def _claim(line: LineView, turn: str) -> str:
    """Names one taking of a line's units; each time that it is stopped anew."""
    return f"unspent:{line.line_id}:{to_micros(_stopped(line)[1])}:{turn}"


def _count_at_home(line: LineView) -> None:
    """Wait for what gates hold. Raises ``Retry``."""
    _, since = _stopped(line)
    if usage_queries.has_open_leases(line.customer_id) and timezone.now() < since + LEASES_WAIT:
        raise Retry(1)
    _withhold(line, "rest")


def _read_there(line: LineView) -> int:
    """What a stopped key has used in all. Raises ``Retry`` until it stands still and all is counted."""
    row, since = _stopped(line)
    with egress.about(purpose="delivery"):
        seen = provisioner(row.target).read(row.handle)
    if seen.enabled:
        raise Retry(1)
    rest_s = (since + dt.timedelta(seconds=seen.delay_s) - seen.as_of).total_seconds()
    if rest_s > 0:
        raise Retry(max(1.0, rest_s))
    if seen.used is None:
        raise GiveUp("use_unknown")
    return seen.used


def _cut(line: LineView, used: int) -> None:
    units = delivery_queries.unspent_units(line.line_id, used)
    delivery.cut_cap(line.line_id, claim=f"{_claim(line, 'rest')}:{line.line_id}", units=units)


def _refund(number: str, origin: str) -> str:
    order = sales_queries.find_order(number)
    assert order is not None
    amount = sum(_worth(order, line) for line in order.lines)
    try:
        if amount <= 0:
            raise CannotRefund("nothing_left")
        request_refund(number, amount, reason=REASON, origin=origin)
    except CannotRefund as no:
        _undo(order)
        return no.code
    return "requested"


def _worth(order: OrderView, line: LineView) -> int:
    """The share of what was paid for a line that its unused units are of those it gave, rounded down."""
    lines_minor = sum(each.amount_minor for each in order.lines)
    paid = order.captured_minor * line.amount_minor // max(1, lines_minor)
    worths = []
    for position, grant in enumerate(line.terms.grants):
        if line.terms.provisioner == HOME:
            row = usage_queries.find_grant(f"line:{line.line_id}:{position}")
            keys = [] if row is None else [f"{_claim(line, turn)}:{row.id}" for turn in ("first", "rest")]
            left = sum(usage_queries.clawed_under(key) for key in keys)
        else:
            left = delivery_queries.cut_under(f"{_claim(line, 'rest')}:{line.line_id}")
        worths.append(paid * left // (grant.amount * line.quantity))
    return min(worths)


@job("book_unspent", purpose="delivery", attempts=30)
def book_unspent(context: Context, refund_id: str) -> None:
    """The money is back: the rights end. Or it could not go back: everything goes on as before."""
    refund = payment_queries.get_refund(refund_id)
    order = sales_queries.order_by_id(refund.order_id)
    phases = {r.phase for r in payment_queries.list_refunds(order.order_id) if r.reason == REASON}
    with transaction.atomic():
        if refund.phase == "done":
            for line in order.lines:
                delivery.revoke_delivery(line.line_id, spent_stays=True)
        elif phases == {"undone"}:
            _undo(order)


def _undo(order: OrderView) -> None:
    for line in order.lines:
        for turn in ("first", "rest"):
            restore_line(line.line_id, claim=_claim(line, turn))
        delivery.resume_line(line.line_id)
