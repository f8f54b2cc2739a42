"""``tollkeeper gate``: hands over to the gate's own process, which never loads Django."""

from __future__ import annotations

import os
import sys


def gate() -> None:
    """Run one gate alone, on TOLLKEEPER_PORT + 1 (or TOLLKEEPER_GATE_PORT).

    Example: TOLLKEEPER_GATE_ID=gate-2 TOLLKEEPER_GATE_PORT=9001 tollkeeper gate
    """
    os.execv(sys.executable, [sys.executable, "-m", "tollkeeper.gate"])  # noqa: S606 - no shell is wanted
