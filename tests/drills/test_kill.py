"""A killed gate loses no call and charges none twice; and a call that is lost or doubled is seen."""

from __future__ import annotations

import pytest

from tests.drills.playing import play
from tollkeeper.core.charges import Outcome
from tollkeeper.core.terms import MICRO
from tollkeeper.drills.kill import judge

OK, KILLED = int(Outcome.OK), int(Outcome.KILLED)
A, B = ("a", OK, MICRO), ("b", KILLED, 0)


def test_the_small_profile_holds() -> None:
    figures = play("kill")
    assert figures["lost"] == figures["double"] == figures["wrongly_charged"] == 0
    assert figures["answered"] > 0


def test_a_history_without_a_fault_is_clean() -> None:
    found = judge(["a"], 2, ["a", "b"], ["a"], [A, B], MICRO)
    assert (found["lost"], found["double"], found["wrongly_charged"], found["open_at_death"]) == (0, 0, 0, 1)


@pytest.mark.parametrize(
    ("figure", "history"),
    [
        ("lost", (["a"], 1, ["a"], [], [("a", KILLED, 0)], 0)),
        ("lost", ([], 2, ["a", "b"], ["a"], [A], MICRO)),
        ("lost", ([], 2, ["a"], ["a"], [A], MICRO)),
        ("double", (["a"], 1, ["a"], ["a", "a"], [A], MICRO)),
        ("double", (["a"], 1, ["a"], ["a"], [A, A], 2 * MICRO)),
        ("double", (["a"], 1, ["a"], ["a"], [A, B], MICRO)),
        ("wrongly_charged", ([], 2, ["a", "b"], ["a"], [A, ("b", KILLED, MICRO)], 2 * MICRO)),
        ("wrongly_charged", (["a"], 1, ["a"], ["a"], [A], 2 * MICRO)),
    ],
    ids=[
        "answered and free",
        "admitted and gone",
        "reached the upstream unadmitted",
        "settled twice",
        "booked twice",
        "booked out of nothing",
        "an open call that costs",
        "the ledger took more",
    ],
)
def test_a_fault_is_seen(figure: str, history: tuple) -> None:  # type: ignore[type-arg]
    assert judge(*history)[figure] > 0
