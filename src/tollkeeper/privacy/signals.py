"""How often ``Sec-GPC`` was heard from visitors without an account: a number for each day, no more.

Counted in memory and added to the day's row at most once a minute, so that a signal costs a
visitor nothing; what a process counted and had not written when it was killed is lost.
"""

from __future__ import annotations

import datetime as dt
import threading
import time

from django.db import DatabaseError, transaction
from django.db.models import F

from tollkeeper.privacy.models import SignalDay

EVERY_S = 60.0
_lock = threading.Lock()
_waiting: dict[dt.date, int] = {}
_written = 0.0


def count(day: dt.date) -> None:
    """One more request of a day carried the signal; nothing of the request is kept."""
    global _written
    with _lock:
        _waiting[day] = _waiting.get(day, 0) + 1
        if time.monotonic() - _written < EVERY_S:
            return
        _written, found = time.monotonic(), dict(_waiting)
        _waiting.clear()
    try:
        _add(found)
    except DatabaseError:
        with _lock:  # the book was busy: the next minute takes them along
            for one, number in found.items():
                _waiting[one] = _waiting.get(one, 0) + number


def _add(found: dict[dt.date, int]) -> None:
    with transaction.atomic():
        for day, number in found.items():
            SignalDay.objects.get_or_create(day=day)
            SignalDay.objects.filter(day=day).update(requests=F("requests") + number)


def totals(since: dt.date) -> dict[dt.date, int]:
    """Day → requests with the signal, from ``since`` on."""
    return dict(SignalDay.objects.filter(day__gte=since).values_list("day", "requests"))
