"""Backups: whole or not there, checked, without keys and sessions, gone in time."""

import datetime as dt
import os
import sqlite3
import zlib
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django.utils import timezone

from tollkeeper.config import environment
from tollkeeper.kit import backups
from tollkeeper.kit.models import Schedule

pytestmark = [
    pytest.mark.django_db(databases=["default", "keystore"], transaction=True),
    pytest.mark.skipif(
        "postgres" in str(settings.DATABASES["default"]["ENGINE"]), reason="of the SQLite book"
    ),
]


@pytest.fixture(autouse=True)
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOLLKEEPER_BACKUPS", str(tmp_path / "backups"))
    monkeypatch.setenv("TOLLKEEPER_KEY_BACKUPS", str(tmp_path / "keys"))


def test_a_backup_holds_the_book_without_sessions_and_the_keys_lie_apart(tmp_path: Path) -> None:
    Schedule.objects.create(kind="marker", every_us=1, next_at=timezone.now())
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO django_session VALUES ('k', 'secret', '2030-01-01')")
    made = backups.make(timezone.now())
    with backups.open_plain(made) as plain, closing(sqlite3.connect(plain)) as book:
        assert book.execute("SELECT kind FROM kit_schedule").fetchall() == [("marker",)]
        assert book.execute("SELECT count(*) FROM django_session").fetchone() == (0,)
        assert not book.execute("SELECT 1 FROM sqlite_master WHERE name = 'keystore_subjectkey'").fetchall()
    assert not plain.exists(), "in the clear only for so long"
    assert [path.name for path in (tmp_path / "keys").iterdir()] == [f"{made.name}.sqlite3"]
    assert made.path.stat().st_mode & 0o77 == 0
    assert backups.list_backups() == [made]


def test_a_backup_is_noise_without_the_homes_secret(settings: Any, tmp_path: Path) -> None:
    made = backups.make(timezone.now())
    raw = made.path.read_bytes()
    assert not raw.startswith(b"SQLite")
    assert b"kit_schedule" not in raw
    assert len(zlib.compress(raw)) > 0.98 * len(raw)
    other = tmp_path / "other"
    environment.create_secrets(other)
    settings.ENV = replace(settings.ENV, home=other)
    with pytest.raises(backups.CannotBackUp, match="other secrets"), backups.open_plain(made):
        pass
    assert not list(other.glob(".backup-*"))


def test_what_a_killed_run_left_in_the_clear_goes(settings: Any, tmp_path: Path) -> None:
    settings.ENV = replace(settings.ENV, home=tmp_path)
    fresh, stale = tmp_path / ".backup-new", tmp_path / ".backup-old"
    for folder in (fresh, stale):
        folder.mkdir()
        (folder / "book.sqlite3").write_text("x")
    old = (timezone.now() - dt.timedelta(hours=13)).timestamp()
    os.utime(stale, (old, old))
    backups.prune(timezone.now(), keep_days=32)
    assert fresh.exists()
    assert not stale.exists()


def test_a_changed_backup_is_refused() -> None:
    made = backups.make(timezone.now())
    with made.path.open("r+b") as file:
        file.seek(200)
        file.write(b"x")
    with pytest.raises(backups.CannotBackUp, match="not what was written"):
        backups.check(made)


def test_what_is_half_made_is_not_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(backups, "_digest", lambda path: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        backups.make(timezone.now())
    assert backups.list_backups() == []
    assert list((tmp_path / "backups").iterdir()) == []


def test_old_ones_go_the_newest_stays(tmp_path: Path) -> None:
    now = timezone.now()
    for days in (40, 33, 31, 0):
        backups.make(now - dt.timedelta(days=days))
    assert backups.window_days(now) == 40
    assert len(backups.prune(now, keep_days=32)) == 2
    assert backups.window_days(now) == 31
    backups.prune(now + dt.timedelta(days=400), keep_days=32)
    assert len(backups.list_backups()) == 1


def test_copies_of_keys_live_seven_days(tmp_path: Path) -> None:
    now = timezone.now()
    backups.make(now)
    backups.prune(now + dt.timedelta(days=6), keep_days=32)
    assert len(list((tmp_path / "keys").iterdir())) == 1
    backups.prune(now + dt.timedelta(days=8), keep_days=32)
    assert list((tmp_path / "keys").iterdir()) == []


def test_without_the_programs_of_postgresql_it_says_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TOLLKEEPER_PG_BIN", str(tmp_path))
    with pytest.raises(backups.CannotBackUp, match="pg_dump is not on this machine"):
        backups._dump(tmp_path / "x", "postgresql://u:p@127.0.0.1/x")
