"""Counts the things in a JSON answer: the route's cost for each element of its list.

The list is the answer itself, or the longest list among the values of the answer's
object (``data``, ``items``, ``results``, ``posts``…). An object without a list is
one thing.
"""

from __future__ import annotations

import re

import msgspec

from tollkeeper.core.meters import MAX_KEPT, UNREADABLE, Count, Meter, Reading, Request

HELD = 100
"""Things held where the query does not say how many it asks for."""
_asked = re.compile(rb"(?:^|&)(?:limit|count|per_page|page_size|size|max_results)=([0-9]{1,6})(?:&|$)").search


class _Items:
    def __init__(self, cost: int, asked: int) -> None:
        self._cost = cost
        self._kept: list[bytes] = []
        self._size = 0
        self._readable = True
        self.held = cost * max(1, asked)
        self.tokens_held = 0
        self.model = ""
        self.rewrites = False

    def begin(self, status: int, events: bool, readable: bool) -> None:
        self._readable = readable and not events

    def feed(self, data: bytes) -> bytes:
        self._size += len(data)
        if self._readable and self._size <= MAX_KEPT:
            self._kept.append(data)
        return data

    def end(self) -> bytes:
        return b""

    def count(self) -> Count:
        if not self._readable or self._size > MAX_KEPT:
            return Count(units=None)
        try:
            answer = msgspec.json.decode(b"".join(self._kept))
        except msgspec.DecodeError:  # a page for people, say: nothing of what is sold came
            return Count(units=None, empty=True)
        except UNREADABLE:
            return Count(units=None)
        number = _things(answer)
        return Count(units=number * self._cost, empty=number == 0)


def _things(answer: object) -> int:
    if isinstance(answer, list):
        return len(answer)
    if isinstance(answer, dict):
        lists = [len(value) for value in answer.values() if isinstance(value, list)]
        return max(lists) if lists else 1
    return 0 if answer is None else 1


def _open(request: Request) -> tuple[Reading, bytes]:
    found = _asked(request.query)
    return _Items(request.route.cost, int(found[1]) if found else HELD), request.body


METER = Meter("items", reads="answer", open=_open)
