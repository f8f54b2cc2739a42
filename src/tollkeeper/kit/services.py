"""What an operator may do with jobs."""

from __future__ import annotations

from django.db.models import TextField
from django.db.models.functions import Cast
from django.utils import timezone

from tollkeeper.core import states
from tollkeeper.kit.models import Job, Step


def retry_job(job_id: int) -> bool:
    """Put a dead job back, with all its attempts; steps that were done stay done."""
    state = states.step(states.JOB, "dead", "retry")
    dead = Job.objects.filter(pk=job_id, state="dead")
    return bool(dead.update(state=state, attempts=0, run_at=timezone.now(), finished_at=None))


def cancel_job(job_id: int) -> bool:
    """Decide that a job that is dead, or not begun, shall not be done."""
    waiting = Job.objects.filter(pk=job_id, state__in=("dead", "ready"))
    return bool(waiting.update(state="cancelled", finished_at=timezone.now()))


def forget_results(text: str) -> int:
    """Empty what steps of jobs remembered if it names ``text``, such as the id of somebody who is erased:
    a secret that was sealed for them stands there under it. How many."""
    named = Step.objects.annotate(as_text=Cast("result", TextField())).filter(as_text__contains=text)
    return Step.objects.filter(pk__in=list(named.values_list("pk", flat=True))).update(result=None)
