"""Once a month the oldest and the newest backup are really restored, in a home of their own."""

from __future__ import annotations

import datetime as dt
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

import psycopg
from django.conf import settings
from django.utils import timezone

from tollkeeper.kit import audit, backups, erasure_journal
from tollkeeper.kit.jobs import Context, schedule
from tollkeeper.privacy import policy_queries, reviews

REVIEW = "restore"
"""The line of the audit plan that a rehearsal without a failure fulfils."""
_RESULT = "rehearsal.json"
_LIMIT_S = 3600


class RestoreFailed(Exception):
    """A backup could not be restored; what the command said is in the file beside the backups."""


@schedule("rehearse_restore", every_s=30 * 24 * 3600, purpose="security", attempts=2)
def rehearse_restore(context: Context) -> None:
    """A backup that was never restored is none: a failure is a dead job, which the desk shows."""
    found = backups.list_backups()
    if found:
        rehearse([found[0], found[-1]] if len(found) > 1 else found)
        _note_review()


def _note_review() -> None:
    """What the audit plan asks under ``restore`` was done just now, by the house itself."""
    version = policy_queries.find_current()
    if version is not None and REVIEW in version.policy.reviews:  # a shop may plan it otherwise
        reviews.done(REVIEW, by=None, on=timezone.now().date())


def last_rehearsal() -> dict[str, object] | None:
    """What the last rehearsal found: ``at``, ``backups``, ``ok``, ``s``; None if there was none."""
    try:
        facts = json.loads((backups.folder() / _RESULT).read_text())
    except (OSError, ValueError):
        return None
    return facts if isinstance(facts, dict) else None


def rehearse(chosen: list[backups.Backup]) -> None:
    """Restore each backup in a scratch home, erasures replayed; raises :class:`RestoreFailed`."""
    began, said = time.monotonic(), []
    for one in chosen:
        with tempfile.TemporaryDirectory(prefix="tollkeeper-rehearsal-") as folder:
            code, words = _restore(one, Path(folder))
        if code:
            said.append(f"{one.name}: {words}")
    facts = {
        "at": timezone.now().isoformat(),
        "backups": [one.name for one in chosen],
        "ok": not said,
        "s": round(time.monotonic() - began, 1),
        "said": said,
    }
    (backups.folder() / _RESULT).write_text(json.dumps(facts, indent=1) + "\n")
    audit.record("backup.rehearsed", note=f"backups:{len(chosen)},failed:{len(said)}")
    if said:
        raise RestoreFailed(f"{len(said)} of {len(chosen)}")


def _restore(one: backups.Backup, scratch: Path) -> tuple[int, str]:
    env = settings.ENV
    home = Path(env.home)
    shutil.copytree(home / "secrets", scratch / "secrets")
    backups.copy_keystore(scratch / "keystore.sqlite3")
    if (home / erasure_journal.NAME).exists():
        shutil.copyfile(home / erasure_journal.NAME, scratch / erasure_journal.NAME)
    given = {
        **os.environ,
        "TOLLKEEPER_HOME": str(scratch),
        "TOLLKEEPER_SHOP": str(env.shop),
        "TOLLKEEPER_KEYSTORE": str(scratch / "keystore.sqlite3"),
        "TOLLKEEPER_BACKUPS": str(backups.folder()),
        "TOLLKEEPER_KEY_BACKUPS": str(scratch / "keys"),
    }
    database = ""
    if env.database_url:
        database, given["DATABASE_URL"] = _scratch_database(env.database_url)
    command = [sys.executable, "-m", "tollkeeper", "restore", one.name, "--yes"]
    try:
        done = subprocess.run(
            command, env=given, capture_output=True, text=True, check=False, timeout=_LIMIT_S
        )
    finally:
        if database:
            _drop(env.database_url, database)
    return done.returncode, (done.stderr.strip().splitlines() or [""])[-1][:200]


def _scratch_database(url: str) -> tuple[str, str]:
    name = f"tollkeeper_rehearsal_{dt.datetime.now(dt.UTC):%Y%m%d%H%M%S}"
    with closing(psycopg.connect(url, autocommit=True)) as book:
        book.execute(f'CREATE DATABASE "{name}"'.encode())
    head, _, _ = url.rpartition("/")
    return name, f"{head}/{name}"


def _drop(url: str, name: str) -> None:
    with closing(psycopg.connect(url, autocommit=True)) as book:
        book.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'.encode())
