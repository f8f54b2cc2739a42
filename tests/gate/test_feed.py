"""What changes in the book is followed, in order and without end, whatever goes wrong meanwhile."""

from __future__ import annotations

import threading
from typing import Any, cast

import pytest

from tollkeeper.gate import feed
from tollkeeper.gate.book import BookUnreachable
from tollkeeper.gate.directory import EntryRow
from tollkeeper.gate.feed import Feed


class Pages:
    """A book with entries in it, which fails when it is told to."""

    def __init__(self) -> None:
        self.entries: list[tuple[int, int]] = []
        """Key and version."""
        self.trouble: list[Exception] = []
        self.closed = 0

    def rows(self, sql: str, *args: object) -> list[Any]:
        if self.trouble:
            raise self.trouble.pop(0)
        if "max(version)" in sql:
            return [(None,)]
        if "kit_logkey" in sql:
            return []
        version, _, key_id, limit = cast("tuple[int, int, int, int]", args)
        after = sorted((v, k) for k, v in self.entries if (v, k) > (version, key_id))
        return [(k, b"", 1, "", "active", "", "", None, v) for v, k in after[:limit]]

    def close(self) -> None:
        self.closed += 1


def follower(pages: Pages) -> tuple[Feed, list[int], list[str]]:
    seen: list[int] = []
    rounds: list[str] = []

    def entries(rows: list[EntryRow]) -> None:
        seen.extend(row[0] for row in rows)

    follow = Feed(lambda: cast("Any", pages), entries, lambda *_: None, lambda _: None, rounds.append)
    return follow, seen, rounds


def test_every_change_is_seen_once_and_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed, "BATCH", 3)
    pages = Pages()
    follow, seen, _ = follower(pages)
    pages.entries = [(key, key // 4) for key in range(1, 12)]
    follow.poll()
    assert seen == list(range(1, 12)), "many share a version, and a batch may end among them"
    follow.poll()
    assert len(seen) == 11
    pages.entries += [(5, 7), (2, 7)]
    follow.poll()
    assert seen[11:] == [2, 5]


def test_it_goes_on_after_any_trouble(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(feed, "INTERVAL_S", 0.0)
    pages = Pages()
    pages.trouble = [BookUnreachable("no route"), ValueError("what no one thought of")]
    follow, seen, rounds = follower(pages)
    well = threading.Event()
    told = follow._on_round
    follow._on_round = lambda trouble: (told(trouble), trouble or well.set())[0]  # type: ignore[func-returns-value]
    pages.entries = [(1, 1)]
    follow.start()
    assert well.wait(20)
    follow.stop()
    follow.join(20)
    assert rounds[:3] == ["no route", "ValueError", ""]
    assert seen == [1]
    assert pages.closed >= 2, "each time with a connection of its own"
    assert "the book cannot be followed" in caplog.text
