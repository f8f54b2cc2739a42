"""Billing periods over all that calendars do: short months, leap days, changes of the clock, zones."""

from __future__ import annotations

import datetime as dt
import random
from itertools import pairwise
from zoneinfo import ZoneInfo

from tollkeeper.core import period
from tollkeeper.core.money import split
from tollkeeper.core.rehearsal import Outcome, Scene

SUMMARY = "Periods tile time over daylight saving, leap days and the 29th to 31st: no gap, no overlap."
ZONES = (
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Asia/Shanghai",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
    "Pacific/Apia",
    "Africa/Casablanca",
    "America/St_Johns",
)
EDGES = (
    (2024, 2, 29),
    (2027, 1, 29),
    (2027, 1, 30),
    (2027, 1, 31, 23, 59, 59),
    (2027, 3, 28, 2, 30),  # does not exist in Berlin
    (2027, 10, 31, 2, 30),  # exists twice in Berlin
    (2026, 12, 31, 23, 59, 59),
    (2011, 12, 30, 12),  # does not exist in Apia
)
FIRST = dt.datetime(2019, 1, 1, tzinfo=dt.UTC)


def anchors(seed: int, count: int) -> list[dt.datetime]:
    """The edges in every zone, then random instants."""
    chance = random.Random(seed)  # noqa: S311 - repeatable on purpose
    made = [
        dt.datetime(*edge, tzinfo=ZoneInfo(zone), fold=fold)  # type: ignore[misc]
        for edge in EDGES
        for zone in ZONES
        for fold in (0, 1)
    ]
    while len(made) < count:
        made.append(FIRST + dt.timedelta(seconds=chance.randrange(12 * 366 * 86_400)))
    return made


def run(scene: Scene) -> Outcome:
    """Walk five years from each anchor, monthly, and twelve yearly."""
    count = 1_000 if scene.quick else 10_000
    chance = random.Random(scene.seed)  # noqa: S311
    gaps = overlaps = drifts = misplaced = chained = lost_minor = naive_lost = 0
    splits = 0
    for number, anchor in enumerate(anchors(scene.seed, count)):
        for kind, steps in (("month", 60), ("year", 12)):
            spans = [period.nth(anchor, kind, n) for n in range(steps)]
            for one, two in pairwise(spans):
                gaps += one.ends_at < two.starts_at
                overlaps += one.ends_at > two.starts_at
            start = anchor.astimezone(dt.UTC)
            for span in spans:
                last = period.add_months(span.starts_at.replace(day=1), 1) - dt.timedelta(days=1)
                drifts += span.starts_at.day != min(start.day, last.day)
                drifts += span.starts_at.timetz() != start.timetz()
            one = chance.choice(spans)
            instant = one.starts_at + dt.timedelta(seconds=chance.randrange(one.seconds))
            misplaced += period.at(anchor, kind, instant).number != one.number
            price = chance.randrange(10**7)
            used, left = period.prorate(price, one, instant)
            lost_minor += used + left != price
        chained += _chained_drifts(anchor)
        weights = [chance.randrange(1, 86_400 * 31) for _ in range(chance.randint(1, 6))]
        price = chance.randrange(1, 10**7)
        splits += 1
        lost_minor += sum(split(price, weights)) != price
        naive_lost += sum(round(price * w / sum(weights)) for w in weights) != price
        if number % 500 == 0:
            scene.say(number, count, "anchors")
    scene.say(count, count, "anchors")
    return Outcome(
        ok=not (gaps or overlaps or drifts or misplaced or lost_minor),
        figures={
            "anchors": count,
            "periods": count * 72,
            "gaps": gaps,
            "overlaps": overlaps,
            "drifts": drifts,
            "misplaced": misplaced,
            "lost_minor_units": lost_minor,
            "chained_months_drift_percent": round(100 * chained / count, 2),
            "naive_rounding_loses_percent": round(100 * naive_lost / splits, 2),
        },
    )


def _chained_drifts(anchor: dt.datetime) -> bool:
    """True if adding one month again and again leaves the anchor's day: what must not be done."""
    at = start = anchor.astimezone(dt.UTC)
    for number in range(1, 25):
        at = period.add_months(at, 1)
        if at != period.add_months(start, number):
            return True
    return False
