"""The statutory vault: whom each document was made out to, for as long as tax law wants to know.

An entry is written with its document and sealed under the key of the document's fiscal year
(the calendar year of issue), never under the person's own: destroying a person's key or
laying an old backup back leaves it whole. Nothing of the shop reads it but the answer to an
audit (``flows.statutory``), and its year's key is destroyed once no entry is left and the
period is over, which reaches every backup.
"""

from __future__ import annotations

import datetime as dt
import json
import uuid
from dataclasses import dataclass

from django.db.models import Count, Min

from tollkeeper.kit import sealed
from tollkeeper.payments.models import Document, DocumentBuyer, VaultEntry

_CONTEXT = "payments.vaultentry.sealed_body"
_YEARS = uuid.UUID("6f3d3a6e-0b5e-5b0a-9c9e-7b6f0d6c3c11")
"""Under this name the years' keys are found; it is no secret."""


class Closed(LookupError):
    """There is no such entry, or its year is over."""


@dataclass(frozen=True, slots=True)
class Year:
    """A fiscal year of the vault. ``readable`` is False once its key is destroyed."""

    year: int
    entries: int
    readable: bool


def key_of(year: int) -> uuid.UUID:
    """The subject in the keystore under which a year is sealed."""
    return uuid.uuid5(_YEARS, f"fiscal year {year}")


def lay_in(document_id: int, text: str, issued_at: dt.datetime) -> None:
    """Put a buyer (JSON text) into the vault, once per document."""
    if VaultEntry.objects.filter(document_id=document_id).exists():
        return
    year = issued_at.astimezone(dt.UTC).year
    VaultEntry.objects.create(
        document_id=document_id, year=year, sealed_body=sealed.seal(key_of(year), text, _CONTEXT)
    )


def complete(customer_id: int) -> int:
    """Lay in whatever document of a customer is not in the vault yet; how many. Before an erasure."""
    rows = DocumentBuyer.objects.filter(
        document__order__customer_id=customer_id, document__vault_entry__isnull=True
    ).select_related("document")
    found = [row for row in rows if not isinstance(row.body, sealed.ErasedText)]
    for row in found:
        lay_in(row.document_id, row.body, row.document.issued_at)
    return len(found)


def open_entry(document_id: int) -> dict[str, str]:
    """The buyer as the vault keeps them. Only for an audit: the caller notes it in the trail.

    Raises :class:`Closed`.
    """
    row = VaultEntry.objects.filter(document_id=document_id).first()
    if row is None:
        raise Closed(f"the vault has nothing about document {document_id}")
    try:
        return dict(json.loads(sealed.open_sealed(key_of(row.year), row.sealed_body, _CONTEXT)))
    except sealed.Erased:
        raise Closed(f"the key of the fiscal year {row.year} is destroyed") from None


def documents_of(year: int) -> tuple[int, ...]:
    """Ids of the documents issued in a fiscal year, oldest first."""
    rows = Document.objects.filter(issued_at__gte=_first(year), issued_at__lt=_first(year + 1))
    return tuple(rows.order_by("issued_at", "pk").values_list("pk", flat=True))


def years() -> tuple[Year, ...]:
    """Every fiscal year with entries, oldest first."""
    counted = VaultEntry.objects.values_list("year").annotate(n=Count("pk")).order_by("year")
    dead = sealed.destroyed(key_of(year) for year, _ in counted)
    return tuple(Year(year, n, key_of(year) not in dead) for year, n in counted)


def end_years(now: dt.datetime, days: int) -> list[int]:
    """Destroy the keys of the years whose last document is more than ``days`` old and of which no entry
    is left (a hold order keeps entries); the years that ended now."""
    oldest = VaultEntry.objects.aggregate(first=Min("year"))["first"]
    last = (now - dt.timedelta(days=days)).year - 1
    over = range(last - 20, last + 1 if oldest is None else min(last + 1, oldest))
    return [year for year in over if sealed.has_key(key_of(year)) and sealed.destroy(key_of(year))]


def _first(year: int) -> dt.datetime:
    return dt.datetime(year, 1, 1, tzinfo=dt.UTC)
