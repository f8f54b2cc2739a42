"""The books checked against themselves, and projections made anew from the entries."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from django.db import transaction
from django.db.models import F, Sum
from django.utils import timezone

from tollkeeper.core.ledger import DEBT, OVERAGE, USED, clawed_account, grant_account, held_account
from tollkeeper.usage.booking import Owner, lock
from tollkeeper.usage.models import Balance, Day, Entry, Grant, Lease, Txn


@dataclass(frozen=True, slots=True)
class Fault:
    """Something in the book that contradicts something else. Amounts are micro-units."""

    code: str
    where: str
    expected: int
    found: int

    def __str__(self) -> str:
        return f"{self.code}: {self.where}: expected {self.expected}, found {self.found}"


@transaction.atomic
def check_book() -> list[Fault]:
    """Every fault of the units' book; an empty list is a sound book.

    Transactions sum to zero; grants, clawed amounts, leases and balances equal
    their accounts; nothing is below zero; closed leases hold nothing; what was
    used equals what the daily sums of calls say. Reads one snapshot.
    """
    sums = _account_sums()
    return [
        *_unbalanced(),
        *_grants(sums),
        *_leases(sums),
        *_balances(sums),
        *_used(sums),
    ]


def _account_sums() -> dict[tuple[int, str, str], int]:
    rows = Entry.objects.values_list("customer_id", "unit", "account").annotate(total=Sum("amount"))
    return {(customer, unit, account): total for customer, unit, account, total in rows.order_by()}


def _unbalanced() -> Iterator[Fault]:
    rows = Entry.objects.values_list("txn_id", "unit").annotate(total=Sum("amount")).exclude(total=0)
    for txn_id, unit, total in rows.order_by("txn_id"):
        yield Fault("unbalanced", f"transaction {txn_id} in {unit}", 0, total)
    known = Txn.objects.values("pk")
    for txn_id in Entry.objects.exclude(txn_id__in=known).values_list("txn_id", flat=True).distinct():
        yield Fault("no transaction", f"entries of transaction {txn_id}", 1, 0)


def _grants(sums: dict[tuple[int, str, str], int]) -> Iterator[Fault]:
    known = set()
    for grant in Grant.objects.order_by("pk").iterator(2000):
        known.add((grant.customer_id, grant.unit, grant_account(grant.pk)))
        entries = sums.get((grant.customer_id, grant.unit, grant_account(grant.pk)), 0)
        if entries != grant.remaining or entries < 0:
            yield Fault("grant", f"grant {grant.pk}", entries, grant.remaining)
        clawed = sums.get((grant.customer_id, grant.unit, clawed_account(grant.pk)), 0)
        if clawed != grant.clawed or not 0 <= clawed <= grant.amount:
            yield Fault("clawed", f"grant {grant.pk}", clawed, grant.clawed)
    for owner_account, total in sums.items():
        if owner_account[2].startswith("grant:") and owner_account not in known and total:
            yield Fault("no grant", f"account {owner_account[2]} of customer {owner_account[0]}", 0, total)


def _leases(sums: dict[tuple[int, str, str], int]) -> Iterator[Fault]:
    held: defaultdict[str, int] = defaultdict(int)
    for (_, _, account), total in sums.items():
        if account.startswith("held:"):
            held[account.partition(":")[2]] += total
    for lease in Lease.objects.order_by("pk").iterator(2000):
        left = lease.amount - lease.settled if lease.state == "open" else 0
        found = held.pop(lease.pk, 0)
        if found != left:
            yield Fault("lease", f"lease {lease.pk} ({lease.state})", left, found)
    for name, total in held.items():
        if total:
            yield Fault("no lease", f"account {held_account(name)}", 0, total)


def _balances(sums: dict[tuple[int, str, str], int]) -> Iterator[Fault]:
    expected = projections(sums)
    for balance in Balance.objects.order_by("pk").iterator(2000):
        owner = (balance.customer_id, balance.unit)
        want = expected.pop(owner, (0, 0, 0, 0))
        have = (balance.spendable, balance.held, balance.debt, balance.overage)
        for name, one, other in zip(("spendable", "held", "debt", "overage"), want, have, strict=True):
            if one != other or other < 0:
                yield Fault(name, f"balance of customer {owner[0]} in {owner[1]}", one, other)
    for owner, want in expected.items():
        if any(want):  # what was erased has no balance, and nothing that could be spent
            yield Fault("no balance", f"customer {owner[0]} in {owner[1]}", 1, 0)


DAYS_KEPT = 390
"""Daily sums may be gone after this many days: then the calls can only be fewer."""


def _used(sums: dict[tuple[int, str, str], int]) -> Iterator[Fault]:
    calls = {
        (customer, unit): total
        for customer, unit, total in Day.objects.values_list("customer_id", "unit")
        .annotate(total=Sum("units"))
        .order_by()
    }
    used = {(customer, unit): total for (customer, unit, account), total in sums.items() if account == USED}
    for owner in sorted({*calls, *used}):
        counted, booked = calls.get(owner, 0), used.get(owner, 0)
        if counted != booked and not (counted < booked and _sums_forgotten(owner)):
            yield Fault("used", f"customer {owner[0]} in {owner[1]}", counted, booked)


def _sums_forgotten(owner: Owner) -> bool:
    """True if daily sums of this customer may have been deleted by age or erasure."""
    mine = Entry.objects.filter(customer_id=owner[0], unit=owner[1], account=USED)
    first = mine.order_by("txn__booked_at").values_list("txn__booked_at", flat=True).first()
    old = first is not None and first < timezone.now() - dt.timedelta(days=DAYS_KEPT)
    return old or not Balance.objects.filter(customer_id=owner[0], unit=owner[1]).exists()


def projections(sums: dict[tuple[int, str, str], int]) -> dict[Owner, tuple[int, int, int, int]]:
    """(spendable, held, debt, overage) of every customer and unit, from the sums of accounts."""
    found: defaultdict[Owner, list[int]] = defaultdict(lambda: [0, 0, 0, 0])
    for (customer, unit, account), total in sums.items():
        row = found[(customer, unit)]
        if account.startswith("grant:"):
            row[0] += total
        elif account.startswith("held:"):
            row[1] += total
        elif account == DEBT:
            row[2] -= total
        elif account == OVERAGE:
            row[3] -= total
    return {owner: (row[0], row[1], row[2], row[3]) for owner, row in found.items()}


@transaction.atomic
def rebuild() -> int:
    """Make grants, leases and balances anew from the entries; answers how many rows were wrong."""
    lock(set(Entry.objects.values_list("customer_id", "unit").distinct().order_by()))
    sums = _account_sums()
    wrong = 0
    for grant in Grant.objects.order_by("pk").iterator(2000):
        left = sums.get((grant.customer_id, grant.unit, grant_account(grant.pk)), 0)
        clawed = sums.get((grant.customer_id, grant.unit, clawed_account(grant.pk)), 0)
        if (left, clawed) != (grant.remaining, grant.clawed):
            wrong += Grant.objects.filter(pk=grant.pk).update(remaining=left, clawed=clawed)
    for lease in Lease.objects.filter(state="open").iterator(2000):
        settled = lease.amount - sums.get((lease.customer_id, lease.unit, held_account(lease.pk)), 0)
        if settled != lease.settled:
            wrong += Lease.objects.filter(pk=lease.pk).update(settled=settled)
    for (customer, unit), (spendable, held, debt, overage) in projections(sums).items():
        fields = {"spendable": spendable, "held": held, "debt": debt, "overage": overage}
        mine = Balance.objects.filter(customer_id=customer, unit=unit)
        if not mine.filter(**fields).exists():
            wrong += mine.update(**fields, version=F("version") + 1)
    return wrong
