"""However a stream ends, it is charged by the table."""

from __future__ import annotations

from tests.drills.playing import play


def test_the_small_profile_holds() -> None:
    figures = play("stream")
    assert figures["wrong"] == figures["book_faults"] == 0
