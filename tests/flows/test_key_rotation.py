"""The worker brings a rotation to its end that nobody else does."""

from __future__ import annotations

import datetime as dt

import pytest
from django.utils import timezone

from tollkeeper.flows import key_rotation
from tollkeeper.kit import rotation


def test_each_look_takes_one_step_and_waits_for_slow_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    now = timezone.now()
    done: list[str] = []
    steps = {"index": ("begun", now), "kek": ("rest", None)}
    monkeypatch.setattr(rotation, "state", lambda name: rotation.State(name, *steps[name]))
    monkeypatch.setattr(rotation, "use", lambda name: done.append(f"use {name}"))
    monkeypatch.setattr(rotation, "rewrite", lambda name: done.append(f"rewrite {name}"))
    monkeypatch.setattr(rotation, "finish", lambda name: True)
    assert key_rotation.go_on(now) == []
    assert done == []
    later = now + dt.timedelta(seconds=rotation.SETTLE_S)
    assert key_rotation.go_on(later) == []
    steps["index"] = ("used", later)
    assert key_rotation.go_on(later + dt.timedelta(seconds=rotation.SETTLE_S)) == ["index"]
    assert done == ["use index", "rewrite index"]
