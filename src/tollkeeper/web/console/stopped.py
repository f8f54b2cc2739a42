"""Plans of a customer that the operator has stopped, for the pages on which that matters."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from django.utils.translation import get_language

from tollkeeper.delivery import queries as delivery
from tollkeeper.flows import plan_stop


@dataclass(frozen=True, slots=True)
class Stopped:
    """A plan that is stopped, as its customers know it."""

    plan: str
    title: str
    reason: str
    since: dt.datetime


def named(found: list[delivery.PlanStop]) -> list[Stopped]:
    """Stops with the plans' titles in the reader's language."""
    language = get_language()
    return [Stopped(one.plan, plan_stop.title(one.plan, language), one.reason, one.since) for one in found]


def of(customer_id: int) -> list[Stopped]:
    """What is stopped of a customer's plans."""
    return named(delivery.stops_for(customer_id))
