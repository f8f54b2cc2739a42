"""A gate under mixed load comes back to where it was; and one that does not is seen."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.drills.playing import play
from tollkeeper.drills.soak import Found, State, holds

BEFORE = State(rss_mib=30.0, files=20, in_flight=0, journal_bytes=10)


@pytest.mark.timeout(200)
def test_the_small_profile_holds() -> None:
    figures = play("soak")
    assert figures["unexpected"] == figures["in_flight_end"] == figures["book_faults"] == 0
    assert figures["files_end"] <= figures["files_start"]
    assert figures["kinds"] == 11


@pytest.mark.parametrize(
    ("after", "found", "held"),
    [
        (State(31.0, 20, 0, 99), Found(), True),
        (State(37.0, 20, 0, 99), Found(), False),
        (State(31.0, 21, 0, 99), Found(), False),
        (State(31.0, 20, 1, 99), Found(), False),
        (State(31.0, 20, 0, 99), Found(unexpected=Counter({"plain 502": 1})), False),
    ],
    ids=["all well", "memory grew", "a file stays open", "a call never ended", "a wrong answer"],
)
def test_what_counts_as_flat(after: State, found: Found, held: bool) -> None:
    assert holds(BEFORE, after, found) is held
