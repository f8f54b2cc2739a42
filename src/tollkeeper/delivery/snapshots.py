"""What relays say of the keys, as it was found: the last word of each hour is kept."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping

from django.db import transaction
from django.db.models import F, Max, Q

from tollkeeper.delivery.models import Delivery, Snapshot
from tollkeeper.delivery.provisioners import Seen

OF_THE_KEY = Q(attempt=F("delivery__attempt"))
"""Snapshots of the key that is there now, not of one that it replaced."""
SLACK = 1_000_000
"""Micro-units above a cap that a call in flight may cost."""


def keep_snapshot(delivery_id: int, seen: Seen) -> str:
    """Store a key as it was found; answers what is odd about it, or an empty text."""
    return keep_snapshots([(delivery_id, seen)]).get(delivery_id, "")


@transaction.atomic
def keep_snapshots(found: Iterable[tuple[int, Seen]]) -> dict[int, str]:
    """Store many in a few writes; answers what is odd, by delivery.

    A key that is as it was keeps its row, which is only dated anew; within an hour a
    change writes over what was there, unless that was odd.
    """
    now_seen = dict(found)
    latest = _latest(now_seen)
    attempts = dict(Delivery.objects.filter(pk__in=now_seen).values_list("pk", "attempt"))
    fresh, changed, same, odd = [], [], [], {}
    for delivery_id, seen in now_seen.items():
        last = latest.get(delivery_id)
        wrong = _odd(last, seen)
        if wrong:
            odd[delivery_id] = wrong
        row = _row(delivery_id, attempts.get(delivery_id, 0), seen, wrong)
        if last is None or last.as_of > seen.as_of:
            fresh.append(row)
        elif _facts(last) == _facts(row):
            same.append(last.pk)
        elif last.odd == row.odd == "" and _hour(last.as_of) == _hour(row.as_of):
            row.pk = last.pk
            changed.append(row)
        else:
            fresh.append(row)
    if same:  # they were all looked at by then; never dated later than they were
        as_of = min(seen.as_of for seen in now_seen.values())
        Snapshot.objects.filter(pk__in=same, as_of__lt=as_of).update(as_of=as_of)
    Snapshot.objects.bulk_update(changed, [*_FIELDS, "as_of"])
    Snapshot.objects.bulk_create(fresh)
    return odd


def newer(found: Mapping[int, Seen]) -> dict[int, Seen]:
    """Those of which nothing as late is known: what somebody says again, or too late, is not among them."""
    latest = _latest(found)
    return {pk: seen for pk, seen in found.items() if pk not in latest or latest[pk].as_of < seen.as_of}


_FIELDS = ("enabled", "cap", "used", "window", "resets_at", "ends_at", "delay_s", "odd")


def _latest(deliveries: Iterable[int]) -> dict[int, Snapshot]:
    rows = Snapshot.objects.filter(OF_THE_KEY, delivery_id__in=list(deliveries))
    newest = rows.values("delivery_id").annotate(at=Max("as_of")).values_list("delivery_id", "at")
    times = dict(newest)
    found = rows.filter(as_of__in=set(times.values())).order_by("pk")
    return {row.delivery_id: row for row in found if times[row.delivery_id] == row.as_of}


def _row(delivery_id: int, attempt: int, seen: Seen, odd: str) -> Snapshot:
    return Snapshot(
        delivery_id=delivery_id,
        attempt=attempt,
        as_of=seen.as_of,
        enabled=seen.enabled,
        cap=seen.cap,
        used=seen.used,
        window=seen.window[:20],
        resets_at=seen.resets_at,
        ends_at=seen.ends_at,
        delay_s=seen.delay_s,
        odd=odd,
    )


def _facts(row: Snapshot) -> tuple[object, ...]:
    return tuple(getattr(row, name) for name in _FIELDS)


def _hour(moment: dt.datetime) -> int:
    return int(moment.timestamp()) // 3600


def _odd(last: Snapshot | None, seen: Seen) -> str:
    """Use that falls without a reset, or passes its cap by more than a call in flight can."""
    if seen.used is None:
        return ""
    if last is not None and last.used is not None and seen.used < last.used and not _was_reset(last, seen):
        return "fell"
    if seen.cap is not None and seen.used > seen.cap + max(SLACK, seen.cap // 10):
        return "above_cap"
    return ""


def _was_reset(last: Snapshot, seen: Seen) -> bool:
    """Whether a window ended between the two looks; without a known end any window counts as ended."""
    return bool(seen.window) and (last.resets_at is None or seen.as_of >= last.resets_at)
