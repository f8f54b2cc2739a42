"""The journal for the accountant: double entry, one line per pair of accounts. Pure.

Accounts are words (``receivable``, ``revenue:1900``, ``tax:1900``, ``cash:stripe``,
``loss:dispute``); the accountant's program maps them to its own chart.
"""

from __future__ import annotations

import csv
import datetime as dt
import io
from collections.abc import Iterable
from dataclasses import dataclass

from tollkeeper.core.money import plain

HEADER = ("date", "document", "order", "debit", "credit", "amount", "currency", "note")


@dataclass(frozen=True, slots=True)
class Booking:
    """``amount_minor`` from ``credit`` to ``debit``; never negative."""

    on: dt.date
    document: str
    order: str
    debit: str
    credit: str
    amount_minor: int
    currency: str
    note: str = ""


def of_document(
    *,
    on: dt.date,
    number: str,
    kind: str,
    order: str,
    currency: str,
    lines: Iterable[tuple[int, int, int]],
    note: str,
) -> tuple[Booking, ...]:
    """What a document books; ``lines`` are (gross, tax, rate in 1/100 %), negative on credit notes."""
    booked = []
    for gross, tax, rate in lines:
        suffix = note or str(rate)
        for account, amount in ((f"revenue:{suffix}", gross - tax), (f"tax:{rate}", tax)):
            debit, credit = ("receivable", account) if amount > 0 else (account, "receivable")
            if amount:
                booked.append(Booking(on, number, order, debit, credit, abs(amount), currency, kind))
    return tuple(booked)


def of_money(
    *, on: dt.date, order: str, provider: str, amount_minor: int, currency: str, what: str
) -> tuple[Booking, ...]:
    """What moved at a provider: ``payment`` in, ``refund`` out, ``dispute`` lost."""
    cash = f"cash:{provider}"
    if not amount_minor:
        return ()
    debit, credit = {
        "payment": (cash, "receivable"),
        "refund": ("receivable", cash),
        "dispute": ("loss:dispute", cash),
    }[what]
    return (Booking(on, "", order, debit, credit, amount_minor, currency, what),)


def to_csv(bookings: Iterable[Booking]) -> str:
    """The journal as CSV (RFC 4180), oldest first; amounts with a point, never in scientific form."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(HEADER)
    for row in sorted(bookings, key=lambda b: (b.on, b.order, b.document, b.debit, b.credit)):
        writer.writerow(
            (
                row.on.isoformat(),
                row.document,
                row.order,
                row.debit,
                row.credit,
                plain(row.amount_minor, row.currency),
                row.currency,
                row.note,
            )
        )
    return out.getvalue()


def balances(bookings: Iterable[Booking]) -> dict[tuple[str, str], int]:
    """(account, currency) → debit minus credit; they sum to zero per currency."""
    sums: dict[tuple[str, str], int] = {}
    for row in bookings:
        for account, sign in ((row.debit, 1), (row.credit, -1)):
            key = (account, row.currency)
            sums[key] = sums.get(key, 0) + sign * row.amount_minor
    return sums
