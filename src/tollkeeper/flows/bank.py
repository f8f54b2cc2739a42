"""Money by bank transfer: where to send it, the bank's file, and an operator's word."""

from __future__ import annotations

import datetime as dt
import uuid
from dataclasses import dataclass

from django.db import transaction
from django.utils import timezone

from tollkeeper.catalog import queries as catalog
from tollkeeper.core import statement
from tollkeeper.core.money import show
from tollkeeper.core.refusal import Refused
from tollkeeper.flows import noting
from tollkeeper.flows.disclosing import about_customer
from tollkeeper.flows.purchase import CannotPay, begin_payment
from tollkeeper.flows.reconcile import reconcile
from tollkeeper.kit import audit
from tollkeeper.kit.jobs import Context, enqueue, job
from tollkeeper.payments import queries as payment_queries
from tollkeeper.payments import services as payments
from tollkeeper.payments import transfers
from tollkeeper.payments.registry import get_provider
from tollkeeper.payments.transfers import TransferView
from tollkeeper.sales import queries as sales_queries
from tollkeeper.sales import services as sales
from tollkeeper.sales.queries import OrderView


@dataclass(frozen=True, slots=True)
class Imported:
    """What a bank file brought: ``fresh`` transfers, of them ``matched`` to orders, and known ones."""

    fresh: int
    matched: int
    known: int


def instructions(customer_id: int, number: str) -> tuple[tuple[str, str], ...]:
    """(word, value) pairs: where and with which reference the customer sends the money.

    Raises ``sales.services.NoSuchOrder``.
    """
    order = sales_queries.get_order(customer_id, number)
    amount = show(order.total_minor, order.currency, order.language)
    return tuple(get_provider("invoice").instructions(order.number, amount))  # type: ignore[attr-defined]


def offered(order: OrderView) -> bool:
    """Whether this order could be paid by transfer now, and is not waiting for one already."""
    if order.status != "awaiting_payment" or not order.total_minor:
        return False
    renews = order.kind == "purchase" and order.lines[0].terms.kind == "subscription"
    return not renews and "invoice" in catalog.current_shop().providers and not waiting(order)


def waiting(order: OrderView) -> tuple[tuple[str, str], ...]:
    """Where the customer is to send the money, if the order waits for a transfer; else nothing."""
    if order.lifecycle != "open" or order.money != "unpaid":
        return ()
    tries = payment_queries.list_attempts(order.order_id)
    if not any(row.provider == "invoice" and row.state in payments.OPEN for row in tries):
        return ()
    return instructions(order.customer_id, order.number)


def pay_by_transfer(number: str) -> str:
    """Take an order off the card page and wait for a transfer; answers where to go next.

    The page is closed first, so that nobody pays twice. Raises ``NoSuchOrder``, ``CannotPay`` and
    ``ProviderError``.
    """
    order = sales_queries.find_order(number)
    if order is None:
        raise sales.NoSuchOrder(number)
    for _, provider, ask in payments.asked(order.order_id, order.number):
        if ask.state in payments.OPEN and provider != "invoice":
            with about_customer(order.customer_id):
                get_provider(provider).expire(ask.reference)
            reconcile(order.order_id)
    return begin_payment(number, "invoice")


def import_statement(content: bytes, currency: str, *, actor: uuid.UUID | None = None) -> Imported:
    """Take the incoming transfers of a bank's CSV file in; all lines or none, each line once ever.

    Raises ``core.statement.BadStatement`` naming every wrong line.
    """
    lines = statement.read(content, currency)
    fresh = matched = 0
    with transaction.atomic():
        for line in lines:
            order = sales_queries.find_order(line.order) if line.order else None
            new = transfers.note(
                line.print,
                order.order_id if order else None,
                amount_minor=line.amount_minor,
                currency=line.currency,
                booked_on=line.booked_on,
                origin="file",
            )
            fresh += new
            if new and order:
                matched += 1
                enqueue("take_transfer", f"transfer:{line.print[:40]}", order_id=order.order_id)
        audit.record(
            "statement.taken", actor=audit.person(actor) or "system", note=f"new:{fresh},matched:{matched}"
        )
    return Imported(fresh, matched, len(lines) - fresh)


