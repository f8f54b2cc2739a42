"""What is to be seen of jobs."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

from django.db.models import Case, Count, F, Q, Value, When
from django.utils import timezone

from tollkeeper.kit.models import Job


@dataclass(frozen=True, slots=True)
class JobRow:
    """A job as an operator sees it. ``payload`` holds ids only."""

    id: int
    kind: str
    key: str
    purpose: str
    payload: dict[str, Any]
    state: str
    attempts: int
    run_at: dt.datetime
    created_at: dt.datetime
    finished_at: dt.datetime | None
    error_class: str
    error_place: str
    steps: tuple[str, ...]


def dead_jobs(limit: int = 100) -> list[JobRow]:
    """Jobs that were given up, latest first: an operator's tasks."""
    return _rows(Job.objects.filter(state="dead").order_by("-finished_at")[:limit])


def waiting_jobs(limit: int = 100) -> list[JobRow]:
    """Jobs that are to be done or being done, soonest first."""
    return _rows(Job.objects.filter(state__in=("ready", "running")).order_by("run_at")[:limit])


def find_job(key: str) -> JobRow | None:
    """The job with this key, if there is one."""
    rows = _rows(Job.objects.filter(key=key))
    return rows[0] if rows else None


def job_counts() -> dict[str, int]:
    """Number of jobs by state."""
    return dict(Job.objects.values_list("state").annotate(n=Count("pk")).values_list("state", "n"))


def open_jobs() -> dict[tuple[str, str], int]:
    """(kind, ``due``, ``waiting``, ``running`` or ``dead``) → how many; what is over is not counted."""
    due = Q(state="ready", run_at__lte=timezone.now())
    word = Case(When(due, then=Value("due")), When(state="ready", then=Value("waiting")), default=F("state"))
    rows = Job.objects.filter(state__in=("ready", "running", "dead")).annotate(word=word)
    counted = rows.order_by().values_list("kind", "word").annotate(n=Count("pk"))
    return {(kind, word): count for kind, word, count in counted}


def oldest_due_s() -> float:
    """How many seconds the job that waits longest is overdue; 0 if none is."""
    now = timezone.now()
    first = (
        Job.objects.filter(state="ready", run_at__lte=now).order_by("run_at").values_list("run_at").first()
    )
    return max(0.0, (now - first[0]).total_seconds()) if first else 0.0


def _rows(jobs: Any) -> list[JobRow]:
    return [
        JobRow(
            id=job.pk,
            kind=job.kind,
            key=job.key,
            purpose=job.purpose,
            payload=job.payload,
            state=job.state,
            attempts=job.attempts,
            run_at=job.run_at,
            created_at=job.created_at,
            finished_at=job.finished_at,
            error_class=job.error_class,
            error_place=job.error_place,
            steps=tuple(step.name for step in job.steps.all()),
        )
        for job in jobs.prefetch_related("steps")
    ]
