"""The ledger drill holds in its small profile, and sees a rule that is wrong."""

from __future__ import annotations

import random

import pytest

from tollkeeper.core import ledger
from tollkeeper.drills._ledger_book import Violation, play
from tollkeeper.drills._ledger_faults import FAULTS


def test_the_rules_hold_in_random_histories() -> None:
    for seed in range(60):
        play(random.Random(seed), 40)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_seeded_fault_is_found(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rule, faulty = FAULTS[fault]
    monkeypatch.setattr(ledger, rule, faulty)

    def all_of_them() -> None:
        for seed in range(1500):
            play(random.Random(seed), 40)

    with pytest.raises((Violation, ledger.LedgerError)):
        all_of_them()
