"""Chunked framing, followed strictly (RFC 9112, 7.1); ``_chunks`` has the same class in C."""

from __future__ import annotations

import re

from tollkeeper.gate.heads import TOKEN, VALUES

_QUOTED = rb'"(?:[\t \x21\x23-\x5b\x5d-\x7e\x80-\xff]|\\[\t\x20-\x7e\x80-\xff])*"'
# Not possessive around alternatives: Python before 3.11.5 matches too much there (CPython gh-106052).
_EXTENSION = rb";" + TOKEN + rb"++(?:=(?:" + TOKEN + rb"++|" + _QUOTED + rb"))?"
_size_line = re.compile(rb"([0-9a-fA-F]{1,12})((?:" + _EXTENSION + rb")*)\r\n").fullmatch
_trailer_line = re.compile(rb"(" + TOKEN + rb"++):" + VALUES + rb"\r\n").fullmatch
MAX_SIZE_LINE = 256
MAX_TRAILERS = 8192
FORBIDDEN_TRAILERS = frozenset(
    b"transfer-encoding content-length host connection upgrade te trailer expect keep-alive proxy-connection"
    b" authorization x-api-key api-key cookie set-cookie forwarded via max-forwards content-type"
    b" content-encoding content-range cache-control x-forwarded-for x-forwarded-host x-forwarded-proto"
    b" x-real-ip".split()
)
"""Fields that frame, route or authenticate a message must not come after it (RFC 9110, 6.5.1)."""

_SIZE, _DATA, _DATA_END, _TRAILERS = 0, 1, 2, 3


class Chunks:
    """Follows the chunked framing of a stream that is passed on unchanged."""

    __slots__ = ("_line", "_state", "_trailers", "left")

    def __init__(self) -> None:
        self._state = _SIZE
        self._line = b""
        self._trailers = 0
        self.left = 0

    def feed(self, data: bytes) -> int:
        """The index after the end of the message, 0 if it goes on, -1 if the framing is broken."""
        return self._walk(data, None)

    def decode(self, data: bytes, out: list[bytes]) -> int:
        """As :meth:`feed`, and appends the contents without the framing to ``out``."""
        return self._walk(data, out)

    def _walk(self, data: bytes, out: list[bytes] | None) -> int:  # noqa: C901 - one pass, hot
        at, size = 0, len(data)
        while at < size:
            if self._state == _DATA:
                step = min(self.left, size - at)
                if out is not None:
                    out.append(data[at : at + step])
                at += step
                self.left -= step
                if not self.left:
                    self._state = _DATA_END
                continue
            newline = data.find(b"\n", at)
            stop = size if newline < 0 else newline + 1
            line = self._line + data[at:stop] if self._line else data[at:stop]
            at = stop
            if newline < 0:
                self._line = line
                if not self._may_become_line(line):
                    return -1
                continue
            self._line = b""
            if self._state == _DATA_END:
                if line != b"\r\n":
                    return -1
                self._state = _SIZE
            elif self._state == _SIZE:
                match = _size_line(line) if len(line) <= MAX_SIZE_LINE else None
                if match is None:
                    return -1
                self.left = int(match[1], 16)
                self._state = _DATA if self.left else _TRAILERS
            elif line == b"\r\n":
                self._state = _SIZE
                self._trailers = 0
                return at
            else:
                self._trailers += len(line)
                match = _trailer_line(line)
                if match is None or self._trailers > MAX_TRAILERS or match[1].lower() in FORBIDDEN_TRAILERS:
                    return -1
        return 0

    def _may_become_line(self, line: bytes) -> bool:
        if self._state == _DATA_END:
            return line == b"\r"
        if self._state == _SIZE:
            return len(line) <= MAX_SIZE_LINE
        return self._trailers + len(line) <= MAX_TRAILERS
