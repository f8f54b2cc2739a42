"""Units that were not spent in their period and move to the next one, up to a bound."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Collection

from django.db import transaction
from django.db.models import Sum
from django.utils import timezone

from tollkeeper.core import ledger
from tollkeeper.usage.booking import Owner, lock
from tollkeeper.usage.grants import issue_grant, sweep_grants
from tollkeeper.usage.models import Entry, Grant, Lease

SOURCE = "carry"


class StillLent(Exception):
    """A gate holds units of a grant that is over: what is left of it shows when they are back."""


@transaction.atomic
def carry_over(
    *,
    key: str,
    customer_id: int,
    unit: str,
    ended_at: dt.datetime,
    until: dt.datetime,
    most: int,
    scope: str = "",
) -> int:
    """Give again what the grants of a period that ended at ``ended_at`` left unspent, until ``until``.

    At most ``most`` micro-units, and once for each ``key``; answers how many. What was carried into
    the ended period counts with the rest. Raises :class:`StillLent`.
    """
    now = timezone.now()
    owner = (customer_id, unit)
    lock([owner])
    over = Grant.objects.filter(
        customer_id=customer_id,
        unit=unit,
        expires_at__range=(ended_at, ended_at),
        renews=True,
        voided_at__isnull=True,
    ).exclude(source="overage")
    grants = list(over)
    if lent(owner, {grant.pk for grant in grants}):
        raise StillLent
    sweep_grants(grants, now)
    amount = min(most, sum(expired(grant) for grant in grants))
    if amount < 1 or until <= now:
        return 0
    first = min(grant.priority for grant in grants)
    issue_grant(
        key=key,
        customer_id=customer_id,
        unit=unit,
        amount=amount,
        priority=first if first < 0 else max(0, first - 1),
        expires_at=until,
        source=SOURCE,
        scope=scope,
        renews=True,
    )
    return amount


def expired(grant: Grant) -> int:
    """Micro-units of a grant that ran out unspent."""
    legs = Entry.objects.filter(
        customer_id=grant.customer_id,
        unit=grant.unit,
        account=ledger.grant_account(grant.pk),
        txn__kind="expire",
    )
    return -(legs.aggregate(sum=Sum("amount"))["sum"] or 0)


def lent(owner: Owner, grant_ids: Collection[int]) -> bool:
    """True while a gate holds units of any of these grants."""
    open_ones = Lease.objects.filter(customer_id=owner[0], unit=owner[1], state="open")
    return any(
        grant in grant_ids
        for sources in open_ones.values_list("sources", flat=True)
        for grant, _ in json.loads(sources)
    )
