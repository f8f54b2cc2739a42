"""Meters: how the units of a call are counted. One file per meter, found by its name.

A meter is pure: it is told facts and asked for a count. ``METER`` in each module
of this package is its :class:`Meter`. The gate holds what a reading says before
the call, feeds it the answer's body, and settles what it counted at the end.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from tollkeeper.core.terms import ModelTerms, RouteTerms

Tokens = tuple[int, int, int, int]
"""Input, output, read from cache, written to cache; disjoint."""
NO_TOKENS: Tokens = (0, 0, 0, 0)
MAX_KEPT = 8 * 1024 * 1024
"""Bytes of an answer that a meter may keep to count in it; beyond it counts nothing."""
UNREADABLE = (UnicodeDecodeError, RecursionError)
"""What reading others' JSON raises besides ``DecodeError``: its text is no UTF-8, or it is very deep."""


class UnknownMeter(ValueError):
    """No meter has this name; the text lists those there are."""


class Unmetered(Exception):
    """A request that this meter cannot price; ``code`` is one of the gate's refusals."""

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(code)
        self.code, self.detail = code, detail


class Count(NamedTuple):
    """What was counted. Absent, zero and estimated are three things."""

    units: int | None
    """Micro-units; None if the upstream reported nothing."""
    estimated: bool = False
    """The gate counted it itself."""
    tokens: Tokens = NO_TOKENS
    empty: bool = False
    """A whole answer held nothing of what is sold."""
    failed: bool = False
    """A stream ended with an error, or without its end."""


class Request(NamedTuple):
    """What a meter may know of a request: never a key, a customer or an address."""

    route: RouteTerms
    models: Mapping[str, ModelTerms]
    query: bytes
    body: bytes
    """Empty unless the meter reads both."""


class Reading(Protocol):
    """Follows one call from its request to its end."""

    held: int
    """Micro-units that the call can cost at most, as far as the request tells."""
    tokens_held: int
    """Tokens it can use at most, for limits on tokens; 0 if it counts none."""
    model: str
    """Public name of the model, or empty."""
    rewrites: bool
    """What :meth:`feed` and :meth:`end` give replaces the body; known after :meth:`begin`."""

    def begin(self, status: int, events: bool, readable: bool) -> None:
        """The answer begins; ``events``: a stream of events; not ``readable``: its body is encoded."""

    def feed(self, data: bytes) -> bytes:
        """A piece of the answer's body; gives what the client shall see of it."""

    def end(self) -> bytes:
        """The body is whole; gives what was kept back from the client, if anything."""

    def count(self) -> Count:
        """The count so far; may be asked at any time."""


class Opening(Protocol):
    """Begins a reading."""

    def __call__(self, request: Request) -> tuple[Reading, bytes]:
        """The reading, and the body to send on. Raises :class:`Unmetered`."""


@dataclass(frozen=True, slots=True)
class Meter:
    """One way to count.

    ``reads`` says what it must be shown: ``""`` nothing (every call costs the
    route's cost), ``"answer"`` the answer's body, ``"both"`` also the request's,
    which is then gathered before the call is admitted.
    """

    name: str
    reads: str
    open: Opening | None = None


def find(name: str) -> Meter:
    """The meter called ``name``; raises :class:`UnknownMeter`."""
    known = names()
    if name not in known:
        raise UnknownMeter(f"there is no meter {name!r}; there are: {', '.join(known)}")
    meter: Meter = importlib.import_module(f"{__name__}.{name}").METER
    return meter


def names() -> list[str]:
    """The names of all meters."""
    return sorted(m.name for m in pkgutil.iter_modules(__path__) if not m.name.startswith("_"))
