"""The unit ledger under any history, and the checks of it under seeded faults.

Three stages: the pure rules under random histories; the same with a fault seeded into
one rule at a time, which must be found; and the tables themselves, with a gate's leases,
journals, claw-backs and crashes, checked by ``book check`` on the way.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from unittest import mock

from tollkeeper.core import ledger
from tollkeeper.core.rehearsal import Figure, Outcome, Scene
from tollkeeper.drills import _ledger_tables
from tollkeeper.drills._ledger_book import Violation, play
from tollkeeper.drills._ledger_faults import FAULTS

SUMMARY = "Any history of grants, leases, refunds and expiry: no unit lost or made; seeded faults found."
STEPS = 40
TRIES = 2_000
"""Histories in which a seeded fault must show."""


def run(scene: Scene) -> Outcome:
    """Play the three stages."""
    histories = 300 if scene.quick else 10_000
    violations = sum(_breaks(scene.seed * 15_485_863 + n) for n in _told(scene, histories))
    missed = [name for name in FAULTS if not _found(name, scene)]
    tables = _ledger_tables.play(scene, 10 if scene.quick else 400)
    figures: dict[str, Figure] = {
        "histories": histories,
        "steps": histories * STEPS,
        "violations": violations,
        "faults_seeded": len(FAULTS),
        "faults_caught": len(FAULTS) - len(missed),
        "faults_missed": ", ".join(missed),
        "table_histories": tables.histories,
        "table_steps": tables.steps,
        "table_faults": tables.faults,
        "oversold": tables.oversold,
        "calls": tables.calls,
        "lost_calls": tables.lost,
        "double_calls": tables.double,
    }
    bad = violations + tables.faults + tables.oversold + tables.lost + tables.double
    return Outcome(not bad and not missed, figures)


def _told(scene: Scene, count: int) -> Iterator[int]:
    for number in range(count):
        if number % 100 == 0:
            scene.say(number, count, "histories of the rules")
        yield number
    scene.say(count, count, "histories of the rules")


def _breaks(seed: int) -> bool:
    """Whether the rules break an invariant in the history of this seed."""
    try:
        play(random.Random(seed), STEPS)  # noqa: S311 - repeatable on purpose
    except (Violation, ledger.LedgerError):
        return True
    return False


def _found(name: str, scene: Scene) -> bool:
    """Whether the player finds a fault that is seeded into one rule."""
    rule, faulty = FAULTS[name]
    with mock.patch.object(ledger, rule, faulty):
        return any(_breaks(scene.seed * 32_452_843 + number) for number in range(TRIES))
