"""The books for the accountant: documents, payments, refunds and lost disputes of a span of days."""

from __future__ import annotations

import datetime as dt

from tollkeeper.core import bookkeeping
from tollkeeper.core.bookkeeping import Booking
from tollkeeper.payments import books


def journal(since: dt.date, until: dt.date, *, live: bool) -> tuple[Booking, ...]:
    """Bookings of the days ``since <= day < until``, in UTC; test money has books of its own."""
    found: list[Booking] = []
    for row in books.documents(since, until, live):
        found += bookkeeping.of_document(
            on=row.on,
            number=row.number,
            kind=row.kind,
            order=row.order,
            currency=row.currency,
            lines=row.lines,
            note=row.note,
        )
    for move in books.moves(since, until, live):
        found += bookkeeping.of_money(
            on=move.on,
            order=move.order,
            provider=move.provider,
            amount_minor=move.amount_minor,
            currency=move.currency,
            what=move.what,
        )
    return tuple(found)


def journal_csv(since: dt.date, until: dt.date, *, live: bool) -> str:
    """The same as CSV. Raises ``ValueError`` for a span that ends before it begins."""
    if until < since:
        raise ValueError("the span ends before it begins")
    return bookkeeping.to_csv(journal(since, until, live=live))
