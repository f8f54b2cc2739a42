"""The folder that holds all state: made private, checked for writing, held by one ``up`` at a time."""

from __future__ import annotations

import fcntl
import json
import os
from pathlib import Path
from typing import Any

from tollkeeper.core.refusal import Refused


def prepare(home: Path) -> None:
    """Make ``home``, readable by its owner only; raises :class:`Refused` if nothing can be written there."""
    os.umask(0o077)
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        (home / "logs").mkdir(exist_ok=True)
        probe = home / f".probe-{os.getpid()}"
        probe.write_bytes(b"")
        probe.unlink()
    except OSError as error:
        raise Refused(
            f"the folder {home} cannot be written ({error.strerror}); "
            "choose another one with --home PATH or TOLLKEEPER_HOME"
        ) from None


def hold(home: Path) -> int:
    """Hold ``home`` for this process's life; raises :class:`Refused` if another ``up`` holds it."""
    descriptor = os.open(home / "up.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        run = read_run_file(home) or {}
        where = run.get("addresses", {}).get("storefront", "")
        raise Refused(
            f"another `up` (process {run.get('pid', '?')}) already runs on {home}"
            f"{f' at {where}' if where else ''}; stop it with Ctrl-C, or choose another folder with --home"
        ) from None
    return descriptor


def run_file(home: Path) -> Path:
    """Where ``up`` says what runs: addresses and process ids."""
    return home / "run.json"


def write_run_file(home: Path, facts: dict[str, Any]) -> None:
    """Replace the run file in one step; a reader never sees half of it."""
    path = run_file(home)
    part = path.with_suffix(".part")
    part.write_text(json.dumps(facts, indent=2) + "\n")
    part.replace(path)


def read_run_file(home: Path) -> dict[str, Any] | None:
    """What the run file says, or None if nothing runs (or it is not readable)."""
    try:
        facts = json.loads(run_file(home).read_text())
    except (OSError, ValueError):
        return None
    return facts if isinstance(facts, dict) else None
