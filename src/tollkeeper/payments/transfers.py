"""Rows of money that came by bank. Each verb assumes the caller's transaction."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from tollkeeper.core.settlement import towards
from tollkeeper.core.states import REFUND
from tollkeeper.payments.models import Refund, Transfer


@dataclass(frozen=True, slots=True)
class TransferView:
    """A transfer that nobody knows the purpose of."""

    transfer_id: int
    booked_on: dt.date
    amount_minor: int
    currency: str


def note(
    mark: str,
    order_id: int | None,
    *,
    amount_minor: int,
    currency: str,
    booked_on: dt.date,
    origin: str,
) -> bool:
    """Keep a transfer once; False if it was known."""
    _, fresh = Transfer.objects.get_or_create(
        mark=mark,
        defaults={
            "order_id": order_id,
            "amount_minor": amount_minor,
            "currency": currency,
            "booked_on": booked_on,
            "origin": origin,
        },
    )
    return fresh


def assign(transfer_id: int, order_id: int) -> None:
    """Say which order a transfer is for; raises ``LookupError`` if it has one or there is none."""
    if not Transfer.objects.filter(pk=transfer_id, order=None).update(order_id=order_id):
        raise LookupError(f"no open transfer {transfer_id}")


def unmatched(limit: int = 200) -> tuple[TransferView, ...]:
    """Transfers without an order, oldest first: an operator's task."""
    rows = Transfer.objects.filter(order=None).order_by("booked_on", "pk")[:limit]
    return tuple(TransferView(row.pk, row.booked_on, row.amount_minor, row.currency) for row in rows)


def refund_sent(refund_id: str, now: dt.datetime) -> int:
    """A refund was sent by hand; answers its order's id."""
    row = Refund.objects.select_for_update().get(pk=refund_id, attempt__provider="invoice")
    row.state = towards(REFUND, row.state, "succeeded")
    row.settled_at = row.settled_at or now
    row.save(update_fields=["state", "settled_at"])
    return row.order_id
