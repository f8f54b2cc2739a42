"""What moved on which day, for the accountant: amounts and numbers, nobody's name."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from dataclasses import dataclass

from tollkeeper.payments.models import Attempt, Dispute, Document, Refund


@dataclass(frozen=True, slots=True)
class DocumentRow:
    """An issued document; ``lines`` are (gross, tax, rate in 1/100 %)."""

    on: dt.date
    number: str
    kind: str
    order: str
    currency: str
    lines: tuple[tuple[int, int, int], ...]
    note: str


@dataclass(frozen=True, slots=True)
class MoveRow:
    """Money that moved at a provider: ``payment``, ``refund`` or ``dispute`` (lost)."""

    on: dt.date
    order: str
    provider: str
    amount_minor: int
    currency: str
    what: str


def _span(since: dt.date, until: dt.date) -> tuple[dt.datetime, dt.datetime]:
    start, end = (dt.datetime(day.year, day.month, day.day, tzinfo=dt.UTC) for day in (since, until))
    return start, end


def documents(since: dt.date, until: dt.date, live: bool) -> Iterator[DocumentRow]:
    """Documents issued in the span."""
    start, end = _span(since, until)
    rows = Document.objects.filter(issued_at__gte=start, issued_at__lt=end, order__live=live)
    for row in rows.select_related("series", "order").order_by("issued_at", "pk").iterator():
        facts = json.loads(row.snapshot)
        yield DocumentRow(
            row.issued_at.date(),
            row.label,
            row.kind,
            row.order.number,
            row.currency,
            tuple((line["amount_minor"], line["tax_minor"], line["tax_bp"]) for line in facts["lines"]),
            facts.get("tax_note", ""),
        )


def moves(since: dt.date, until: dt.date, live: bool) -> Iterator[MoveRow]:
    """Payments, refunds and lost disputes settled in the span."""
    start, end = _span(since, until)
    paid = Attempt.objects.filter(
        state="succeeded", succeeded_at__gte=start, succeeded_at__lt=end, order__live=live
    )
    for row in paid.select_related("order").order_by("succeeded_at").iterator():
        assert row.succeeded_at is not None
        yield MoveRow(
            row.succeeded_at.date(), row.order.number, row.provider, row.amount_minor, row.currency, "payment"
        )
    back = Refund.objects.filter(
        state="succeeded", settled_at__gte=start, settled_at__lt=end, order__live=live
    )
    for refund in back.select_related("order", "attempt").order_by("settled_at").iterator():
        assert refund.settled_at is not None
        yield MoveRow(
            refund.settled_at.date(),
            refund.order.number,
            refund.attempt.provider,
            refund.amount_minor,
            refund.currency,
            "refund",
        )
    lost = Dispute.objects.filter(state="lost", closed_at__gte=start, closed_at__lt=end, order__live=live)
    for dispute in lost.select_related("order", "attempt").order_by("closed_at").iterator():
        assert dispute.closed_at is not None
        yield MoveRow(
            dispute.closed_at.date(),
            dispute.order.number,
            dispute.attempt.provider,
            dispute.amount_minor,
            dispute.currency,
            "dispute",
        )
