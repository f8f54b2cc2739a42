"""Nothing is sold twice on a small balance, and nothing stays unsold; and the drill would see it."""

from __future__ import annotations

import pytest

from tests.drills.playing import play
from tollkeeper.drills.overdraft import judge

CLEAN = {"sold": 9, "reached": 11, "open_at_death": 1, "charged": 10, "left": 0}


def test_the_small_profile_holds() -> None:
    figures = play("overdraft")
    assert figures["oversold"] == figures["undersold"] == figures["unpaid"] == 0
    assert figures["sold"] > 0


@pytest.mark.parametrize(
    ("figure", "change"),
    [
        ("oversold", {"sold": 11}),
        ("oversold", {"reached": 12}),
        ("oversold", {"charged": 11}),
        ("undersold", {"left": 1}),
        ("unpaid", {"charged": 8}),
    ],
)
def test_a_fault_is_seen(figure: str, change: dict[str, int]) -> None:
    clean = judge(10, **CLEAN)
    assert clean["oversold"] == clean["undersold"] == clean["unpaid"] == 0
    assert judge(10, **{**CLEAN, **change})[figure] == 1
