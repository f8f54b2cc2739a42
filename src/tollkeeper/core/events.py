"""Server-sent events, cut out of a stream as it comes (WHATWG HTML, 9.2)."""

from __future__ import annotations

import re

MAX_EVENT = 4 * 1024 * 1024
_end = re.compile(rb"\r\n\r\n|\n\n|\r\r|\n\r\n|\r\n\n").search


class EventTooLong(Exception):
    """One event exceeds what is kept; the stream can no longer be followed."""


class Events:
    """Feed it pieces; it gives back whole events, byte by byte as they were sent."""

    __slots__ = ("_rest", "_searched")

    def __init__(self) -> None:
        self._rest = b""
        self._searched = 0

    def feed(self, data: bytes) -> list[bytes]:
        """The events that are whole now, each with the empty line that ends it.

        Raises :class:`EventTooLong` once too much has come of one; then all of it is :meth:`rest`.
        """
        rest = self._rest + data if self._rest else data
        if len(self._rest) > MAX_EVENT:
            self._rest = rest
            raise EventTooLong
        events: list[bytes] = []
        at = 0
        found = _end(rest, self._searched)
        while found is not None:
            events.append(rest[at : found.end()])
            at = found.end()
            found = _end(rest, at)
        self._rest = rest[at:] if at else rest
        self._searched = max(0, len(self._rest) - 3)
        return events

    def rest(self) -> bytes:
        """What came after the last whole event."""
        return self._rest


def event_data(event: bytes) -> bytes:
    """The data of an event: its ``data`` lines, joined by newlines."""
    lines = []
    for line in event.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n"):
        if line.startswith(b"data:"):
            value = line[5:]
            lines.append(value[1:] if value.startswith(b" ") else value)
    return b"\n".join(lines)
