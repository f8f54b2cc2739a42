"""Subjects' keys at run time: made once, cached, destroyed for good.

A key is committed in the keystore before its first use, on the keystore's own connection:
a rolled-back order can never leave sealed data whose key is gone. A process forgets its
cached keys as soon as it sees that any key was destroyed: it asks before the first use in
each request or job, and otherwise once a second.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.keywrap import aes_key_unwrap, aes_key_wrap
from django.core.signals import request_started
from django.db import IntegrityError, connections, transaction
from django.db.models import F, QuerySet
from django.utils import timezone

from tollkeeper.kit.keystore import ring
from tollkeeper.kit.keystore.models import Generation, SubjectKey

ALIAS = "keystore"
RECHECK_S = 1.0
CACHE_LIMIT = 100_000
BATCH = 500


class Erased(Exception):
    """The subject's key was destroyed (or never made): what it sealed cannot be read again."""

    def __init__(self, subject: uuid.UUID | None) -> None:
        name = f"subject-{subject.hex[:12]}" if subject else "somebody who was erased"
        super().__init__(f"the key of {name} does not exist")
        self.subject = subject


_cache: dict[uuid.UUID, AESGCM] = {}
_seen: dict[str, float] = {"generation": -1, "checked": 0.0}


def forget_keys() -> None:
    """Empty this process's cache."""
    _cache.clear()
    _seen.update(generation=-1, checked=0.0)


def recheck(**_: Any) -> None:
    """Ask the keystore for destroyed keys before the next use: at the start of a request or job."""
    _seen["checked"] = 0.0


request_started.connect(recheck, dispatch_uid="keystore-recheck")


def _generation() -> int:
    return Generation.objects.filter(pk=1).values_list("value", flat=True).first() or 0


def _refresh() -> None:
    now = time.monotonic()
    if now - _seen["checked"] < RECHECK_S:
        return
    generation = _generation()
    if generation != _seen["generation"] or len(_cache) > CACHE_LIMIT:
        _cache.clear()
    _seen.update(generation=generation, checked=now)


def _remember(subject: uuid.UUID, cipher: AESGCM) -> AESGCM:
    # an uncommitted key must not outlive its transaction
    if not connections[ALIAS].in_atomic_block:
        _cache[subject] = cipher
    return cipher


def _unwrap(row: SubjectKey) -> AESGCM:
    if row.wrapped is None:
        raise Erased(row.subject)
    keks = ring.current().by_id
    if row.kek_id not in keks:
        raise LookupError(f"the keystore was written under the key {row.kek_id}, which is not installed")
    return AESGCM(aes_key_unwrap(keks[row.kek_id], bytes(row.wrapped)))


def get_cipher(subject: uuid.UUID) -> AESGCM:
    """The subject's cipher; raises :class:`Erased` if its key is destroyed or was never made."""
    _refresh()
    cached = _cache.get(subject)
    if cached is not None:
        return cached
    row = SubjectKey.objects.filter(pk=subject).first()
    if row is None:
        raise Erased(subject)
    return _remember(subject, _unwrap(row))


def ensure_cipher(subject: uuid.UUID) -> AESGCM:
    """The subject's cipher, made and committed now if there was none.

    Raises :class:`Erased` if the key was destroyed: it is never made anew.
    """
    _refresh()
    cached = _cache.get(subject)
    if cached is not None:
        return cached
    row = SubjectKey.objects.filter(pk=subject).first()
    if row is None:
        kek_id, kek = next(iter(ring.current().by_id.items()))
        wrapped = aes_key_wrap(kek, AESGCM.generate_key(256))
        try:
            with transaction.atomic(using=ALIAS):
                row = SubjectKey.objects.create(subject=subject, kek_id=kek_id, wrapped=wrapped)
        except IntegrityError:  # another process was faster: its key counts
            row = SubjectKey.objects.get(pk=subject)
    return _remember(subject, _unwrap(row))


def has_key(subject: uuid.UUID) -> bool:
    """Whether the subject has a key that was not destroyed."""
    return SubjectKey.objects.filter(pk=subject, wrapped__isnull=False).exists()


@contextmanager
def on_trial() -> Iterator[None]:
    """Keys that are made inside are unmade at the end: for what only shows that something works."""
    with transaction.atomic(using=ALIAS):
        try:
            yield
        finally:
            transaction.set_rollback(True, using=ALIAS)


def preload(subjects: Iterable[uuid.UUID]) -> None:
    """Fetch the keys of many subjects with one query per 500, before a list is read."""
    _refresh()
    missing = [subject for subject in dict.fromkeys(subjects) if subject not in _cache]
    for start in range(0, len(missing), BATCH):
        for row in SubjectKey.objects.filter(pk__in=missing[start : start + BATCH], wrapped__isnull=False):
            _remember(row.subject, _unwrap(row))


def destroy(subject: uuid.UUID) -> bool:
    """Destroy a subject's key for good, leaving a tombstone; False if that was done before."""
    with transaction.atomic(using=ALIAS):
        row, _ = SubjectKey.objects.select_for_update().get_or_create(
            subject=subject, defaults={"kek_id": ""}
        )
        if row.destroyed_at is not None:
            return False
        row.wrapped, row.kek_id, row.destroyed_at = None, "", timezone.now()
        row.save()
        Generation.objects.get_or_create(pk=1)
        Generation.objects.filter(pk=1).update(value=F("value") + 1)
    _cache.pop(subject, None)
    return True


def destroyed(subjects: Iterable[uuid.UUID]) -> set[uuid.UUID]:
    """Those of ``subjects`` whose key was destroyed."""
    wanted = list(subjects)
    dead: set[uuid.UUID] = set()
    for start in range(0, len(wanted), BATCH):
        rows = SubjectKey.objects.filter(pk__in=wanted[start : start + BATCH], destroyed_at__isnull=False)
        dead.update(rows.values_list("subject", flat=True))
    return dead


def tombstones() -> set[uuid.UUID]:
    """Everybody whose key was destroyed."""
    return set(SubjectKey.objects.filter(destroyed_at__isnull=False).values_list("subject", flat=True))


def rewrap() -> int:
    """Wrap every key under the newest wrapping key; the number of rows changed. Can be repeated."""
    newest, kek = next(iter(ring.current().by_id.items()))
    changed = 0
    while True:
        with transaction.atomic(using=ALIAS):
            rows = SubjectKey.objects.select_for_update().filter(wrapped__isnull=False).exclude(kek_id=newest)
            batch = list(rows[:BATCH])
            for row in batch:
                old = ring.current().by_id[row.kek_id]
                row.wrapped = aes_key_wrap(kek, aes_key_unwrap(old, bytes(row.wrapped or b"")))
                row.kek_id = newest
            SubjectKey.objects.bulk_update(batch, ["wrapped", "kek_id"])
        changed += len(batch)
        if not batch:
            return changed


def key_row(subject: uuid.UUID) -> QuerySet[SubjectKey]:
    """The row of a subject's key: the inventory's way to it."""
    return SubjectKey.objects.filter(pk=subject)
