"""Keys of logs, a pair for each log and day: made ahead, destroyed with the day.

Who writes a log takes the public half from the book and cannot read what it wrote; the
private half lies wrapped in the keystore and leaves it only for :func:`open_sealed_address`.
"""

from __future__ import annotations

import datetime as dt
import secrets
from collections.abc import Iterable

from cryptography.hazmat.primitives.keywrap import aes_key_unwrap, aes_key_wrap
from django.db import transaction
from django.utils import timezone

from tollkeeper.core.addresses import KEY_BYTES, Unreadable, open_address, public_of
from tollkeeper.kit.keystore import ring
from tollkeeper.kit.keystore.models import LogSecret
from tollkeeper.kit.keystore.vault import ALIAS, BATCH
from tollkeeper.kit.models import LogKey

CALLS, ACCESS = "calls", "access"
RULES = {CALLS: "calls", ACCESS: "security"}
"""Name of a log → the policy's keep rule after which a day of it goes."""
LOGS = tuple(RULES)
AHEAD_DAYS = 8
"""So long may no worker run before writers find no key and leave addresses out."""
_EPOCH = dt.date(1970, 1, 1)


class KeyGone(Exception):
    """The key of that log and day was destroyed, or there never was one."""


def day_number(day: dt.date) -> int:
    """The day, counted from 1970-01-01."""
    return (day - _EPOCH).days


def make_ahead(today: dt.date, days: int = AHEAD_DAYS) -> int:
    """Make the keys of today and the next days that are missing; how many were made.

    The book follows the keystore, so that a run that was killed between them, or a book that
    was restored, is put right by the next run.
    """
    first = day_number(today)
    wanted = [(log, day) for log in LOGS for day in range(first, first + days)]
    made = 0
    kek_id, kek = next(iter(ring.current().by_id.items()))
    with transaction.atomic(using=ALIAS):
        known = set(LogSecret.objects.filter(day__gte=first).values_list("log", "day"))
        fresh = [
            LogSecret(
                log=log, day=day, kek_id=kek_id, wrapped=aes_key_wrap(kek, secrets.token_bytes(KEY_BYTES))
            )
            for log, day in wanted
            if (log, day) not in known
        ]
        made = len(LogSecret.objects.bulk_create(fresh, ignore_conflicts=True))
    _publish(first)
    return made


def _publish(first: int) -> None:
    with transaction.atomic():
        published = {(row.log, row.day): bytes(row.public) for row in LogKey.objects.filter(day__gte=first)}
        for row in LogSecret.objects.filter(day__gte=first, wrapped__isnull=False):
            public = public_of(_private(row))
            if published.get((row.log, row.day)) != public:
                LogKey.objects.update_or_create(log=row.log, day=row.day, defaults={"public": public})


def _private(row: LogSecret) -> bytes:
    if row.wrapped is None:
        raise KeyGone(f"the key of the log {row.log!r} of day {row.day} was destroyed")
    keks = ring.current().by_id
    if row.kek_id not in keks:
        raise LookupError(f"the keystore was written under the key {row.kek_id}, which is not installed")
    return aes_key_unwrap(keks[row.kek_id], bytes(row.wrapped))


def find_public(log: str, day: int) -> bytes | None:
    """The public key of a log and day."""
    found = LogKey.objects.filter(log=log, day=day).values_list("public", flat=True).first()
    return None if found is None else bytes(found)


def open_sealed_address(log: str, day: int, sealed: bytes) -> str:
    """The address; raises :class:`KeyGone` or ``core.addresses.Unreadable``.

    A writer that had not yet noticed midnight sealed to the key of the day before.
    """
    rows = {row.day: row for row in LogSecret.objects.filter(log=log, day__in=(day - 1, day))}
    for one in (day, day - 1):
        row = rows.get(one)
        if row is None or row.wrapped is None:
            continue
        try:
            return open_address(log, one, _private(row), sealed)
        except Unreadable:
            continue
    if rows.get(day) is None or rows[day].wrapped is None:
        raise KeyGone(f"the key of the log {log!r} of that day was destroyed")
    raise Unreadable(f"an address of the log {log!r} does not open")


def destroy(log: str, before: int, spared: Iterable[int] = ()) -> int:
    """Destroy the keys of all days of a log before ``before`` but the spared ones; how many.

    The keystore first: a run killed in between has left a public key that seals to nobody.
    """
    with transaction.atomic(using=ALIAS):
        rows = LogSecret.objects.filter(log=log, day__lt=before, wrapped__isnull=False)
        gone = rows.exclude(day__in=list(spared)).update(wrapped=None, kek_id="", destroyed_at=timezone.now())
    living = LogSecret.objects.filter(log=log, day__lt=before, wrapped__isnull=False)
    LogKey.objects.filter(log=log, day__lt=before).exclude(
        day__in=list(living.values_list("day", flat=True))
    ).delete()
    return gone


def oldest_day(log: str) -> int | None:
    """The earliest day of a log whose key can still open it."""
    rows = LogSecret.objects.filter(log=log, wrapped__isnull=False)
    return rows.order_by("day").values_list("day", flat=True).first()


def rewrap() -> int:
    """Wrap every living key under the newest wrapping key; the number changed. Can be repeated."""
    newest, kek = next(iter(ring.current().by_id.items()))
    with transaction.atomic(using=ALIAS):
        rows = list(LogSecret.objects.filter(wrapped__isnull=False).exclude(kek_id=newest))
        for row in rows:
            row.wrapped, row.kek_id = aes_key_wrap(kek, _private(row)), newest
        LogSecret.objects.bulk_update(rows, ["wrapped", "kek_id"], batch_size=BATCH)
    return len(rows)
