"""GET /console/: how things stand, in one look."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from tollkeeper.catalog import queries as catalog
from tollkeeper.delivery import queries as delivery
from tollkeeper.usage import queries as usage
from tollkeeper.web import charts
from tollkeeper.web.access import for_customer
from tollkeeper.web.console import figures
from tollkeeper.web.console.figures import Figure
from tollkeeper.web.storefront import example_route, paths
from tollkeeper.web.templatetags.figures import grouped, latency, percent, short_units

_LATEST = 8
_TOP = 6


def _tiles(days: list[usage.DayRow], before: list[usage.DayRow], customer_id: int) -> list[Figure]:
    calls, earlier = sum(day.calls for day in days), sum(day.calls for day in before)
    moved = figures.change(calls, earlier)
    share, share_before = figures.success_share(days), figures.success_share(before)
    points = None if share is None or share_before is None else round(100 * (share - share_before), 1)
    routes = usage.top_routes(customer_id, len(days), limit=1000)
    mean_ms = figures.mean_latency_ms(routes)
    spent = sum(day.units for day in days)
    return [
        Figure(
            _("Calls"), grouped(calls), _("%s on the period before") % moved if moved else _("in this period"),
            spark=charts.spark([day.calls for day in days]) if calls else charts.spark(()),
        ),
        Figure(
            _("Success rate"), percent(share),
            _("no calls yet") if share is None else (_("%+.1f points") % points).replace("-", "−") if points else _("answered below 400"),
            "" if not points else "good" if points > 0 else "bad",
            charts.spark([(day.ok / day.calls if day.calls else 1.0) for day in days]) if calls else charts.spark(()),
        ),
        Figure(
            _("Mean duration"), latency(None if mean_ms is None else round(mean_ms * 1000)),
            _("measured at the gate") if mean_ms is not None else _("no calls yet"),
        ),
        Figure(
            _("Used"), short_units(spent), _("charged in this period"),
            spark=charts.spark([sum(day.units for day in days[: i + 1]) for i in range(len(days))]) if spent else charts.spark(()),
        ),
    ]  # fmt: skip


@require_safe
@for_customer
def overview(request: HttpRequest, customer_id: int) -> HttpResponse:
    """The whole page; ``?days=`` 7, 30 or 90."""
    length = figures.period_of(request)
    history = usage.daily_usage(customer_id, 2 * length)
    days, before = history[length:], history[:length]
    keys = delivery.list_keys(customer_id)
    routes = usage.top_routes(customer_id, length, limit=_TOP)
    return render(
        request,
        "console/overview.html",
        {
            "days": length,
            "periods": figures.PERIODS,
            "tiles": _tiles(days, before, customer_id),
            "balances": usage.balances(customer_id),
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
            "example": example_route(catalog.gate_terms()),
            "gate_url": settings.ENV.gate_url,
        },
    )


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
