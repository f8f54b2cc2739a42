"""The shop of language models, played by ``tour``: a key on our gate, then one at a relay."""

from __future__ import annotations

from pathlib import Path

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
    "chat at the relay",
    "see the relay's quota",
    "get the second receipt",
]


def test_the_story_on_the_embedded_default(tmp_path: Path) -> None:
    with RunningShop(tmp_path / "home", shop="gettoken") as shop:
        told = shop.tour("--shop", "gettoken")
    assert told["ok"], told["steps"][-1]
    assert told["exit_code"] == 0
    assert [step["step"] for step in told["steps"]] == STEPS
    figures = told["figures"]
    assert figures["calls"] == 2
    assert figures["charged_units"] == figures["due_units"] > 0
    assert figures["tokens"] > 2
