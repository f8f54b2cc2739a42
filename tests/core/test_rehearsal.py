from __future__ import annotations

from pathlib import Path

import pytest

from tollkeeper.core.rehearsal import Outcome, Scene


@pytest.mark.parametrize(("size", "quick"), [("quick", True), ("full", False)])
def test_a_scene_knows_its_size_and_may_be_silent(size: str, quick: bool) -> None:
    scene = Scene(Path("home"), 7, size)
    assert scene.quick is quick
    scene.say(1, 2, "half of it")


def test_scenes_are_full_unless_said_otherwise_and_never_change() -> None:
    scene = Scene(Path("home"), 7)
    assert not scene.quick
    with pytest.raises(AttributeError):
        scene.seed = 8  # type: ignore[misc]
    with pytest.raises(AttributeError):
        Outcome(True, {}).ok = False  # type: ignore[misc]
