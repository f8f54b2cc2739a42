"""Every night: what has run out goes, from tables and from files."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from django.conf import settings
from django.utils import timezone

from tollkeeper.flows import statutory
from tollkeeper.kit import job_runner
from tollkeeper.kit.jobs import Context, schedule
from tollkeeper.privacy import policy_queries, retention

LOG_DAYS = 89
"""Files of logs: nothing that is written into reaches ninety days."""
MAIL_DAYS = 30
_FOLDERS = {"logs": LOG_DAYS, "mail": MAIL_DAYS}


@schedule("apply_periods", every_s=24 * 3600, purpose="legal")
def apply_periods(context: Context) -> None:
    """Take what is past its period. A run that was killed goes on where it was: batches are kept."""
    run(timezone.now())


def run(now: dt.datetime) -> dict[str, int]:
    """Rows and files gone, by table or folder."""
    gone = retention.run(now)
    if ended := statutory.end_years(now):
        gone["fiscal years"] = len(ended)
    days = policy_queries.get_current().policy.keep
    if "jobs" in days:
        jobs = job_runner.prune_done(dt.timedelta(days=days["jobs"].days), now)
        gone |= {"kit.Job": jobs} if jobs else {}
    for name, limit in _FOLDERS.items():
        files = _drop_files(Path(settings.ENV.home) / name, now - dt.timedelta(days=limit))
        gone |= {name: files} if files else {}
    return gone


def _drop_files(folder: Path, before: dt.datetime) -> int:
    gone = 0
    for path in folder.rglob("*") if folder.is_dir() else ():
        if path.is_file() and path.stat().st_mtime < before.timestamp():
            path.unlink(missing_ok=True)
            gone += 1
    return gone
