"""What others may read of payments: frozen rows."""

from __future__ import annotations

import datetime as dt
import json
import uuid
from dataclasses import dataclass
from typing import Any

from django.db.models import Exists, F, OuterRef, Q

from tollkeeper.kit.literals import Literal, literals
from tollkeeper.payments.models import CORRECTIONS, Attempt, Dispute, Document, InboxEvent, Payer, Refund
from tollkeeper.payments.services import OPEN

NoSuchRow = (Refund.DoesNotExist, Dispute.DoesNotExist)
"""What reading a refund or a dispute by its id raises."""


class NoSuchDocument(LookupError):
    """There is no such document, or it is somebody else's."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """A document as it was issued. ``facts`` is the snapshot: seller, lines, tax, payment."""

    document_id: int
    number: str
    kind: str
    order_number: str
    order_id: int
    customer_id: int
    currency: str
    total_minor: int
    tax_minor: int
    issued_at: dt.datetime
    sha256: str
    facts: dict[str, Any]


@dataclass(frozen=True, slots=True)
class AttemptView:
    """One try to pay, as the order page shows it."""

    state: str
    provider: str
    amount_minor: int
    currency: str
    decline: str
    error: str
    created_at: dt.datetime
    succeeded_at: dt.datetime | None


_DOCUMENTS = Document.objects.select_related("series", "order")


def _receipt(row: Document) -> Receipt:
    return Receipt(
        row.pk,
        row.label,
        row.kind,
        row.order.number,
        row.order_id,
        row.order.customer_id,
        row.currency,
        row.total_minor,
        row.tax_minor,
        row.issued_at,
        row.sha256,
        json.loads(row.snapshot),
    )


def find_receipt(customer_id: int, order_number: str) -> Receipt | None:
    """The receipt or invoice of a customer's order, if one was issued."""
    row = _DOCUMENTS.filter(order__customer_id=customer_id, order__number=order_number)
    found = row.exclude(kind__in=CORRECTIONS).first()
    return _receipt(found) if found else None


def get_receipt(customer_id: int, order_number: str) -> Receipt:
    """The same; raises :class:`NoSuchDocument`."""
    found = find_receipt(customer_id, order_number)
    if found is None:
        raise NoSuchDocument(order_number)
    return found


def list_documents(customer_id: int, order_number: str | None = None) -> tuple[Receipt, ...]:
    """All documents of a customer (or of one order), oldest first, credit notes included."""
    rows = _DOCUMENTS.filter(order__customer_id=customer_id)
    if order_number is not None:
        rows = rows.filter(order__number=order_number)
    return tuple(_receipt(row) for row in rows.order_by("issued_at", "pk"))


def document_by_id(document_id: int) -> Receipt:
    """A document; raises :class:`NoSuchDocument`."""
    row = _DOCUMENTS.filter(pk=document_id).first()
    if row is None:
        raise NoSuchDocument(str(document_id))
    return _receipt(row)


def list_attempts(order_id: int) -> tuple[AttemptView, ...]:
    """The tries to pay an order, oldest first."""
    return tuple(
        AttemptView(
            row.state,
            row.provider,
            row.asked_minor,
            row.currency,
            row.decline,
            row.error,
            row.created_at,
            row.succeeded_at,
        )
        for row in Attempt.objects.filter(order_id=order_id).order_by("created_at")
    )


def providers_of(order_id: int) -> tuple[str, ...]:
    """Names of the providers by which an order was tried to be paid."""
    rows = Attempt.objects.filter(order_id=order_id).order_by("provider")
    return tuple(rows.values_list("provider", flat=True).distinct())


def payer_reference(customer_id: int, provider: str, live: bool, before: dt.datetime) -> str:
    """The id under which the provider knew the customer ``before`` that time, or empty text."""
    rows = Payer.objects.filter(customer_id=customer_id, provider=provider, live=live, created_at__lt=before)
    return rows.order_by("-pk").values_list("reference", flat=True).first() or ""


