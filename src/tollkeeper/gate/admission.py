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
    limits = key.limits
    if not limits:
        return b""
    first = limits[0]
    shown = first.shown(mono_us) if len(limits) == 1 else b", ".join([x.shown(mono_us) for x in limits])
    used = first.arrival - mono_us * first.parts
    if used <= 0:
        return b"".join((key.policy_field, shown, key.full_fields))
    left = (first.room - used) // first.step
    return b"%b%b%b%d\r\nX-RateLimit-Reset: %d" % (
        key.policy_field,
        shown,
        key.limit_field,
        left if left > 0 else 0,
        -(-used // (first.parts * 1_000_000)),
    )
