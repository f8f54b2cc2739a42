"""May this call go on? All limits, concurrency and the hold of units, together or not at all."""

from __future__ import annotations

from typing import Final

from tollkeeper.core import limits as speed
from tollkeeper.gate.directory import Key
from tollkeeper.gate.lease_book import Holds

ADMITTED: Final = 0
LIMITED: Final = 1
BUSY: Final = 2
SHORT: Final = 3
"""Verdicts: go on; a limit forbids it; too many calls in flight; not enough units are leased."""

Costs = tuple[int, int, int]
"""What a call takes from limits on requests, units and tokens."""


def judge(key: Key, costs: Costs, hold: int, mono_us: int, now_us: int) -> tuple[int, Holds]:
    """Admit a call or say why not. Only an admitted call changes anything.

    ``mono_us`` is the clock of the limits, ``now_us`` that of the leases.
    """
    limits = key.limits
    arrivals = speed.reserve(limits, mono_us, costs)
    if arrivals is None:
        return LIMITED, ()
    customer = key.customer
    if key.concurrency and customer.in_flight >= key.concurrency:
        return BUSY, ()
    holds = key.purse.hold(hold, now_us)
    if holds is None:
        return SHORT, ()
    speed.commit(limits, arrivals)
    customer.in_flight += 1
    return ADMITTED, holds


def limit_fields(key: Key, mono_us: int) -> bytes:
    """``RateLimit`` fields (draft-ietf-httpapi-ratelimit-headers-10) as head lines.

    Their old forms, which know one limit only, tell the first of the plan's limits.
    """
    numbers: list[int] = []
    for limit in key.limits:
        used = limit.arrival - mono_us * limit.parts
        if used <= 0:
            numbers.append(limit.burst)
            numbers.append(0)
        else:
            left = (limit.room - used) // limit.step
            numbers.append(left if left > 0 else 0)
            numbers.append(-(-used // limit.parts_in_s))
    return key.limit_form % (*numbers, *numbers[:2])
