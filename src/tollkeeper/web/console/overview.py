"""GET /console/: how things stand, in one look."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from tollkeeper.catalog import queries as catalog
from tollkeeper.delivery import queries as delivery
from tollkeeper.usage import queries as usage
from tollkeeper.web import clients, snippets
from tollkeeper.web.access import for_customer
from tollkeeper.web.console import figures, relays, stopped
from tollkeeper.web.storefront import example_route, paths

_LATEST = 8
_TOP = 6


@require_safe
@for_customer
def overview(request: HttpRequest, customer_id: int) -> HttpResponse:
    """The whole page; ``?days=`` 7, 30 or 90."""
    length = figures.period_of(request)
    history = usage.daily_usage(customer_id, 2 * length)
    days, before = history[length:], history[:length]
    keys = delivery.list_keys(customer_id)
    stops = stopped.of(customer_id)
    routes = usage.top_routes(customer_id, length, limit=_TOP)
    terms = catalog.gate_terms()
    variable, place = snippets.variable(terms.shop), clients.at_gate(terms, settings.ENV.gate_url)
    return render(
        request,
        "console/overview.html",
        {
            "days": length,
            "periods": figures.PERIODS,
            "tiles": figures.tiles(days, before, usage.top_routes(customer_id, length, limit=1000)),
            "balances": usage.balances(customer_id, [stop.plan for stop in stops]),
            "stops": stops,
            "chart": figures.calls_chart(days),
            "calls": usage.recent_calls(customer_id, _LATEST),
            "key_names": {key.id: key.name for key in keys},
            "paths": paths(),
            "limits": keys[0].terms if keys else None,
            "routes": routes,
            "most": max((route.calls for route in routes), default=0),
            "keys": keys,
            "unrevealed": delivery.find_unrevealed(customer_id),
            "ever_called": any(day.calls for day in history) or usage.totals(customer_id).calls > 0,
            "example": example_route(terms),
            "variable": variable,
            "client_settings": clients.settings_for(place, variable, terms.shop) if place else (),
            **relays.look_context(request, customer_id),
            "gate_url": settings.ENV.gate_url,
        },
    )


@require_safe
@for_customer
def first_call(request: HttpRequest, customer_id: int) -> HttpResponse:
    """GET /console/first/: 204 until there is a call, then the order to load the page anew."""
    if usage.totals(customer_id).calls:
        return HttpResponse(headers={"HX-Refresh": "true"})
    return HttpResponse(status=204)


@require_safe
@for_customer
def latest_calls(request: HttpRequest, customer_id: int) -> HttpResponse:
    """GET /console/latest/: the rows of the newest calls, for the page to refresh."""
    return render(
        request,
        "console/call_rows.html",
        {
            "calls": usage.recent_calls(customer_id, _LATEST),
            "key_names": {key.id: key.name for key in delivery.list_keys(customer_id)},
            "paths": paths(),
        },
    )
