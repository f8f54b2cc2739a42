"""The drill's rules hold in a small run, and the drill has teeth."""

from __future__ import annotations

import pytest

from tollkeeper.core import settlement
from tollkeeper.drills import webhooks


def wrong(count: int = 150, **options: object) -> int:
    return sum(not webhooks.one_history(seed, **options)[0] for seed in range(count))  # type: ignore[arg-type]


def test_every_small_history_ends_in_the_truth_and_delivers_once() -> None:
    outcomes = [webhooks.one_history(seed) for seed in range(400)]
    assert all(right for right, *_ in outcomes)
    assert max(delivered for _, delivered, *_ in outcomes) == 1


def test_with_every_event_lost_only_the_sweeper_knows() -> None:
    assert wrong(lost=1.0) == 0
    assert wrong(lost=1.0, sweep=False) > 20


def test_acting_on_each_event_goes_wrong() -> None:
    outcomes = [webhooks.one_history(seed) for seed in range(300)]
    assert sum(not naive for _, _, naive, _ in outcomes) > 30
    assert max(naive_delivered for *_, naive_delivered in outcomes) > 1


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("absorb_dispute", lambda state, told: state if state != "inquiry" else told.state),
        ("absorb_refund", lambda state, told: "succeeded"),
        ("absorb", lambda charge, told, order: charge),
    ],
)
def test_a_seeded_fault_is_caught(monkeypatch: pytest.MonkeyPatch, name: str, fault: object) -> None:
    monkeypatch.setattr(webhooks, name, fault)
    assert wrong(300) > 0


def test_a_derivation_that_forgets_disputes_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = settlement.derive

    def forgetful(due, charges, refunds=(), disputes=()):  # type: ignore[no-untyped-def]
        return whole(due, charges, refunds)

    monkeypatch.setattr(webhooks, "derive", forgetful)
    assert wrong(300) > 0
