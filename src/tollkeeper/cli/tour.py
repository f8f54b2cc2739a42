"""``tollkeeper tour``: a stranger's whole story, played against what is running."""

from __future__ import annotations


def tour() -> None:
    """Play the whole story."""
