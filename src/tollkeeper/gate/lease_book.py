"""Units lent to this gate, spent in memory: per customer and unit a purse of leases.

Always, for each lease: ``left + held by open calls + settled = drawn``. Nothing is
admitted on a lease near its end, so that a worker that lets it lapse never meets
a call it does not know of. Instants are microseconds of the wall clock, because
leases are dated by the book.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from tollkeeper.gate.wire.client import Client

MARGIN_US: Final = 2_000_000
"""Nothing is admitted on a lease that ends sooner than this."""
RENEW_US: Final = 15_000_000
"""A lease in use is renewed when it ends sooner than this."""
IDLE_US: Final = 3_000_000
"""A lease unused for this long goes back."""
REFUSED_US: Final = 1_000_000
"""How long a purse remembers that the book had nothing."""
AHEAD_US: Final = 10_000_000
"""A draw is meant to last this long at the present rate."""

Holds = tuple[tuple["Lease", int], ...]


class Lease:
    """One slice of a balance. ``settled`` is what calls have cost on it."""

    __slots__ = ("closing", "drawn", "expires_at", "id", "left", "open_calls", "settled")

    def __init__(self, lease_id: bytes, amount: int, expires_at: int) -> None:
        self.id = lease_id
        self.drawn = amount
        self.left = amount
        self.settled = 0
        self.open_calls = 0
        self.expires_at = expires_at
        self.closing = False


class Purse:
    """All that this gate may spend of one unit of one customer."""

    __slots__ = (
        "customer_id",
        "drawing",
        "empty_need",
        "empty_until",
        "leases",
        "low_mark",
        "rate",
        "spent_since",
        "unit",
        "used_at",
        "waiting",
    )

    def __init__(self, customer_id: int, unit: str) -> None:
        self.customer_id = customer_id
        self.unit = unit
        self.leases: list[Lease] = []
        self.drawing = False
        self.waiting: list[Client] = []
        self.low_mark = 0
        """A draw ahead of need is worth a look when a lease has less left than this."""
        self.empty_need = 0
        self.empty_until = 0
        self.rate = 0.0
        """Micro-units a second, smoothed."""
        self.spent_since = 0
        self.used_at = 0

    @property
    def left(self) -> int:
        """Micro-units that may still be held."""
        return sum([lease.left for lease in self.leases if not lease.closing])

    def can_hold(self, amount: int, now_us: int) -> bool:
        """True if :meth:`hold` would find enough now."""
        usable = now_us + MARGIN_US
        able = [lease.left for lease in self.leases if lease.expires_at > usable and not lease.closing]
        return sum(able) >= amount

    def hold(self, amount: int, now_us: int) -> Holds | None:
        """Set ``amount`` aside for one call, on as many leases as it takes; None if there is not enough."""
        self.used_at = now_us
        usable = now_us + MARGIN_US
        for lease in self.leases:
            if lease.left >= amount and lease.expires_at > usable and not lease.closing:
                lease.left -= amount
                lease.open_calls += 1
                self.spent_since += amount
                return ((lease, amount),)
        return self._hold_split(amount, usable)

    def _hold_split(self, amount: int, usable: int) -> Holds | None:
        able = [x for x in self.leases if x.left > 0 and x.expires_at > usable and not x.closing]
        if sum([lease.left for lease in able]) < amount:
            return None
        self.spent_since += amount
        holds: list[tuple[Lease, int]] = []
        rest = amount
        for lease in able:
            part = min(lease.left, rest)
            lease.left -= part
            lease.open_calls += 1
            holds.append((lease, part))
            rest -= part
            if not rest:
                break
        return tuple(holds)

    def settle(self, holds: Holds, units: int) -> tuple[tuple[tuple[bytes, int], ...], int]:
        """Charge ``units`` for a call: (lease id, micro-units) pairs, and what stayed unpaid.

        What was held too much is left again; what is charged beyond the hold is
        taken from what the leases still have, never from anywhere else.
        """
        if len(holds) == 1:
            lease, held = holds[0]
            if units <= held:
                lease.left += held - units
                lease.settled += units
                lease.open_calls -= 1
                self.spent_since += units - held
                return ((lease.id, units),), 0
        return self._settle_split(holds, units)

    def _settle_split(self, holds: Holds, units: int) -> tuple[tuple[tuple[bytes, int], ...], int]:
        rest = units
        parts: dict[bytes, int] = {}
        for lease, held in holds:
            part = min(held, rest)
            lease.left += held - part
            lease.settled += part
            lease.open_calls -= 1
            parts[lease.id] = parts.get(lease.id, 0) + part
            rest -= part
            self.spent_since += part - held
        for lease in self.leases:
            if not rest:
                break
            extra = min(lease.left, rest)
            if extra and not lease.closing:
                lease.left -= extra
                lease.settled += extra
                parts[lease.id] = parts.get(lease.id, 0) + extra
                rest -= extra
                self.spent_since += extra
        return tuple(parts.items()), rest

    def add(self, lease: Lease) -> None:
        """Take a lease that was just drawn."""
        self.leases.append(lease)
        self.empty_until = 0
        self.low_mark = max(int(self.rate), lease.drawn // 4)

    def found_empty(self, need: int, now_us: int) -> None:
        """Remember that the book could not lend ``need``."""
        self.empty_need = need
        self.empty_until = now_us + REFUSED_US

    def is_empty(self, need: int, now_us: int) -> bool:
        """True if the book said a moment ago that it cannot lend that much."""
        return now_us < self.empty_until and need >= self.empty_need

    def wanted(self, need: int) -> int:
        """How much to ask for when ``need`` is missing: some seconds' worth at the present rate."""
        return max(need, int(self.rate * AHEAD_US / 1_000_000), need * 8)

    def runs_low(self, cost: int) -> bool:
        """True if a draw should be made ahead of need."""
        return self.left < max(self.low_mark, int(self.rate), cost)

    def tick(self, elapsed_s: float) -> None:
        """Bring the smoothed rate up to date; called about twice a second."""
        fresh = max(0, self.spent_since) / elapsed_s
        self.rate += (fresh - self.rate) * min(1.0, elapsed_s)
        self.spent_since = 0

    def sweep(self, now_us: int) -> tuple[list[Lease], list[Lease]]:
        """Leases to renew, and leases that are over (taken out here): idle, or past their end."""
        renew: list[Lease] = []
        over: list[Lease] = []
        idle = now_us - self.used_at > IDLE_US
        for lease in self.leases:
            if lease.open_calls:
                if lease.expires_at - now_us < RENEW_US and not lease.closing:
                    renew.append(lease)
            elif idle or lease.closing or not lease.left or lease.expires_at <= now_us + MARGIN_US:
                over.append(lease)
            elif lease.expires_at - now_us < RENEW_US:
                renew.append(lease)
        for lease in over:
            self.leases.remove(lease)
        return renew, over

    def close_all(self) -> list[Lease]:
        """Take out every lease that no open call holds, for the end of the gate."""
        over = [lease for lease in self.leases if not lease.open_calls]
        self.leases = [lease for lease in self.leases if lease.open_calls]
        return over
