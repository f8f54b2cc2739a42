"""A killed gate loses no call and charges none twice."""

from __future__ import annotations

from tests.drills.playing import play


def test_the_small_profile_holds() -> None:
    figures = play("kill")
    assert figures["lost"] == figures["double"] == 0
