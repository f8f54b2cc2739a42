"""What this process can do: kinds of jobs, schedules and loops, registered by decorators."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

Handler = TypeVar("Handler", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Kind:
    """``run(context, **payload)`` does the work; ``on_dead(**payload)`` runs with the giving up."""

    name: str
    run: Callable[..., Any]
    purpose: str
    attempts: int
    cap_s: float
    on_dead: Callable[..., None] | None


@dataclass(frozen=True, slots=True)
class Loop:
    """``run(stop)`` is called every ``every_s``, at once again if it answers True."""

    name: str
    run: Callable[[threading.Event], bool | None]
    every_s: float


KINDS: dict[str, Kind] = {}
SCHEDULES: dict[str, float] = {}
"""Kind → seconds between two runs."""
LOOPS: dict[str, Loop] = {}


def job(
    kind: str,
    *,
    purpose: str,
    attempts: int = 12,
    cap_s: float = 3600.0,
    on_dead: Callable[..., None] | None = None,
) -> Callable[[Handler], Handler]:
    """Register ``fn(context, **ids)`` as the handler of a kind of job.

    ``purpose`` is the purpose of the policy that its data serves. After ``attempts``
    tries, ``cap_s`` seconds apart at most, the job is dead and an operator's task;
    ``on_dead`` then runs in the transaction that says so.
    """

    def register(handler: Handler) -> Handler:
        _once(KINDS, kind, handler)
        KINDS[kind] = Kind(kind, handler, purpose, attempts, cap_s, on_dead)
        return handler

    return register


def schedule(
    kind: str, *, every_s: float, purpose: str = "delivery", attempts: int = 5
) -> Callable[[Handler], Handler]:
    """Register ``fn(context)`` as a job that is enqueued every ``every_s`` seconds by one worker.

    Runs that were missed while no worker ran are not made up for.
    """

    def register(handler: Handler) -> Handler:
        job(kind, purpose=purpose, attempts=attempts)(handler)
        SCHEDULES[kind] = every_s
        return handler

    return register


def loop(name: str, *, every_s: float) -> Callable[[Handler], Handler]:
    """Register ``fn(stop) -> bool | None`` to run in a thread of each worker, again and again."""

    def register(handler: Handler) -> Handler:
        known = LOOPS.get(name)
        if known is not None and known.run.__qualname__ != handler.__qualname__:
            raise ValueError(f"the loop {name!r} is registered twice")
        LOOPS[name] = Loop(name, handler, every_s)
        return handler

    return register


def _once(known: dict[str, Kind], kind: str, handler: Callable[..., Any]) -> None:
    other = known.get(kind)
    if other is not None and other.run.__qualname__ != handler.__qualname__:
        raise ValueError(f"the job kind {kind!r} is registered twice")
