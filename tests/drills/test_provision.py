"""Keys at relays survive cut lines and killed workers."""

from __future__ import annotations

from tests.drills.playing import play


def test_the_small_profile_holds() -> None:
    figures = play("provision")
    assert figures["worker_deaths"] > 5
    assert figures["lost_keys"] == figures["double_keys"] == figures["orphans_left"] == 0
