"""Things in JSON answers are counted one by one."""

from __future__ import annotations

import json

import pytest

from tollkeeper.core.meters import MAX_KEPT, Count, Reading, Request
from tollkeeper.core.meters.items import METER
from tollkeeper.core.terms import RouteTerms

ROUTE = RouteTerms("posts", "/posts", meter="items", cost=3)


def reading(query: bytes = b"") -> Reading:
    assert METER.open is not None
    return METER.open(Request(ROUTE, {}, query, b""))[0]


@pytest.mark.parametrize(
    ("answer", "count"),
    [
        ([1, 2, 3], Count(9)),
        ({"data": [1, 2], "next": None}, Count(6)),
        ({"users": [], "posts": [1, 2]}, Count(6)),
        ({"id": 1}, Count(3)),
        ([], Count(0, empty=True)),
        ({"data": []}, Count(0, empty=True)),
        (None, Count(0, empty=True)),
    ],
)
def test_counts(answer: object, count: Count) -> None:
    subject = reading()
    subject.begin(200, False, True)
    raw = json.dumps(answer).encode()
    assert b"".join(subject.feed(bytes([byte])) for byte in raw) == raw
    assert subject.count() == count


def test_what_cannot_be_read_is_absent_not_zero() -> None:
    deep = b"[" * 5000 + b"]" * 5000
    unread = ((b"[1]", False), (b" " * (MAX_KEPT + 1), True), (b'["\xff"]', True), (deep, True))
    for data, readable in unread:
        subject = reading()
        subject.begin(200, False, readable)
        subject.feed(data)
        assert subject.count() == Count(None)


def test_a_page_for_people_holds_nothing_of_what_is_sold() -> None:
    subject = reading()
    subject.begin(200, False, True)
    subject.feed(b"<html>")
    assert subject.count() == Count(None, empty=True)


def test_the_hold_is_what_the_query_asks_for() -> None:
    assert reading(b"page=2&limit=20").held == 60
    assert reading(b"page=2").held == 300
