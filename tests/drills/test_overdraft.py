"""Nothing is sold twice on a small balance, and nothing stays unsold."""

from __future__ import annotations

from tests.drills.playing import play


def test_the_small_profile_holds() -> None:
    figures = play("overdraft")
    assert figures["oversold"] == figures["undersold"] == 0
