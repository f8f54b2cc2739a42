"""Whole room: erase, restore and restrict hold in their small profiles, and see a product that forgets."""

from pathlib import Path

import pytest

from tests.drills.broken import play_broken
from tests.drills.playing import play

pytestmark = pytest.mark.timeout(240)


@pytest.mark.parametrize("name", ["erase", "restore", "restrict"])
def test_it_holds(name: str) -> None:
    play(name)


def test_a_relay_that_is_not_told_is_noticed(tmp_path: Path) -> None:
    fault = "from tollkeeper.flows import forgetting; forgetting._tell = lambda duty: None"
    figures = play_broken("erase", fault, tmp_path)
    assert figures["left_elsewhere"] > 0


def test_a_restriction_that_nobody_asks_is_noticed(tmp_path: Path) -> None:
    fault = "from tollkeeper.flows import alerts; from tollkeeper.kit import mail; "
    fault += "alerts._restricted = lambda: set(); mail.paused = lambda *_: False"
    figures = play_broken("restrict", fault, tmp_path)
    assert figures["letters"] == 1
    assert figures["touched"] > 0
