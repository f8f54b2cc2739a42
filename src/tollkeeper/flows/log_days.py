"""The days of logs: their keys and partitions are made ahead."""

from __future__ import annotations

import datetime as dt

from django.utils import timezone

from tollkeeper.kit import daily, log_keys
from tollkeeper.kit.jobs import Context, schedule


@schedule("make_log_days", every_s=6 * 3600, purpose="security")
def make_log_days(context: Context) -> None:
    """See :func:`prepare`."""
    prepare()


def prepare(now: dt.datetime | None = None) -> int:
    """Make what the logs of today and the coming days need; how many keys and partitions were made."""
    today = (now or timezone.now()).astimezone(dt.UTC).date()
    return log_keys.make_ahead(today) + daily.make_ahead(today)
