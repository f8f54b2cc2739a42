"""One file per journey: what touches two or more capabilities, and the jobs that carry it."""

from __future__ import annotations

from functools import cache
from importlib import import_module

from tollkeeper.kit import plugins


@cache
def register() -> None:
    """Import every flow, so that a worker knows all kinds of jobs, schedules and loops. Once a process:
    what a running one does not know does not change under it when a file is laid beside it."""
    for name in plugins.names(__name__):
        import_module(f"{__name__}.{name}")
