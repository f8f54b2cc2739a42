"""The arithmetic of shared limits, against the real script with a clock that the test sets."""

from __future__ import annotations

from typing import Any, cast

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from redis import Redis

from tollkeeper.core.limits import Limit
from tollkeeper.core.terms import LimitTerms
from tollkeeper.gate.allowance import Allowance, Peers, Waiter, carried_over, fair_share, share_of
from tollkeeper.gate.directory import Customer
from tollkeeper.gate.shared import SCRIPT

CLOCK = "allowance:clock"
HASH = "allowance:customer"
BEGAN = 1_700_000_000_000_000


class Terms:
    """As much of a key as an allowance looks at."""

    def __init__(self, limits: tuple[Limit, ...], concurrency: int = 0) -> None:
        self.limits = limits
        self.concurrency = concurrency


class Valkey:
    """The script with a settable clock."""

    def __init__(self, url: str) -> None:
        self.client: Redis = Redis.from_url(url)
        text = SCRIPT.replace("redis.call('TIME')", f"redis.call('HMGET', '{CLOCK}', 's', 'us')")
        assert text != SCRIPT
        self._script = self.client.register_script(text)
        self.client.delete(HASH)
        self.now = 0
        self.advance(0)

    def advance(self, us: int) -> None:
        self.now += us
        seconds, micro = divmod(BEGAN + self.now, 1_000_000)
        self.client.hset(CLOCK, mapping={"s": seconds, "us": micro})

    def answer(self, arguments: list[bytes | int]) -> list[int]:
        return cast("list[int]", self._script(keys=[HASH], args=cast("list[Any]", arguments)))


class OneGate:
    """A gate that uses what it gets at once."""

    def __init__(self, valkey: Valkey, name: str, *terms: LimitTerms, concurrency: int = 0) -> None:
        self.valkey = valkey
        self.name = name.encode()
        self.customer = Customer(1, 1)
        self.key = Terms(tuple(self.customer.limit(one) for one in terms), concurrency)
        self.allowance = Allowance(self.customer)
        self.used: list[int] = []

    def use(self) -> None:
        for limit in self.key.limits:  # what the judge does
            arrival = limit.after(self.valkey.now, 1)
            assert arrival >= 0, "Valkey's word must pass here"
            limit.arrival = arrival
        self.customer.in_flight += bool(self.key.concurrency)
        self.used.append(self.valkey.now)
        self.allowance.calls += 1
        self.allowance.usual = (self.key.limits, (1, 0, 0))

    def call(self, times: int = 1) -> tuple[int, int]:
        """How many were admitted, and how many refused for want of slots."""
        before = len(self.used)
        for _ in range(times):
            if self.allowance.cover(cast("Any", self.key), (1, 0, 0), self.valkey.now):
                self.use()
            else:
                waiter = Waiter(cast("Any", None), 0, cast("Any", self.key), (1, 0, 0))
                self.allowance.waiting.append(waiter)
        busy = 0
        while self.allowance.waiting:
            busy += self.ask()
        return len(self.used) - before, busy

    def ask(self) -> int:
        ask = self.allowance.ask(self.valkey.now)
        verdict = self.allowance.heard(ask, self.valkey.answer(ask.arguments(self.name)), self.valkey.now)
        for _ in verdict.granted:
            self.use()
        self.allowance.waiting += verdict.undecided
        return len(verdict.busy)

    def tick(self, elapsed_us: int) -> None:
        if self.allowance.tick(self.valkey.now, max(1, elapsed_us) / 1_000_000):
            self.ask()


@pytest.fixture
def valkey(valkey_url: str) -> Valkey:
    return Valkey(valkey_url)


def most_in_any_span(used: list[int], terms: LimitTerms) -> int:
    """By how many the limit was exceeded in the worst span; 0 if it held."""
    used = sorted(used)
    window_us, burst = terms.window_s * 1_000_000, terms.burst or terms.amount
    worst = 0
    for first, begin in enumerate(used):
        for last in range(first, len(used)):
            allowed = burst + (used[last] - begin) * terms.amount // window_us
            worst = max(worst, last - first + 1 - allowed)
    return worst


STEPS = st.lists(
    st.tuples(
        st.integers(0, 1),
        st.sampled_from([0, 1, 700, 20_000, 50_000, 90_000, 130_000, 400_000]),
        st.sampled_from([0, 1, 3, 9, 60, 150]),
    ),
    min_size=1,
    max_size=60,
)


