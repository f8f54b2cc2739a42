"""A book on PostgreSQL is backed up, lost, and restored by the commands that people use."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from tests.services.postgres import Postgres, _find_programs
from tollkeeper.config import environment


def test_backup_erase_restore(postgres: Postgres, tmp_path: Path) -> None:
    home = tmp_path / "home"
    environment.create_secrets(home)
    url = postgres.create_database("restored")
    given = {
        name: value for name, value in os.environ.items() if not name.startswith(("TOLLKEEPER_", "DJANGO"))
    }
    given |= {
        "TOLLKEEPER_HOME": str(home),
        "DATABASE_URL": url,
        "TOLLKEEPER_PG_BIN": str(_find_programs(18)),
        "TOLLKEEPER_SHOP": "twtapi",
    }

    def run(*words: str, ok: bool = True) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "tollkeeper", *words],
            env=given,
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode == 0) == ok, done.stdout + done.stderr
        return done.stdout + done.stderr

    run("migrate")
    for name in ("ada", "bob"):
        run("operator", "add", f"{name}@example.org")
    made = run("backup")
    assert "postgresql" in run("backup", "--list")
    run("erase", "ada@example.org", "--yes")
    with psycopg.connect(url, autocommit=True) as book:
        book.execute("DELETE FROM kit_schedule")
        book.execute("CREATE TABLE made_since (x int)")
    told = run("restore", "--yes")
    assert "1 erased people are gone again" in told
    assert "asked of the providers" in told
    with psycopg.connect(url) as book:
        row = book.execute("SELECT count(*) FROM accounts_user").fetchone()
        left = book.execute("SELECT to_regclass('made_since')").fetchone()
        jobs = book.execute("SELECT count(*) FROM kit_job WHERE kind = 'find_lost_payments'").fetchone()
    assert (row, left, jobs) == ((1,), (None,), (1,))
    assert not (home / "restore.lock").exists()
    assert "Backed up as" in made
    with pytest.raises(AssertionError):
        run("restore", "20200101T000000Z", "--yes")
