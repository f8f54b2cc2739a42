"""What a night of cleaning costs: rows of the call log per second, in batches that each commit."""

from __future__ import annotations

import datetime as dt
import time

from django.utils import timezone

from bench._call_rows import fill
from tollkeeper.accounts import services as accounts
from tollkeeper.core.rehearsal import Figure, Outcome, Scene
from tollkeeper.drills._shop import open_shop
from tollkeeper.privacy import retention
from tollkeeper.usage.models import Call

SUMMARY = (
    "Rows past their period purged per second; nothing is due afterwards, and a second run finds nothing."
)


def run(scene: Scene) -> Outcome:
    """Half of the log is past its period; take it, look again."""
    open_shop()
    count = 40_000 if scene.quick else 2_000_000
    user = accounts.create_person("person@example.org", None)
    customer = accounts.ensure_customer(user)
    fill(customer, count)
    now = timezone.now()
    fill(customer, count)
    border = Call.objects.order_by("pk")[count].pk
    Call.objects.filter(pk__lt=border).update(called_at=now - dt.timedelta(days=40))
    began = time.perf_counter()
    counted = sum(one.rows for one in retention.due_now(now))
    counting = time.perf_counter() - began
    began = time.perf_counter()
    gone = retention.run(now)
    took = time.perf_counter() - began
    began = time.perf_counter()
    again = retention.run(now)
    idle = time.perf_counter() - began
    left = Call.objects.count()
    figures: dict[str, Figure] = {
        "rows": 2 * count,
        "due": counted,
        "purged": gone.get("usage.Call", 0),
        "rows_per_s": round(gone.get("usage.Call", 0) / took),
        "count_s": round(counting, 3),
        "s": round(took, 2),
        "idle_s": round(idle, 3),
        "due_now": sum(one.rows for one in retention.due_now(now)),
    }
    ok = gone.get("usage.Call") == count == counted and left == count and not again
    return Outcome(ok and figures["due_now"] == 0, figures)
