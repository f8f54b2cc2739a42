"""The one place where units move: a transaction, its entries and every projection of them together.

Callers hold the balance row of each customer and unit they touch (:func:`lock`);
the gates lock the same row before they draw. All inside the caller's transaction.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.db import connection

from tollkeeper.core.ledger import DEBT, OVERAGE, GrantView, LedgerError, Leg, balanced
from tollkeeper.kit.fields import to_micros
from tollkeeper.usage.models import Balance, Grant, Txn

Owner = tuple[int, str]
"""Customer id and unit."""


@dataclass(frozen=True, slots=True)
class Posting:
    """One transaction to be booked. ``key`` is unique for ever."""

    owner: Owner
    key: str
    kind: str
    legs: Sequence[Leg]
    ref: str = ""


def lock(owners: Iterable[Owner]) -> dict[Owner, Balance]:
    """Lock the balance rows of these customers and units, made if need be, always in the same order."""
    wanted = sorted(set(owners))
    found = _locked(wanted)
    missing = [owner for owner in wanted if owner not in found]
    if missing:
        rows = [Balance(customer_id=customer, unit=unit) for customer, unit in missing]
        Balance.objects.bulk_create(rows, ignore_conflicts=True)
        found = _locked(wanted)
    return found


def _locked(owners: list[Owner]) -> dict[Owner, Balance]:
    customers = {customer for customer, _ in owners}
    units = {unit for _, unit in owners}
    rows = Balance.objects.select_for_update().filter(customer_id__in=customers, unit__in=units)
    wanted = set(owners)
    ordered = rows.order_by("customer_id", "unit")
    return {(row.customer_id, row.unit): row for row in ordered if (row.customer_id, row.unit) in wanted}


def booked(key: str) -> bool:
    """True if a transaction with this key stands in the book."""
    return Txn.objects.filter(key=key).exists()


_TXN_SQL = "INSERT INTO usage_txn (key, kind, ref, booked_at) VALUES (%s, %s, %s, %s)"
_ENTRY_SQL = (
    "INSERT INTO usage_entry (txn_id, customer_id, account, unit, amount)"
    " SELECT id, %s, %s, %s, %s FROM usage_txn WHERE key = %s"
)


def post(postings: Sequence[Posting], now: dt.datetime) -> None:
    """Book transactions and move every projection with them.

    Raises :class:`LedgerError` for legs that do not sum to zero, and
    ``IntegrityError`` if a key was booked before or something would fall below zero.
    """
    wanted = [posting for posting in postings if posting.legs]
    for posting in wanted:
        if not balanced(posting.legs):
            raise LedgerError(f"the transaction {posting.key!r} does not sum to zero")
    if not wanted:
        return
    at = to_micros(now)
    legs = [
        (posting.owner[0], leg.account, posting.owner[1], leg.amount, posting.key[:160])
        for posting in wanted
        for leg in posting.legs
    ]
    with connection.cursor() as cursor:
        cursor.executemany(_TXN_SQL, [(p.key[:160], p.kind, p.ref, at) for p in wanted])
        cursor.executemany(_ENTRY_SQL, legs)
    _project(wanted)


def _project(postings: Sequence[Posting]) -> None:
    grants: defaultdict[int, list[int]] = defaultdict(lambda: [0, 0])
    balances: defaultdict[Owner, list[int]] = defaultdict(lambda: [0, 0, 0, 0])
    for posting in postings:
        sums = balances[posting.owner]
        for leg in posting.legs:
            head, _, tail = leg.account.partition(":")
            if head == "grant":
                grants[int(tail)][0] += leg.amount
                sums[0] += leg.amount
            elif head == "clawed":
                grants[int(tail)][1] += leg.amount
            elif head == "held":
                sums[1] += leg.amount
            elif head == DEBT:
                sums[2] -= leg.amount
            elif head == OVERAGE:
                sums[3] -= leg.amount
    with connection.cursor() as cursor:
        cursor.executemany(
            "UPDATE usage_grant SET remaining = remaining + %s, clawed = clawed + %s WHERE id = %s",
            [(left, clawed, grant) for grant, (left, clawed) in sorted(grants.items()) if left or clawed],
        )
        cursor.executemany(
            "UPDATE usage_balance SET spendable = spendable + %s, held = held + %s, debt = debt + %s,"
            " overage = overage + %s, version = version + 1 WHERE customer_id = %s AND unit = %s",
            [(*sums, customer, unit) for (customer, unit), sums in sorted(balances.items())],
        )


def views(owner: Owner) -> list[GrantView]:
    """All grants of a customer and unit that hold something."""
    customer, unit = owner
    return [view(grant) for grant in Grant.objects.filter(customer_id=customer, unit=unit, remaining__gt=0)]


def view(grant: Grant) -> GrantView:
    """A grant as the rules see it."""
    return GrantView(
        id=grant.pk,
        remaining=grant.remaining,
        priority=grant.priority,
        effective_at=to_micros(grant.effective_at),
        expires_at=None if grant.expires_at is None else to_micros(grant.expires_at),
        created_at=to_micros(grant.created_at),
    )
