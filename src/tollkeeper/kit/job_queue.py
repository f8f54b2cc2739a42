"""Putting work into the table: in the caller's transaction, once per key."""

from __future__ import annotations

import datetime as dt
import re
import threading

from django.db import transaction
from django.utils import timezone

from tollkeeper.kit.job_kinds import KINDS
from tollkeeper.kit.models import Job

wake = threading.Event()
"""Set when this process has committed new work; workers in other processes poll."""

_ID = re.compile(r"[A-Za-z0-9_.:/@-]{0,120}")


def enqueue(kind: str, key: str, *, run_at: dt.datetime | None = None, **ids: int | str | None) -> int:
    """Put a job into the table as part of the caller's transaction; answers its id.

    The same ``key`` a second time changes nothing. ``ids`` are what the handler is
    called with: numbers and identifiers only; raises ``ValueError`` for anything
    that could be a name, an address or a sentence.
    """
    for name, value in ids.items():
        if isinstance(value, str) and (_ID.fullmatch(value) is None or _like_mail(value)):
            raise ValueError(f"{name} of job {kind!r} is no identifier")
        if value is not None and not isinstance(value, int | str):
            raise ValueError(f"{name} of job {kind!r} is neither a number nor an identifier")
    now = timezone.now()
    known = KINDS.get(kind)
    row = Job(
        kind=kind,
        key=key,
        purpose=known.purpose if known else "",
        payload=ids,
        run_at=run_at or now,
        created_at=now,
    )
    Job.objects.bulk_create([row], ignore_conflicts=True)
    transaction.on_commit(wake.set)
    return Job.objects.values_list("pk", flat=True).get(key=key)


def _like_mail(value: str) -> bool:
    before, at, after = value.partition("@")
    return bool(before and at and "." in after)
