"""What a night of cleaning costs: whole days of the call log dropped, and rows purged one by one.

On PostgreSQL the log lies in partitions: the same run is made with ten times fewer rows, so that
the seconds can be compared. On SQLite a day goes row by row, and that rate is the figure.
"""

from __future__ import annotations

import datetime as dt
import time

from django.db import connection
from django.utils import timezone

from bench._call_rows import fill_days
from tollkeeper.accounts import services as accounts
from tollkeeper.core.rehearsal import Figure, Outcome, Scene
from tollkeeper.drills._shop import open_shop
from tollkeeper.flows import log_days
from tollkeeper.flows import retention as nightly
from tollkeeper.kit import daily, log_keys
from tollkeeper.privacy import retention
from tollkeeper.privacy.models import Choice
from tollkeeper.usage.models import Call

SUMMARY = "Days of the call log dropped in seconds that do not depend on their rows; the rest purged per row."
PARTITIONED, ROW_BY_ROW = 100_000_000, 2_000_000
"""Rows of the large night; beside it a tenth of them."""
DAYS = 30
"""Days of the log that are past their period."""


def run(scene: Scene) -> Outcome:
    """Half of the log is past its period; take it, look again."""
    open_shop()
    user = accounts.create_person("person@example.org", None)
    customer = accounts.ensure_customer(user)
    partitioned = daily.is_partitioned()
    count = 40_000 if scene.quick else PARTITIONED if partitioned else ROW_BY_ROW
    small = _night(customer, count // 10)
    figures: dict[str, Figure] = {f"small_{name}": value for name, value in small.items()}
    scene.say(1, 3, "filling")
    large = _night(customer, count)
    figures |= large
    scene.say(2, 3, "row by row")
    figures |= _rows(user, 4_000 if scene.quick else 200_000)
    now = timezone.now()
    figures["due_now"] = sum(one.rows for one in retention.due_now(now))
    figures["again"] = sum(retention.run(now).values())
    held = [name for name in ("rows_left", "small_rows_left") if figures[name] != 0]
    return Outcome(not held and figures["due_now"] == figures["again"] == 0, figures)


def _night(customer: int, count: int) -> dict[str, Figure]:
    """Fill the days past their period and as many living ones; one night."""
    now = timezone.now()
    first = now - dt.timedelta(days=30 + DAYS)
    for days in range(DAYS + 1):
        log_keys.make_ahead((first + dt.timedelta(days=days)).date(), 1)
    if daily.is_partitioned():
        daily.make_ahead(first.date(), DAYS)
    log_days.prepare(now)
    began = time.perf_counter()
    fill_days(customer, count, first, DAYS)
    filled = time.perf_counter() - began
    size = _size()
    before = log_keys.oldest_day(log_keys.CALLS)
    began = time.perf_counter()
    gone = nightly.run(now)
    took = time.perf_counter() - began
    left = Call.objects.filter(called_at__lt=now - dt.timedelta(days=30)).count()
    after = log_keys.oldest_day(log_keys.CALLS)
    return {
        "rows": count,
        "fill_s": round(filled, 1),
        "gib": round(size / 2**30, 2),
        "dropped": gone.get("usage.Call", 0),
        "keys_destroyed": gone.get("keys of days", 0),
        "s": round(took, 3),
        "rows_left": left,
        "oldest_key_moved_days": (after or 0) - (before or 0),
    }


def _size() -> int:
    """Bytes of the book."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SELECT pg_database_size(current_database())")
            return int(cursor.fetchone()[0])
        cursor.execute("SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()")
        return int(cursor.fetchone()[0])


def _rows(user: object, count: int) -> dict[str, Figure]:
    """A table that goes row by row."""
    old = timezone.now() - dt.timedelta(days=1_200)
    Choice.objects.bulk_create(
        (
            Choice(subject=user, purpose="improve", action="object", source="form", chosen_at=old)  # type: ignore[misc]
            for _ in range(count)
        ),
        batch_size=5_000,
    )
    began = time.perf_counter()
    gone = retention.run(timezone.now()).get("privacy.Choice", 0)
    took = time.perf_counter() - began
    return {"purged": gone, "rows_per_s": round(gone / took)}
