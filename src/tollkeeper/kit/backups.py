"""Backups of the book: made while the shop runs, checked, listed, laid back, thrown away in time.

The keystore is never part of a backup of the book. It has copies of its own in another
folder, kept seven days at most: a destroyed key must not outlive its person in an archive.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import os
import re
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from django.conf import settings
from django.db import connections

from tollkeeper.core.refusal import Refused

KEY_DAYS = 7
_NAME = re.compile(r"\d{8}T\d{6}Z(-\d+)?")
_LEFT_OUT = ("django_session", "accounts_cacheentry")
"""Tables whose rows are in no backup: sessions that ended must not begin again."""


class CannotBackUp(Refused):
    """A backup cannot be made or used; one sentence that says what to do."""


@dataclass(frozen=True, slots=True)
class Backup:
    """One backup: ``file`` holds the book, ``digest`` is its SHA-256, ``size`` in bytes."""

    name: str
    made_at: dt.datetime
    engine: str
    file: str
    size: int
    digest: str

    @property
    def path(self) -> Path:
        """The file with the book."""
        return folder() / self.name / self.file


def folder() -> Path:
    """Where backups of the book lie: ``TOLLKEEPER_BACKUPS``, else below the home."""
    return Path(os.environ.get("TOLLKEEPER_BACKUPS") or Path(settings.ENV.home) / "backups")


def key_folder() -> Path:
    """Where copies of the keystore lie: never the same folder, better another disk."""
    return Path(os.environ.get("TOLLKEEPER_KEY_BACKUPS") or Path(settings.ENV.home) / "backups-of-keys")


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _copy_sqlite(source: Path, target: Path) -> None:
    with closing(sqlite3.connect(source, timeout=20)) as one, closing(sqlite3.connect(target)) as two:
        one.backup(two, pages=4096, sleep=0.005)
        two.execute("PRAGMA journal_mode=DELETE")
    target.chmod(0o600)


def _strip(target: Path) -> None:
    with closing(sqlite3.connect(target, isolation_level=None)) as book:
        book.execute("PRAGMA secure_delete=ON")
        for table in _LEFT_OUT:
            if book.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (table,)).fetchone():
                book.execute(f'DELETE FROM "{table}"')  # noqa: S608 - names of ours
        if book.execute("PRAGMA quick_check").fetchone()[0] != "ok":
            raise CannotBackUp("the copy of the book is damaged; check the disk, then try again")


def _program(name: str) -> str:
    found = shutil.which(name, path=os.environ.get("TOLLKEEPER_PG_BIN") or None)
    if found is None:
        raise CannotBackUp(
            f"the program {name} is not on this machine; install PostgreSQL's client programs"
            " of the server's version, or name their folder in TOLLKEEPER_PG_BIN"
        )
    return found


def _postgres_environment(url: str) -> dict[str, str]:
    """The address for PostgreSQL's programs, without a password on a command line."""
    parts = urlsplit(url)
    facts = {
        "PGHOST": unquote(parts.hostname or ""),
        "PGPORT": str(parts.port or 5432),
        "PGUSER": unquote(parts.username or ""),
        "PGPASSWORD": unquote(parts.password or ""),
        "PGDATABASE": parts.path.lstrip("/"),
    }
    return {**os.environ, **{name: value for name, value in facts.items() if value}}


def _run(command: list[str], url: str, what: str) -> None:
    done = subprocess.run(
        command, env=_postgres_environment(url), capture_output=True, text=True, check=False
    )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise CannotBackUp(f"{what} failed: {last}")


def _dump(target: Path, url: str) -> None:
    command = [_program("pg_dump"), "--format=custom", "--no-owner", "--file", str(target)]
    _run([*command, *(f"--exclude-table-data={table}" for table in _LEFT_OUT)], url, "pg_dump")
    target.chmod(0o600)


def make(now: dt.datetime) -> Backup:
    """Back the book up, and the keystore apart; safe beside a running shop.

    Raises :class:`CannotBackUp`. What is half made has another name and is never listed.
    """
    env = settings.ENV
    name = _free_name(now)
    part = folder() / f".{name}.part"
    part.mkdir(parents=True, mode=0o700)
    try:
        if env.database_url:
            engine, file = "postgresql", part / "book.dump"
            _dump(file, env.database_url)
        else:
            engine, file = "sqlite", part / "book.sqlite3"
            _copy_sqlite(Path(connections["default"].settings_dict["NAME"]), file)
            _strip(file)
        made = Backup(name, now, engine, file.name, file.stat().st_size, _digest(file))
        facts = {**asdict(made), "made_at": now.isoformat()}
        (part / "manifest.json").write_text(json.dumps(facts, indent=1) + "\n")
        part.rename(folder() / name)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise
    _back_keys_up(name)
    return made


