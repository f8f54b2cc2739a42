"""Refund rows: asked for, submitted, settled. Each verb assumes the caller's transaction."""

from __future__ import annotations

import datetime as dt
import uuid

from django.db.models import F

from tollkeeper.core.settlement import PENDING_REFUNDS, RefundFact, towards
from tollkeeper.core.states import REFUND, step
from tollkeeper.payments.models import Attempt, Refund


class CannotRefund(Exception):
    """``code``: ``nothing_left``, ``too_much``, ``disputed`` or ``not_paid``."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def request(
    order_id: int,
    amount_minor: int,
    *,
    reason: str,
    origin: str,
    revokes: bool,
    now: dt.datetime,
) -> tuple[uuid.UUID, ...]:
    """Write down that money goes back, newest charge first; answers the refunds' ids.

    The order must be locked. Raises :class:`CannotRefund` if the charges do not hold so much.
    """
    made = []
    paid = Attempt.objects.filter(
        order_id=order_id,
        state="succeeded",
        amount_minor__gt=0,
        currency=F("order__currency"),
        live=F("order__live"),
    )
    for attempt in paid.order_by("-succeeded_at", "-created_at"):
        part = min(amount_minor, _left(attempt))
        if part <= 0:
            continue
        row = Refund.objects.create(
            order_id=order_id,
            attempt=attempt,
            origin=origin,
            reason=reason,
            amount_minor=part,
            currency=attempt.currency,
            revokes=revokes,
            created_at=now,
        )
        made.append(row.pk)
        amount_minor -= part
    if amount_minor:
        raise CannotRefund("too_much")
    return tuple(made)


def strays(order_id: int) -> tuple[Attempt, ...]:
    """Charges in another currency or mode than their order's, of which something is still here."""
    rows = Attempt.objects.filter(order_id=order_id, state="succeeded", amount_minor__gt=0)
    other = rows.exclude(currency=F("order__currency"), live=F("order__live"))
    return tuple(row for row in other.prefetch_related("refunds") if _left(row) > 0)


def request_strays(order_id: int, *, reason: str, origin: str, now: dt.datetime) -> tuple[uuid.UUID, ...]:
    """Write down that such money goes back as it came, all of it; answers the refunds' ids."""
    return tuple(
        Refund.objects.create(
            order_id=order_id,
            attempt=row,
            origin=origin,
            reason=reason,
            amount_minor=_left(row),
            currency=row.currency,
            created_at=now,
        ).pk
        for row in strays(order_id)
    )


def _left(attempt: Attempt) -> int:
    """What of a charge has not gone back and is not about to."""
    taken = sum(
        row.amount_minor
        for row in attempt.refunds.all()
        if row.state in PENDING_REFUNDS or row.state == "succeeded"
    )
    return attempt.amount_minor - taken


def sent_otherwise(refund_id: str, now: dt.datetime) -> int:
    """A refund that failed went back in another way: a row of its own, once; answers its order's id.

    Raises ``LookupError`` if it did not fail.
    """
    failed = Refund.objects.filter(pk=refund_id, state="failed").first()
    if failed is None:
        raise LookupError(refund_id)
    Refund.objects.get_or_create(
        reference=f"hand_{refund_id}",
        defaults={
            "order_id": failed.order_id,
            "attempt_id": failed.attempt_id,
            "state": "succeeded",
            "origin": "operator",
            "reason": failed.reason,
            "amount_minor": failed.amount_minor,
            "currency": failed.currency,
            "revokes": failed.revokes,
            "created_at": now,
            "settled_at": now,
        },
    )
    return failed.order_id


def payment_of(refund_id: str) -> tuple[str, str]:
    """(provider, its id of the payment) that a refund gives back."""
    row = Refund.objects.select_related("attempt").get(pk=refund_id)
    return row.attempt.provider, row.attempt.payment


def note_submitted(refund_id: str, fact: RefundFact) -> None:
    """The provider took the refund: keep its id; the state comes with the next look."""
    row = Refund.objects.select_for_update().get(pk=refund_id)
    if row.state == "requested":
        row.state = step(REFUND, row.state, "submit")
    row.reference, row.error = row.reference or fact.reference, ""
    row.save(update_fields=["state", "reference", "error"])


def note_refused(refund_id: str, word: str, now: dt.datetime) -> None:
    """The provider said a clear no: the refund failed, and ``error`` says why."""
    row = Refund.objects.select_for_update().get(pk=refund_id)
    row.state, row.error, row.settled_at = towards(REFUND, row.state, "failed"), word[:64], now
    row.save(update_fields=["state", "error", "settled_at"])
