"""`tollkeeper book move`: a whole book goes to PostgreSQL, or nothing does."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from tests.services.postgres import Postgres

PEOPLE = """
import random, django
django.setup()
from django.db import transaction
from tollkeeper.drills import _people
for number in range(5):
    with transaction.atomic():
        _people.make(number, random.Random(number))
"""


def _run(home: Path, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *command],
        env={
            **os.environ,
            "TOLLKEEPER_HOME": str(home),
            "DJANGO_SETTINGS_MODULE": "tollkeeper.config.settings",
            "DATABASE_URL": "",
            **environment,
        },
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A shop with some people on SQLite."""
    home = tmp_path_factory.mktemp("shop")
    for command in (("-m", "tollkeeper", "migrate"), ("-c", PEOPLE)):
        done = _run(home, *command)
        assert done.returncode == 0, done.stderr
    return home


def _counts(book: Path) -> dict[str, int]:
    with closing(sqlite3.connect(book)) as connection:
        names = [
            row[0]
            for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            if not row[0].startswith("sqlite_")
        ]
        return {name: connection.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0] for name in names}


@pytest.mark.timeout(180)
def test_every_row_arrives_and_the_shop_goes_on(home: Path, postgres: Postgres) -> None:
    before = _counts(home / "book.sqlite3")
    assert before["usage_call"] > 0
    taken = postgres.create_database("taken")
    with psycopg.connect(taken) as connection:
        connection.execute("CREATE TABLE mine (id int)")
    for address, sentence in (
        ("mysql://somewhere/x", "must look like postgresql://"),
        (postgres.url.replace(str(postgres.port), "1"), "cannot be opened"),
        (taken, "not empty"),
    ):
        refused = _run(home, "-m", "tollkeeper", "book", "move", address)
        assert refused.returncode == 1
        assert sentence in refused.stderr
        assert len(refused.stderr.splitlines()) == 1
        assert _counts(home / "book.sqlite3") == before, "a refused move changes nothing"

    url = postgres.create_database("moved")
    done = _run(home, "-m", "tollkeeper", "book", "move", TOLLKEEPER_MOVE_TO=url)
    assert done.returncode == 0, done.stderr
    assert not (home / "book.sqlite3").exists()
    assert _counts(home / "book.moved.sqlite3") == before
    with psycopg.connect(url) as connection:
        after = {
            name: connection.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0]  # type: ignore[index]
            for name in before
        }
    assert after == before

    again = _run(home, "-m", "tollkeeper", "migrate", DATABASE_URL=url)
    assert again.returncode == 0, again.stderr
    more = _run(home, "-c", PEOPLE.replace("range(5)", "range(5, 7)"), DATABASE_URL=url)
    assert more.returncode == 0, more.stderr  # new numbers follow the moved ones, sealed values open
    sound = _run(home, "-m", "tollkeeper", "book", "check", DATABASE_URL=url)
    assert sound.returncode == 0, sound.stdout
