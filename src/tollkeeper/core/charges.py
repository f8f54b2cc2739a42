"""What a call costs, by how it ended: the charge table, published as it stands here.

The principle: a customer pays for answers that came, as far as they came; for
what failed on our side or the upstream's nothing is taken. Who leaves early pays
for what was counted, because the upstream did that work.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum, StrEnum
from typing import NamedTuple

from tollkeeper.core.records import ABSENT, ESTIMATED


class Outcome(IntEnum):
    """How a call ended. The numbers stand in journals and in the book: never reuse one."""

    OK = 0
    """A whole answer below 400 reached the client."""
    CLIENT_ERROR = 1
    """A whole answer from 400 to 499."""
    SERVER_ERROR = 2
    """A whole answer from 500 on."""
    UNREACHABLE = 3
    """The upstream could not be reached, or ended before it answered."""
    TIMED_OUT = 4
    """The upstream did not begin to answer in time."""
    UPSTREAM_CUT = 5
    """The upstream ended, or fell silent, in the middle of its answer."""
    CLIENT_LEFT_BEFORE = 6
    """The client went away before the first byte of the answer."""
    CLIENT_LEFT_DURING = 7
    """The client went away in the middle of the answer."""
    EMPTY = 8
    """A whole answer below 400 in which a meter of contents found nothing, or nothing it can be sold as."""
    CACHED = 9
    """A whole answer that the upstream says came from its cache."""
    BAD_REQUEST = 10
    """The client's body broke the rules after the call had been admitted."""
    KILLED = 11
    """The gate died while the call was open; booked by the worker."""
    FAILED_STREAM = 12
    """A stream that ended with an error event instead of its end."""
    NOT_MODIFIED = 13
    """304: what the client has already is still right, so nothing came."""


class Rule(StrEnum):
    """What is charged."""

    COUNTED = "counted"
    """What was counted; the hold if the upstream should have reported a count and did not."""
    SEEN = "seen"
    """What had been counted until then; nothing if nothing had been."""
    NOTHING = "nothing"


_ANY: Mapping[Outcome, Rule] = {
    Outcome.OK: Rule.COUNTED,
    Outcome.CLIENT_ERROR: Rule.NOTHING,
    Outcome.SERVER_ERROR: Rule.NOTHING,
    Outcome.UNREACHABLE: Rule.NOTHING,
    Outcome.TIMED_OUT: Rule.NOTHING,
    Outcome.UPSTREAM_CUT: Rule.NOTHING,
    Outcome.CLIENT_LEFT_BEFORE: Rule.COUNTED,
    Outcome.CLIENT_LEFT_DURING: Rule.COUNTED,
    Outcome.EMPTY: Rule.NOTHING,
    Outcome.CACHED: Rule.COUNTED,
    Outcome.BAD_REQUEST: Rule.NOTHING,
    Outcome.KILLED: Rule.NOTHING,
    Outcome.FAILED_STREAM: Rule.NOTHING,
    Outcome.NOT_MODIFIED: Rule.NOTHING,
}
_TOKENS: Mapping[Outcome, Rule] = {
    **_ANY,
    Outcome.UPSTREAM_CUT: Rule.SEEN,
    Outcome.CLIENT_LEFT_BEFORE: Rule.SEEN,
    Outcome.CLIENT_LEFT_DURING: Rule.SEEN,
    Outcome.FAILED_STREAM: Rule.SEEN,
}
TABLE: Mapping[str, Mapping[Outcome, Rule]] = {"rest": _ANY, "openai": _TOKENS, "anthropic": _TOKENS}
"""The published table: protocol of the route, then outcome."""


class Charge(NamedTuple):
    """Micro-units to take and the flags of the ``Settled`` record that tell how they came about."""

    units: int
    flags: int


def rule(outcome: Outcome, protocol: str) -> Rule:
    """The rule for an outcome; an unknown protocol is treated as ``rest``."""
    return TABLE.get(protocol, _ANY)[outcome]


def charge(outcome: Outcome, protocol: str, counted: int | None, held: int, *, estimated: bool) -> Charge:
    """What to take for a call.

    ``counted`` is what the meter says, None if the upstream reported nothing;
    ``estimated`` tells that the gate counted it itself. Never negative; may
    exceed ``held`` if the count does.
    """
    applied = rule(outcome, protocol)
    if applied is Rule.NOTHING:
        return Charge(0, 0)
    if counted is not None:
        return Charge(counted, ESTIMATED if estimated else 0)
    if applied is Rule.SEEN:
        return Charge(0, ABSENT)
    return Charge(held, ABSENT)
