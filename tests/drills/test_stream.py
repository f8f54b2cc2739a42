"""Streams are charged by the table however they end; and a wrong charge is seen."""

from __future__ import annotations

import pytest

from tests.drills.playing import play
from tollkeeper.core.charges import Outcome
from tollkeeper.drills.stream import CASES, CHAT, WHOLE, Case

LEFT = Case("left", CHAT, Outcome.CLIENT_LEFT_DURING, WHOLE)
DIED = Case("died", CHAT, Outcome.UPSTREAM_CUT)
BROKE = Case("broke off", "/half", Outcome.UPSTREAM_CUT)


def test_the_small_profile_holds() -> None:
    figures = play("stream")
    assert figures["wrong"] == 0
    assert figures["ways"] == len(CASES)


@pytest.mark.parametrize(
    ("case", "outcome", "units", "estimated", "right"),
    [
        (LEFT, "client_left_during", WHOLE, False, True),
        (LEFT, "client_left_during", WHOLE - 1, False, False),
        (LEFT, "client_left_during", WHOLE, True, False),
        (LEFT, "ok", WHOLE, False, False),
        (DIED, "upstream_cut", 9, True, True),
        (DIED, "upstream_cut", 9, False, False),
        (DIED, "upstream_cut", 0, True, False),
        (BROKE, "upstream_cut", 0, False, True),
        (BROKE, "upstream_cut", 1, False, False),
    ],
)
def test_what_counts_as_right(case: Case, outcome: str, units: int, estimated: bool, right: bool) -> None:
    assert case.charged_right(outcome, units, estimated) is right
