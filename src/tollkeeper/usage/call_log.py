"""Reads of calls: the log line by line, and sums by day and by route. Amounts are micro-units."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from django.db.models import Q, Sum
from django.utils import timezone

from tollkeeper.core.addresses import DAY_US, day_of
from tollkeeper.core.charges import Outcome
from tollkeeper.kit.fields import from_micros, to_micros
from tollkeeper.usage.models import Call, Day

_LATELY = dt.timedelta(days=2)


@dataclass(frozen=True, slots=True)
class DayRow:
    """One day, UTC; days without calls are there with zeros."""

    day: dt.date
    ok: int
    client_errors: int
    server_errors: int
    units: int
    latency_us: int = 0
    """Of all calls together."""

    @property
    def calls(self) -> int:
        """All calls of the day."""
        return self.ok + self.client_errors + self.server_errors

    @property
    def mean_ms(self) -> float | None:
        """Mean duration; None on a day without calls."""
        return self.latency_us / 1000 / self.calls if self.calls else None


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

    @property
    def place(self) -> str:
        """Where the line stands in the log; calls of several gates arrive in any order."""
        return f"{to_micros(self.called_at)}-{self.id}"


@dataclass(frozen=True, slots=True)
class Totals:
    """All calls of a customer so far."""

    calls: int
    ok: int
    client_errors: int
    server_errors: int
    units: dict[str, int]
    today: int


def daily_usage(customer_id: int, days: int = 30) -> list[DayRow]:
    """The last ``days`` days including today, oldest first."""
    today = timezone.now().date()
    first = today - dt.timedelta(days=days - 1)
    rows = (
        Day.objects.filter(customer_id=customer_id, day__gte=first)
        .values("day")
        .annotate(
            a=Sum("ok"), b=Sum("client_errors"), c=Sum("server_errors"), d=Sum("units"), e=Sum("latency_us")
        )
        .order_by()
    )
    found = {row["day"]: DayRow(row["day"], row["a"], row["b"], row["c"], row["d"], row["e"]) for row in rows}
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
    before: str = "",
    key_id: int | None = None,
    route: str = "",
    errors_only: bool = False,
) -> list[CallRow]:
    """The call log, latest first; ``before`` is the :attr:`CallRow.place` of a line. Raises ``ValueError``.

    Pages by instant and number, so that no line is missed or shown twice, whichever gate's
    journal comes in meanwhile.
    """
    calls = Call.objects.filter(customer_id=customer_id)
    newest = timezone.now()
    if before:
        at_us, _, number = before.partition("-")
        at = from_micros(int(at_us))
        later = Q(called_at=at, pk__gte=int(number))
        calls = calls.filter(~later, called_at__lte=at)
        newest = min(newest, at)
    if key_id is not None:
        calls = calls.filter(key_id=key_id)
    if route:
        calls = calls.filter(route=route)
    if errors_only:
        calls = calls.filter(Q(status__gte=400) | Q(status=0))
    ordered = calls.order_by("-called_at", "-pk")
    # most pages are within two days: there the book looks into three partitions and not into all
    found = list(ordered.filter(called_at__gt=newest - _LATELY)[:limit])
    return [_call(call) for call in (found if len(found) == limit else ordered[:limit])]


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


@dataclass(frozen=True, slots=True)
class SealedAddress:
    """Where a call came from; ``day`` counts from 1970-01-01. None if it was not written."""

    day: int
    sealed: bytes | None


def find_sealed_address(request_id: str) -> SealedAddress | None:
    """Of one call of the log; None if there is no such call."""
    call = Call.objects.filter(request_id=request_id).first()
    if call is None:
        return None
    sealed = None if call.sealed_address is None else bytes(call.sealed_address)
    return SealedAddress(day_of(to_micros(call.called_at)), sealed)


def calls_by_outcome(first: dt.date, last: dt.date) -> list[tuple[str, str, int, int]]:
    """(route, outcome, customer, calls) over whole days, the last one included; no row without calls."""
    rows = (
        Day.objects.filter(day__gte=first, day__lte=last)
        .values_list("route", "customer_id")
        .annotate(a=Sum("ok"), b=Sum("client_errors"), c=Sum("server_errors"))
        .order_by()
    )
    return [
        (route, outcome, customer, calls)
        for route, customer, *counts in rows
        for outcome, calls in zip(("ok", "client_error", "server_error"), counts, strict=True)
        if calls
    ]


def days_of_calls(before: int) -> set[int]:
    """Days (counted from 1970-01-01) before ``before`` from which calls are still there."""
    instants = Call.objects.filter(called_at__lt=from_micros(before * DAY_US)).values_list(
        "called_at", flat=True
    )
    return {day_of(to_micros(at)) for at in instants.order_by().distinct().iterator()}


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
