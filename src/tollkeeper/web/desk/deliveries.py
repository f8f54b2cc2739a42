"""GET /desk/deliveries/: what was handed over, and what could not be."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from tollkeeper.delivery import queries as delivery
from tollkeeper.web.access import for_staff


@require_safe
@for_staff
def delivery_list(request: HttpRequest) -> HttpResponse:
    """``?failed=1`` shows only those that failed."""
    failed = request.GET.get("failed") == "1"
    rows = delivery.failed_deliveries() if failed else delivery.recent_deliveries()
    return render(request, "desk/deliveries.html", {"deliveries": rows, "failed": failed})
