"""What waits about people's data: requests, holds, minors' reports, authorities; each with its clock."""

from __future__ import annotations

import datetime as dt

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from tollkeeper.flows import erasure, inactivity, rehearsing
from tollkeeper.flows import forgetting as forgetting_flow
from tollkeeper.flows import minors as minor_flow
from tollkeeper.kit import backups
from tollkeeper.privacy import (
    authorities,
    breaches,
    corrections,
    forgetting,
    holds,
    minors,
    requests,
    retention,
)
from tollkeeper.support import queries as tickets
from tollkeeper.web.access import for_privacy
from tollkeeper.web.desk.deeds import actor, attempt


@require_safe
@for_privacy
def queue(request: HttpRequest) -> HttpResponse:
    """GET /desk/privacy/"""
    now = timezone.now()
    values = {
        "requests": [row for row in requests.open_requests() if row.kind != "minor"],
        "breaches": breaches.unfinished(),
        "reports": minors.waiting(),
        "cases": authorities.waiting(),
        "holds": holds.list_holds(),
        "duties": forgetting.waiting(),
        "counts": requests.counts(),
        "letters": tickets.counts(),
        "corrections": corrections.by_hand(),
        "due": retention.due_now(now) + inactivity.due_now(now),
        "window": backups.window_days(now),
        "rehearsal": rehearsing.last_rehearsal(),
        "today": now.date(),
        "soon": now.date() + dt.timedelta(days=14),
        "now": now,
    }
    return render(request, "desk/privacy.html", values)


@require_POST
@for_privacy
def report_decide(request: HttpRequest, number: str) -> HttpResponse:
    """POST /desk/privacy/minors/<number>/"""
    agree = request.POST.get("decision") == "agree"
    attempt(request, lambda: minor_flow.decide(number, agree=agree, actor=actor(request)), _("Saved."))
    return redirect("desk_privacy")


@require_POST
@for_privacy
def hold_release(request: HttpRequest, number: str) -> HttpResponse:
    """POST /desk/privacy/holds/<number>/release/"""
    said = _("Released; an erasure that waited goes on.")
    attempt(request, lambda: erasure.release_hold(number, actor(request)), said)
    return redirect("desk_privacy")


@require_POST
@for_privacy
def duty_step(request: HttpRequest, duty_id: int, verb: str) -> HttpResponse:
    """POST /desk/privacy/duties/<id>/<verb>/: a processor was told by hand, or is asked once more."""
    steps = {"told": forgetting.told_by_hand, "again": forgetting_flow.try_again}
    if verb not in steps:
        raise Http404
    attempt(request, lambda: steps[verb](duty_id), _("Saved."))
    return redirect("desk_privacy")


@require_POST
@for_privacy
def correction_told(request: HttpRequest, correction: int) -> HttpResponse:
    """POST /desk/privacy/corrections/<id>/: a person of ours told the recipient."""
    corrections.step(correction, "tell")
    messages.success(request, _("Saved."))
    return redirect("desk_privacy")


urlpatterns = [
    path("desk/privacy/corrections/<int:correction>/", correction_told, name="desk_privacy_correction"),
    path("desk/privacy/", queue, name="desk_privacy"),
    path("desk/privacy/duties/<int:duty_id>/<slug:verb>/", duty_step, name="desk_privacy_duty"),
    path("desk/privacy/minors/<str:number>/", report_decide, name="desk_privacy_minor"),
    path("desk/privacy/holds/<str:number>/release/", hold_release, name="desk_privacy_hold"),
]
