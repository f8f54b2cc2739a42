"""May this call go on? All limits, concurrency and the hold of units, together or not at all."""

from __future__ import annotations

from tollkeeper.core import limits as speed
from tollkeeper.gate.directory import Key
from tollkeeper.gate.lease_book import Holds

ADMITTED, LIMITED, BUSY, SHORT = 0, 1, 2, 3
"""Verdicts: go on; a limit forbids it; too many calls in flight; not enough units are leased."""

Costs = tuple[int, int, int]
"""What a call takes from limits on requests, units and tokens."""


def judge(key: Key, costs: Costs, hold: int, mono_us: int, now_us: int) -> tuple[int, Holds]:
    """Admit a call or say why not. Only an admitted call changes anything.

    ``mono_us`` is the clock of the limits, ``now_us`` that of the leases.
    """
    limits = key.limits
    if limits and speed.refusing(limits, mono_us, costs) is not None:
        return LIMITED, ()
    customer = key.customer
    if key.concurrency and customer.in_flight >= key.concurrency:
        return BUSY, ()
    holds = key.purse.hold(hold, now_us)
    if holds is None:
        return SHORT, ()
    if limits:
        speed.take(limits, mono_us, costs)
    customer.in_flight += 1
    return ADMITTED, holds


def tightest(key: Key, mono_us: int) -> tuple[speed.Limit, int, int] | None:
    """The limit with the smallest share left, what is left of it, and microseconds until it is full."""
    worst: tuple[speed.Limit, int, int] | None = None
    share = 2.0
    for limit in key.limits:
        left = limit.left(mono_us)
        if left / limit.burst < share:
            share = left / limit.burst
            worst = (limit, left, limit.full_in_us(mono_us))
    return worst


def limit_fields(key: Key, mono_us: int) -> bytes:
    """``RateLimit`` fields (draft-ietf-httpapi-ratelimit-headers-10) and their old forms, as head lines."""
    limits = key.limits
    if not limits:
        return b""
    if len(limits) == 1:
        limit = limits[0]
        used = limit.arrival - mono_us * limit.amount
        if used > 0:
            left = max(0, (limit.burst * limit.window_us - used) // limit.window_us)
            reset = -(-used // limit.amount // 1_000_000)
        else:
            left, reset = limit.burst, 0
        name = limit.name.encode()
        fields = b'\r\nRateLimit-Policy: %b\r\nRateLimit: "%b";r=%d;t=%d' % (key.policy, name, left, reset)
        return b"%b\r\nX-RateLimit-Limit: %d\r\nX-RateLimit-Remaining: %d\r\nX-RateLimit-Reset: %d" % (
            fields,
            limit.amount,
            left,
            reset,
        )
    return _many_fields(key, mono_us)


def _many_fields(key: Key, mono_us: int) -> bytes:
    shown = []
    for limit in key.limits:
        reset = -(-limit.full_in_us(mono_us) // 1_000_000)
        shown.append(b'"%b";r=%d;t=%d' % (limit.name.encode(), limit.left(mono_us), reset))
    fields = b"\r\nRateLimit-Policy: %b\r\nRateLimit: %b" % (key.policy, b", ".join(shown))
    worst = tightest(key, mono_us)
    if worst is None:
        return fields
    limit, left, full_in = worst
    return b"%b\r\nX-RateLimit-Limit: %d\r\nX-RateLimit-Remaining: %d\r\nX-RateLimit-Reset: %d" % (
        fields,
        limit.amount,
        left,
        -(-full_in // 1_000_000),
    )
