"""Every night: what has run out goes, from tables and from files."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from django.conf import settings
from django.db import connection
from django.utils import timezone

from tollkeeper.core.addresses import day_of
from tollkeeper.flows import statutory
from tollkeeper.kit import job_runner, log_keys, log_lines
from tollkeeper.kit.fields import to_micros
from tollkeeper.kit.jobs import Context, schedule
from tollkeeper.privacy import policy_queries, retention
from tollkeeper.usage import queries as usage

UNTIL_NEXT = dt.timedelta(hours=26)
"""From one night to the next, and two hours for a worker that is late."""
MAIL_DAYS = 30


@schedule("apply_periods", every_s=24 * 3600, purpose="legal")
def apply_periods(context: Context) -> None:
    """Take what is past its period. A run that was killed goes on where it was: batches are kept."""
    tonight()


def tonight() -> dict[str, int]:
    """What comes due before the next night goes tonight: no period is ever exceeded."""
    return run(timezone.now(), ahead=UNTIL_NEXT)


def run(now: dt.datetime, ahead: dt.timedelta = dt.timedelta(0)) -> dict[str, int]:
    """Rows and files gone, by table or folder; rows also that come due within ``ahead``."""
    gone = retention.run(now + ahead)
    if keys := _end_days(now + ahead):
        gone["keys of days"] = keys
    if ended := statutory.end_years(now):
        gone["fiscal years"] = len(ended)
    days = policy_queries.get_current().policy.keep
    if "jobs" in days:
        jobs = job_runner.prune_done(dt.timedelta(days=days["jobs"].days), now)
        gone |= {"kit.Job": jobs} if jobs else {}
    # what processes of ours say goes a day before the logs of their days: no file is older than the rule
    logs = days[log_keys.RULES[log_keys.ACCESS]].days - 1
    for name, limit in (("logs", logs), ("mail", MAIL_DAYS)):
        files = _drop_files(Path(settings.ENV.home) / name, now - dt.timedelta(days=limit))
        gone |= {name: files} if files else {}
    return gone


def _end_days(now: dt.datetime) -> int:
    """Drop files of logs, and destroy the keys of days whose lines and calls are gone.

    A day with a call that is held keeps its key.
    """
    keep = policy_queries.get_current().policy.keep
    ends = {log: now - dt.timedelta(days=keep[rule].days) for log, rule in log_keys.RULES.items()}
    before = {log: day_of(to_micros(end)) + 1 for log, end in ends.items()}
    gone = log_keys.destroy(
        log_keys.CALLS, before[log_keys.CALLS], usage.days_of_calls(before[log_keys.CALLS])
    )
    log_lines.drop_before(ends[log_keys.ACCESS].date() + dt.timedelta(days=1))
    gone += log_keys.destroy(log_keys.ACCESS, before[log_keys.ACCESS])
    if gone and connection.vendor == "sqlite":
        with connection.cursor() as cursor:  # else what was deleted stays readable in the log of writes
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return gone


def _drop_files(folder: Path, before: dt.datetime) -> int:
    gone = 0
    for path in folder.rglob("*") if folder.is_dir() else ():
        if path.is_file() and path.stat().st_mtime < before.timestamp():
            path.unlink(missing_ok=True)
            gone += 1
    return gone
