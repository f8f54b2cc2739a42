"""Reads of units and calls, as frozen rows. Amounts are micro-units."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from django.db.models import Count, Q
from django.utils import timezone

from tollkeeper.usage.call_log import (
    CallRow,
    DayRow,
    RouteRow,
    Totals,
    calls_by_outcome,
    daily_usage,
    days_of_calls,
    find_sealed_address,
    recent_calls,
    top_routes,
    totals,
)
from tollkeeper.usage.intake import position
from tollkeeper.usage.lapse import lapsing
from tollkeeper.usage.models import (
    Admission,
    Alert,
    Balance,
    CodeBatch,
    Cursor,
    Entry,
    Grant,
    Lease,
    Stray,
)
from tollkeeper.usage.overage import SOURCE as ALLOWANCE
from tollkeeper.usage.overage import allowance_used

__all__ = [
    "AlertRow",
    "BalanceRow",
    "BatchRow",
    "CallRow",
    "DayRow",
    "GrantRow",
    "RouteRow",
    "StrayRow",
    "Totals",
    "allowance_used",
    "balances",
    "batches",
    "calls_by_outcome",
    "daily_usage",
    "days_of_calls",
    "find_grant",
    "find_grants",
    "find_sealed_address",
    "get_alert",
    "grants",
    "has_open_leases",
    "intake_delay_s",
    "lapsing",
    "position",
    "recent_calls",
    "strays",
    "top_routes",
    "totals",
]


@dataclass(frozen=True, slots=True)
class BalanceRow:
    """What a customer has of one unit. ``granted`` sums the grants that are live now.

    ``held`` is lent to gates: spent by this customer's calls, or given back.
    ``allowance`` is what may be used beyond what is paid for, ``resting`` what came with a plan that
    is stopped; none of the rest counts either.
    """

    unit: str
    spendable: int
    held: int
    owed: int
    granted: int
    used_percent: int
    next_expiry_at: dt.datetime | None
    allowance: int = 0
    resting: int = 0

    @property
    def left(self) -> int:
        """What is not spent yet: what a gate has borrowed is still the customer's."""
        return self.spendable + self.held


@dataclass(frozen=True, slots=True)
class GrantRow:
    """A grant as its customer sees it. ``state``: live, future, spent, expired or void."""

    id: int
    unit: str
    amount: int
    remaining: int
    clawed: int
    priority: int
    source: str
    effective_at: dt.datetime
    expires_at: dt.datetime | None
    state: str


@dataclass(frozen=True, slots=True)
class AlertRow:
    """Something a customer is told: ``used_50``, ``used_80``, ``used_100`` or ``ending``."""

    id: int
    customer_id: int
    unit: str
    kind: str
    grant_id: int
    ends_at: dt.datetime | None
    raised_at: dt.datetime


@dataclass(frozen=True, slots=True)
class BatchRow:
    """A batch of redemption codes and how many of them were used."""

    label: str
    unit: str
    amount: int
    lasts_days: int | None
    ends_at: dt.datetime | None
    created_at: dt.datetime
    codes: int
    used: int
    cancelled: int


@dataclass(frozen=True, slots=True)
class StrayRow:
    """Something of a journal that could not be booked."""

    gate_id: str
    segment: str
    position: int
    reason: str
    seen_at: dt.datetime


