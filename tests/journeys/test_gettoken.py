"""The shop of language models, played by ``tour`` with the published OpenAI library.

A key on our gate, then one at a relay, chats through both, what they cost, the relay's own
count, and what is unused given back.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.journeys.test_first_paid_call import Killer
from tests.services.postgres import Postgres
from tests.services.running import RunningShop

STEPS = [
    "register",
    "confirm the address",
    "choose a plan on our gate",
    "pay with a test card",
    "wait for the delivery",
    "take the key",
    "chat, streamed",
    "chat, in one piece",
    "ask for an unknown model",
    "compare tokens and charges",
    "get the receipt",
    "choose a plan on a relay",
    "pay for it",
    "wait for the relay",
    "take the relay's key",
    "chat at the relay, streamed",
    "see the relay's quota",
    "get the second receipt",
    "give the rest back",
    "find the key stopped",
    "get the unused part back",
]
pytestmark = pytest.mark.timeout(240)


def assert_whole(told: dict[str, Any]) -> None:
    """Every step happened; what was charged, counted and refunded is what it should be."""
    assert told["ok"], told["steps"][-1]
    assert told["exit_code"] == 0
    assert [step["step"] for step in told["steps"]] == STEPS
    figures = told["figures"]
    assert figures["client"].startswith("openai "), "not played with the published library"
    assert figures["calls"] == 2
    assert figures["charged_units"] == figures["due_units"] > 0
    assert figures["tokens"] > 2
    assert figures["relay_used_units"] > 0
    assert figures["relay_used_units"] + figures["relay_left_units"] == pytest.approx(10)
    assert figures["blocked_before_refund"] is True
    assert 0 < figures["refunded_minor"] == figures["refund_due_minor"] < 1100


def test_the_story_on_the_embedded_default(tmp_path: Path) -> None:
    with RunningShop(tmp_path / "home", shop="gettoken") as shop:
        assert_whole(shop.tour("--shop", "gettoken"))


def test_the_story_on_postgresql(postgres: Postgres, tmp_path: Path) -> None:
    url = postgres.create_database("tokens")
    with RunningShop(tmp_path / "home", shop="gettoken", extra={"DATABASE_URL": url}) as shop:
        assert_whole(shop.tour("--shop", "gettoken"))
        assert not (shop.home / "book.sqlite3").exists()


def test_a_killed_worker_does_not_change_the_story(tmp_path: Path) -> None:
    with RunningShop(tmp_path / "home", shop="gettoken") as shop:
        thread = Killer(shop, "worker", times=5, every_s=4.0)
        thread.start()
        told = shop.tour("--shop", "gettoken")
        thread.end()
    assert thread.killed, "nothing was killed: the story was over too soon"
    assert_whole(told)
