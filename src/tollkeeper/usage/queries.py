"""Reads of units and calls, as frozen rows. Amounts are micro-units."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from dataclasses import dataclass

from django.db.models import Q, Sum
from django.utils import timezone

from tollkeeper.core.charges import Outcome
from tollkeeper.usage.intake import position
from tollkeeper.usage.lapse import lapsing
from tollkeeper.usage.models import Balance, Call, Cursor, Day, Grant, Stray

__all__ = [
    "BalanceRow",
    "CallRow",
    "DayRow",
    "GrantRow",
    "RouteRow",
    "StrayRow",
    "Totals",
    "balances",
    "daily_usage",
    "find_grant",
    "grants",
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
    """What a customer has of one unit. ``granted`` sums the grants that are live now."""

    unit: str
    spendable: int
    held: int
    owed: int
    granted: int
    used_percent: int
    next_expiry_at: dt.datetime | None

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
class DayRow:
    """One day, UTC; days without calls are there with zeros."""

    day: dt.date
    ok: int
    client_errors: int
    server_errors: int
    units: int

    @property
    def calls(self) -> int:
        """All calls of the day."""
        return self.ok + self.client_errors + self.server_errors


@dataclass(frozen=True, slots=True)
class RouteRow:
    """Calls and units of one route; ``mean_ms`` is the mean latency."""

    route: str
    calls: int
    errors: int
    units: int
    mean_ms: float


@dataclass(frozen=True, slots=True)
class CallRow:
    """One line of the call log."""

    id: int
    request_id: str
    called_at: dt.datetime
    key_id: int
    method: str
    route: str
    status: int
    outcome: str
    unit: str
    units: int
    estimated: bool
    latency_ms: float
    bytes_out: int
    model: str


@dataclass(frozen=True, slots=True)
class Totals:
    """All calls of a customer so far."""

    calls: int
    ok: int
    client_errors: int
    server_errors: int
    units: dict[str, int]
    today: int


@dataclass(frozen=True, slots=True)
class StrayRow:
    """Something of a journal that could not be booked."""

    gate_id: str
    segment: str
    position: int
    reason: str
    seen_at: dt.datetime


def balances(customer_id: int) -> list[BalanceRow]:
    """What the customer can spend now, per unit, by name of unit."""
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
        mine = live[balance.unit]
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


def daily_usage(customer_id: int, days: int = 30) -> list[DayRow]:
    """The last ``days`` days including today, oldest first."""
    today = timezone.now().date()
    first = today - dt.timedelta(days=days - 1)
    rows = (
        Day.objects.filter(customer_id=customer_id, day__gte=first)
        .values("day")
        .annotate(a=Sum("ok"), b=Sum("client_errors"), c=Sum("server_errors"), d=Sum("units"))
        .order_by()
    )
    found = {row["day"]: DayRow(row["day"], row["a"], row["b"], row["c"], row["d"]) for row in rows}
    wanted = (first + dt.timedelta(days=n) for n in range(days))
    return [found.get(day, DayRow(day, 0, 0, 0, 0)) for day in wanted]


def top_routes(customer_id: int, days: int = 30, limit: int = 10) -> list[RouteRow]:
    """Routes by number of calls in the last ``days`` days, most used first."""
    first = timezone.now().date() - dt.timedelta(days=days - 1)
    rows = (
        Day.objects.filter(customer_id=customer_id, day__gte=first)
        .values("route")
        .annotate(
            a=Sum("ok"), b=Sum("client_errors"), c=Sum("server_errors"), d=Sum("units"), e=Sum("latency_us")
        )
        .order_by()
    )
    found = []
    for row in rows:
        calls = row["a"] + row["b"] + row["c"]
        errors = row["b"] + row["c"]
        found.append(
            RouteRow(row["route"], calls, errors, row["d"], row["e"] / 1000 / calls if calls else 0.0)
        )
    return sorted(found, key=lambda route: (-route.calls, route.route))[:limit]


def recent_calls(
    customer_id: int,
    limit: int = 50,
    *,
    before_id: int | None = None,
    key_id: int | None = None,
    route: str = "",
    errors_only: bool = False,
) -> list[CallRow]:
    """The call log, latest first."""
    calls = Call.objects.filter(customer_id=customer_id)
    if before_id is not None:
        calls = calls.filter(pk__lt=before_id)
    if key_id is not None:
        calls = calls.filter(key_id=key_id)
    if route:
        calls = calls.filter(route=route)
    if errors_only:
        calls = calls.filter(Q(status__gte=400) | Q(status=0))
    return [_call(call) for call in calls.order_by("-called_at", "-pk")[:limit]]


def _call(call: Call) -> CallRow:
    return CallRow(
        id=call.pk,
        request_id=call.request_id,
        called_at=call.called_at,
        key_id=call.key_id,
        method=call.method,
        route=call.route,
        status=call.status,
        outcome=Outcome(call.outcome).name.lower(),
        unit=call.unit,
        units=call.units,
        estimated=call.estimated,
        latency_ms=call.latency_us / 1000,
        bytes_out=call.bytes_out,
        model=call.model,
    )


def totals(customer_id: int) -> Totals:
    """Sums over all days."""
    units: dict[str, int] = {}
    ok = client = server = today = 0
    now = timezone.now().date()
    rows = (
        Day.objects.filter(customer_id=customer_id)
        .values("unit", "day")
        .annotate(a=Sum("ok"), b=Sum("client_errors"), c=Sum("server_errors"), d=Sum("units"))
        .order_by()
    )
    for row in rows:
        units[row["unit"]] = units.get(row["unit"], 0) + row["d"]
        ok, client, server = ok + row["a"], client + row["b"], server + row["c"]
        if row["day"] == now:
            today += row["a"] + row["b"] + row["c"]
    return Totals(ok + client + server, ok, client, server, units, today)


def strays(limit: int = 100) -> list[StrayRow]:
    """What of the journals could not be booked, latest first."""
    rows = Stray.objects.order_by("-seen_at")[:limit]
    return [StrayRow(r.gate_id, r.segment, r.position, r.reason, r.seen_at) for r in rows]


def intake_delay_s() -> float:
    """Seconds since any journal was last taken in; 0 if there never was one."""
    last = Cursor.objects.order_by("-moved_at").values_list("moved_at", flat=True).first()
    return (timezone.now() - last).total_seconds() if last else 0.0
