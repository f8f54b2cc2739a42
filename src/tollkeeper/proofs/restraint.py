"""Restriction and breaches: switches and clocks, tried out on a planted person."""

from __future__ import annotations

import datetime as dt
import time

from tollkeeper.core.terms import KeyTerms
from tollkeeper.delivery import services as delivery
from tollkeeper.flows import restriction
from tollkeeper.privacy import breaches, requests, restrictions
from tollkeeper.privacy.copying import copy_of
from tollkeeper.proofs import census
from tollkeeper.proofs.context import Context
from tollkeeper.proofs.planting import planted
from tollkeeper.proofs.probe import Evidence, probe, require


def _states(customer: int) -> list[str]:
    entries = census.model_of("delivery.KeyEntry")._base_manager.filter(customer_id=customer)
    return sorted(entries.values_list("state", flat=True))


@probe("G-40")
def restrict(ctx: Context) -> Evidence:
    """A planted person is restricted: keys stop, doors close but for law and notice, rights go on."""
    doors = sorted(set(ctx.policy.purposes) - restrictions.STILL)
    with planted() as canary:
        delivery.create_key(canary.customer_id, name="canary", terms=KeyTerms(plan="canary"))
        before = _states(canary.customer_id)
        restriction.restrict(canary.subject)
        during = _states(canary.customer_id)
        closed = [p for p in doors if restrictions.stop("any", p, canary.subject) == restrictions.WORD]
        open_ = [p for p in sorted(restrictions.STILL) if not restrictions.stop("any", p, canary.subject)]
        number = requests.open_request("access", channel="console", subject=canary.subject)
        tables = sum(1 for part in copy_of(canary.subject) if list(part.rows))
        restriction.lift(canary.subject)
        after = _states(canary.customer_id)
    require(
        (before, during, after) == (["active"], ["suspended"], ["active"]),
        "keys do not follow the restriction",
    )
    require(
        closed == doors and len(open_) == len(restrictions.STILL),
        "doors do not follow",
        open=sorted(set(doors) - set(closed)),
    )
    require(bool(number) and tables > 0, "rights stop with the restriction")
    return {
        "restricted_people": census.count("privacy.Restriction"),
        "keys": {"before": before, "during": during, "after": after},
        "purposes_stopped": closed,
        "purposes_that_go_on": open_,
        "tables_in_the_copy_meanwhile": tables,
    }


@probe("G-49")
def breach(ctx: Context) -> Evidence:
    """A breach is entered for a planted person: its clock, and how fast the affected are listed."""
    late = breaches.overdue(ctx.now)
    require(late == 0, "an authority was not told in time", overdue=late)
    require(bool(ctx.policy.security.limits.en.strip()), "the page promises absolute safety")
    with planted() as canary:
        number = breaches.open_breach("drill")
        (row,) = [one for one in breaches.list_breaches() if one.number == number]
        hours = (row.authority_due_at - row.noticed_at).total_seconds() / 3600
        started = time.perf_counter()
        hour = dt.timedelta(hours=1)
        tables = ("support.Message", "accounts.User", "usage.Call")
        columns = ("written_at", "created_at", "called_at")
        found = {
            label: breaches.affected(label, column, ctx.now - hour, ctx.now + hour)
            for label, column in zip(tables, columns, strict=True)
        }
        took = (time.perf_counter() - started) * 1000
    require(
        canary.subject in found["support.Message"] & found["accounts.User"],
        "an affected person is not listed",
    )
    require(hours <= 72, "the clock is longer than the law's", hours=hours)
    return {
        "clock_hours": hours,
        "people_found": len(found["accounts.User"]),
        "listed_in_ms": round(took, 1),
        "tables_asked": len(tables),
        "breaches_so_far": len(breaches.list_breaches()),
        "late": 0,
    }
