"""Issuing documents: a gapless number, an immutable snapshot, a hash over it."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import uuid
from collections.abc import Mapping
from typing import Any

from django.db.models import Sum

from tollkeeper.payments.models import CORRECTIONS, Document, Series


def canonical(snapshot: Mapping[str, Any]) -> str:
    """One text for one content: sorted keys, no blanks."""
    return json.dumps(snapshot, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def draw_number(series: str) -> tuple[Series, int]:
    """The next number, without a gap: the row stays locked until the issuing transaction ends."""
    Series.objects.get_or_create(name=series)
    row = Series.objects.select_for_update().get(name=series)
    number = row.next_number
    row.next_number = number + 1
    row.save(update_fields=["next_number"])
    return row, number


def issue(
    kind: str,
    series: str,
    order_id: int,
    snapshot: Mapping[str, Any],
    *,
    now: dt.datetime,
) -> tuple[Document, bool]:
    """Issue the receipt or invoice of an order, once; answers (document, True if new).

    ``snapshot`` needs ``currency``, ``total_minor`` and ``tax_minor`` and holds no personal value.
    """
    if found := Document.objects.filter(order_id=order_id).exclude(kind__in=CORRECTIONS).first():
        return found, False
    return _write(kind, series, order_id, snapshot, now=now), True


def correct(
    kind: str,
    series: str,
    order_id: int,
    snapshot: Mapping[str, Any],
    *,
    now: dt.datetime,
    refund_id: uuid.UUID | None,
    corrects_id: int,
) -> Document:
    """Issue a credit or debit note. The caller has locked the order and reckoned with :func:`corrected`."""
    return _write(kind, series, order_id, snapshot, now=now, refund_id=refund_id, corrects_id=corrects_id)


def corrected(order_id: int) -> int:
    """How much of an order's invoice stands corrected: its credit notes less its debit notes."""
    notes = Document.objects.filter(order_id=order_id, kind__in=CORRECTIONS)
    return -(notes.aggregate(sum=Sum("total_minor"))["sum"] or 0)


def has_note(refund_id: uuid.UUID) -> bool:
    """True if a credit note was issued for a refund."""
    return Document.objects.filter(refund_id=refund_id).exists()


def _write(
    kind: str,
    series: str,
    order_id: int,
    snapshot: Mapping[str, Any],
    *,
    now: dt.datetime,
    refund_id: uuid.UUID | None = None,
    corrects_id: int | None = None,
) -> Document:
    row, number = draw_number(series)
    text = canonical(
        {**snapshot, "kind": kind, "number": f"{series}-{number:06d}", "issued_on": str(now.date())}
    )
    return Document.objects.create(
        series=row,
        number=number,
        kind=kind,
        order_id=order_id,
        refund_id=refund_id,
        corrects_id=corrects_id,
        currency=snapshot["currency"],
        total_minor=snapshot["total_minor"],
        tax_minor=snapshot["tax_minor"],
        snapshot=text,
        sha256=hashlib.sha256(text.encode()).hexdigest(),
        issued_at=now,
    )
