"""The simplest meter: every call costs what its route costs."""

from __future__ import annotations

from tollkeeper.core.meters import Meter

METER = Meter("calls", reads="")
