"""The figures above the console's charts: a period against the one before it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from django.http import HttpRequest
from django.utils.formats import date_format
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from tollkeeper.usage.queries import DayRow, RouteRow
from tollkeeper.web import charts
from tollkeeper.web.templatetags.figures import grouped, ms, percent, short_units

PERIODS = (7, 30, 90)


@dataclass(frozen=True, slots=True)
class Figure:
    """One tile: ``mood`` is ``good``, ``bad`` or empty, ``spark`` a small line."""

    title: str
    value: str
    note: str
    mood: str = ""
    spark: SafeString | str = ""


@dataclass(frozen=True, slots=True)
class Chart:
    """The bar chart with all that stands around it."""

    drawing: SafeString
    series: tuple[charts.Series, ...]
    data: dict[str, object]
    """For the script that shows figures on hovering."""
    rows: Sequence[DayRow]


def period_of(request: HttpRequest) -> int:
    """Days to show, from ``?days=``; anything else than the offered ones is 30."""
    text = request.GET.get("days", "")
    return int(text) if text.isdigit() and int(text) in PERIODS else 30


def tiles(days: Sequence[DayRow], before: Sequence[DayRow], routes: Sequence[RouteRow]) -> tuple[Figure, ...]:
    """The tiles above the chart: a period (``days``), the one before it, its routes."""
    return (_calls(days, before), _success(days, before), _duration(days, routes), _spent(days))


def _calls(days: Sequence[DayRow], before: Sequence[DayRow]) -> Figure:
    calls = sum(day.calls for day in days)
    moved = change(calls, sum(day.calls for day in before))
    note = _("%s on the period before") % moved if moved else _("in this period")
    return Figure(_("Calls"), grouped(calls), note, spark=_line([day.calls for day in days]))


def _success(days: Sequence[DayRow], before: Sequence[DayRow]) -> Figure:
    share, earlier = success_share(days), success_share(before)
    if share is None:
        return Figure(_("Success rate"), percent(share), _("no calls yet"))
    points = 0.0 if earlier is None else round(100 * (share - earlier), 1)
    note = (_("%+.1f points") % points).replace("-", "−") if points else _("answered below 400")
    mood = "good" if points > 0 else "bad" if points < 0 else ""
    spark = _line([day.ok / day.calls if day.calls else 1.0 for day in days])
    return Figure(_("Success rate"), percent(share), note, mood, spark)


def _duration(days: Sequence[DayRow], routes: Sequence[RouteRow]) -> Figure:
    mean_ms = mean_latency_ms(routes)
    note = _("no calls yet") if mean_ms is None else _("measured at the gate")
    running: list[float] = []
    for day in days:  # a day without calls has no duration: the line goes on where it was
        last = running[-1] if running else 0.0
        running.append(last if day.mean_ms is None else day.mean_ms)
    spark = _line(running)
    return Figure(_("Mean duration"), ms(mean_ms), note, spark=spark)


def _spent(days: Sequence[DayRow]) -> Figure:
    running = list(accumulate(day.units for day in days))
    spark = _line(running)
    return Figure(
        _("Used"), short_units(running[-1] if running else 0), _("charged in this period"), spark=spark
    )


def _line(values: Sequence[float]) -> SafeString | str:
    return charts.spark(values) if any(values) else ""


def calls_chart(days: Sequence[DayRow]) -> Chart:
    """Calls per day, stacked by how they ended."""
    series = (
        charts.Series(_("Successful"), "series-ok", [day.ok for day in days]),
        charts.Series(_("Client errors"), "series-4", [day.client_errors for day in days]),
        charts.Series(_("Server errors"), "series-5", [day.server_errors for day in days]),
    )
    labels = [date_format(day.day, "M j") for day in days]
    title = _("Calls per day for the last %(days)d days, by outcome") % {"days": len(days)}
    data: dict[str, object] = {
        "labels": labels,
        "series": [{"name": one.name, "kind": one.kind, "values": one.values} for one in series],
    }
    return Chart(charts.bars(series, labels, title), series, data, tuple(reversed(days)))


def success_share(days: Sequence[DayRow]) -> float | None:
    """Share of calls that were answered below 400; None without calls."""
    calls = sum(day.calls for day in days)
    return sum(day.ok for day in days) / calls if calls else None


def change(now: int, before: int) -> str:
    """``+12%`` against the period before; empty where there is nothing to compare with."""
    if not before:
        return ""
    percent = round(100 * (now - before) / before)
    return f"{'+' if percent >= 0 else '−'}{abs(percent):,}%"


def mean_latency_ms(routes: Sequence[RouteRow]) -> float | None:
    """Mean over all calls of the routes; None without calls."""
    calls = sum(route.calls for route in routes)
    return sum(route.calls * route.mean_ms for route in routes) / calls if calls else None
