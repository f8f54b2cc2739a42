"""Nothing is sold twice on a small balance, and nothing stays unsold; and the drill would see it."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

from tests.drills.broken import play_broken
from tests.drills.playing import play
from tests.services.postgres import Postgres
from tollkeeper.drills.overdraft import judge

CLEAN = {"sold": 9, "reached": 11, "open_at_death": 1, "charged": 10, "left": 0}


def test_the_small_profile_holds() -> None:
    figures = play("overdraft")
    assert figures["oversold"] == figures["undersold"] == figures["unpaid"] == 0
    assert figures["sold"] > 0


@pytest.mark.timeout(200)
def test_nothing_is_oversold_on_postgresql_either(tmp_path: Path, postgres: Postgres) -> None:
    figures = play_broken("overdraft", "", tmp_path, DATABASE_URL=postgres.create_database("overdrawn"))
    assert figures["ok"], figures
    assert figures["books"] == "postgresql"
    assert figures["leases"] > 4


def test_a_second_book_must_be_empty(tmp_path: Path, postgres: Postgres) -> None:
    book = postgres.create_database("inhabited")
    with psycopg.connect(book, autocommit=True) as connection:
        connection.execute("CREATE TABLE somebody (id int)")
    nothing_here = (
        "drill.play = lambda scene: dict.fromkeys(('oversold', 'undersold', 'unpaid', 'book_faults'), 0)"
    )
    with pytest.raises(AssertionError, match="is not empty"):
        play_broken("overdraft", nothing_here, tmp_path, TOLLKEEPER_DRILL_DATABASE_URL=book)


@pytest.mark.parametrize(
    ("figure", "change"),
    [
        ("oversold", {"sold": 11}),
        ("oversold", {"reached": 12}),
        ("oversold", {"charged": 11}),
        ("undersold", {"left": 1}),
        ("unpaid", {"charged": 8}),
    ],
)
def test_a_fault_is_seen(figure: str, change: dict[str, int]) -> None:
    clean = judge(10, **CLEAN)
    assert clean["oversold"] == clean["undersold"] == clean["unpaid"] == 0
    assert judge(10, **{**CLEAN, **change})[figure] == 1
