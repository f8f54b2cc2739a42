"""Whoever dies, the end is the same; and a shop that asks Stripe twice is found out."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.drills.broken import play_broken
from tests.drills.playing import play
from tests.services.postgres import Postgres

pytestmark = pytest.mark.timeout(200)

ONLY_THE_BEGINNING = """
from tollkeeper.drills import _kill_shop
drill.STORIES = {"purchase": ("pack-10k", _kill_shop.BUY[:1], 0)}
drill.QUICK_KILLS = 40
"""
FORGETS_THE_KEY = """
whole = _kill_shop.Line.request
def keyless(self, method, url, headers=None, *rest, **more):
    plain = {n: v for n, v in headers.items() if n.lower() != "idempotency-key"}
    return whole(self, method, url, plain, *rest, **more)
_kill_shop.Line.request = keyless
"""


def test_the_small_profile_holds() -> None:
    figures = play("kill-worker")
    assert figures["external_creates_max"] == 1
    assert figures["wrong"] == figures["book_faults"] == figures["dead_jobs"] == 0
    assert figures["kills"] > 0


def test_the_beginning_holds_at_every_step_on_postgresql_too(tmp_path: Path, postgres: Postgres) -> None:
    book = postgres.create_database("killed")
    figures = play_broken("kill_worker", ONLY_THE_BEGINNING, tmp_path, DATABASE_URL=book)
    assert figures["ok"], figures
    assert figures["books"] == "postgresql"
    assert figures["kills"] > 4


def test_a_request_without_its_key_is_found_out(tmp_path: Path) -> None:
    figures = play_broken("kill_worker", ONLY_THE_BEGINNING + FORGETS_THE_KEY, tmp_path)
    assert not figures["ok"]
    assert figures["external_creates_max"] == 2
