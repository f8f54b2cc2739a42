"""What an operator may do with jobs."""

from __future__ import annotations

from django.utils import timezone

from tollkeeper.core import states
from tollkeeper.kit.models import Job


def retry_job(job_id: int) -> bool:
    """Put a dead job back, with all its attempts; steps that were done stay done."""
    state = states.step(states.JOB, "dead", "retry")
    dead = Job.objects.filter(pk=job_id, state="dead")
    return bool(dead.update(state=state, attempts=0, run_at=timezone.now(), finished_at=None))


def cancel_job(job_id: int) -> bool:
    """Decide that a job that is dead, or not begun, shall not be done."""
    waiting = Job.objects.filter(pk=job_id, state__in=("dead", "ready"))
    return bool(waiting.update(state="cancelled", finished_at=timezone.now()))
