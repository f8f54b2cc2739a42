"""Counts the answer's body: the route's cost for each KiB, a begun one counts whole."""

from __future__ import annotations

from tollkeeper.core.meters import Count, Meter, Reading, Request

KIB = 1024
HELD_KIB = 64
"""Nothing in a request tells how long its answer will be; what is longer is taken as it comes."""


class _Traffic:
    def __init__(self, cost: int) -> None:
        self._cost = cost
        self._bytes = 0
        self.held = cost * HELD_KIB
        self.tokens_held = 0
        self.model = ""
        self.rewrites = False

    def begin(self, status: int, events: bool, readable: bool) -> None:
        pass

    def feed(self, data: bytes) -> bytes:
        self._bytes += len(data)
        return data

    def end(self) -> bytes:
        return b""

    def count(self) -> Count:
        return Count(units=-(-self._bytes // KIB) * self._cost)


def _open(request: Request) -> tuple[Reading, bytes]:
    return _Traffic(request.route.cost), request.body


METER = Meter("traffic", reads="answer", open=_open)