def balances(customer_id: int, stopped: Collection[str] = ()) -> list[BalanceRow]:
    """What the customer can spend now, per unit, by name of unit; nothing of plans that are ``stopped``."""
    now = timezone.now()
    live = defaultdict(list)
    for grant in Grant.objects.filter(
        Q(expires_at__isnull=True) | Q(expires_at__gt=now),
        customer_id=customer_id,
        effective_at__lte=now,
        voided_at__isnull=True,
    ):
        live[grant.unit].append(grant)
    rows = []
    for balance in Balance.objects.filter(customer_id=customer_id).order_by("unit"):
        served = [grant for grant in live[balance.unit] if grant.scope not in stopped]
        allowance = sum(grant.remaining for grant in served if grant.source == ALLOWANCE)
        mine = [grant for grant in served if grant.source != ALLOWANCE]
        resting = sum(grant.remaining for grant in live[balance.unit] if grant.scope in stopped)
        spendable = sum(grant.remaining for grant in mine)
        granted = sum(grant.amount - grant.clawed for grant in mine)
        spent = max(0, granted - spendable - balance.held)
        ends = [grant.expires_at for grant in mine if grant.expires_at and grant.remaining]
        rows.append(
            BalanceRow(
                unit=balance.unit,
                spendable=spendable,
                held=balance.held,
                owed=balance.debt + balance.overage,
                granted=granted,
                used_percent=min(100, spent * 100 // granted) if granted else 0,
                next_expiry_at=min(ends, default=None),
                allowance=allowance,
                resting=resting,
            )
        )
    return rows


def grants(customer_id: int) -> list[GrantRow]:
    """All grants of a customer, latest first."""
    now = timezone.now()
    return [_grant(row, now) for row in Grant.objects.filter(customer_id=customer_id).order_by("-pk")]


def find_grant(key: str) -> GrantRow | None:
    """The grant issued under this key, if there is one."""
    row = Grant.objects.filter(key=key).first()
    return None if row is None else _grant(row, timezone.now())


def find_grants(keys: Iterable[str]) -> dict[str, GrantRow]:
    """Key → grant, for those of the keys under which one was issued."""
    now = timezone.now()
    return {row.key: _grant(row, now) for row in Grant.objects.filter(key__in=list(keys))}


def clawed_under(key: str) -> int:
    """Micro-units that the claw-back ``key`` took; 0 if there was none, or nothing left to take."""
    entry = Entry.objects.filter(txn__key=f"claw:{key}", account__startswith="clawed:").first()
    return 0 if entry is None else entry.amount


def _grant(row: Grant, now: dt.datetime) -> GrantRow:
    if row.voided_at is not None:
        state = "void"
    elif row.expires_at is not None and row.expires_at <= now:
        state = "expired"
    elif row.effective_at > now:
        state = "future"
    else:
        state = "live" if row.remaining else "spent"
    return GrantRow(
        id=row.pk,
        unit=row.unit,
        amount=row.amount,
        remaining=row.remaining,
        clawed=row.clawed,
        priority=row.priority,
        source=row.source,
        effective_at=row.effective_at,
        expires_at=row.expires_at,
        state=state,
    )


def get_alert(alert_id: int) -> AlertRow:
    """Raises ``Alert.DoesNotExist``."""
    row = Alert.objects.get(pk=alert_id)
    ends_at = Grant.objects.filter(pk=row.basis).values_list("expires_at", flat=True).first()
    return AlertRow(row.pk, row.customer_id, row.unit, row.kind, row.basis, ends_at, row.raised_at)


def batches() -> list[BatchRow]:
    """All batches of redemption codes, latest first."""
    rows = CodeBatch.objects.annotate(
        codes_count=Count("codes"),
        used_count=Count("codes", filter=Q(codes__redeemed_at__isnull=False)),
        cancelled_count=Count("codes", filter=Q(codes__cancelled_at__isnull=False)),
    )
    return [
        BatchRow(
            label=row.label,
            unit=row.unit,
            amount=row.amount,
            lasts_days=row.lasts_days,
            ends_at=row.ends_at,
            created_at=row.created_at,
            codes=row.codes_count,
            used=row.used_count,
            cancelled=row.cancelled_count,
        )
        for row in rows.order_by("-pk")
    ]


def strays(limit: int = 100) -> list[StrayRow]:
    """What of the journals could not be booked, latest first."""
    rows = Stray.objects.order_by("-seen_at")[:limit]
    return [StrayRow(r.gate_id, r.segment, r.position, r.reason, r.seen_at) for r in rows]


def has_open_leases(customer_id: int) -> bool:
    """True while a gate holds units of this customer, or calls of theirs are not settled yet."""
    leases = Lease.objects.filter(customer_id=customer_id, state="open")
    return leases.exists() or Admission.objects.filter(customer_id=customer_id).exists()


def intake_delay_s() -> float:
    """Seconds since any journal was last taken in; 0 if there never was one."""
    last = Cursor.objects.order_by("-moved_at").values_list("moved_at", flat=True).first()
    return (timezone.now() - last).total_seconds() if last else 0.0
