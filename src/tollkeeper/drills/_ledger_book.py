"""The smallest book that can be kept by the ledger's rules, and a player of random histories on it.

Nothing is projected: every sum is reckoned from the entries, and what the rules answer
is compared with what is reckoned here a second way.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field

from tollkeeper.core import ledger
from tollkeeper.core.ledger import GrantView, Leg

START = 1_000


class Violation(AssertionError):
    """An invariant does not hold; the text names it."""


def must(holds: bool, invariant: str) -> None:
    """Raise :class:`Violation` unless it holds."""
    if not holds:
        raise Violation(invariant)


@dataclass(frozen=True, slots=True)
class Given:
    """A grant as it was given."""

    amount: int
    priority: int
    ends: int | None


@dataclass
class Book:
    """Entries (instant, key, account, amount) and what they are about."""

    now: int = START
    entries: list[tuple[int, str, str, int]] = field(default_factory=list)
    keys: set[str] = field(default_factory=set)
    grants: dict[int, Given] = field(default_factory=dict)
    leases: dict[str, ledger.Sources] = field(default_factory=dict)
    closed: set[str] = field(default_factory=set)
    claws: list[tuple[int, tuple[Leg, ...]]] = field(default_factory=list)
    spent: int = 0

    def post(self, key: str, legs: tuple[Leg, ...]) -> None:
        """Book once per key."""
        if key in self.keys:
            return
        self.keys.add(key)
        self.entries += [(self.now, key, leg.account, leg.amount) for leg in legs]

    def fresh(self, kind: str) -> str:
        """A key that was never used."""
        return f"{kind}:{len(self.keys)}"

    def sums(self, until: int | None = None) -> dict[str, int]:
        """Every account's balance, at any instant."""
        found: defaultdict[str, int] = defaultdict(int)
        for at, _, account, amount in self.entries:
            if until is None or at <= until:
                found[account] += amount
        return found

    def views(self) -> list[GrantView]:
        """The grants as the rules see them."""
        sums = self.sums()
        return [
            GrantView(n, sums[f"grant:{n}"], given.priority, 0, given.ends, n)
            for n, given in self.grants.items()
        ]

    def in_order(self) -> list[tuple[int, int]]:
        """(grant, remaining) that may be spent now, in order: said here once more, not by the rules."""
        sums = self.sums()
        live = [
            (given.priority, given.ends or 10**9, number)
            for number, given in self.grants.items()
            if given.ends is None or given.ends > self.now
        ]
        return [(n, sums[f"grant:{n}"]) for *_, n in sorted(live) if sums[f"grant:{n}"]]

    def sweep(self) -> None:
        """Book what ran out."""
        for view in self.views():
            if view.expires_at is not None and view.expires_at <= self.now and view.remaining:
                self.post(self.fresh("expire"), ledger.expire_legs(view.id, view.remaining))

    def settle_owed(self) -> None:
        """Pay what is owed from what there is."""
        sums = self.sums()
        owed = -sums["debt"] - sums["overage"]
        if owed > 0:
            sources = ledger.carve(self.views(), owed, self.now)
            self.post(self.fresh("cover"), ledger.cover_legs(sources, -sums["debt"]))

    def check(self) -> None:
        """Every invariant that holds after any step."""
        by_key: defaultdict[str, int] = defaultdict(int)
        for _, key, _, amount in self.entries:
            by_key[key] += amount
        must(not any(by_key.values()), "every transaction sums to zero")
        sums = self.sums()
        rest = {account: total for account, total in sums.items() if account != ledger.ISSUED}
        must(-sums[ledger.ISSUED] == sum(rest.values()), "every unit is somewhere")
        for account, total in rest.items():
            owed = account in (ledger.DEBT, ledger.OVERAGE)
            must(total <= 0 if owed else total >= 0, f"{account.partition(':')[0]} on the right side of zero")
        for number, given in self.grants.items():
            must(sums[f"clawed:{number}"] <= given.amount, "never more clawed than given")
        must(all(not sums[f"held:{name}"] for name in self.closed), "a closed lease holds nothing")
        must(sums[ledger.USED] == self.spent, "all that was spent is used, once")
        must(sum(self.sums(self.now - 1).values()) == 0, "the past sums to zero")


def play(chance: random.Random, steps: int) -> Book:
    """A random history; raises :class:`Violation`, or what a rule raises."""
    book = Book()
    moves: tuple[Callable[[random.Random, Book], None], ...] = (
        _give, _give, _lend, _lend, _use, _use, _close,
        _claw, _claw, _restore, _forgive, _wait, _sweep, _again,
    )  # fmt: skip
    for _ in range(steps):
        chance.choice(moves)(chance, book)
        book.check()
    return book


