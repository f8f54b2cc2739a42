"""Units beyond what was paid: an allowance that the customer caps, drawn last, billed at its end.

An allowance is a grant of its own, so that gates, leases and every check treat it
like any other and the cap cannot be passed. What was used of it when it closes is
what may be billed: never more than the cap.
"""

from __future__ import annotations

import datetime as dt

from django.db import transaction
from django.utils import timezone

from tollkeeper.core import ledger
from tollkeeper.usage.booking import Posting, booked, lock, post
from tollkeeper.usage.grants import issue_grant, void_grant
from tollkeeper.usage.leftovers import expired, lent
from tollkeeper.usage.models import Grant

LAST = 1_000_000
"""Priority of allowances: after everything that is paid for."""
SOURCE = "overage"


@transaction.atomic
def open_allowance(
    *,
    key: str,
    customer_id: int,
    unit: str,
    cap: int,
    ends_at: dt.datetime,
    effective_at: dt.datetime | None = None,
    scope: str = "",
) -> int:
    """Let a customer use up to ``cap`` micro-units more until ``ends_at``; answers the grant's id."""
    return issue_grant(
        key=f"overage:{key}",
        customer_id=customer_id,
        unit=unit,
        amount=cap,
        priority=LAST,
        effective_at=effective_at,
        expires_at=ends_at,
        source=SOURCE,
        scope=scope,
        renews=True,
    )


@transaction.atomic
def change_cap(*, key: str, grant_id: int, cap: int) -> int:
    """Set the cap of an open allowance; answers the cap that holds now.

    It cannot fall below what is used or lent already. The same ``key`` again changes
    nothing. Raises ``Grant.DoesNotExist`` for a grant that is no open allowance.
    """
    now = timezone.now()
    grant = Grant.objects.get(pk=grant_id, source=SOURCE, voided_at__isnull=True)
    owner = (grant.customer_id, grant.unit)
    lock([owner])
    grant.refresh_from_db()
    if booked(f"cap:{key}"):
        return grant.amount - grant.clawed
    now_cap = grant.amount - grant.clawed
    if cap > now_cap:
        legs = ledger.issue_legs(grant_id, cap - now_cap)
        Grant.objects.filter(pk=grant_id).update(amount=grant.amount + cap - now_cap)
    else:
        part = min(now_cap - cap, grant.remaining)
        cap = now_cap - part
        legs = ledger.claw_legs(grant_id, ledger.Taking(((grant_id, part),) if part else (), 0))
    post([Posting(owner, f"cap:{key}", "cap", legs, str(grant_id))], now)
    return cap


@transaction.atomic
def close_allowance(grant_id: int) -> int | None:
    """End an allowance; answers the micro-units that were used of it, None while gates still hold some.

    Asking again later is safe: what comes back after the end is never billed.
    """
    void_grant(grant_id)
    grant = Grant.objects.get(pk=grant_id)
    if lent((grant.customer_id, grant.unit), {grant_id}):
        return None
    return _used(grant)


def _used(grant: Grant) -> int:
    """What was spent: the sweeper may have booked the rest of it as expired already."""
    return grant.amount - grant.clawed - grant.remaining - expired(grant)


def allowance_used(grant_id: int) -> int:
    """What of an allowance is used or lent now, in micro-units."""
    return _used(Grant.objects.get(pk=grant_id, source=SOURCE))
