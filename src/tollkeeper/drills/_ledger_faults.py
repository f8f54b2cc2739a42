"""Faults to seed into the ledger's rules, each a mistake somebody could make."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from tollkeeper.core import ledger
from tollkeeper.core.ledger import GrantView, Leg, Sources, Taking

REAL: dict[str, Callable[..., Any]] = {
    name: getattr(ledger, name)
    for name in ("take", "give_back", "late_legs", "expire_legs", "claw", "use_legs", "unclaw_legs")
}


def _ignores_the_end(grant: GrantView, now: int) -> bool:
    return grant.effective_at <= now and grant.remaining > 0


def _last_moment_counts(grant: GrantView, now: int) -> bool:
    over = grant.expires_at is not None and grant.expires_at < now
    return grant.effective_at <= now and not over and grant.remaining > 0


def _priority_backwards(grants: Iterable[GrantView], now: int) -> list[GrantView]:
    return sorted((g for g in grants if ledger.is_live(g, now)), key=lambda g: -g.priority)


def _latest_end_first(grants: Iterable[GrantView], now: int) -> list[GrantView]:
    live = (g for g in grants if ledger.is_live(g, now))
    return sorted(live, key=lambda g: (g.priority, -(g.expires_at or 10**9), g.created_at))


def _takes_too_much(grants: Iterable[GrantView], amount: int, now: int) -> Taking:
    taking: Taking = REAL["take"](grants, amount, now)
    if taking.short and taking.sources:
        (number, part), *rest = taking.sources
        return Taking(((number, part + 1), *rest), taking.short - 1)
    return taking


def _forgets_the_last(sources: Sources, left: int) -> Sources:
    return tuple(REAL["give_back"](sources, left)[:-1])


def _gives_back_forward(sources: Sources, left: int) -> Sources:
    back = []
    for number, drawn in sources:
        part = min(drawn, left)
        if part:
            back.append((number, part))
            left -= part
    return tuple(back)


def _late_use_is_free(taking: Taking) -> tuple[Leg, ...]:
    return tuple(REAL["late_legs"](Taking(taking.sources, 0)))


def _pays_too_much_debt(sources: Sources, debt: int) -> tuple[Leg, ...]:
    paid = sum(part for _, part in sources)
    return (*(Leg(f"grant:{g}", -part) for g, part in sources), *((Leg("debt", paid),) if paid else ()))


def _leaves_one_behind(grant_id: int, remaining: int) -> tuple[Leg, ...]:
    return tuple(REAL["expire_legs"](grant_id, remaining - 1))


def _claws_the_own_twice(own: GrantView, others: Iterable[GrantView], amount: int, now: int) -> Taking:
    first = min(amount, own.remaining)
    rest = ledger.take(others, amount - first, now)
    return Taking(((own.id, first), *rest.sources), rest.short)


def _loses_a_unit(grant_id: int, amount: int) -> tuple[Leg, ...]:
    return (Leg("issued", -amount), Leg(f"grant:{grant_id}", amount - 1))


def _gives_a_unit_more(grant_id: int, amount: int) -> tuple[Leg, ...]:
    return (Leg("issued", -amount - 1), Leg(f"grant:{grant_id}", amount + 1))


def _uses_less(lease_id: str, used: int) -> tuple[Leg, ...]:
    return tuple(REAL["use_legs"](lease_id, max(0, used - 1)))


def _cancels_debt_that_is_paid(grant_id: int, taken: Any, owed: int) -> tuple[Leg, ...]:
    return tuple(REAL["unclaw_legs"](grant_id, taken, 10**9))


def _debt_never_grows(grant_id: int, taking: Taking) -> tuple[Leg, ...]:
    legs = [Leg(f"grant:{grant}", -part) for grant, part in taking.sources if part]
    total = -sum(leg.amount for leg in legs)
    return (*legs, Leg(f"clawed:{grant_id}", total)) if total else ()


FAULTS: dict[str, tuple[str, Callable[..., Any]]] = {
    "ignores the end of a grant": ("is_live", _ignores_the_end),
    "spends in the instant a grant ends": ("is_live", _last_moment_counts),
    "spends by priority backwards": ("draw_order", _priority_backwards),
    "spends what lasts longest first": ("draw_order", _latest_end_first),
    "takes more than a grant has": ("take", _takes_too_much),
    "forgets a source when giving back": ("give_back", _forgets_the_last),
    "gives back in the order of drawing": ("give_back", _gives_back_forward),
    "makes late use free": ("late_legs", _late_use_is_free),
    "pays debt that nobody owes": ("cover_legs", _pays_too_much_debt),
    "leaves a unit in an expired grant": ("expire_legs", _leaves_one_behind),
    "claws the same units twice": ("claw", _claws_the_own_twice),
    "loses a unit when issuing": ("issue_legs", _loses_a_unit),
    "gives a unit more than was bought": ("issue_legs", _gives_a_unit_more),
    "forgets a unit of every use": ("use_legs", _uses_less),
    "cancels debt that was paid already": ("unclaw_legs", _cancels_debt_that_is_paid),
    "lets spent units go when clawing": ("claw_legs", _debt_never_grows),
}
"""What goes wrong → the rule and its faulty twin."""
