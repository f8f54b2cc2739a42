"""Revoked and suspended keys are refused everywhere in time."""

from __future__ import annotations

from tests.drills.playing import play


def test_the_small_profile_holds() -> None:
    assert play("revoke")["stopped_keys"] == 4
