"""Verbs on grants: give, take back, let expire, settle what is owed."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from tollkeeper.core import ledger
from tollkeeper.kit.fields import to_micros
from tollkeeper.usage.booking import Owner, Posting, booked, lock, post, view, views
from tollkeeper.usage.models import Balance, Entry, Grant


@transaction.atomic
def issue_grant(  # noqa: PLR0913 - a grant has that many sides
    *,
    key: str,
    customer_id: int,
    unit: str,
    amount: int,
    source: str,
    priority: int = 0,
    effective_at: dt.datetime | None = None,
    expires_at: dt.datetime | None = None,
    scope: str = "",
    renews: bool = False,
) -> int:
    """Give ``amount`` micro-units of ``unit``; answers the grant's id.

    The same ``key`` again changes nothing and answers the same id. What the customer owes is
    settled from it at once. ``scope`` is the plan that it came with; ``renews`` says that another
    follows when it ends, so that nobody need be told. Raises ``ValueError`` for an amount below
    one or a grant that ends before it begins.
    """
    now = timezone.now()
    begins = effective_at or now
    if amount < 1:
        raise ValueError(f"a grant gives at least one micro-unit, not {amount}")
    if expires_at is not None and expires_at <= begins:
        raise ValueError("a grant cannot end before it begins")
    owner = (customer_id, unit)
    lock([owner])
    known = Grant.objects.filter(key=key).first()
    if known is not None:
        return known.pk
    grant = Grant.objects.create(
        key=key,
        customer_id=customer_id,
        unit=unit,
        amount=amount,
        remaining=0,
        priority=priority,
        effective_at=begins,
        expires_at=expires_at,
        scope=scope,
        source=source,
        renews=renews,
        created_at=now,
    )
    legs = ledger.issue_legs(grant.pk, amount)
    post([Posting(owner, f"grant:{key}", "grant", legs, str(grant.pk))], now)
    settle_owed([owner], now)
    return grant.pk


@transaction.atomic
def void_grant(grant_id: int, *, now: dt.datetime | None = None) -> int:
    """Take back all that is left of a grant, for good; answers how much that was.

    What gates hold of it is taken back when it returns. Raises ``Grant.DoesNotExist``.
    """
    now = now or timezone.now()
    grant = _locked(grant_id)
    if grant.voided_at is None:
        Grant.objects.filter(pk=grant_id).update(voided_at=now)
        grant.voided_at = now
    left = grant.remaining
    sweep_grants([grant], now)
    return left


@transaction.atomic
def claw_back(*, key: str, grant_id: int, amount: int | None = None, now: dt.datetime | None = None) -> int:
    """Take ``amount`` of a grant back after a refund or a lost dispute (None: all of it).

    First what the grant has, then other live grants; what was spent is owed.
    Never more than was granted and not yet clawed. The same ``key`` again changes
    nothing. Answers what was clawed now.
    """
    now = now or timezone.now()
    grant = _locked(grant_id)
    owner = (grant.customer_id, grant.unit)
    if booked(f"claw:{key}"):
        return 0
    most = grant.amount - grant.clawed
    wanted = most if amount is None else min(amount, most)
    taking = ledger.claw(view(grant), views(owner), wanted, to_micros(now))
    legs = ledger.claw_legs(grant_id, taking)
    post([Posting(owner, f"claw:{key}", "claw", legs, str(grant_id))], now)
    return wanted


@transaction.atomic
def restore_claw(*, key: str, now: dt.datetime | None = None) -> int:
    """Undo the claw-back ``key`` (a dispute won); answers how much that was.

    0 if there was no such claw-back or it was undone before. What returns to a
    grant that is over meanwhile expires at once.
    """
    now = now or timezone.now()
    entries = list(Entry.objects.filter(txn__key=f"claw:{key}").order_by("pk"))
    if not entries:
        return 0
    owner = (entries[0].customer_id, entries[0].unit)
    balance = lock([owner])[owner]
    if booked(f"restore:{key}"):
        return 0
    [clawed] = [entry for entry in entries if entry.account.startswith("clawed:")]
    grant_id = int(clawed.account.partition(":")[2])
    taken = [ledger.Leg(entry.account, entry.amount) for entry in entries]
    legs = ledger.unclaw_legs(grant_id, taken, balance.debt)
    post([Posting(owner, f"restore:{key}", "restore", legs, str(grant_id))], now)
    names = [int(leg.account.partition(":")[2]) for leg in legs if leg.account.startswith("grant:")]
    sweep_grants(Grant.objects.filter(pk__in=names), now)
    settle_owed([owner], now)
    return clawed.amount


def expire_grants(now: dt.datetime | None = None, *, limit: int = 500) -> int:
    """Book what ran out; answers how many grants that were. Late runs give nothing away.

    Grants that began since also settle what their customers owe.
    """
    now = now or timezone.now()
    over = Grant.objects.filter(remaining__gt=0).filter(Q(expires_at__lte=now) | Q(voided_at__isnull=False))
    owners = list(dict.fromkeys(over.order_by("expires_at").values_list("customer_id", "unit")[:limit]))
    count = 0
    for owner in owners:
        with transaction.atomic():
            lock([owner])
            count += sweep_grants(over.filter(customer_id=owner[0], unit=owner[1]), now)
    owing = Balance.objects.filter(Q(debt__gt=0) | Q(overage__gt=0), spendable__gt=0)
    for owner in list(owing.values_list("customer_id", "unit")[:limit]):
        with transaction.atomic():
            lock([owner])
            settle_owed([owner], now)
    return count


def sweep_grants(grants: Iterable[Grant], now: dt.datetime) -> int:
    """Book what is left of grants that are over or void; the balances are locked by the caller."""
    postings = []
    for grant in grants:
        over = grant.expires_at is not None and grant.expires_at <= now
        if not grant.remaining or not (over or grant.voided_at is not None):
            continue
        owner = (grant.customer_id, grant.unit)
        if grant.voided_at is not None:
            taking = ledger.Taking(((grant.pk, grant.remaining),), 0)
            kind, legs = "void", ledger.claw_legs(grant.pk, taking)
        else:
            kind, legs = "expire", ledger.expire_legs(grant.pk, grant.remaining)
        serial = Entry.objects.filter(
            customer_id=owner[0], unit=owner[1], account=ledger.grant_account(grant.pk)
        ).count()
        postings.append(Posting(owner, f"{kind}:{grant.pk}:{serial}", kind, legs, str(grant.pk)))
    post(postings, now)
    return len(postings)


def settle_owed(owners: Iterable[Owner], now: dt.datetime) -> None:
    """Pay debt and overage from live grants; the balances are locked by the caller."""
    for owner in owners:
        balance = Balance.objects.get(customer_id=owner[0], unit=owner[1])
        owed = balance.debt + balance.overage
        if not owed:
            continue
        sources = ledger.carve(views(owner), owed, to_micros(now))
        legs = ledger.cover_legs(sources, balance.debt)
        post([Posting(owner, f"cover:{balance.pk}:{balance.version}", "cover", legs)], now)


@transaction.atomic
def forgive(*, key: str, customer_id: int, unit: str, account: str, amount: int | None = None) -> int:
    """Write off (or bill otherwise) what is owed on ``debt`` or ``overage``; answers how much.

    ``amount`` None means all. The same ``key`` again changes nothing.
    """
    now = timezone.now()
    owner = (customer_id, unit)
    balance = lock([owner])[owner]
    if booked(f"forgive:{key}"):
        return 0
    owed = balance.debt if account == ledger.DEBT else balance.overage
    part = owed if amount is None else min(amount, owed)
    post([Posting(owner, f"forgive:{key}", "forgive", ledger.forgive_legs(account, part))], now)
    return part


def left_of(grant_id: int, customer_id: int) -> int | None:
    """Micro-units left of a customer's grant, its balance locked; None if there is no such grant."""
    if not Grant.objects.filter(pk=grant_id, customer_id=customer_id).exists():
        return None
    return _locked(grant_id).remaining


def _locked(grant_id: int) -> Grant:
    """The grant, read again under its balance's lock."""
    grant = Grant.objects.get(pk=grant_id)
    lock([(grant.customer_id, grant.unit)])
    grant.refresh_from_db()
    return grant
