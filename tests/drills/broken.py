"""Plays a drill in a product that was broken on purpose: the drill must notice."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tollkeeper.config import environment

PLAY = """
import importlib, json, sys
from pathlib import Path
import django
django.setup()
from tollkeeper.core.rehearsal import Scene
drill = importlib.import_module("tollkeeper.drills." + sys.argv[1])
{fault}
outcome = drill.run(Scene(Path(sys.argv[2]), 7, "quick"))
print(json.dumps({{"ok": outcome.ok, **outcome.figures}}))
"""


def play_broken(name: str, fault: str, home: Path, **extra: str) -> dict[str, Any]:
    """Figures of the small profile after the statements of ``fault`` were run; ``drill`` is its module."""
    environment.create_secrets(home)
    given = {
        **{key: value for key, value in os.environ.items() if key != "DATABASE_URL"},
        "TOLLKEEPER_HOME": str(home),
        "TOLLKEEPER_KEYSTORE": str(home / "keystore.sqlite3"),
        "PYTHONPATH": str(environment.repository()),
        **extra,
    }
    command = [sys.executable, "-c", PLAY.format(fault=fault), name, str(home)]
    done = subprocess.run(command, env=given, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return dict(json.loads(done.stdout.splitlines()[-1]))
