"""The switch of one plan: its keys stop, at home and at relays, and go on as they were.

What stops is worked out from the one row of a plan each time a key is looked at, so that
lifting it restores what it stopped and nothing that stands still for another reason.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from django.db import transaction
from django.db.models import Count, Q, QuerySet

from tollkeeper.delivery import relays
from tollkeeper.delivery.directory import HOME, push
from tollkeeper.delivery.keys import GONE
from tollkeeper.delivery.models import Delivery, Key, StoppedPlan
from tollkeeper.delivery.relays import LIVE

BATCH = 500
"""Customers whose keys are brought in line in one transaction: gates draw between two of them."""


@dataclass(frozen=True, slots=True)
class PlanStop:
    """A plan that is stopped; ``reason`` is the operator's words to its customers."""

    plan: str
    reason: str
    since: dt.datetime


def stop_plan(plan: str, reason: str, now: dt.datetime) -> bool:
    """Have all keys of a plan stop with :func:`follow_stop`, and new ones born so; False if they are."""
    return StoppedPlan.objects.get_or_create(plan=plan, defaults={"reason": reason, "since": now})[1]


def resume_plan(plan: str) -> bool:
    """Have the keys of a plan go on with :func:`follow_stop`; False if it was not stopped."""
    return bool(StoppedPlan.objects.filter(plan=plan).delete()[0])


@transaction.atomic
def follow_stop(plan: str, *, after: int, there: bool) -> list[int]:
    """Bring the keys of a plan's next customers in line with its switch; their ids, empty at the end.

    ``after`` is the last customer of the batch before. Keys on our gate are changed at once; with
    ``there`` an intent is noted for those at relays, too.
    """
    mine = _live(plan).filter(customer_id__gt=after).order_by("customer_id")
    customers = list(mine.values_list("customer_id", flat=True).distinct()[:BATCH])
    rows = _live(plan).filter(customer_id__in=customers)
    if there:
        relays.want(Q(pk__in=rows.exclude(label="").values("pk")))
    units = rows.filter(provisioner=HOME).values("unit").distinct()
    keys = Key.objects.select_for_update().filter(customer_id__in=customers, unit__in=units)
    push(keys.exclude(state__in=GONE).order_by("pk"))
    return customers


def stops() -> dict[str, PlanStop]:
    """The plans that are stopped, by name."""
    return {
        row.plan: PlanStop(row.plan, row.reason, row.since) for row in StoppedPlan.objects.order_by("plan")
    }


def stops_for(customer_id: int) -> list[PlanStop]:
    """Those of a customer's live plans that are stopped."""
    found = stops()
    if not found:
        return []
    live = Delivery.objects.filter(customer_id=customer_id, plan__in=found, state__in=LIVE, ended=False)
    mine = set(live.values_list("plan", flat=True))
    return [stop for plan, stop in found.items() if plan in mine]


def customers_by_plan() -> dict[str, int]:
    """How many customers have something live of each plan."""
    live = Delivery.objects.filter(state__in=LIVE, ended=False).exclude(plan="").values("plan")
    return dict(live.annotate(n=Count("customer_id", distinct=True)).values_list("plan", "n"))


def _live(plan: str) -> QuerySet[Delivery]:
    return Delivery.objects.filter(plan=plan, state__in=LIVE, ended=False)
