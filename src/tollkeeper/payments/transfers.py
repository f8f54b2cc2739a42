"""Rows of money that came by bank. Each verb assumes the caller's transaction."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from django.db.models import Exists, OuterRef, QuerySet, Sum

from tollkeeper.core.settlement import towards
from tollkeeper.core.states import REFUND
from tollkeeper.payments.models import Attempt, Refund, Transfer


@dataclass(frozen=True, slots=True)
class TransferView:
    """A transfer that pays for nothing yet. ``order_id`` is what it was meant for, if that is known."""

    transfer_id: int
    order_id: int | None
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
    """Say which order a transfer is for; raises ``LookupError`` if it pays for one already."""
    if not _uncounted().filter(pk=transfer_id).update(order_id=order_id):
        raise LookupError(f"no open transfer {transfer_id}")


def send_back(transfer_id: int, on: dt.date) -> int | None:
    """A transfer that paid for nothing was sent back by hand; answers the order that it was meant for.

    Raises ``LookupError`` if it pays for something, or went back before.
    """
    row = _uncounted().filter(pk=transfer_id).first()
    if row is None:
        raise LookupError(f"no open transfer {transfer_id}")
    Transfer.objects.filter(pk=row.pk).update(returned_on=on)
    return row.order_id


def unmatched(limit: int = 200) -> tuple[TransferView, ...]:
    """Transfers that pay for nothing, oldest first: an operator's task.

    Their order is not known, or they are too little for it, in another currency, or too late.
    """
    return tuple(
        TransferView(row.pk, row.order_id, row.booked_on, row.amount_minor, row.currency)
        for row in _uncounted().order_by("booked_on", "pk")[:limit]
    )


def _uncounted() -> QuerySet[Transfer]:
    paid = Attempt.objects.filter(
        order=OuterRef("order"), provider="invoice", state="succeeded", currency=OuterRef("currency")
    )
    return Transfer.objects.filter(~Exists(paid), returned_on=None)


def came_for(order_id: int, currency: str) -> int:
    """What came for an order in a currency and was not sent back."""
    rows = Transfer.objects.filter(order_id=order_id, currency=currency, returned_on=None)
    return rows.aggregate(sum=Sum("amount_minor"))["sum"] or 0


def refund_sent(refund_id: str, now: dt.datetime) -> int:
    """A refund was sent by hand; answers its order's id."""
    row = Refund.objects.select_for_update().get(pk=refund_id, attempt__provider="invoice")
    row.state = towards(REFUND, row.state, "succeeded")
    row.settled_at = row.settled_at or now
    row.save(update_fields=["state", "settled_at"])
    return row.order_id