def _free_name(now: dt.datetime) -> str:
    base = now.astimezone(dt.UTC).strftime("%Y%m%dT%H%M%SZ")
    name, more = base, 1
    while (folder() / name).exists():
        more += 1
        name = f"{base}-{more}"
    return name


def copy_keystore(target: Path) -> None:
    """A copy of the keystore as it is now, readable by its owner only."""
    _copy_sqlite(Path(connections["keystore"].settings_dict["NAME"]), target)


def _back_keys_up(name: str) -> None:
    key_folder().mkdir(parents=True, mode=0o700, exist_ok=True)
    part = key_folder() / f".{name}.part"
    part.unlink(missing_ok=True)
    copy_keystore(part)
    part.rename(key_folder() / f"{name}.sqlite3")


def _all() -> Iterator[Backup]:
    for manifest in folder().glob("*/manifest.json"):
        if _NAME.fullmatch(manifest.parent.name) is None:
            continue
        try:
            facts = json.loads(manifest.read_text())
            facts["made_at"] = dt.datetime.fromisoformat(facts["made_at"])
            yield Backup(**{**facts, "name": manifest.parent.name})
        except (OSError, ValueError, KeyError, TypeError):
            continue


def list_backups() -> list[Backup]:
    """Every whole backup, oldest first."""
    return sorted(_all(), key=lambda one: (one.made_at, one.name))


def window_days(now: dt.datetime) -> int | None:
    """Age of the oldest backup in days: how long a deletion takes to reach them all. None without any."""
    found = list_backups()
    return (now - found[0].made_at).days if found else None


def check(one: Backup) -> None:
    """Raise :class:`CannotBackUp` unless the backup is what was written."""
    if not one.path.exists():
        raise CannotBackUp(f"the backup {one.name} has lost its file {one.file}")
    if _digest(one.path) != one.digest:
        raise CannotBackUp(f"the backup {one.name} is not what was written; take another one")


def lay_back(one: Backup) -> None:
    """Put a backup in the book's place. The home is locked before; nothing else may be running.

    Raises :class:`CannotBackUp`.
    """
    check(one)
    env = settings.ENV
    if (one.engine == "postgresql") != bool(env.database_url):
        raise CannotBackUp(f"the backup {one.name} is of {one.engine}; the book of this home is not")
    connections["default"].close()
    if env.database_url:
        _empty_postgres()
        connections["default"].close()
        command = [_program("pg_restore"), "--no-owner", "--exit-on-error", "--single-transaction"]
        name = urlsplit(env.database_url).path.lstrip("/")
        _run([*command, "--dbname", name, str(one.path)], env.database_url, "pg_restore")
        return
    book = Path(connections["default"].settings_dict["NAME"])
    part = book.with_suffix(".restoring")
    shutil.copyfile(one.path, part)
    part.chmod(0o600)
    for suffix in ("-wal", "-shm"):
        Path(f"{book}{suffix}").unlink(missing_ok=True)
    part.replace(book)


def _empty_postgres() -> None:
    """Tables made since the backup go too: a book is one state, not two."""
    with connections["default"].cursor() as cursor:
        cursor.execute("SELECT current_schema()")
        schema = connections["default"].ops.quote_name(cursor.fetchone()[0])
        cursor.execute(f"DROP SCHEMA {schema} CASCADE")
        cursor.execute(f"CREATE SCHEMA {schema}")


def prune(now: dt.datetime, keep_days: int) -> list[str]:
    """Throw away backups older than ``keep_days`` and copies of keys older than seven days.

    The names that went. The newest backup always stays.
    """
    gone = []
    for one in list_backups()[:-1]:
        if now - one.made_at > dt.timedelta(days=keep_days):
            shutil.rmtree(folder() / one.name)
            gone.append(one.name)
    for path in key_folder().glob("*.sqlite3") if key_folder().is_dir() else ():
        if now.timestamp() - path.stat().st_mtime > KEY_DAYS * 86_400:
            path.unlink()
            gone.append(f"keys {path.stem}")
    return gone
