"""The calendar drill holds in its small profile, and sees a chained calendar."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from tollkeeper.core import period
from tollkeeper.core.rehearsal import Scene
from tollkeeper.drills import calendar


def test_the_small_profile_holds(tmp_path: Path) -> None:
    outcome = calendar.run(Scene(tmp_path, 5, "quick"))
    assert outcome.ok
    assert outcome.figures["gaps"] == outcome.figures["overlaps"] == 0
    assert float(outcome.figures["chained_months_drift_percent"] or 0) > 1


def test_a_calendar_in_days_is_caught(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(period, "add_months", lambda at, n: at + dt.timedelta(days=30 * n))
    assert not calendar.run(Scene(tmp_path, 5, "quick")).ok
