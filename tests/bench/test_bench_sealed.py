"""Whole room: what sealing costs is measured in its small profile, beside plain columns of the same rows."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

PLAY = "from tollkeeper.cli.main import main; main()"
FIELD = ("seal_us", "open_us", "blind_us", "sealed_field_in_a_list_us")
ROW = ("row_plain_us", "row_warm_us", "row_cold_preloaded_us", "row_cold_us")
FIND = ("find_by_address_us", "find_plain_us", "addresses_of_list_us", "destroy_ms")


@pytest.mark.timeout(180)
def test_each_figure_is_measured_and_told() -> None:
    """No figure is judged here: a busy machine says nothing about the product."""
    command = [sys.executable, "-c", PLAY, "bench", "sealed", "--size", "quick", "--seed", "7", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=170, check=False)
    outcome: dict[str, Any] = json.loads(done.stdout)
    assert "error" not in outcome, outcome
    assert outcome["name"] == "sealed"
    assert (done.returncode == 0) is outcome["ok"]
    figures = outcome["figures"]
    assert set(figures) == {*FIELD, *ROW, *FIND, "rows"}
    assert figures["rows"] == 300
    assert all(figures[name] > 0 for name in (*FIELD[:3], *ROW, *FIND))


@pytest.mark.timeout(180)
def test_a_value_that_does_not_open_ends_the_measurement() -> None:
    fault = "from tollkeeper.kit import sealed; sealed.open_sealed = lambda *_: 1 / 0; "
    play = (
        "import django, tempfile, pathlib; from tollkeeper.config import environment; "
        "home = pathlib.Path(tempfile.mkdtemp()); environment.create_secrets(home); import os; "
        "os.environ.update(TOLLKEEPER_HOME=str(home), TOLLKEEPER_KEYSTORE=str(home / 'k.sqlite3'), "
        "DJANGO_SETTINGS_MODULE='tollkeeper.config.settings'); os.environ.pop('DATABASE_URL', None); "
        f"django.setup(); {fault}"
        "from bench import sealed as bench; from tollkeeper.core.rehearsal import Scene; "
        "bench.run(Scene(home, 1, 'quick'))"
    )
    done = subprocess.run(
        [sys.executable, "-c", play], capture_output=True, text=True, timeout=170, check=False
    )
    assert done.returncode != 0
    assert "ZeroDivisionError" in done.stderr