def _give(chance: random.Random, book: Book) -> None:
    number = len(book.grants) + 1
    ends = None if chance.random() < 0.4 else book.now + chance.randint(1, 20)
    given = Given(chance.randint(1, 60), chance.randint(0, 2), ends)
    book.grants[number] = given
    book.post(f"grant:{number}", ledger.issue_legs(number, given.amount))
    must(book.sums()[f"grant:{number}"] == given.amount, "a grant gives what it says")
    book.settle_owed()


def _lend(chance: random.Random, book: Book) -> None:
    left, expected = chance.randint(1, 60), []
    amount = left
    for number, remaining in book.in_order():
        if left:
            expected.append((number, min(left, remaining)))
            left -= expected[-1][1]
    sources = ledger.carve(book.views(), amount, book.now)
    must(sources == tuple(expected), "units are drawn in order, from live grants only")
    if sources:
        name = f"L{len(book.leases)}"
        book.leases[name] = sources
        book.post(f"lease:{name}", ledger.lease_legs(name, sources))


def _use(chance: random.Random, book: Book) -> None:
    if not book.leases:
        return
    name = chance.choice(sorted(book.leases))
    amount = chance.randint(0, 60)
    held = book.sums()[f"held:{name}"] if name not in book.closed else 0
    covered = min(amount, held)
    book.post(book.fresh("settle"), ledger.use_legs(name, covered))
    taking = ledger.take(book.views(), amount - covered, book.now)
    book.post(book.fresh("late"), ledger.late_legs(taking))
    book.spent += amount


def _close(chance: random.Random, book: Book) -> None:
    open_ones = sorted(set(book.leases) - book.closed)
    if not open_ones:
        return
    name = chance.choice(open_ones)
    before, left = book.sums(), book.sums()[f"held:{name}"]
    book.post(f"close:{name}", ledger.close_legs(name, book.leases[name], left))
    after, back = book.sums(), left
    for number, drawn in reversed(book.leases[name]):
        part = min(drawn, back)
        must(after[f"grant:{number}"] - before[f"grant:{number}"] == part, "what is left returns in reverse")
        back -= part
    book.closed.add(name)
    book.sweep()
    book.settle_owed()


def _claw(chance: random.Random, book: Book) -> None:
    if not book.grants:
        return
    number = chance.choice(sorted(book.grants))
    views = book.views()
    own = next(view for view in views if view.id == number)
    most = book.grants[number].amount - book.sums()[f"clawed:{number}"]
    amount = min(chance.randint(1, 60), most)
    legs = ledger.claw_legs(number, ledger.claw(own, views, amount, book.now))
    before = book.sums()
    book.post(book.fresh("claw"), legs)
    must(book.sums()[f"clawed:{number}"] == before[f"clawed:{number}"] + amount, "what is clawed is clawed")
    if legs:
        book.claws.append((number, legs))


def _restore(chance: random.Random, book: Book) -> None:
    """A dispute won, at once or much later."""
    if not book.claws:
        return
    number, legs = book.claws.pop(chance.randrange(len(book.claws)))
    before, owed = book.sums(), -book.sums()["debt"]
    amount = next(leg.amount for leg in legs if leg.account == f"clawed:{number}")
    book.post(book.fresh("restore"), ledger.unclaw_legs(number, legs, owed))
    must(
        book.sums()[f"clawed:{number}"] == before[f"clawed:{number}"] - amount, "a claw-back is undone whole"
    )
    book.sweep()


def _forgive(chance: random.Random, book: Book) -> None:
    account = chance.choice((ledger.DEBT, ledger.OVERAGE))
    owed = -book.sums()[account]
    book.post(book.fresh("forgive"), ledger.forgive_legs(account, min(chance.randint(0, 60), max(0, owed))))


def _wait(chance: random.Random, book: Book) -> None:
    book.now += chance.randint(1, 8)


def _sweep(chance: random.Random, book: Book) -> None:
    book.sweep()
    sums = book.sums()
    for number, given in book.grants.items():
        if given.ends is not None and given.ends <= book.now:
            must(not sums[f"grant:{number}"], "what is over holds nothing after the sweep")


def _again(chance: random.Random, book: Book) -> None:
    """The same key a second time changes nothing."""
    if book.keys:
        before = dict(book.sums())
        book.post(chance.choice(sorted(book.keys)), (Leg("issued", -7), Leg("used", 7)))
        must(dict(book.sums()) == before, "the same key twice changes nothing")
