"""The import contracts hold; and each of them notices what it is there for."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LINT = Path(sys.executable).with_name("lint-imports")

PLANTED = {
    "Imports run downhill": ("sales/planted.py", "import tollkeeper.payments.services\n"),
    "Nobody imports the gate": ("kit/planted.py", "import tollkeeper.gate.heads\n"),
    "The gate stands alone": ("gate/planted.py", "def late() -> None:\n    import tollkeeper.kit.jobs\n"),
    "The gate's policy decides and does nothing": ("gate/lease_book.py", "import time\n"),
    "The core decides and does nothing": ("core/planted.py", "import time\n"),
    "Models are seen by their own app": ("flows/planted.py", "import tollkeeper.sales.models\n"),
    "A plugin knows no model": ("payments/providers/planted.py", "import django\n"),
    "The Stripe SDK is spoken in one place": ("web/planted.py", "import stripe\n"),
}


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [LINT, "--config", str(ROOT / ".importlinter"), "--no-cache"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )


def broken(output: str) -> set[str]:
    """The names of the contracts that the linter reports as broken."""
    return {
        name for name in PLANTED for line in output.splitlines() if line.startswith(name) and "BROKEN" in line
    }


def test_contracts_hold() -> None:
    result = lint(ROOT / "src")
    assert result.returncode == 0, result.stdout[-4000:]
    assert "0 broken" in result.stdout


@pytest.fixture(scope="module")
def planted_output(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What the linter says of a copy in which one violation of each contract was planted."""
    copy = tmp_path_factory.mktemp("planted")
    ignored = shutil.ignore_patterns("__pycache__", "static", "templates", "*.pyc")
    shutil.copytree(ROOT / "src" / "tollkeeper", copy / "tollkeeper", ignore=ignored)
    for name, text in PLANTED.values():
        (copy / "tollkeeper" / name).write_text(text)
    return lint(copy).stdout


@pytest.mark.parametrize("contract", PLANTED)
def test_a_planted_violation_is_noticed(contract: str, planted_output: str) -> None:
    assert contract in broken(planted_output), planted_output[-3000:]
