"""The OpenAI library as it is published: what a customer's program would use. It is no part of the house."""

from __future__ import annotations

import importlib
import subprocess
import sys
from types import ModuleType

from tollkeeper.config import environment

LOCK = "requirements-tour.lock"
_PATIENCE_S = 180


def openai() -> ModuleType | None:
    """The library, fetched by its hash-locked list if it is not there; None where it cannot be had."""
    found = _imported()
    lock = environment.repository() / LOCK
    if found is not None or not lock.exists():
        return found
    fetch = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    try:
        subprocess.run(
            [*fetch, "--require-hashes", "-r", str(lock)],
            capture_output=True,
            timeout=_PATIENCE_S,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    importlib.invalidate_caches()
    return _imported()


def _imported() -> ModuleType | None:
    try:
        return importlib.import_module("openai")
    except ImportError:
        return None
