"""Revoked and suspended keys are refused everywhere; how soon is judged by the drill at full size."""

from __future__ import annotations

from tests.drills.playing import play


def test_the_small_profile_holds() -> None:
    figures = play("revoke")
    assert figures["stopped_keys"] == 4
    assert figures["never_refused"] == 0
