"""The statutory vault opened for an audit, and closed for good when a fiscal year is over.

Tax law keeps whom an invoice was made out to longer than the person keeps an account. What
an erasure leaves of that lies in the vault (``payments.statutory``); it is read here alone,
under a released case of an authority that two people agreed to, and each read stands in the
audit trail.
"""

from __future__ import annotations

import csv
import datetime as dt
import io
import uuid
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from django.utils import timezone

from tollkeeper.core.money import plain
from tollkeeper.core.refusal import Refused
from tollkeeper.kit import audit
from tollkeeper.payments import paper, statutory
from tollkeeper.payments import queries as payment_queries
from tollkeeper.payments.queries import Receipt
from tollkeeper.privacy import authorities, policy_queries

_BUYER = ("name", "address", "country", "vat_id")
_HEAD = ("number", "kind", "order", "issued_on", "currency", "net", "tax", "total", *_BUYER)


@dataclass(frozen=True, slots=True)
class Page:
    """A document with its buyer; ``buyer`` is empty where it was made out to nobody by name."""

    receipt: Receipt
    buyer: dict[str, str]


def read_books(case: str, actor: uuid.UUID, *, label: str = "") -> Iterator[Page]:
    """The documents of an audit's fiscal year with their buyers, each read noted before it is done.

    ``label`` takes one document only. Raises :class:`Refused`.
    """
    year = authorities.books_open(case, timezone.now())
    for document_id in statutory.documents_of(year):
        receipt = payment_queries.document_by_id(document_id)
        if label and receipt.number != label:
            continue
        audit.record(
            "vault.read", actor=audit.person(actor), object=f"payments.Document:{receipt.number}", note=case
        )
        yield Page(receipt, _buyer(document_id))


def list_books(case: str) -> tuple[Receipt, ...]:
    """The documents of an audit's fiscal year, without their buyers. Raises :class:`Refused`."""
    year = authorities.books_open(case, timezone.now())
    return tuple(payment_queries.document_by_id(one) for one in statutory.documents_of(year))


def pdf_for(case: str, actor: uuid.UUID, label: str) -> bytes:
    """One document as it was issued, with its buyer. Raises :class:`Refused`, ``NoSuchDocument``,
    ``paper.NoFont``."""
    for page in read_books(case, actor, label=label):
        return paper.render(page.receipt, page.buyer)
    raise payment_queries.NoSuchDocument(label)


def write_books(case: str, actor: uuid.UUID, target: Path) -> int:
    """Write a zip with a table and every document as PDF; how many documents. Raises :class:`Refused`."""
    authorities.books_open(case, timezone.now())  # before the file is made
    table = io.StringIO()
    rows = csv.writer(table)
    rows.writerow(_HEAD)
    count = 0
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as file:
        for page in read_books(case, actor):
            rows.writerow(_line(page))
            try:
                file.writestr(f"{page.receipt.number}.pdf", paper.render(page.receipt, page.buyer))
            except paper.NoFont:
                pass  # the table says everything the paper would
            count += 1
        file.writestr("documents.csv", table.getvalue())
    target.chmod(0o600)
    return count


def end_years(now: dt.datetime) -> list[int]:
    """Destroy the keys of the fiscal years that are over; which they were."""
    ended = statutory.end_years(now, policy_queries.get_current().policy.keep["tax"].days)
    for year in ended:
        audit.record("vault.year_ended", object=f"payments.VaultEntry:{year}")
    return ended


def _buyer(document_id: int) -> dict[str, str]:
    try:
        return statutory.open_entry(document_id)
    except statutory.Closed:
        return {}


def _line(page: Page) -> tuple[str, ...]:
    one, buyer = page.receipt, page.buyer
    net = one.total_minor - one.tax_minor
    sums = (plain(amount, one.currency) for amount in (net, one.tax_minor, one.total_minor))
    # a spreadsheet must not take a buyer's name for a formula
    who = (
        f"'{text}" if text.startswith(("=", "+", "-", "@")) else text
        for text in (buyer.get(name, "") for name in _BUYER)
    )
    return (one.number, one.kind, one.order_number, str(one.issued_at.date()), one.currency, *sums, *who)


__all__ = ["Page", "Refused", "end_years", "list_books", "pdf_for", "read_books", "write_books"]