def payers_of(customer_id: int) -> list[tuple[str, str]]:
    """(provider, id there) under which providers know a customer."""
    return sorted(Payer.objects.filter(customer_id=customer_id).values_list("provider", "reference"))


def order_of(provider: str, *, number: str = "", reference: str = "", payment: str = "") -> int | None:
    """The order that an event is about, by our number, the provider's session or its payment."""
    ways = {"order__number": number, "reference": reference, "payment": payment}
    for way, value in ways.items():  # one by one: all at once would go by no index
        if value:
            rows = Attempt.objects.filter(**{"provider": provider, way: value})
            found = rows.values_list("order_id", flat=True).first()
            if found is not None:
                return found
    return None


@dataclass(frozen=True, slots=True)
class RefundView:
    """Money on its way back. ``phase`` is what has to be booked: ``held``, ``done`` or ``undone``."""

    refund_id: uuid.UUID
    order_id: int
    attempt_id: uuid.UUID
    state: str
    origin: str
    reason: str
    amount_minor: int
    currency: str
    reference: str
    revokes: bool
    error: str
    created_at: dt.datetime
    settled_at: dt.datetime | None

    @property
    def phase(self) -> str:
        """What the state means for the goods."""
        return {"succeeded": "done", "failed": "undone", "cancelled": "undone"}.get(self.state, "held")


@dataclass(frozen=True, slots=True)
class DisputeView:
    """A customer's bank asks for money back. ``phase``: ``open``, ``lifted`` or ``lost``."""

    dispute_id: int
    order_id: int
    reference: str
    state: str
    reason: str
    amount_minor: int
    currency: str
    respond_by: dt.datetime | None
    created_at: dt.datetime
    closed_at: dt.datetime | None

    @property
    def phase(self) -> str:
        """What the state means for the goods."""
        return {"lost": "lost", "won": "lifted", "prevented": "lifted", "inquiry": "lifted"}.get(
            self.state, "open"
        )


def _refund(row: Refund) -> RefundView:
    return RefundView(
        row.pk,
        row.order_id,
        row.attempt_id,
        row.state,
        row.origin,
        row.reason,
        row.amount_minor,
        row.currency,
        row.reference,
        row.revokes,
        row.error,
        row.created_at,
        row.settled_at,
    )


def _dispute(row: Dispute) -> DisputeView:
    return DisputeView(
        row.pk,
        row.order_id,
        row.reference,
        row.state,
        row.reason,
        row.amount_minor,
        row.currency,
        row.respond_by,
        row.created_at,
        row.closed_at,
    )


def list_refunds(order_id: int) -> tuple[RefundView, ...]:
    """The refunds of an order, oldest first."""
    return tuple(
        _refund(row) for row in Refund.objects.filter(order_id=order_id).order_by("created_at", "pk")
    )


def get_refund(refund_id: str) -> RefundView:
    """Raises ``Refund.DoesNotExist``."""
    return _refund(Refund.objects.get(pk=refund_id))


def list_disputes(order_id: int) -> tuple[DisputeView, ...]:
    """The disputes of an order, oldest first."""
    return tuple(_dispute(row) for row in Dispute.objects.filter(order_id=order_id).order_by("pk"))


def get_dispute(dispute_id: int) -> DisputeView:
    """Raises ``Dispute.DoesNotExist``."""
    return _dispute(Dispute.objects.get(pk=dispute_id))


def provider_of_dispute(dispute_id: int) -> str:
    """Where a dispute is held. Raises ``Dispute.DoesNotExist``."""
    return Dispute.objects.select_related("attempt").get(pk=dispute_id).attempt.provider


