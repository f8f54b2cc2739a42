"""A revoked key is refused everywhere within two seconds."""

from __future__ import annotations

from tests.drills.playing import play


def test_the_small_profile_holds() -> None:
    assert 0 < play("revoke")["max_s"] <= 2
