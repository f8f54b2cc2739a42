"""GET /console/usage/: what was called and what it cost, and what is left."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from tollkeeper.usage import queries as usage
from tollkeeper.web.access import for_customer
from tollkeeper.web.console import figures, stopped
from tollkeeper.web.storefront import paths


@require_safe
@for_customer
def usage_page(request: HttpRequest, customer_id: int) -> HttpResponse:
    """``?days=`` 7, 30 or 90."""
    length = figures.period_of(request)
    days = usage.daily_usage(customer_id, length)
    stops = stopped.of(customer_id)
    routes = usage.top_routes(customer_id, length, limit=50)
    return render(
        request,
        "console/usage.html",
        {
            "days": length,
            "periods": figures.PERIODS,
            "chart": figures.calls_chart(days),
            "balances": usage.balances(customer_id, [stop.plan for stop in stops]),
            "stops": stops,
            "grants": _shown(usage.grants(customer_id)),
            "routes": routes,
            "paths": paths(),
            "most": max((route.calls for route in routes), default=0),
            "calls": sum(day.calls for day in days),
            "units": sum(day.units for day in days),
        },
    )


def _shown(rows: list[usage.GrantRow]) -> list[usage.GrantRow]:
    """Without the months of a year that are far away: of what is to come, the next of each source."""
    coming: dict[str, usage.GrantRow] = {}
    for row in rows:
        if row.state == "future":
            soon = coming.get(row.source)
            coming[row.source] = row if soon is None or row.effective_at < soon.effective_at else soon
    return [row for row in rows if row.state != "future" or coming[row.source] is row]
