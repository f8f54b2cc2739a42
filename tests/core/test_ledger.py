"""The rules of the ledger, as a machine that plays any history against them."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tollkeeper.core import ledger
from tollkeeper.core.ledger import GrantView, LedgerError, Leg

NOW = 1_000


def grant(
    number: int, remaining: int, *, priority: int = 0, ends: int | None = None, begins: int = 0
) -> GrantView:
    return GrantView(number, remaining, priority, begins, ends, created_at=number)


def test_the_order_is_priority_then_soonest_end_then_age() -> None:
    grants = [
        grant(1, 5, priority=1),
        grant(2, 5),
        grant(3, 5, ends=NOW + 20),
        grant(4, 5, ends=NOW + 10),
        grant(5, 5),
    ]
    assert [g.id for g in ledger.draw_order(grants, NOW)] == [4, 3, 2, 5, 1]


@pytest.mark.parametrize(
    "other",
    [grant(2, 0), grant(2, 5, ends=NOW), grant(2, 5, ends=NOW - 1), grant(2, 5, begins=NOW + 1)],
    ids=["empty", "over at this instant", "over", "not begun"],
)
def test_what_is_not_live_is_never_drawn(other: GrantView) -> None:
    assert ledger.carve([grant(1, 3), other], 100, NOW) == ((1, 3),)


def test_carve_takes_no_more_than_asked_and_says_what_is_short() -> None:
    grants = [grant(1, 3), grant(2, 4)]
    assert ledger.carve(grants, 5, NOW) == ((1, 3), (2, 2))
    assert ledger.take(grants, 9, NOW) == ledger.Taking(((1, 3), (2, 4)), 2)
    assert ledger.carve(grants, 0, NOW) == ()


def test_what_is_left_of_a_lease_goes_back_in_reverse() -> None:
    assert ledger.give_back(((1, 3), (2, 4)), 5) == ((2, 4), (1, 1))
    assert ledger.close_legs("L", ((1, 3), (2, 4)), 5) == (
        Leg("held:L", -5),
        Leg("grant:2", 4),
        Leg("grant:1", 1),
    )
    assert ledger.close_legs("L", ((1, 3),), 0) == ()


def test_amounts_that_cannot_be_are_refused() -> None:
    with pytest.raises(LedgerError, match="more left than were drawn"):
        ledger.give_back(((1, 3),), 4)
    with pytest.raises(LedgerError, match="negative"):
        ledger.use_legs("L", -1)
    with pytest.raises(LedgerError, match="negative"):
        ledger.carve([grant(1, 3)], -1, NOW)
    with pytest.raises(LedgerError, match="nothing is owed"):
        ledger.forgive_legs("used", 1)


@dataclass
class Given:
    amount: int
    priority: int
    ends: int | None
    born: int


@dataclass
class Book:
    """The smallest book that can be kept by the rules: a list of entries, nothing projected."""

    now: int = NOW
    entries: list[tuple[int, str, str, int]] = field(default_factory=list)
    keys: set[str] = field(default_factory=set)
    grants: dict[int, Given] = field(default_factory=dict)
    leases: dict[str, ledger.Sources] = field(default_factory=dict)
    closed: set[str] = field(default_factory=set)

    def post(self, key: str, legs: tuple[Leg, ...]) -> None:
        assert key not in self.keys, key
        assert ledger.balanced(legs)
        self.keys.add(key)
        self.entries += [(self.now, key, leg.account, leg.amount) for leg in legs]

    def sums(self, until: int | None = None) -> dict[str, int]:
        found: defaultdict[str, int] = defaultdict(int)
        for at, _, account, amount in self.entries:
            if until is None or at <= until:
                found[account] += amount
        return found

    def views(self) -> list[GrantView]:
        sums = self.sums()
        return [
            GrantView(n, sums[ledger.grant_account(n)], g.priority, 0, g.ends, g.born)
            for n, g in self.grants.items()
        ]

    def settle_owed(self) -> None:
        sums = self.sums()
        owed = -sums["debt"] - sums["overage"]
        if owed:
            sources = ledger.carve(self.views(), owed, self.now)
            self.post(f"cover:{len(self.keys)}", ledger.cover_legs(sources, -sums["debt"]))

    def expire(self) -> None:
        for view in self.views():
            if view.expires_at is not None and view.expires_at <= self.now and view.remaining:
                self.post(f"expire:{len(self.keys)}", ledger.expire_legs(view.id, view.remaining))


AMOUNTS = st.integers(1, 60)


class LedgerMachine(RuleBasedStateMachine):
    """Invariants 1 to 9 of the ledger, over any history of its rules."""

    def __init__(self) -> None:
        super().__init__()
        self.book = Book()
        self.spent = 0

    @rule(amount=AMOUNTS, priority=st.integers(0, 2), lasts=st.none() | st.integers(1, 20))
    def give(self, amount: int, priority: int, lasts: int | None) -> None:
        number = len(self.book.grants) + 1
        ends = None if lasts is None else self.book.now + lasts
        self.book.grants[number] = Given(amount, priority, ends, number)
        self.book.post(f"grant:{number}", ledger.issue_legs(number, amount))
        self.book.settle_owed()

    def in_order(self) -> list[tuple[int, int]]:
        """(grant, remaining) that may be spent now, in order: said here once more, not by the rules."""
        sums, now = self.book.sums(), self.book.now
        live = [
            (given.priority, given.ends or 10**9, given.born, number)
            for number, given in self.book.grants.items()
            if given.ends is None or given.ends > now
        ]
        return [(n, sums[f"grant:{n}"]) for *_, n in sorted(live) if sums[f"grant:{n}"]]

    @rule(amount=AMOUNTS)
    def lend(self, amount: int) -> None:
        expected, left = [], amount
        for number, remaining in self.in_order():
            if left:
                expected.append((number, min(left, remaining)))
                left -= expected[-1][1]
        sources = ledger.carve(self.book.views(), amount, self.book.now)
        assert sources == tuple(expected)
        if sources:
            name = f"L{len(self.book.leases)}"
            self.book.leases[name] = sources
            self.book.post(f"lease:{name}", ledger.lease_legs(name, sources))

    @precondition(lambda self: self.book.leases)
    @rule(data=st.data(), amount=AMOUNTS)
    def use(self, data: st.DataObject, amount: int) -> None:
        name = data.draw(st.sampled_from(sorted(self.book.leases)))
        held = self.book.sums()[ledger.held_account(name)]
        covered = min(amount, held) if name not in self.book.closed else 0
        self.book.post(f"settle:{len(self.book.keys)}", ledger.use_legs(name, covered))
        self.spent += amount
        taking = ledger.take(self.book.views(), amount - covered, self.book.now)
        self.book.post(f"late:{len(self.book.keys)}", ledger.late_legs(taking))

    @precondition(lambda self: set(self.book.leases) - self.book.closed)
    @rule(data=st.data())
    def close(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(set(self.book.leases) - self.book.closed)))
        left = self.book.sums()[ledger.held_account(name)]
        before = self.book.sums()
        self.book.post(f"close:{name}", ledger.close_legs(name, self.book.leases[name], left))
        after = self.book.sums()
        for number, drawn in self.book.leases[name]:
            account = ledger.grant_account(number)
            assert after[account] - before[account] <= drawn, "more came back than was drawn"
        self.book.closed.add(name)
        self.book.expire()
        self.book.settle_owed()

    @precondition(lambda self: self.book.grants)
    @rule(data=st.data(), amount=AMOUNTS, won=st.booleans())
    def claw(self, data: st.DataObject, amount: int, won: bool) -> None:
        number = data.draw(st.sampled_from(sorted(self.book.grants)))
        views = self.book.views()
        own = next(view for view in views if view.id == number)
        most = self.book.grants[number].amount - self.book.sums()[ledger.clawed_account(number)]
        taking = ledger.claw(own, views, min(amount, most), self.book.now)
        self.book.post(f"claw:{len(self.book.keys)}", ledger.claw_legs(number, taking))

        if won:
            legs = ledger.claw_legs(number, taking)
            owed = -self.book.sums()[ledger.DEBT]
            self.book.post(f"restore:{len(self.book.keys)}", ledger.unclaw_legs(number, legs, owed))
            self.book.expire()

    @rule(account=st.sampled_from([ledger.DEBT, ledger.OVERAGE]), amount=AMOUNTS)
    def forgive(self, account: str, amount: int) -> None:
        owed = -self.book.sums()[account]
        self.book.post(f"forgive:{len(self.book.keys)}", ledger.forgive_legs(account, min(amount, owed)))

    @rule(ticks=st.integers(1, 8))
    def wait(self, ticks: int) -> None:
        """Time passes; the sweeper may be late."""
        self.book.now += ticks

    @rule()
    def sweep(self) -> None:
        self.book.expire()
        sums = self.book.sums()
        for number, given in self.book.grants.items():
            if given.ends is not None and given.ends <= self.book.now:
                assert sums[ledger.grant_account(number)] == 0, "what is over holds nothing"

    @invariant()
    def every_transaction_sums_to_zero(self) -> None:
        by_key: defaultdict[str, int] = defaultdict(int)
        for _, key, _, amount in self.book.entries:
            by_key[key] += amount
        assert not any(by_key.values())

    @invariant()
    def all_that_was_spent_is_used(self) -> None:
        assert self.book.sums()[ledger.USED] == self.spent

    @invariant()
    def every_unit_is_somewhere(self) -> None:
        sums = self.book.sums()
        issued = -sums.pop(ledger.ISSUED, 0)
        assert issued == sum(sums.values())

    @invariant()
    def nothing_is_below_zero_but_what_is_owed(self) -> None:
        for account, total in self.book.sums().items():
            if account in (ledger.DEBT, ledger.OVERAGE, ledger.ISSUED):
                assert total <= 0, account
            else:
                assert total >= 0, account

    @invariant()
    def never_more_clawed_than_given(self) -> None:
        sums = self.book.sums()
        for number, given in self.book.grants.items():
            assert sums[ledger.clawed_account(number)] <= given.amount

    @invariant()
    def closed_leases_hold_nothing(self) -> None:
        sums = self.book.sums()
        assert all(sums[ledger.held_account(name)] == 0 for name in self.book.closed)

    @invariant()
    def the_past_stays_as_it_was(self) -> None:
        for at in (NOW, self.book.now - 1):
            sums = self.book.sums(at)
            assert sum(sums.values()) == 0


LedgerMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestLedger = LedgerMachine.TestCase
