"""What an operator did to an order's money, for the audit trail: codes of ours, nobody's words."""

from __future__ import annotations

import uuid

from tollkeeper.accounts import queries as accounts
from tollkeeper.kit import audit
from tollkeeper.sales.queries import OrderView


def deed(verb: str, actor: uuid.UUID | None, order: OrderView, note: str = "") -> None:
    """Record it in the caller's transaction; without an operator it was the system."""
    audit.record(
        verb,
        actor=audit.person(actor) or "system",
        object=f"sales.Order:{order.number}",
        subject=accounts.get_customer(order.customer_id).owner_id,
        note=note,
    )
