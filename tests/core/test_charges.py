"""The charge table is complete and means what it says."""

from __future__ import annotations

import pytest

from tollkeeper.core.charges import TABLE, Outcome, charge
from tollkeeper.core.records import ABSENT, ESTIMATED


@pytest.mark.parametrize("protocol", TABLE)
def test_every_outcome_has_a_rule(protocol: str) -> None:
    assert set(TABLE[protocol]) == set(Outcome)


@pytest.mark.parametrize("protocol", TABLE)
@pytest.mark.parametrize(
    "outcome",
    [
        *(Outcome.UNREACHABLE, Outcome.TIMED_OUT, Outcome.SERVER_ERROR, Outcome.KILLED, Outcome.CLIENT_ERROR),
        *(Outcome.EMPTY, Outcome.NOT_MODIFIED),
    ],
)
def test_failures_cost_nothing(protocol: str, outcome: Outcome) -> None:
    assert charge(outcome, protocol, 7, 9, estimated=False) == (0, 0)


def test_absent_zero_and_estimated_are_three_things() -> None:
    assert charge(Outcome.OK, "openai", None, 9, estimated=False) == (9, ABSENT)
    assert charge(Outcome.OK, "openai", 0, 9, estimated=False) == (0, 0)
    assert charge(Outcome.OK, "openai", 4, 9, estimated=True) == (4, ESTIMATED)


def test_who_leaves_a_stream_pays_for_what_was_seen() -> None:
    assert charge(Outcome.CLIENT_LEFT_DURING, "openai", 4, 9, estimated=True) == (4, ESTIMATED)
    assert charge(Outcome.CLIENT_LEFT_DURING, "openai", None, 9, estimated=False) == (0, ABSENT)
    assert charge(Outcome.CLIENT_LEFT_DURING, "rest", 9, 9, estimated=False) == (9, 0)
