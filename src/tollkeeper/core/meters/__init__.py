"""Meters: how the units of a call are counted. One file per meter, found by its name.

A meter is pure: it is told facts and asked for a count. ``METER`` in each module
of this package is its :class:`Meter`. The gate holds what ``open`` says before
the call, feeds the answer's body, and settles what ``count`` says at the end.
"""

from __future__ import annotations

import importlib
import pkgutil
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from tollkeeper.core.terms import RouteTerms

Tokens = tuple[int, int, int, int]
"""Input, output, read from cache, written to cache; disjoint."""
NO_TOKENS: Tokens = (0, 0, 0, 0)


class UnknownMeter(ValueError):
    """No meter has this name; the text lists those there are."""


class Unmetered(Exception):
    """A request that this meter cannot price; ``code`` is one of the gate's refusals."""

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(code)
        self.code, self.detail = code, detail


class Count(NamedTuple):
    """``units`` in micro-units; None if the upstream reported nothing. Absent is not zero."""

    units: int | None
    estimated: bool
    tokens: Tokens
    empty: bool
    """True if a whole answer held nothing of what is sold."""


class Reading(Protocol):
    """Follows one call from its request to its end."""

    held: int
    """Micro-units that the call can cost at most, as far as the request tells."""
    tokens_held: int
    """Tokens it can use at most, for limits on tokens; 0 if it counts none."""
    model: str
    """Public name of the model, or empty."""

    def feed(self, data: bytes) -> bytes:
        """A piece of the answer's body; gives what the client shall see of it."""

    def end(self) -> bytes:
        """The body is whole; gives what was kept back from the client, if anything."""

    def count(self) -> Count:
        """The count so far; may be asked at any time."""


@dataclass(frozen=True, slots=True)
class Meter:
    """One way to count.

    ``reads`` says what the gate must show it: ``""`` nothing (every call costs the
    route's cost), ``"answer"`` the answer's body, ``"both"`` also the request's,
    which is then gathered before the call is admitted.
    """

    name: str
    reads: str
    open: Opening | None = None


class Opening(Protocol):
    """Begins a reading."""

    def __call__(self, route: RouteTerms, prices: object, body: bytes) -> tuple[Reading, bytes]:
        """The reading and the body to send on. Raises :class:`Unmetered`."""


def find(name: str) -> Meter:
    """The meter called ``name``; raises :class:`UnknownMeter`."""
    names = [module.name for module in pkgutil.iter_modules(__path__)]
    if name not in names:
        raise UnknownMeter(f"there is no meter {name!r}; there are: {', '.join(sorted(names))}")
    meter: Meter = importlib.import_module(f"{__name__}.{name}").METER
    return meter
