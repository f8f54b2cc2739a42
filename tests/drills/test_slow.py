"""Slow and greedy clients cost little and delay nobody."""

from __future__ import annotations

from tests.drills.playing import play


def test_the_small_profile_holds() -> None:
    figures = play("slow")
    assert figures["rss_growth_mib"] <= 32
    assert figures["slow_heads_cut"] == figures["slow_heads"]
