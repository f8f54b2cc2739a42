"""The test of the test: faults seeded into the rules are found by the machine that plays histories."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.core.test_ledger import LedgerMachine
from tollkeeper.core import ledger
from tollkeeper.core.ledger import GrantView, Leg, Taking

REAL: dict[str, Callable[..., Any]] = {
    name: getattr(ledger, name)
    for name in (
        "is_live",
        "draw_order",
        "take",
        "give_back",
        "late_legs",
        "cover_legs",
        "expire_legs",
        "claw",
    )
}


def _ignores_the_end(grant: GrantView, now: int) -> bool:
    return grant.effective_at <= now and grant.remaining > 0


def _oldest_first(grants: Any, now: int) -> list[GrantView]:
    return sorted((g for g in grants if ledger.is_live(g, now)), key=lambda g: -g.priority)


def _takes_too_much(grants: Any, amount: int, now: int) -> Taking:
    taking = REAL["take"](grants, amount, now)
    if taking.short and taking.sources:
        (number, part), *rest = taking.sources
        return Taking(((number, part + 1), *rest), taking.short - 1)
    return taking


def _forgets_the_last(sources: Any, left: int) -> Any:
    return REAL["give_back"](sources, left)[:-1]


def _gives_back_forward(sources: Any, left: int) -> Any:
    back, rest = [], left
    for number, _ in sources[:1]:
        back.append((number, rest))
    return tuple(back) if left else ()


def _late_use_is_free(taking: Taking) -> tuple[Leg, ...]:
    return REAL["late_legs"](Taking(taking.sources, 0))


def _pays_too_much_debt(sources: Any, debt: int) -> tuple[Leg, ...]:
    paid = sum(part for _, part in sources)
    return (*(Leg(f"grant:{g}", -part) for g, part in sources), *((Leg("debt", paid),) if paid else ()))


def _leaves_one_behind(grant_id: int, remaining: int) -> tuple[Leg, ...]:
    return REAL["expire_legs"](grant_id, remaining - 1)


def _claws_the_own_twice(own: GrantView, others: Any, amount: int, now: int) -> Taking:
    first = min(amount, own.remaining)
    rest = ledger.take(others, amount - first, now)
    return Taking(((own.id, first), *rest.sources), rest.short)


def _loses_a_unit(grant_id: int, amount: int) -> tuple[Leg, ...]:
    return (Leg("issued", -amount), Leg(f"grant:{grant_id}", amount - 1))


FAULTS: dict[str, tuple[str, Callable[..., Any]]] = {
    "ignores the end of a grant": ("is_live", _ignores_the_end),
    "spends in the wrong order": ("draw_order", _oldest_first),
    "takes more than a grant has": ("take", _takes_too_much),
    "forgets a source when giving back": ("give_back", _forgets_the_last),
    "gives all back to one grant": ("give_back", _gives_back_forward),
    "makes late use free": ("late_legs", _late_use_is_free),
    "pays debt that nobody owes": ("cover_legs", _pays_too_much_debt),
    "leaves a unit in an expired grant": ("expire_legs", _leaves_one_behind),
    "claws the same units twice": ("claw", _claws_the_own_twice),
    "loses a unit when issuing": ("issue_legs", _loses_a_unit),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_seeded_fault_is_found(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    name, faulty = FAULTS[fault]
    monkeypatch.setattr(ledger, name, faulty)
    with pytest.raises((AssertionError, ledger.LedgerError)):
        run_state_machine_as_test(
            LedgerMachine,
            settings=settings(
                max_examples=400,
                stateful_step_count=30,
                deadline=None,
                phases=[Phase.generate],
                derandomize=True,
            ),
        )
