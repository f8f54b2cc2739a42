"""A card's bank warns that a payment was fraud, often days before its holder disputes it.

A refund now costs nothing more; the dispute that would follow costs the money, a fee and a mark
against the shop. Up to the bound of ``[payments] refund_warned`` it goes back by itself, above
it an operator decides.
"""

from __future__ import annotations

import uuid

from django.db import transaction

from tollkeeper.catalog import queries as catalog
from tollkeeper.flows import noting
from tollkeeper.flows.refund import CannotRefund, request_refund
from tollkeeper.payments import queries as payment_queries
from tollkeeper.payments import services as payments
from tollkeeper.sales import queries as sales_queries


def warned(order_id: int, provider: str, payment: str) -> None:
    """Note a warning once, and give the money back if the shop wants that."""
    with transaction.atomic():
        if not payments.note_warning(provider, payment):
            return
        order = sales_queries.order_by_id(order_id)
        noting.deed("payment.warned", None, order)
        if order.captured_minor > catalog.current_shop().refund_warned.get(order.currency, 0):
            return
        try:
            request_refund(order.number, reason="fraud", origin="system", revokes=True)
        except CannotRefund:
            return  # it is disputed or went back already


def trust(number: str, *, actor: uuid.UUID | None = None) -> bool:
    """An operator knows the buyer and keeps the money; False if there is no warning."""
    order = sales_queries.find_order(number)
    if order is None:
        return False
    with transaction.atomic():
        if not payments.trust(order.order_id):
            return False
        noting.deed("payment.trusted", actor, order)
    return True


def waiting(limit: int = 50) -> list[str]:
    """Numbers of the orders that an operator has to decide about."""
    return [sales_queries.order_by_id(one).number for one in payment_queries.warned_orders(limit)]
