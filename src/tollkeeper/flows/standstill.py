"""Plans stand still while their person's data may not be used, and go on as they were."""

from __future__ import annotations

from tollkeeper.flows import renewal
from tollkeeper.sales import queries as sales
from tollkeeper.sales.changes import CannotChange
from tollkeeper.sales.plans import NoSuchPlan

_RESTS, _ENDS = "r", "e"


def stop_plans(customer_id: int) -> str:
    """See that nothing more is charged for; answers a code that :func:`resume_plans` understands.

    A plan that can rest rests; one that cannot (a trial, one that is overdue) ends with its period.
    What rests or ends already is left alone.
    """
    done = []
    for plan in sales.list_plans(customer_id):
        if plan.state == "paused" or plan.ends_with_period:
            continue
        try:
            renewal.pause_plan(customer_id, plan.subscription)
            done.append(f"{_RESTS}/{plan.subscription}")
        except CannotChange:
            renewal.cancel_plan(customer_id, plan.subscription)
            done.append(f"{_ENDS}/{plan.subscription}")
    return ":".join(done)


def resume_plans(customer_id: int, stopped: str) -> None:
    """Take back what :func:`stop_plans` did, as far as the plans still live."""
    for one in filter(None, stopped.split(":")):
        how, _, number = one.partition("/")
        try:
            if how == _RESTS:
                renewal.unpause_plan(customer_id, number)
            else:
                renewal.keep_plan(customer_id, number)
        except NoSuchPlan:
            continue
