"""Knobs: how an answer goes wrong. Set for one call by a header, or for all calls at ``/_faults``.

``X-Sample-Fault: delay=0.2, cut=3`` waits, then breaks the connection after three
pieces. Words without ``=`` are switches. Unknown knobs are refused, so that a test
cannot believe in a fault that does not exist.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

HEADER = "x-sample-fault"


class BadKnob(ValueError):
    """A knob's name or value is not known; the text says which."""


@dataclass(frozen=True, slots=True)
class Faults:
    """Times in seconds; counts of pieces of a stream; -1 means never."""

    delay: float = 0.0
    """Before the answer begins."""
    pace: float = 0.0
    """Before each piece of a stream."""
    status: int = 0
    """Answer with this status and an error body."""
    retry_after: int = -1
    """``Retry-After`` of that answer."""
    cut: int = -1
    """Break the connection after so many pieces (0: right after the head)."""
    error_event: int = -1
    """Send an error event after so many pieces, then end."""
    empty: bool = False
    """A whole answer that holds no text."""
    html: bool = False
    """200 with a page of HTML."""
    no_usage: bool = False
    """Leave the usage out."""
    zero_usage: bool = False
    """Report a usage of zero."""
    null_choices: bool = False
    """``choices: null`` in the usage chunk, as some servers send it."""
    cached: int = 0
    """So many of the prompt's tokens are reported as read from a cache."""
    written: int = 0
    """So many of the prompt's tokens are reported as written to a cache (Anthropic)."""
    reasoning: int = 0
    """So many tokens of the answer are reported as reasoning, beside its text."""
    no_final: bool = False
    """Leave out ``[DONE]`` or ``message_stop``; the stream just ends."""


def parse(text: str, base: Faults | None = None) -> Faults:
    """Read knobs; raises :class:`BadKnob`."""
    known = {field.name: field.type for field in fields(Faults)}
    changes: dict[str, object] = {}
    for part in filter(None, (piece.strip() for piece in text.split(","))):
        name, _, value = part.partition("=")
        kind = known.get(name)
        try:
            if kind == "bool":
                changes[name] = value in ("", "1", "true")
            elif kind == "int":
                changes[name] = int(value)
            elif kind == "float":
                changes[name] = float(value)
            else:
                raise BadKnob(f"there is no knob {name!r}; there are: {', '.join(known)}")
        except ValueError as error:
            raise error if isinstance(error, BadKnob) else BadKnob(f"{name} cannot be {value!r}") from None
    return replace(base or Faults(), **changes)  # type: ignore[arg-type]
