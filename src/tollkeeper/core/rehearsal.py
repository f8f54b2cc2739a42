"""What a drill or a benchmark is given and what it answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

Figure = int | float | str | None


@dataclass(frozen=True, slots=True)
class Scene:
    """Where a rehearsal plays.

    ``home`` is a scratch folder of its own with secrets in it; ``seed`` makes every chance
    repeatable; ``size`` is ``quick`` (seconds, for every commit) or ``full`` (the published
    figures); ``say`` tells progress as (done, of, what).
    """

    home: Path
    seed: int
    size: str = "full"
    say: Callable[[int, int, str], None] = field(default=lambda done, of, what: None)

    @property
    def quick(self) -> bool:
        """True if the small profile is asked for."""
        return self.size == "quick"


@dataclass(frozen=True, slots=True)
class Outcome:
    """``ok`` says whether what must hold held; figures are numbers with documented names."""

    ok: bool
    figures: Mapping[str, Figure]
