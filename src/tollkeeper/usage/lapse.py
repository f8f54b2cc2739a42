"""Leases of gates that died: open calls end by the published rule, the rest goes back."""

from __future__ import annotations

import datetime as dt
import json
from collections import defaultdict

from django.db import transaction
from django.utils import timezone

from tollkeeper.core import ledger, states
from tollkeeper.core.charges import Outcome, charge
from tollkeeper.usage.booking import Posting, lock, post
from tollkeeper.usage.intake import add_days, after_return, write_leases
from tollkeeper.usage.models import Admission, Call, Lease

GRACE_S = 5.0
"""Seconds after a lease's end before it can lapse: gates stop using it well before that end."""


def lapsing(now: dt.datetime | None = None) -> dict[str, list[str]]:
    """Open leases whose time and grace are over, by gate: candidates for :func:`lapse_leases`."""
    over = (now or timezone.now()) - dt.timedelta(seconds=GRACE_S)
    found: defaultdict[str, list[str]] = defaultdict(list)
    rows = Lease.objects.filter(state=states.LEASE.initial, expires_at__lt=over)
    for gate_id, lease in rows.order_by("expires_at").values_list("gate_id", "pk")[:1000]:
        found[gate_id].append(lease)
    return dict(found)


def lapse_leases(gate_id: str, *, drawn_before: dt.datetime, now: dt.datetime | None = None) -> int:
    """Close the leases of a gate process that is gone; answers how many.

    The caller has made sure of two things: the process that drew before
    ``drawn_before`` is dead, and its journal is wholly in the book. Calls that it
    left open are booked by the charge table with outcome ``KILLED``.
    """
    now = now or timezone.now()
    over = now - dt.timedelta(seconds=GRACE_S)
    mine = Lease.objects.filter(
        gate_id=gate_id, state=states.LEASE.initial, drawn_at__lt=drawn_before, expires_at__lt=over
    )
    end_open_calls(gate_id, admitted_before=drawn_before, now=now)
    count = 0
    for customer_id, unit in sorted(set(mine.values_list("customer_id", "unit"))):
        with transaction.atomic():
            lock([(customer_id, unit)])
            leases = list(mine.select_for_update().filter(customer_id=customer_id, unit=unit).order_by("pk"))
            count += _close(leases, now)
    return count


def _close(leases: list[Lease], now: dt.datetime) -> int:
    postings: list[Posting] = []
    changed: list[tuple[int, str, str]] = []
    grants: set[int] = set()
    for lease in leases:
        sources = [(grant, amount) for grant, amount in json.loads(lease.sources)]
        legs = ledger.close_legs(lease.pk, sources, lease.amount - lease.settled)
        postings.append(
            Posting((lease.customer_id, lease.unit), f"close:{lease.pk}", "lapse", legs, lease.pk)
        )
        changed.append((lease.settled, states.step(states.LEASE, lease.state, "lapse"), lease.pk))
        grants.update(grant for grant, _ in sources)
    post(postings, now)
    write_leases(changed)
    after_return(grants, now)
    return len(leases)


def end_open_calls(gate_id: str, *, admitted_before: dt.datetime, now: dt.datetime) -> int:
    """Book the calls that a dead gate left open, by rule; answers how many."""
    count = 0
    while True:
        with transaction.atomic():
            rows = Admission.objects.filter(gate_id=gate_id, admitted_at__lt=admitted_before)
            batch = list(rows.select_for_update().order_by("pk")[:400])
            if not batch:
                return count
            _end(batch, now)
            Admission.objects.filter(pk__in=[row.pk for row in batch]).delete()
        count += len(batch)


def _end(batch: list[Admission], now: dt.datetime) -> None:
    names = sorted({lease for row in batch for lease, _ in row.parts})
    lock((row.customer_id, row.unit) for row in batch)
    leases = {
        lease.pk: lease for lease in Lease.objects.select_for_update().filter(pk__in=names).order_by("pk")
    }
    postings, calls, days = [], [], []
    for row in batch:
        owner = (row.customer_id, row.unit)
        held = sum(amount for _, amount in row.parts)
        due = charge(Outcome.KILLED, "rest", None, held, estimated=True).units
        taken = 0
        for name, amount in row.parts:
            lease = leases.get(name)
            if lease is None or lease.state != states.LEASE.initial:
                continue
            part = min(amount, due - taken, lease.amount - lease.settled)
            lease.settled += part
            taken += part
            key = f"killed:{row.pk}:{name}"
            postings.append(Posting(owner, key, "settle", ledger.use_legs(name, part), name))
        calls.append(_call(row, taken))
        day = (row.customer_id, row.admitted_at.date(), row.key_id, row.route, row.unit)
        days.append((*day, 0, 0, 1, taken, 0, 0))
    post(postings, now)
    write_leases([(lease.settled, lease.state, lease.pk) for lease in leases.values()])
    Call.objects.bulk_create(calls, batch_size=400)
    add_days(days)


def _call(row: Admission, units: int) -> Call:
    return Call(
        request_id=row.pk,
        gate_id=row.gate_id,
        key_id=row.key_id,
        customer_id=row.customer_id,
        route=row.route,
        method=row.method,
        status=0,
        outcome=Outcome.KILLED,
        unit=row.unit,
        units=units,
        estimated=True,
        bytes_in=0,
        bytes_out=0,
        latency_us=0,
        sealed_address=row.sealed_address,
        called_at=row.admitted_at,
    )
