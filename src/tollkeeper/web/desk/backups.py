"""GET /desk/backups/: what there is to go back to, whether it was tried, and what a restore left to do."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from tollkeeper.flows import lost_payments, rehearsing, restoring
from tollkeeper.kit import backups
from tollkeeper.web.access import for_staff


@require_safe
@for_staff
def backup_list(request: HttpRequest) -> HttpResponse:
    """The measured window beside the promised one, the last rehearsal, payments after a restore."""
    now = timezone.now()
    rehearsal = rehearsing.last_rehearsal()
    values = {
        "backups": backups.list_backups()[::-1],
        "window": backups.window_days(now),
        "promised": restoring.promised_days(),
        "rehearsal": rehearsal,
        "rehearsed_at": parse_datetime(str(rehearsal["at"])) if rehearsal else None,
        "lost": lost_payments.last_look(),
        "now": now,
    }
    return render(request, "desk/backups.html", values)


@require_POST
@for_staff
def look_again(request: HttpRequest) -> HttpResponse:
    """POST /desk/backups/payments/: ask the providers once more."""
    last = lost_payments.last_look()
    if last is not None:
        lost_payments.ask_for(last.since)
        messages.success(request, _("The providers are asked again."))
    return redirect("desk_backups")


urlpatterns = [
    path("desk/backups/", backup_list, name="desk_backups"),
    path("desk/backups/payments/", look_again, name="desk_backups_payments"),
]
