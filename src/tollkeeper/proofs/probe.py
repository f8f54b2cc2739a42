"""What a probe is: a function that shows that a promise is kept, or says that it is not.

    @probe("T-04", "G-45")
    def passwords(ctx: Context) -> Evidence: ...

It returns facts of this very run (counts, dates, hashes, headers; never a personal value),
raises :class:`Broken` with facts where the promise does not hold, or :class:`NotUsed` where
the shop does not do what the promise is about. Whatever else it raises counts as broken: a
probe that cannot run proves nothing. Probes read everything and change nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from tollkeeper.proofs.context import Context

Evidence = Mapping[str, Any]


class Broken(Exception):
    """The promise does not hold: a sentence, and the facts that show it."""

    def __init__(self, text: str, **facts: Any) -> None:
        super().__init__(text)
        self.facts = facts


class NotUsed(Exception):
    """The shop does not do what the promise is about: a sentence, and the facts that show it."""

    def __init__(self, text: str, **facts: Any) -> None:
        super().__init__(text)
        self.facts = facts


Probe = Callable[["Context"], Evidence]
_probes: dict[str, list[Probe]] = {}


Kind = TypeVar("Kind", bound=Probe)


def probe(*promises: str) -> Callable[[Kind], Kind]:
    """Register a probe for promises; a promise may have several, and all must hold."""

    def register(function: Kind) -> Kind:
        for promise in promises:
            _probes.setdefault(promise, []).append(function)
        return function

    return register


def probes_of(promise: str) -> tuple[Probe, ...]:
    """The probes of one promise, in the order in which they were written."""
    return tuple(_probes.get(promise, ()))


def known() -> tuple[str, ...]:
    """All promises that have a probe."""
    return tuple(sorted(_probes))


def require(holds: bool, text: str, **facts: Any) -> None:
    """Raise :class:`Broken` with ``text`` and ``facts`` unless ``holds``."""
    if not holds:
        raise Broken(text, **facts)
