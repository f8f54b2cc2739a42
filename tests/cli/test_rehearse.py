"""Drills and benchmarks are played in a home of their own and answer in one form."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tollkeeper.cli import rehearse
from tollkeeper.core.refusal import Refused


def test_an_unknown_name_is_refused_with_the_known_ones():
    with pytest.raises(Refused, match="there is no drill 'nonsense'"):
        rehearse.play("drill", "nonsense", size="quick", seed=1, as_json=True)


def test_a_size_is_quick_or_full():
    with pytest.raises(Refused, match="quick or full"):
        rehearse.play("drill", "all", size="huge", seed=1, as_json=True)


def test_a_drill_that_cannot_play_has_not_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TOLLKEEPER_HOME", str(tmp_path))
    rehearse._child("drill", "missing", "quick", 7, tmp_path)
    answer = json.loads((tmp_path / "outcome.json").read_text())
    assert answer["ok"] is False
    assert answer["seed"] == 7
    assert "ModuleNotFoundError" in answer["error"]
