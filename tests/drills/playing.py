"""Plays a drill as the command line does: in a process and a home of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

PLAY = "from tollkeeper.cli.main import main; main()"


def play(name: str) -> dict[str, Any]:
    """The figures of a drill's small profile, which must hold."""
    command = [sys.executable, "-c", PLAY, "drill", name, "--size", "quick", "--seed", "7", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    outcome = json.loads(done.stdout)
    assert outcome["ok"], outcome
    assert done.returncode == 0
    return dict(outcome["figures"])
