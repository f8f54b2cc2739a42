"""Slow and greedy clients cost little; and a gate that cannot stand them is seen."""

from __future__ import annotations

import pytest

from tests.drills.playing import play
from tollkeeper.drills.slow import Found, Siege, holds

SIEGE = Siege(dribblers=5, stalled=1, huge_mib=1, upload_mib=1)


def test_the_small_profile_holds() -> None:
    figures = play("slow")
    assert figures["slow_heads_cut"] == figures["slow_heads"]
    assert figures["huge_bytes_missing"] == 0


@pytest.mark.parametrize(
    ("found", "growth", "stood"),
    [
        (Found(p99_ms=9, cut=5), 30, True),
        (Found(p99_ms=9, cut=5), 64, False),
        (Found(p99_ms=900, cut=5), 3, False),
        (Found(p99_ms=9, cut=4), 3, False),
        (Found(p99_ms=9, cut=5, short_bytes=1), 3, False),
    ],
    ids=["all well", "memory grew", "others waited", "a slow head stayed", "bytes are missing"],
)
def test_what_counts_as_standing_it(found: Found, growth: float, stood: bool) -> None:
    assert holds(SIEGE, found, growth, alone_ms=2.0) is stood