def open_disputes(customer_id: int | None = None) -> tuple[DisputeView, ...]:
    """Disputes that wait for somebody, of a customer or of everybody, the most urgent first."""
    rows = Dispute.objects.filter(state__in=["needs_response", "under_review"])
    if customer_id is not None:
        rows = rows.filter(order__customer_id=customer_id)
    return tuple(_dispute(row) for row in rows.order_by("respond_by", "pk"))


def refunds_by_hand() -> tuple[RefundView, ...]:
    """Refunds that somebody has to send by transfer, the oldest first."""
    rows = Refund.objects.filter(state__in=["submitted", "pending"], attempt__provider="invoice")
    return tuple(_refund(row) for row in rows.order_by("created_at"))


def failed_refunds(limit: int = 50) -> tuple[RefundView, ...]:
    """Refunds that did not arrive and that no later one of the same charge made up for, oldest first."""
    later = Refund.objects.filter(attempt=OuterRef("attempt"), created_at__gt=OuterRef("created_at"))
    rows = Refund.objects.filter(
        ~Exists(later), state="failed", order__captured_minor__gt=F("order__refunded_minor")
    )
    return tuple(_refund(row) for row in rows.order_by("created_at")[:limit])


def warned_orders(limit: int = 50) -> tuple[int, ...]:
    """Ids of orders whose payment its bank takes for fraud, as long as there is money to give back."""
    rows = Attempt.objects.filter(warning="open", order__captured_minor__gt=F("order__refunded_minor"))
    rows = rows.exclude(order__money__in=["disputed", "charged_back"])
    return tuple(rows.order_by("order_id").values_list("order_id", flat=True).distinct()[:limit])


def is_warned(order_id: int) -> bool:
    """Whether an operator has to look at a warning of fraud."""
    return Attempt.objects.filter(order_id=order_id, warning="open").exists()


def providers_in_use() -> tuple[str, ...]:
    """Names of the providers that hold money of ours, found from one to the next: rows do not count."""
    found: list[str] = []
    names = Attempt.objects.order_by("provider").values_list("provider", flat=True)
    while (name := names.filter(provider__gt=found[-1] if found else "").first()) is not None:
        found.append(name)
    return tuple(found)


def stale_orders(before: dt.datetime, limit: int = 200) -> tuple[int, ...]:
    """Ids of orders with an open attempt or refund that nobody has looked at since ``before``."""
    unseen = Q(checked_at=None, created_at__lt=before) | Q(checked_at__lt=before)
    rows = Attempt.objects.filter(unseen, state__in=literals(OPEN)).order_by("created_at")
    found = list(rows.values_list("order_id", flat=True)[:limit])
    # in two steps: a join would begin with all attempts where few or no refunds are known
    moving = Refund.objects.filter(state__in=literals(["requested", "submitted", "pending"]))
    open_ones = list(moving.order_by("created_at").values_list("order_id", "attempt_id")[: 10 * limit])
    names = {attempt for _, attempt in open_ones}
    unseen_ones = Attempt.objects.filter(pk__in=names, checked_at__lt=before).values_list("pk", flat=True)
    stale = set(unseen_ones) if names else set()
    found += [order for order, attempt in open_ones if attempt in stale][:limit]
    return tuple(dict.fromkeys(found))


@dataclass(frozen=True, slots=True)
class EventView:
    """An inbox event: that something came, not what."""

    account: str
    type: str
    object_id: str
    state: str
    received_at: dt.datetime


def get_event(inbox_id: int) -> EventView:
    """Raises ``InboxEvent.DoesNotExist``."""
    row = InboxEvent.objects.get(pk=inbox_id)
    return EventView(row.account, row.type, row.object_id, row.state, row.received_at)


def unfinished_events(before: dt.datetime, limit: int = 200) -> tuple[int, ...]:
    """Ids of events that came before ``before`` and are not done."""
    rows = InboxEvent.objects.exclude(state=Literal("done")).filter(received_at__lt=before)
    return tuple(rows.order_by("received_at").values_list("pk", flat=True)[:limit])
