"""GET /desk/jobs/: what the worker has to do, and what it gave up."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from tollkeeper.kit import queries as kit
from tollkeeper.kit import services as kit_verbs
from tollkeeper.web.access import for_staff
from tollkeeper.web.desk import job_rows


@require_safe
@for_staff
def job_list(request: HttpRequest) -> HttpResponse:
    """Dead jobs first, then those that wait."""
    return render(
        request,
        "desk/jobs.html",
        {
            "dead": job_rows.of(kit.dead_jobs()),
            "waiting": [job_rows.DeskJob(row) for row in kit.waiting_jobs()],
            "counts": sorted(kit.job_counts().items()),
        },
    )


@require_POST
@for_staff
def job_retry(request: HttpRequest, job_id: int) -> HttpResponse:
    """POST /desk/jobs/<id>/retry/"""
    if kit_verbs.retry_job(job_id):
        messages.success(request, _("The job will be tried again."))
    else:
        messages.warning(request, _("That job is not dead any more."))
    return redirect("desk_jobs")


@require_POST
@for_staff
def job_cancel(request: HttpRequest, job_id: int) -> HttpResponse:
    """POST /desk/jobs/<id>/cancel/"""
    if kit_verbs.cancel_job(job_id):
        messages.success(request, _("The job will not be done."))
    else:
        messages.warning(request, _("That job cannot be cancelled any more."))
    return redirect("desk_jobs")
