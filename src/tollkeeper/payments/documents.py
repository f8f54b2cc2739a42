"""Issuing documents: a gapless number, an immutable snapshot, a hash over it."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import uuid
from collections.abc import Mapping
from typing import Any

from tollkeeper.payments.models import Document, Series


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
    refund_id: uuid.UUID | None = None,
    corrects_id: int | None = None,
) -> tuple[Document, bool]:
    """Issue a document once per order (credit notes: once per refund); answers (document, True if new).

    ``snapshot`` needs ``currency``, ``total_minor`` and ``tax_minor`` and holds no personal value.
    """
    known = Document.objects.filter(order_id=order_id)
    known = known.filter(refund_id=refund_id) if refund_id else known.exclude(kind="credit_note")
    if found := known.first():
        return found, False
    row, number = draw_number(series)
    text = canonical(
        {**snapshot, "kind": kind, "number": f"{series}-{number:06d}", "issued_on": str(now.date())}
    )
    made = Document.objects.create(
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
    return made, True