@given(
    STEPS,
    st.sampled_from(
        [(10, 1, 20), (100, 1, 0), (7, 3, 3), (1000, 60, 30), (37, 2, 5), (1000, 1, 100), (500, 1, 400)]
    ),
)
@example([(1, 70_000, 60), (1, 0, 60), (0, 0, 60)], (1000, 1, 100))  # a slice, used late
@settings(max_examples=60)
def test_no_span_has_more_than_the_limit(
    valkey_url: str, steps: list[tuple[int, int, int]], numbers: tuple[int, int, int]
) -> None:
    valkey = Valkey(valkey_url)
    terms = LimitTerms("x", "requests", *numbers)
    gates = [OneGate(valkey, name, terms) for name in ("a", "b")]
    busy = [(0, 10_000, 3)] * 41  # the first gate has a busy customer, and takes slices
    for number, wait_us, calls in busy + steps:
        valkey.advance(wait_us)
        for gate in gates:
            gate.tick(wait_us)
        gates[number].call(calls)
    assert most_in_any_span(gates[0].used + gates[1].used, terms) == 0


def test_all_of_a_burst_can_be_used_through_any_gate(valkey: Valkey) -> None:
    terms = LimitTerms("x", "requests", 7, 3, 20)
    gates = [OneGate(valkey, name, terms) for name in ("a", "b")]
    assert gates[0].call(13)[0] == 13
    assert gates[1].call(40)[0] == 7
    valkey.advance(3_000_000)
    assert gates[0].call(40)[0] == 7


def test_a_busy_customer_is_served_from_slices(valkey: Valkey) -> None:
    gate = OneGate(valkey, "a", LimitTerms("x", "requests", 100_000, 1))
    asked = 0
    for _ in range(200):
        valkey.advance(5_000)
        gate.tick(5_000)
        asked += not gate.allowance.cover(cast("Any", gate.key), (1, 0, 0), valkey.now)
        gate.call(5)
    assert len(gate.used) == 1000
    assert asked < 30  # questions, not two hundred


def test_an_unused_slice_goes_back(valkey: Valkey) -> None:
    terms = LimitTerms("day", "requests", 1000, 86_400)
    gate, other = (OneGate(valkey, name, terms) for name in ("a", "b"))
    for _ in range(40):
        valkey.advance(10_000)
        gate.tick(10_000)
        gate.call(5)
    assert any(part.hand for part in gate.allowance.shared.values())
    for _ in range(4):
        valkey.advance(50_000)
        gate.tick(50_000)
    assert other.call(2000)[0] == 1000 - len(gate.used)


def test_slots_are_bound_over_gates_and_end_with_their_gate(valkey: Valkey) -> None:
    gate, other = (OneGate(valkey, name, concurrency=3) for name in ("a", "b"))
    assert gate.call(2) == (2, 0)
    assert other.call(2) == (1, 1)
    gate.customer.in_flight = 0
    gate.tick(50_000)
    gate.tick(50_000)  # idle for a whole tick: they go back
    assert other.call(3) == (2, 1)
    for _ in range(8):  # `other` is gone and renews nothing; `gate` goes on
        valkey.advance(1_000_000)
        gate.tick(1_000_000)
    assert gate.call(5) == (3, 2)


def test_an_emptied_valkey_gives_no_new_allowance(valkey: Valkey) -> None:
    gate = OneGate(valkey, "a", LimitTerms("day", "requests", 10, 86_400), concurrency=20)
    assert gate.call(10)[0] == 10
    valkey.client.delete(HASH)
    assert gate.call(1)[0] == 0
    valkey.client.delete(HASH)
    valkey.advance(3_000_000)
    gate.tick(3_000_000)  # slots are told again
    other = OneGate(valkey, "b", concurrency=20)
    assert other.call(20)[0] == 10


@given(st.integers(1, 50), st.integers(1, 500), st.integers(0, 500))
def test_fair_shares_are_no_more_than_the_whole(gates: int, amount: int, burst: int) -> None:
    whole = LimitTerms("x", "requests", amount, 60, burst)
    part = fair_share(whole, gates)
    assert part.amount * gates <= max(amount, gates)
    assert (part.burst or part.amount) * gates <= max(burst or amount, gates)
    assert part.amount >= 1
    assert share_of(0, gates) == 0
    assert share_of(burst + 1, gates) * gates <= max(burst + 1, gates)


def test_gates_are_counted_for_a_while_after_their_last_lease() -> None:
    peers = Peers()
    assert not peers.seen(0, 1.0)
    assert peers.seen(2, 2.0)
    assert peers.gates == 3
    assert not peers.seen(1, 30.0)
    assert not peers.seen(2, 40.0)
    assert not peers.seen(0, 99.0)
    assert peers.seen(0, 101.0)
    assert peers.gates == 1


def test_what_was_used_stays_used_when_shares_change() -> None:
    terms = LimitTerms("x", "requests", 12, 60)
    whole = Limit(terms)
    for _ in range(12):
        whole.arrival = whole.after(5, 1)
    part = carried_over(whole, Limit(fair_share(terms, 3)), 5)
    assert part.left(5) == 0
    assert part.full_in_us(5) == whole.full_in_us(5)
    again = carried_over(part, Limit(terms), 5)
    assert again.left(5) == 0
