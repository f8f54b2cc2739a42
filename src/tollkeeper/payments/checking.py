"""The money's book checked against itself: documents, numbers, payments and refunds, order by order."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, F, Max, OuterRef, Q, QuerySet, Subquery, Sum, Value
from django.db.models.functions import Coalesce

from tollkeeper.core.settlement import PENDING_REFUNDS, Settlement, correction
from tollkeeper.payments.models import CORRECTIONS, Attempt, Document, Refund, Series


@dataclass(frozen=True, slots=True)
class MoneyFault:
    """Something in the money's book that contradicts something else. Amounts are minor units."""

    code: str
    where: str
    expected: int
    found: int

    def __str__(self) -> str:
        return f"{self.code}: {self.where}: expected {self.expected}, found {self.found}"


def faults() -> list[MoneyFault]:
    """Every fault; an empty list is a sound book. Call it in a transaction, so that it reads one state."""
    return [*_numbers(), *_snapshots(), *_captured(), *_refunded(), *_standing()]


def _numbers() -> Iterator[MoneyFault]:
    """Each series runs from 1 on without a gap, and draws next what comes after its last."""
    for row in Series.objects.annotate(n=Count("documents"), top=Max("documents__number")):
        top = row.top or 0
        if row.n != top:
            yield MoneyFault("numbers_gap", f"series {row.name}", top, row.n)
        if row.next_number != top + 1:
            yield MoneyFault("next_number", f"series {row.name}", top + 1, row.next_number)


def _snapshots() -> Iterator[MoneyFault]:
    """A document still is what its hash was made of."""
    for row in Document.objects.select_related("series").iterator(2000):
        if hashlib.sha256(row.snapshot.encode()).hexdigest() != row.sha256:
            yield MoneyFault("document_changed", row.label, 1, 0)


def _own(rows: QuerySet[Any], amount: str) -> Coalesce:
    """What rows of an order sum to."""
    sums = rows.order_by().values("order").annotate(sum=Sum(amount)).values("sum")
    return Coalesce(Subquery(sums), Value(0))


def _orders() -> QuerySet[Any]:
    """Orders that were ever tried to be paid, with what their rows say in their own currency and mode."""
    model: Any = Attempt._meta.get_field("order").related_model
    paid = Attempt.objects.filter(
        order=OuterRef("pk"), state="succeeded", currency=OuterRef("currency"), live=OuterRef("live")
    )
    back = Refund.objects.filter(
        order=OuterRef("pk"),
        attempt__currency=OuterRef("currency"),
        attempt__live=OuterRef("live"),
    )
    pending = back.filter(state__in=PENDING_REFUNDS)
    return model.objects.annotate(
        paid=_own(paid, "amount_minor"),
        back=_own(back.filter(state="succeeded"), "amount_minor"),
        pending=_own(pending, "amount_minor"),
    )


def _captured() -> Iterator[MoneyFault]:
    """What an order says came and went back is what its payments and refunds say."""
    for row in _orders().exclude(paid=F("captured_minor")).iterator():
        yield MoneyFault("captured", f"order {row.number}", row.paid, row.captured_minor)
    for row in _orders().exclude(back=F("refunded_minor")).iterator():
        yield MoneyFault("refunded", f"order {row.number}", row.back, row.refunded_minor)


def _refunded() -> Iterator[MoneyFault]:
    """No more goes back than came."""
    for row in _orders().filter(paid__lt=F("back") + F("pending")).iterator():
        yield MoneyFault("refunded_more", f"order {row.number}", row.paid, row.back + row.pending)


def _standing() -> Iterator[MoneyFault]:
    """What stands invoiced is what was kept (``core.settlement.correction``)."""
    sums = (
        Document.objects.order_by()
        .values("order__number", "order__lifecycle", "order__captured_minor", "order__refunded_minor")
        .annotate(
            invoice=Sum("total_minor", filter=~Q(kind__in=CORRECTIONS)),
            standing=Sum("total_minor"),
        )
    )
    for row in sums.iterator():
        captured, back = row["order__captured_minor"], row["order__refunded_minor"]
        ended = row["order__lifecycle"] in ("expired", "cancelled")
        told = Settlement("", captured, back, 0, 0, "")
        expected = row["invoice"] - correction(row["invoice"], told, ended=ended)
        if row["standing"] != expected:
            yield MoneyFault("invoiced", f"order {row['order__number']}", expected, row["standing"])
