"""The rules of the unit ledger: double entry, integers in micro-units, nothing else.

Every function answers with *legs* (account, amount) that sum to zero, or with a
plan of how much to take from which grant. Nothing here reads a clock or a
table: instants are microseconds since the epoch, and callers write what is
answered in one transaction.

Accounts of one customer and one unit:

``issued``          all units ever given, negative
``grant:<id>``      what may still be spent of one grant
``held:<lease>``    lent to a gate
``used``            spent
``expired``         ran out unspent
``clawed:<grant>``  taken back after a refund or a lost dispute
``debt``            clawed after it was spent, zero or negative
``overage``         spent without cover because the truth came late, zero or negative
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

ISSUED, USED, EXPIRED, DEBT, OVERAGE = "issued", "used", "expired", "debt", "overage"

Sources = tuple[tuple[int, int], ...]
"""(grant id, micro-units) pairs in the order they were drawn."""


class LedgerError(ValueError):
    """An amount that no rule allows: negative, or more than there is."""


@dataclass(frozen=True, slots=True)
class GrantView:
    """What the rules need to know of one grant. ``expires_at`` None means never."""

    id: int
    remaining: int
    priority: int
    effective_at: int
    expires_at: int | None
    created_at: int


@dataclass(frozen=True, slots=True)
class Leg:
    """One side of a ledger transaction, in micro-units."""

    account: str
    amount: int


@dataclass(frozen=True, slots=True)
class Taking:
    """How an amount is covered: from grants, and what nothing covers."""

    sources: Sources
    short: int


def grant_account(grant_id: int) -> str:
    """Account of what is left of a grant."""
    return f"grant:{grant_id}"


def held_account(lease_id: str) -> str:
    """Account of what a lease still holds."""
    return f"held:{lease_id}"


def clawed_account(grant_id: int) -> str:
    """Account of what was taken back of a grant."""
    return f"clawed:{grant_id}"


def balanced(legs: Iterable[Leg]) -> bool:
    """True if the legs sum to zero."""
    return sum(leg.amount for leg in legs) == 0


def is_live(grant: GrantView, now: int) -> bool:
    """Begun, not over, and not empty at ``now``. Over at ``expires_at`` itself."""
    begun = grant.effective_at <= now
    over = grant.expires_at is not None and grant.expires_at <= now
    return begun and not over and grant.remaining > 0


def draw_order(grants: Iterable[GrantView], now: int) -> list[GrantView]:
    """Live grants in the order they are spent: priority, then soonest to expire, then oldest."""
    return sorted(
        (grant for grant in grants if is_live(grant, now)),
        key=lambda g: (g.priority, g.expires_at is None, g.expires_at or 0, g.created_at, g.id),
    )


def carve(grants: Iterable[GrantView], amount: int, now: int) -> Sources:
    """Take up to ``amount`` from live grants in draw order; less where there is less."""
    return take(grants, amount, now).sources


def take(grants: Iterable[GrantView], amount: int, now: int) -> Taking:
    """Like :func:`carve`, and says what was not covered."""
    _not_negative(amount)
    taken: list[tuple[int, int]] = []
    left = amount
    for grant in draw_order(grants, now):
        part = min(left, grant.remaining)
        if part:
            taken.append((grant.id, part))
            left -= part
        if not left:
            break
    return Taking(tuple(taken), left)


def issue_legs(grant_id: int, amount: int) -> tuple[Leg, ...]:
    """Units given."""
    _not_negative(amount)
    return _pair(ISSUED, grant_account(grant_id), amount)


def lease_legs(lease_id: str, sources: Sequence[tuple[int, int]]) -> tuple[Leg, ...]:
    """Units lent to a gate, out of grants."""
    return _out_of(sources, held_account(lease_id))


def use_legs(lease_id: str, used: int) -> tuple[Leg, ...]:
    """Units of a lease that were spent; the caller sees to it that it held as many."""
    _not_negative(used)
    return _pair(held_account(lease_id), USED, used)


def give_back(sources: Sequence[tuple[int, int]], left: int) -> Sources:
    """Where ``left`` units of a lease return to: the reverse of the order they were drawn in."""
    _not_negative(left)
    back: list[tuple[int, int]] = []
    for grant_id, drawn in reversed(sources):
        part = min(drawn, left)
        if part:
            back.append((grant_id, part))
            left -= part
    if left:
        raise LedgerError(f"{left} micro-units more left than were drawn")
    return tuple(back)


def close_legs(lease_id: str, sources: Sequence[tuple[int, int]], left: int) -> tuple[Leg, ...]:
    """The end of a lease: what it still holds goes back to its grants."""
    back = give_back(sources, left)
    if not left:
        return ()
    return (Leg(held_account(lease_id), -left), *(Leg(grant_account(g), part) for g, part in back))


def late_legs(taking: Taking) -> tuple[Leg, ...]:
    """Use that no lease holds any more: paid by grants, the rest is overage."""
    legs = list(_out_of(taking.sources, USED))
    legs += _pair(OVERAGE, USED, taking.short)
    return tuple(legs)


def expire_legs(grant_id: int, remaining: int) -> tuple[Leg, ...]:
    """What is left of a grant whose time is over."""
    _not_negative(remaining)
    return _pair(grant_account(grant_id), EXPIRED, remaining)


def claw(own: GrantView, others: Iterable[GrantView], amount: int, now: int) -> Taking:
    """How ``amount`` is taken back of ``own``: first what it has, then other live grants.

    What is short was spent or is lent, and becomes debt. ``own`` is taken from
    whether or not it is live.
    """
    _not_negative(amount)
    first = min(amount, own.remaining)
    rest = take((grant for grant in others if grant.id != own.id), amount - first, now)
    sources = ((own.id, first), *rest.sources) if first else rest.sources
    return Taking(sources, rest.short)


def claw_legs(grant_id: int, taking: Taking) -> tuple[Leg, ...]:
    """Units taken back of a grant; what is short is owed."""
    legs = [Leg(grant_account(grant), -part) for grant, part in taking.sources if part]
    if taking.short:
        legs.append(Leg(DEBT, -taking.short))
    total = -sum(leg.amount for leg in legs)
    return (*legs, Leg(clawed_account(grant_id), total)) if total else ()


def unclaw_legs(grant_id: int, taken: Sequence[Leg], owed: int) -> tuple[Leg, ...]:
    """A claw-back undone (a dispute won); ``taken`` are its legs, ``owed`` is the debt now.

    Every grant gets back what it gave. Debt that was made is cancelled as far as it
    is still owed; what was paid of it since returns to the clawed grant.
    """
    account = clawed_account(grant_id)
    back: dict[str, int] = {}
    for leg in taken:
        if leg.account == account:
            back[account] = back.get(account, 0) - leg.amount
        elif leg.account == DEBT:
            cancelled = min(owed, -leg.amount)
            back[DEBT] = cancelled
            own = grant_account(grant_id)
            back[own] = back.get(own, 0) - leg.amount - cancelled
        else:
            back[leg.account] = back.get(leg.account, 0) - leg.amount
    return tuple(Leg(name, amount) for name, amount in back.items() if amount)


def cover_legs(sources: Sequence[tuple[int, int]], debt: int) -> tuple[Leg, ...]:
    """What is owed, paid from grants: up to ``debt`` of it is debt, the rest overage."""
    paid = sum(part for _, part in sources)
    to_debt = min(debt, paid)
    legs = [Leg(grant_account(grant), -part) for grant, part in sources]
    legs += [Leg(account, part) for account, part in ((DEBT, to_debt), (OVERAGE, paid - to_debt)) if part]
    return tuple(legs)


def forgive_legs(account: str, amount: int) -> tuple[Leg, ...]:
    """What is owed, written off or billed otherwise: units are issued against it."""
    _not_negative(amount)
    if account not in (DEBT, OVERAGE):
        raise LedgerError(f"nothing is owed on {account!r}")
    return _pair(ISSUED, account, amount)


def _not_negative(amount: int) -> None:
    if amount < 0:
        raise LedgerError(f"an amount cannot be negative: {amount}")


def _pair(source: str, target: str, amount: int) -> tuple[Leg, ...]:
    return (Leg(source, -amount), Leg(target, amount)) if amount else ()


def _out_of(sources: Sequence[tuple[int, int]], target: str) -> tuple[Leg, ...]:
    total = sum(part for _, part in sources)
    if not total:
        return ()
    return (*(Leg(grant_account(grant), -part) for grant, part in sources), Leg(target, total))
