"""What customers are told of their units: each thing once, until new units come."""

from __future__ import annotations

import datetime as dt
import json
from collections import defaultdict
from collections.abc import Collection, Iterable

from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone

from tollkeeper.usage.booking import Owner
from tollkeeper.usage.models import Alert, Balance, Grant, Lease
from tollkeeper.usage.overage import SOURCE

LEVELS = (("used_100", 100), ("used_80", 80), ("used_50", 50))
"""Word and percent, the highest first: reaching one, the lower ones go without saying."""
ENDING = "ending"
ENDS_WITHIN = dt.timedelta(days=3)
LASTED_AT_LEAST = dt.timedelta(days=7)


@transaction.atomic
def raise_alerts(owners: Iterable[Owner], now: dt.datetime | None = None) -> list[int]:
    """Note which levels these balances have reached; answers the ids of the alerts that are new.

    Counts what is paid for; an overage allowance comes on top, is capped by itself and has levels of
    its own: ``over_50``, ``over_80``, ``over_100`` of the cap.
    """
    now = now or timezone.now()
    wanted = set(owners)
    customers = {customer for customer, _ in wanted}
    given: defaultdict[Owner, int] = defaultdict(int)
    left: defaultdict[Owner, int] = defaultdict(int)
    newest: dict[Owner, int] = {}
    live = Grant.objects.filter(
        Q(expires_at__isnull=True) | Q(expires_at__gt=now),
        customer_id__in=customers,
        effective_at__lte=now,
        voided_at__isnull=True,
    ).exclude(source=SOURCE)
    for grant in live:
        owner = (grant.customer_id, grant.unit)
        given[owner] += grant.amount - grant.clawed
        left[owner] += grant.remaining
        newest[owner] = max(grant.pk, newest.get(owner, 0))
    held = {
        (row.customer_id, row.unit): row.held for row in Balance.objects.filter(customer_id__in=customers)
    }
    rows = []
    for owner in wanted:
        if not given[owner]:
            continue
        spent = (given[owner] - left[owner] - held.get(owner, 0)) * 100 / given[owner]
        reached = next((word for word, percent in LEVELS if spent >= percent), None)
        if reached is not None:
            rows += [_row(owner, word, newest[owner], now) for word in _and_lower(reached)]
    return _keep(rows + _of_allowances(wanted, now), one_per_slot=True)


def _of_allowances(wanted: set[Owner], now: dt.datetime) -> list[Alert]:
    """The levels that open allowances have reached; what a gate has borrowed may come back."""
    open_ones = Grant.objects.filter(
        customer_id__in={customer for customer, _ in wanted},
        source=SOURCE,
        expires_at__gt=now,
        voided_at__isnull=True,
    )
    rows = []
    for grant in open_ones:
        owner, cap = (grant.customer_id, grant.unit), grant.amount - grant.clawed
        if owner not in wanted or not cap:
            continue
        held = sum(
            part
            for sources in Lease.objects.filter(
                customer_id=owner[0], unit=owner[1], state="open"
            ).values_list("sources", flat=True)
            for name, part in json.loads(sources)
            if name == grant.pk
        )
        spent = (cap - grant.remaining - held) * 100 / cap
        reached = next((word for word, percent in LEVELS if spent >= percent), None)
        if reached is not None:
            rows += [_row(owner, word.replace("used", "over"), grant.pk, now) for word in _and_lower(reached)]
    return rows


@transaction.atomic
def raise_endings(
    now: dt.datetime | None = None, limit: int = 500, leave_out: Collection[int] = ()
) -> list[int]:
    """Note which grants end soon with units in them; answers the ids of the alerts that are new.

    Grants that renew, that are allowances, or that lasted only days are not worth a letter.
    """
    now = now or timezone.now()
    ending = Grant.objects.filter(
        expires_at__gt=now,
        expires_at__lte=now + ENDS_WITHIN,
        remaining__gt=0,
        voided_at__isnull=True,
        renews=False,
        remaining__gte=F("amount") / 10,
    ).exclude(source=SOURCE)
    if leave_out:  # customers whose data may only be stored
        ending = ending.exclude(customer_id__in=leave_out)
    told = set(Alert.objects.filter(kind=ENDING).values_list("basis", flat=True))
    rows = []
    for grant in ending.order_by("expires_at")[:limit]:
        ends_at = grant.expires_at or now
        if grant.pk not in told and ends_at - grant.effective_at >= LASTED_AT_LEAST:
            rows.append(_row((grant.customer_id, grant.unit), ENDING, grant.pk, now))
    return _keep(rows, one_per_slot=False)


def _and_lower(word: str) -> list[str]:
    words = [name for name, _ in LEVELS]
    return words[words.index(word) :]


def _row(owner: Owner, kind: str, basis: int, now: dt.datetime) -> Alert:
    return Alert(customer_id=owner[0], unit=owner[1], kind=kind, basis=basis, raised_at=now)


def _keep(rows: list[Alert], *, one_per_slot: bool) -> list[int]:
    """Store alerts; of several levels reached at once only the highest new one speaks."""
    spoken: set[tuple[int, str, int]] = set()
    fresh: list[int] = []
    for row in rows:
        slot = (row.customer_id, row.unit, row.basis)
        known = {"customer_id": row.customer_id, "unit": row.unit, "kind": row.kind, "basis": row.basis}
        stored, made = Alert.objects.get_or_create(**known, defaults={"raised_at": row.raised_at})
        if made and not (one_per_slot and slot in spoken):
            spoken.add(slot)
            fresh.append(stored.pk)
    return fresh