def confirm_transfer(
    number: str, amount_minor: int, booked_on: dt.date, *, mark: str, actor: uuid.UUID | None = None
) -> None:
    """An operator saw the money come; ``mark`` (say, the bank's id of it) keeps it from counting twice.

    Raises ``sales.services.NoSuchOrder`` and ``ValueError``.
    """
    if amount_minor <= 0:
        raise ValueError("a transfer is more than nothing")
    order = sales_queries.find_order(number)
    if order is None:
        raise sales.NoSuchOrder(number)
    with transaction.atomic():
        fresh = transfers.note(
            f"operator:{mark}"[:64],
            order.order_id,
            amount_minor=amount_minor,
            currency=order.currency,
            booked_on=booked_on,
            origin="operator",
        )
        if fresh:
            noting.deed("transfer.noted", actor, order, str(amount_minor))
    take(order.order_id)


def assign_transfer(transfer_id: int, number: str, *, actor: uuid.UUID | None = None) -> None:
    """Say what a transfer that pays for nothing was for. Raises ``NoSuchOrder`` and ``LookupError``."""
    order = sales_queries.find_order(number)
    if order is None:
        raise sales.NoSuchOrder(number)
    with transaction.atomic():
        transfers.assign(transfer_id, order.order_id)
        noting.deed("transfer.assigned", actor, order, str(transfer_id))
    take(order.order_id)


def take(order_id: int) -> None:
    """Look at an order for which a transfer came; one that waits at a card page waits for it from now on."""
    order = sales_queries.order_by_id(order_id)
    if offered(order) and transfers.came_for(order_id, order.currency):
        try:
            pay_by_transfer(order.number)
        except CannotPay:
            pass  # it was paid, or has ended, in this moment: the transfer stays a task for an operator
    reconcile(order_id)


@job("take_transfer", purpose="order")
def take_transfer(context: Context, order_id: int) -> None:
    """A bank's file names an order."""
    take(order_id)


def open_transfers() -> list[tuple[TransferView, OrderView | None, str]]:
    """Transfers that pay for nothing, with what they were meant for and a word for why they do not:
    ``unknown``, ``currency``, ``too_little``, ``ended`` or ``twice``.
    """
    found = []
    for row in transfers.unmatched():
        order = sales_queries.order_by_id(row.order_id) if row.order_id else None
        found.append((row, order, _why(row, order)))
    return found


def _why(row: TransferView, order: OrderView | None) -> str:
    if order is None:
        return "unknown"
    if row.currency != order.currency:
        return "currency"
    if order.captured_minor:
        return "twice"
    return "ended" if order.lifecycle in ("expired", "cancelled") else "too_little"


def part_of(order: OrderView) -> int:
    """What came by transfer for an order and does not suffice to pay it, in minor units."""
    return 0 if order.captured_minor else transfers.came_for(order.order_id, order.currency)


def take_for_the_whole(number: str, *, actor: uuid.UUID | None = None) -> OrderView:
    """An operator takes what came by transfer for the whole price: a bank's fee, a slip of the pen.

    Raises ``sales.services.NoSuchOrder``, and :class:`Refused` where nothing came or nothing is owed.
    """
    order = sales_queries.find_order(number)
    if order is None:
        raise sales.NoSuchOrder(number)
    with transaction.atomic():
        came = transfers.came_for(order.order_id, order.currency)
        if not came or order.captured_minor:
            raise Refused("Nothing that came by transfer waits for this order.")
        sales.accept(order.order_id, "amount")
        noting.deed("transfer.accepted", actor, order, f"{came}/{order.total_minor}")
    take(order.order_id)
    return sales_queries.order_by_id(order.order_id)


def send_back(transfer_id: int, *, actor: uuid.UUID | None = None) -> None:
    """A transfer that paid for nothing was sent back by hand. Raises ``LookupError``."""
    with transaction.atomic():
        order_id = transfers.send_back(transfer_id, timezone.now().date())
        if order_id is None:
            audit.record(
                "transfer.returned",
                actor=audit.person(actor) or "system",
                object=f"payments.Transfer:{transfer_id}",
            )
        else:
            order = sales_queries.order_by_id(order_id)
            noting.deed("transfer.returned", actor, order, str(transfer_id))


def refund_sent(refund_id: str, *, actor: uuid.UUID | None = None) -> None:
    """An operator sent a refund by transfer."""
    with transaction.atomic():
        order_id = transfers.refund_sent(refund_id, timezone.now())
        noting.deed("refund.sent", actor, sales_queries.order_by_id(order_id), refund_id)
    reconcile(order_id)
