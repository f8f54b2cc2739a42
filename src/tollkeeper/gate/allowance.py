"""Limits that several gates share: what this gate may let in of one customer's, without asking again.

The limits themselves stand in Valkey; :mod:`tollkeeper.gate.shared` asks there. A call
is either *covered* by a slice that was taken ahead of need, or asked for. The
:class:`~tollkeeper.core.limits.Limit` of a customer mirrors what Valkey said last,
so refusals, ``RateLimit`` fields and ``/v1/limits`` are told from memory. Durations
are microseconds; instants are those of the gate's monotonic clock.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from tollkeeper.core import limits as speed
from tollkeeper.core.limits import Limit
from tollkeeper.core.terms import LimitTerms

if TYPE_CHECKING:
    from tollkeeper.gate.admission import Costs
    from tollkeeper.gate.directory import Customer, Key
    from tollkeeper.gate.wire.client import Client

SLICE_US = 100_000
"""A slice is good for so long, then what is left of it goes back."""
COUNTED_US = 300_000
"""Valkey counts a slice as if it were used so late, and takes nothing back later: so the limit
holds exactly whenever the slice is used, and no refill is given twice."""
FRESH_US = 1_000_000
"""So long the mirror may refuse by itself; then Valkey is asked, as others may have given back."""
RENEW_US = 2_000_000
SLOT_TTL_US = 6_000_000
"""Slots of a gate that tells nothing for so long count no more."""
REMEMBERED_S = 60.0
"""A gate that holds no leases any more is counted for so long."""
AT_ONCE = 32
"""Waiting calls that one question may bring."""


def fair_share(terms: LimitTerms, gates: int) -> LimitTerms:
    """What each of ``gates`` applies by itself while they cannot ask: its part, but at least one."""
    if gates <= 1:
        return terms
    burst = terms.burst or terms.amount
    return msgspec.structs.replace(terms, amount=max(1, terms.amount // gates), burst=max(1, burst // gates))


def share_of(concurrency: int, gates: int) -> int:
    """The same for calls in flight; 0 stays without a limit."""
    return max(1, concurrency // gates) if concurrency else 0


def carried_over(old: Limit, new: Limit, mono_us: int) -> Limit:
    """``new`` as far used up as ``old``: the same time until all of the burst is there again."""
    debt = old.arrival - mono_us * old.parts
    if debt > 0:
        new.arrival = (mono_us + -(-debt // old.parts)) * new.parts
    return new


class Peers:
    """How many gates there are where none can be asked, by the leases in the book."""

    def __init__(self) -> None:
        self.gates = 1
        self._seen_at = 0.0

    def seen(self, others: int, now: float) -> bool:
        """Take in how many other gates hold leases; True if the number of gates has changed.

        A gate counts for a while after its last lease: it comes back with its customers.
        """
        before = self.gates
        if others + 1 >= self.gates:
            self._seen_at = now
            self.gates = others + 1
        elif now - self._seen_at > REMEMBERED_S:
            self.gates = others + 1
        return self.gates != before


class Shared:
    """One limit in Valkey, and this gate's part in it."""

    __slots__ = (
        "back",
        "counted_at",
        "ends_at",
        "field",
        "fresh_until",
        "hand",
        "limit",
        "unused",
        "unused_until",
    )

    def __init__(self, limit: Limit) -> None:
        self.limit = limit
        self.field: bytes = b"l:%b:%d:%d" % (limit.policy, limit.burst, limit.measure)
        self.hand = 0
        """What is left of the slice."""
        self.ends_at = 0
        self.unused = 0
        """What is left of slices that ended, to be told."""
        self.unused_until = 0
        """After this instant of Valkey's clock it takes nothing back."""
        self.counted_at = 0
        """The instant of Valkey's clock at which the slice counts as used."""
        self.back = 0
        """What calls cost less than was held for them, not yet told."""
        self.fresh_until = 0

    def time_of(self, amount: int) -> int:
        """Microseconds that ``amount`` takes up, rounded up."""
        return -(-amount * self.limit.step // self.limit.parts)

    @property
    def room_us(self) -> int:
        """How far ahead of the clock the limit may be."""
        return -(-self.limit.room // self.limit.parts)

    def end_slice(self) -> None:
        """What was not used of the slice goes back with the next question."""
        if self.hand:
            self.unused_until = min(self.unused_until, self.counted_at) if self.unused else self.counted_at
            self.unused += self.hand
            self.hand = 0

    def heard(self, debt_us: int, granted: int, mono_us: int) -> None:
        """Mirror what Valkey said; what is in hand, or granted to calls not yet judged, is still to come."""
        limit = self.limit
        ahead = self.hand + granted + self.back + self.unused
        # A microsecond less: Valkey counts whole ones, rounded up, and its word must pass here.
        limit.arrival = (mono_us + debt_us - 1) * limit.parts - ahead * limit.step
        self.fresh_until = mono_us + FRESH_US


@dataclass(slots=True, eq=False)
class Waiter:
    """A call that waits for an answer of Valkey."""

    client: Client
    call_id: int
    key: Key
    costs: Costs
    again: bool = False
    """It was already asked for once, when all slots were taken."""


@dataclass(frozen=True, slots=True)
class Ask:
    """One question. Candidates are tried from the last to the first; the first that fits is granted.

    Candidate ``n`` is for the first ``n + 1`` waiters; with ``extra`` the last of
    them also takes a slice for calls to come.
    """

    shared: tuple[Shared, ...]
    waiters: tuple[Waiter, ...]
    candidates: tuple[tuple[tuple[int, ...], int, int], ...]
    """How much of each limit, how many slots beyond those held, and how many there may be (0: any)."""
    backs: tuple[int, ...]
    unused: tuple[int, ...]
    extra: bool
    held: int
    sent_at: int
    returned: bool

    def arguments(self, gate: bytes) -> list[bytes | int]:
        """For the script; see :data:`tollkeeper.gate.shared.SCRIPT`."""
        words: list[bytes | int] = [gate, self.held, SLOT_TTL_US, int(self.returned), len(self.shared)]
        for part, back, unused in zip(self.shared, self.backs, self.unused, strict=True):
            limit = part.limit
            known = limit.arrival + (part.hand + back + unused) * limit.step
            debt = max(0, -(-known // limit.parts) - self.sent_at)
            words += [part.field, part.room_us, back * limit.step // limit.parts, debt]
            words += [unused * limit.step // limit.parts, part.unused_until]
        for number, (needs, slots, bound) in enumerate(self.candidates):
            ahead = self.extra and number == len(self.candidates) - 1
            words += [slots, bound, COUNTED_US if ahead else 0]
            words += [part.time_of(need) for part, need in zip(self.shared, needs, strict=True)]
        return words


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of the waiters of a question."""

    granted: tuple[Waiter, ...] = ()
    limited: tuple[Waiter, ...] = ()
    busy: tuple[Waiter, ...] = ()
    elsewhere: bool = False
    """Other gates have slots, perhaps idle ones that are on their way back."""
    undecided: tuple[Waiter, ...] = ()
    """To be asked for again."""


class Allowance:
    """What this gate knows and holds of one customer's shared limits."""

    __slots__ = (
        "ahead",
        "asking",
        "calls",
        "customer",
        "peak",
        "rate",
        "returned",
        "shared",
        "slots",
        "told_at",
        "usual",
        "waiting",
    )

    def __init__(self, customer: Customer) -> None:
        self.customer = customer
        self.shared: dict[Limit, Shared] = {}
        self.slots = 0
        """Calls in flight that Valkey allows us."""
        self.waiting: list[Waiter] = []
        self.asking = False
        self.ahead = False
        """The next question shall bring a slice although nobody waits."""
        self.returned = False
        """Valkey was away: what was used meanwhile must be told."""
        self.told_at = 0
        self.peak = 0
        self.calls = 0
        self.rate = 0.0
        """Calls a second, smoothed."""
        self.usual: tuple[tuple[Limit, ...], Costs] = ((), (1, 0, 0))
        """Limits and costs of the last call: a slice is for calls like it."""

    def parts(self, limits: Sequence[Limit]) -> list[Shared]:
        """The shared side of some limits."""
        shared = self.shared
        found = []
        for limit in limits:
            part = shared.get(limit)
            if part is None:
                part = shared[limit] = Shared(limit)
            found.append(part)
        return found

    def refused_here(self, key: Key, costs: Costs, mono_us: int) -> bool:
        """True if what Valkey said a moment ago forbids the call: nothing but give-backs can have helped."""
        for part in self.parts(key.limits):
            if part.fresh_until > mono_us and part.limit.after(mono_us, costs[part.limit.measure]) < 0:
                return True
        return False

    def cover(self, key: Key, costs: Costs, mono_us: int) -> bool:
        """Take a call from what is in hand; False if Valkey must be asked."""
        if key.concurrency and self.customer.in_flight >= self.slots:
            return False
        parts = self.parts(key.limits)
        for part in parts:
            if part.hand < costs[part.limit.measure] or part.ends_at <= mono_us:
                return False
        for part in parts:
            part.hand -= costs[part.limit.measure]
        return True

    def runs_low(self) -> bool:
        """True if a new slice should be taken before this one is used up."""
        limits, costs = self.usual
        left = [p.hand // costs[p.limit.measure] for p in self.parts(limits) if costs[p.limit.measure]]
        return bool(left) and min(left) * 4 < self._extra()

    def _extra(self) -> int:
        """Calls that a slice is taken for: what comes within its life at the present rate."""
        return int(self.rate * SLICE_US / 1_000_000)

    def ask(self, mono_us: int) -> Ask:
        """Make the next question from what waits, and take the waiters out."""
        waiters, self.waiting = tuple(self.waiting[:AT_ONCE]), self.waiting[AT_ONCE:]
        extra = self._extra() if (waiters or self.ahead) and not self.waiting else 0
        self.ahead = False
        limits: dict[Limit, None] = {}
        for waiter in waiters:
            limits.update(dict.fromkeys(waiter.key.limits))
        if extra:
            limits.update(dict.fromkeys(self.usual[0]))
        limits.update({limit: None for limit, part in self.shared.items() if part.back or part.unused})
        shared = tuple(self.parts(tuple(limits)))
        in_slots = self.slots or any(waiter.key.concurrency for waiter in waiters)
        held = max(self.slots, self.customer.in_flight) if in_slots else 0
        sums, slots, bound = [0] * len(shared), self.customer.in_flight - held, 0
        candidates: list[tuple[tuple[int, ...], int, int]] = []
        for waiter in waiters:
            _add(sums, shared, waiter.key.limits, waiter.costs, 1)
            if waiter.key.concurrency:
                slots += 1
                bound = min(bound, waiter.key.concurrency) if bound else waiter.key.concurrency
            candidates.append((tuple(sums), max(0, slots), bound))
        if extra:
            _add(sums, shared, *self.usual, extra)
            candidates.append((tuple(sums), max(0, slots), bound))
        backs = tuple([part.back for part in shared])
        unused = tuple([part.unused for part in shared])
        for part in shared:
            part.back = part.unused = 0
        returned, self.returned = self.returned, False
        return Ask(shared, waiters, tuple(candidates), backs, unused, bool(extra), held, mono_us, returned)

    def heard(self, ask: Ask, reply: Sequence[int], mono_us: int) -> Verdict:
        """Take in an answer.

        It tells the candidate granted (0: none), 1 if slots forbade more, slots elsewhere,
        Valkey's clock, and for each limit how far it is ahead of that.
        """
        chosen, by_slots, elsewhere = reply[0], bool(reply[1]), reply[2] > 0
        waiters, candidates = ask.waiters, ask.candidates
        count = min(chosen, len(waiters))
        sliced = ask.extra and chosen == len(candidates)
        for number, part in enumerate(ask.shared):
            used = candidates[count - 1][0][number] if count else 0
            if sliced and candidates[-1][0][number] > used:
                part.end_slice()
                part.hand = candidates[-1][0][number] - used
                part.ends_at = ask.sent_at + SLICE_US
                part.counted_at = reply[3] + COUNTED_US
            part.heard(reply[4 + number], used, mono_us)
        self.slots = ask.held + (candidates[chosen - 1][1] if chosen else 0)
        self.told_at = ask.sent_at
        granted, rest = waiters[:count], waiters[count:]
        if by_slots:
            return Verdict(granted, busy=rest, elsewhere=elsewhere)
        return Verdict(granted, limited=rest[:1], undecided=rest[1:])

    def give_back(self, limits: Sequence[Limit], held: Costs, used: Costs) -> None:
        """A call cost less, or more, than was held for it: to be told with the next question."""
        for limit in limits:
            part = self.shared.get(limit)
            if part is not None and limit.measure != speed.REQUESTS:
                part.back += held[limit.measure] - used[limit.measure]

    def give_up(self) -> None:
        """Limits are applied in another way from now on; the next question tells what was used."""
        for part in self.shared.values():
            part.limit.arrival += (part.hand + part.unused) * part.limit.step
        self.shared.clear()
        self.usual = ((), (1, 0, 0))
        self.returned = True

    def tick(self, mono_us: int, elapsed_s: float) -> bool:
        """Let slices and slots go that nobody uses; True if Valkey should be told."""
        self.rate += (self.calls / elapsed_s - self.rate) * min(1.0, elapsed_s * 4)
        self.calls = 0
        for part in self.shared.values():
            if part.hand and part.ends_at <= mono_us:
                part.end_slice()
        flying = self.customer.in_flight
        spare = self.slots - max(flying, self.peak)
        self.peak = flying
        if spare > 0 and not self.asking:
            self.slots -= spare
            return True
        due = self.slots > 0 and mono_us - self.told_at > RENEW_US
        return due or any(part.back or part.unused for part in self.shared.values())

    def idle(self, mono_us: int) -> bool:
        """True if nothing is held any more."""
        quiet = not (self.slots or self.waiting or self.asking or self.calls)
        return quiet and not any(part.hand or part.back or part.unused for part in self.shared.values())


def _add(
    sums: list[int], shared: Sequence[Shared], limits: Sequence[Limit], costs: Costs, times: int
) -> None:
    for number, part in enumerate(shared):
        if part.limit in limits:
            sums[number] += costs[part.limit.measure] * times
