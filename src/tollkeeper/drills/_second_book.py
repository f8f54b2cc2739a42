"""The same once more on another book: a drill that ran on SQLite also runs on PostgreSQL."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any

from django.db import connection, connections

from tollkeeper.config import environment
from tollkeeper.core.rehearsal import Scene

VARIABLE = "TOLLKEEPER_DRILL_DATABASE_URL"
_PROGRAM = (
    "import sys, django; django.setup();"
    " from tollkeeper.drills._second_book import play_here; play_here(*sys.argv[1:])"
)


class Unfit(Exception):
    """The second database cannot be used; the text says why."""


def play_there(module: str, scene: Scene) -> dict[str, Any] | None:
    """What ``play`` of a module finds on the second book, in a process that knows no other.

    None if no second book is named. Raises :class:`Unfit`.
    """
    url = os.environ.get(VARIABLE, "")
    if not url:
        return None
    home = scene.home / "second"
    environment.create_secrets(home)
    given = {
        **os.environ,
        "DATABASE_URL": url,
        "TOLLKEEPER_HOME": str(home),
        "TOLLKEEPER_KEYSTORE": str(home / "keystore.sqlite3"),
    }
    command = [sys.executable, "-c", _PROGRAM, module, str(home), str(scene.seed), scene.size]
    done = subprocess.run(command, env=given, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise Unfit(f"the run on the database of {VARIABLE} did not end: is it there, and empty?")
    return dict(json.loads(done.stdout))


def play_here(module: str, home: str, seed: str, size: str) -> None:
    """The other process: writes what was found to stdout as JSON."""
    if connection.introspection.table_names():
        sys.exit(f"the database of {VARIABLE} is not empty: give a scratch one")
    connections.close_all()
    found = importlib.import_module(module).play(Scene(Path(home), int(seed), size))
    sys.stdout.write(
        json.dumps(asdict(found) if is_dataclass(found) and not isinstance(found, type) else found)
    )
