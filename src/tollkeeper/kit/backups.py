"""Backups of the book: made while the shop runs, checked, listed, laid back, thrown away in time.

A backup is sealed as a whole under the home's secret ``backup``, personal or not: whoever finds
one without ``<home>/secrets`` has noise. In the clear it exists only in a folder of the home,
while it is made or laid back.

The keystore is never part of a backup of the book. It has copies of its own in another
folder, kept seven days at most: a destroyed key must not outlive its person in an archive.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import json
import os
import re
import shutil
import sqlite3
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from django.conf import settings
from django.db import connections

from tollkeeper.core.refusal import Refused
from tollkeeper.kit import sealed_stream
from tollkeeper.kit.sealed import Damaged

KEY_DAYS = 7
SEALED = ".sealed"
_SCRATCH = ".backup-"
_STALE_S = 12 * 3600
_NAME = re.compile(r"\d{8}T\d{6}Z(-\d+)?")
_LEFT_OUT = ("django_session", "accounts_cacheentry")
"""Tables whose rows are in no backup: sessions that ended must not begin again."""


class CannotBackUp(Refused):
    """A backup cannot be made or used; one sentence that says what to do."""


@dataclass(frozen=True, slots=True)
class Backup:
    """One backup: ``file`` holds the sealed book, ``digest`` is its SHA-256, ``size`` in bytes."""

    name: str
    made_at: dt.datetime
    engine: str
    file: str
    size: int
    digest: str

    @property
    def path(self) -> Path:
        """The sealed file with the book; see :func:`open_plain`."""
        return folder() / self.name / self.file


def folder() -> Path:
    """Where backups of the book lie: ``TOLLKEEPER_BACKUPS``, else below the home."""
    return Path(os.environ.get("TOLLKEEPER_BACKUPS") or Path(settings.ENV.home) / "backups")


def key_folder() -> Path:
    """Where copies of the keystore lie: never the same folder, better another disk."""
    return Path(os.environ.get("TOLLKEEPER_KEY_BACKUPS") or Path(settings.ENV.home) / "backups-of-keys")


def _key(name: str) -> bytes:
    """The key of one backup: made of the home's secret and its name."""
    return hmac.digest(settings.ENV.secret("backup"), f"backup|{name}".encode(), "sha256")


def _seal(plain: Path, target: Path, key: bytes) -> None:
    with plain.open("rb") as source, sealed_stream.SealedFile(target, key) as file:
        shutil.copyfileobj(source, file, sealed_stream.PIECE)


@contextmanager
def open_plain(one: Backup) -> Iterator[Path]:
    """The book of a backup in the clear, in a folder of the home that goes in the end.

    Raises :class:`CannotBackUp` where the home's secret does not open it.
    """
    with tempfile.TemporaryDirectory(prefix=_SCRATCH, dir=settings.ENV.home) as scratch:
        plain = Path(scratch) / one.file.removesuffix(SEALED)
        with os.fdopen(os.open(plain, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            try:
                file.writelines(sealed_stream.read_sealed(one.path, _key(one.name)))
            except Damaged:
                raise CannotBackUp(
                    f"the backup {one.name} does not open: it is damaged, or of a home with other secrets"
                ) from None
        yield plain


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


def program(name: str) -> str:
    """Where a program of PostgreSQL's client is; raises :class:`CannotBackUp`."""
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
    command = [program("pg_dump"), "--format=custom", "--no-owner", "--file", str(target)]
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
    scratch = Path(tempfile.mkdtemp(prefix=_SCRATCH, dir=env.home))
    try:
        if env.database_url:
            engine, plain = "postgresql", scratch / "book.dump"
            _dump(plain, env.database_url)
        else:
            engine, plain = "sqlite", scratch / "book.sqlite3"
            _copy_sqlite(Path(connections["default"].settings_dict["NAME"]), plain)
            _strip(plain)
        file = part / f"{plain.name}{SEALED}"
        _seal(plain, file, _key(name))
        made = Backup(name, now, engine, file.name, file.stat().st_size, _digest(file))
        facts = {**asdict(made), "made_at": now.isoformat()}
        (part / "manifest.json").write_text(json.dumps(facts, indent=1) + "\n")
        part.rename(folder() / name)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
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
    with open_plain(one) as plain:
        if env.database_url:
            _restore_postgres(plain, env.database_url)
        else:
            _replace_sqlite(plain, Path(connections["default"].settings_dict["NAME"]))


def _restore_postgres(plain: Path, url: str) -> None:
    _empty_postgres()
    connections["default"].close()
    command = [program("pg_restore"), "--no-owner", "--exit-on-error", "--single-transaction"]
    name = urlsplit(url).path.lstrip("/")
    _run([*command, "--dbname", name, str(plain)], url, "pg_restore")


def _replace_sqlite(plain: Path, book: Path) -> None:
    part = book.with_suffix(".restoring")
    shutil.copyfile(plain, part)
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
    for left in Path(settings.ENV.home).glob(f"{_SCRATCH}*"):  # of a run that was killed
        if now.timestamp() - left.stat().st_mtime > _STALE_S:
            shutil.rmtree(left, ignore_errors=True)
    for one in list_backups()[:-1]:
        if now - one.made_at > dt.timedelta(days=keep_days):
            shutil.rmtree(folder() / one.name)
            gone.append(one.name)
    for path in key_folder().glob("*.sqlite3") if key_folder().is_dir() else ():
        if now.timestamp() - path.stat().st_mtime > KEY_DAYS * 86_400:
            path.unlink()
            gone.append(f"keys {path.stem}")
    return gone
