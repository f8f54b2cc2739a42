"""Old pages of the units' ledger: they lose their person, and what still counts is carried forward.

Entries past their period move to a customer that nobody is, with the grants on which nothing
was booked since. What the customer still has or owes from that time (the rest of a grant, a
debt) is booked anew as one transaction, so that every account says the same as before.
"""

from __future__ import annotations

import datetime as dt
import json
import uuid
from typing import Any

from django.db import transaction
from django.db.models import CharField, Exists, OuterRef, QuerySet, Sum, Value
from django.db.models.functions import Cast, Concat
from django.utils import timezone

from tollkeeper.core.ledger import DEBT, ISSUED, OVERAGE, Leg, balanced, clawed_account, grant_account
from tollkeeper.usage.booking import Owner, lock
from tollkeeper.usage.models import Entry, Grant, Lease, Txn


def _booked_since(head: str, before: dt.datetime) -> Exists:
    """Whether anything was booked on the account ``head:<id>`` of a grant since ``before``."""
    account = Concat(Value(f"{head}:"), Cast(OuterRef("pk"), CharField()))
    rows = Entry.objects.filter(customer_id=OuterRef("customer_id"), unit=OuterRef("unit"), account=account)
    return Exists(rows.filter(txn__booked_at__gte=before))


def _closed(rows: QuerySet[Any], before: dt.datetime) -> QuerySet[Any]:
    """Grants that are empty, and on which nothing was booked since ``before``."""
    empty = rows.filter(remaining=0)
    return empty.exclude(_booked_since("grant", before)).exclude(_booked_since("clawed", before))


def _lent(owner: Owner) -> set[int]:
    """Grants that an open lease holds units of: they may yet come back."""
    customer, unit = owner
    leases = Lease.objects.filter(customer_id=customer, unit=unit, state="open")
    return {grant for held in leases.values_list("sources", flat=True) for grant, _ in json.loads(held)}


class Grants:
    """The way of ``usage.Grant``: closed ones go with their entries, the others are still in use."""

    @staticmethod
    def narrow(rows: QuerySet[Any], before: dt.datetime) -> QuerySet[Any]:
        return _closed(rows, before)

    @staticmethod
    def take(rows: QuerySet[Any], before: dt.datetime, nobody: int) -> int:
        count = 0
        for owner in sorted(set(rows.order_by().values_list("customer_id", "unit"))):
            count += carry_forward(owner, before, nobody)[1]
        return count


class Entries:
    """The way of ``usage.Entry``."""

    @staticmethod
    def narrow(rows: QuerySet[Any], before: dt.datetime) -> QuerySet[Any]:
        return rows

    @staticmethod
    def take(rows: QuerySet[Any], before: dt.datetime, nobody: int) -> int:
        count = 0
        for owner in sorted(set(rows.order_by().values_list("customer_id", "unit"))):
            count += carry_forward(owner, before, nobody)[0]
        return count


class Codes:
    """The way of ``usage.Code``: who redeemed it is forgotten, that it was redeemed is not."""

    @staticmethod
    def narrow(rows: QuerySet[Any], before: dt.datetime) -> QuerySet[Any]:
        return rows

    @staticmethod
    def take(rows: QuerySet[Any], before: dt.datetime, nobody: int) -> int:
        return rows.update(customer_id=None)


@transaction.atomic
def carry_forward(owner: Owner, before: dt.datetime, nobody: int) -> tuple[int, int]:
    """Let go of one customer's entries booked before ``before``: (entries, grants) that moved."""
    customer, unit = owner
    lock([owner])
    grants = Grant.objects.filter(customer_id=customer, unit=unit, created_at__lt=before)
    lent = _lent(owner)
    closed = [pk for pk in _closed(grants, before).values_list("pk", flat=True) if pk not in lent]
    old = Entry.objects.filter(customer_id=customer, unit=unit, txn__booked_at__lt=before)
    gone = {account(pk) for pk in closed for account in (grant_account, clawed_account)}
    sums = old.order_by().values_list("account").annotate(total=Sum("amount"))
    left = [Leg(name, total) for name, total in sums if total and _counts(name) and name not in gone]
    moved = old.update(customer_id=nobody)
    if left:
        _book(owner, nobody, left)
    Grant.objects.filter(pk__in=closed).update(customer_id=nobody)
    return moved, len(closed)


def _counts(account: str) -> bool:
    """Accounts that say what somebody has or owes now; the others only say what once was."""
    return account in (DEBT, OVERAGE) or account.startswith(("grant:", "held:", "clawed:"))


def _book(owner: Owner, nobody: int, left: list[Leg]) -> None:
    """Past :func:`booking.post`, because every projection is already what it has to be."""
    legs = [*left, Leg(ISSUED, -sum(leg.amount for leg in left))]
    assert balanced(legs)
    txn = Txn.objects.create(key=f"carry:{uuid.uuid4()}", kind="carry", booked_at=timezone.now())
    rows = [(owner[0], leg.account, leg.amount) for leg in legs]
    rows += [(nobody, leg.account, -leg.amount) for leg in legs]
    Entry.objects.bulk_create(
        Entry(txn=txn, customer_id=whose, account=account, unit=owner[1], amount=amount)
        for whose, account, amount in rows
    )
