"""GET /desk/: what needs a person today."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from tollkeeper.delivery import queries as delivery
from tollkeeper.kit import queries as kit
from tollkeeper.privacy import proof_runs, reviews
from tollkeeper.sales import queries as sales
from tollkeeper.usage import queries as usage
from tollkeeper.web.access import for_staff
from tollkeeper.web.desk import job_rows
from tollkeeper.web.desk.promises import KIND_WORDS
from tollkeeper.web.desk.waiting import waiting_for


@require_safe
@for_staff
def today(request: HttpRequest) -> HttpResponse:
    """Held orders, failed deliveries, dead jobs, records that could not be booked, reviews that are due."""
    counts, now, run = kit.job_counts(), timezone.now(), proof_runs.last_run()
    return render(
        request,
        "desk/today.html",
        {
            "waiting": waiting_for(request.user, timezone.now().date()),
            "held": sales.recent_orders(20, review_only=True),
            "failed": delivery.failed_deliveries(20),
            "dead": job_rows.of(kit.dead_jobs(20)),
            "strays": usage.strays(20),
            "waiting_count": counts.get("ready", 0) + counts.get("running", 0),
            "dead_count": counts.get("dead", 0),
            "overdue_s": round(kit.oldest_due_s()),
            "intake_s": round(usage.intake_delay_s()),
            "tasks": [(one, KIND_WORDS[one.kind], one.overdue(now.date())) for one in reviews.tasks(now)],
            "broken": run.broken_ids if run else (),
        },
    )
