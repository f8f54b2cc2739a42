"""Speed limits: GCRA, several at once, all or nothing.

The generic cell rate algorithm (ITU-T I.371) keeps one number per limit, the
*theoretical arrival time*. Here it is an exact integer, in parts of a microsecond
chosen so that one thing takes a whole number of them: no rounding ever lets one
call more through. In any span of ``w`` microseconds a limit admits at most
``burst + amount * w / window``.

Time is an argument: integer microseconds of a clock that never goes back.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import gcd
from typing import Final

from tollkeeper.core.terms import LimitTerms

REQUESTS: Final = 0
UNITS: Final = 1
TOKENS: Final = 2
MEASURES: Final = {"requests": REQUESTS, "units": UNITS, "tokens": TOKENS}
"""What a limit may count; the number is the index into the costs of a call."""


class Limit:
    """One limit of one customer, and how far it is used."""

    __slots__ = (
        "amount",
        "arrival",
        "burst",
        "measure",
        "name",
        "parts",
        "parts_in_s",
        "policy",
        "room",
        "step",
    )

    def __init__(self, terms: LimitTerms) -> None:
        """Raises ``ValueError`` for a limit that could not hold."""
        if terms.unit not in MEASURES:
            raise ValueError(f"limit {terms.name!r}: unit must be one of {', '.join(MEASURES)}")
        if terms.amount < 1 or terms.window_s < 1 or terms.burst < 0:
            raise ValueError(
                f"limit {terms.name!r}: amount and window_s must be at least 1, burst at least 0"
            )
        window_us = terms.window_s * 1_000_000
        shared = gcd(terms.amount, window_us)
        self.name: str = terms.name
        self.measure: int = MEASURES[terms.unit]
        self.amount: int = terms.amount
        self.burst: int = terms.burst or terms.amount
        self.parts: int = terms.amount // shared
        """Parts in a microsecond."""
        self.parts_in_s: int = self.parts * 1_000_000
        self.step: int = window_us // shared
        """Parts that one thing takes."""
        self.room: int = self.burst * self.step
        self.arrival: int = 0
        self.policy: bytes = b'"%b";q=%d;w=%d' % (terms.name.encode(), terms.amount, terms.window_s)

    def after(self, now_us: int, cost: int) -> int:
        """The arrival time if ``cost`` were taken now, or -1 if the limit forbids it."""
        base = now_us * self.parts
        arrival = (self.arrival if self.arrival > base else base) + cost * self.step
        return arrival if arrival - base <= self.room else -1

    def left(self, now_us: int) -> int:
        """How much may be taken at once now."""
        used = self.arrival - now_us * self.parts
        if used <= 0:
            return self.burst
        return max(0, (self.room - used) // self.step)

    def full_in_us(self, now_us: int) -> int:
        """Microseconds until all of the burst is there again."""
        used = self.arrival - now_us * self.parts
        return 0 if used <= 0 else -(-used // self.parts)

    def wait_us(self, now_us: int, cost: int) -> int:
        """Microseconds until ``cost`` would be admitted; -1 if never, as it exceeds the burst."""
        if cost > self.burst:
            return -1
        over = self.arrival + cost * self.step - self.room - now_us * self.parts
        return 0 if over <= 0 else -(-over // self.parts)

    def give_back(self, cost: int) -> None:
        """Undo part of what was taken, when a call cost less than was held for it."""
        self.arrival -= cost * self.step


def reserve(limits: Sequence[Limit], now_us: int, costs: tuple[int, int, int]) -> list[int] | None:
    """The arrival times that ``costs`` would bring, or None if any limit forbids it. Takes nothing."""
    arrivals: list[int] = []
    for limit in limits:  # as Limit.after, written out: this is asked for every call
        base = now_us * limit.parts
        arrival = limit.arrival
        if arrival < base:
            arrival = base
        arrival += costs[limit.measure] * limit.step
        if arrival - base > limit.room:
            return None
        arrivals.append(arrival)
    return arrivals


def commit(limits: Sequence[Limit], arrivals: list[int]) -> None:
    """Take what :func:`reserve` found, at the same instant."""
    for number, limit in enumerate(limits):
        limit.arrival = arrivals[number]


def refusing(limits: Iterable[Limit], now_us: int, costs: tuple[int, int, int]) -> Limit | None:
    """The limit that would forbid a call the longest, or None if all admit it. Takes nothing."""
    worst: Limit | None = None
    worst_wait = -1
    for limit in limits:
        cost = costs[limit.measure]
        if limit.after(now_us, cost) < 0:
            wait = limit.wait_us(now_us, cost)
            if wait < 0:
                return limit
            if wait > worst_wait:
                worst, worst_wait = limit, wait
    return worst


def take(limits: Sequence[Limit], now_us: int, costs: tuple[int, int, int]) -> bool:
    """Take ``costs`` from every limit, or from none; True if it was done."""
    arrivals = reserve(limits, now_us, costs)
    if arrivals is None:
        return False
    commit(limits, arrivals)
    return True


def settle(limits: Iterable[Limit], held: tuple[int, int, int], used: tuple[int, int, int]) -> None:
    """Correct limits on units and tokens when a call is over: what was held too much comes back."""
    for limit in limits:
        surplus = held[limit.measure] - used[limit.measure]
        if limit.measure != REQUESTS and surplus:
            limit.give_back(surplus)
