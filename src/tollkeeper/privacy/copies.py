"""Copies that people asked for: made once, fetched once, gone after three days."""

from __future__ import annotations

import base64
import datetime as dt
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from tollkeeper.core import states
from tollkeeper.core.refusal import Refused
from tollkeeper.kit import audit, sealed_stream
from tollkeeper.kit.sealed import ErasedText
from tollkeeper.privacy.bundle.writing import Made, write_copy
from tollkeeper.privacy.copying import WHOLE, Span, parts_of
from tollkeeper.privacy.models import Copy

HOURS = 72
"""How long a copy that is ready may be fetched."""
_OPEN = ("queued", "building")


@dataclass(frozen=True, slots=True)
class CopyRow:
    """A copy as its owner sees it."""

    number: str
    request: str
    state: str
    rows_total: int
    rows_done: int
    size: int
    asked_at: dt.datetime
    expires_at: dt.datetime | None

    @property
    def percent(self) -> int:
        """How much of it is written."""
        return min(99, 100 * self.rows_done // self.rows_total) if self.rows_total else 0


def folder() -> Path:
    """Where sealed copies lie; never in a backup."""
    return Path(settings.ENV.home) / "copies"


def _file(number: str) -> Path:
    return folder() / f"{number}.sealed"


def ask(subject: uuid.UUID, request: str, language: str, span: Span = WHOLE) -> str:
    """Note that a copy is wanted; its number. Raises :class:`Refused` while another is being made."""
    try:
        with transaction.atomic():
            row = Copy.objects.create(
                subject_id=subject, request=request, language=language, since=span.since, until=span.until
            )
            audit.record("copy.asked", subject=subject, object=f"privacy.Copy:{row.number}")
    except IntegrityError:
        raise Refused(_("Your copy is already being made.")) from None
    return row.number


def _step(row: Copy, event: str, **changes: Any) -> None:
    row.state = states.step(states.COPY, row.state, event)
    for name, value in changes.items():
        setattr(row, name, value)
    row.save()
    audit.record(f"copy.{event}", subject=row.subject_id, object=f"privacy.Copy:{row.number}")


def build(number: str, still_ours: Callable[[], None] = lambda: None) -> CopyRow | None:
    """Write the file of a copy; None if its person is gone. Done again after a crash, it begins anew.

    ``still_ours`` is asked while rows are written, and may raise to stop. Call it while ``serving(OWN)``.
    """
    row = Copy.objects.filter(number=number).first()
    if row is None or row.state not in _OPEN:
        return None if row is None else _row(row)
    total = sum(part.found.count() for part in parts_of(row.subject_id, Span(row.since, row.until)))
    with transaction.atomic():
        row = Copy.objects.select_for_update().get(number=number)
        _step(row, "build", rows_total=total, rows_done=0)
    key, count = sealed_stream.new_key(), _Counter(row.pk, still_ours)
    with sealed_stream.SealedFile(_file(number), key) as file:
        made = write_copy(
            row.subject_id, file, scratch=folder(), language=row.language,
            span=Span(row.since, row.until), progress=count,
        )  # fmt: skip
    now = timezone.now()
    with transaction.atomic():
        row = Copy.objects.select_for_update().get(number=number)
        _step(
            row, "finish", key=base64.b64encode(key).decode(), size=file.size, ready_at=now,
            rows_done=made.rows, rows_total=made.rows, expires_at=now + dt.timedelta(hours=HOURS),
        )  # fmt: skip
    return _row(row)


class _Counter:
    """Notes the progress of a copy about once a second."""

    def __init__(self, pk: int, still_ours: Callable[[], None]) -> None:
        self._pk, self._still_ours, self._rows, self._told = pk, still_ours, 0, timezone.now()

    def __call__(self, rows: int) -> None:
        self._rows += rows
        if timezone.now() - self._told > dt.timedelta(seconds=1):
            self._still_ours()
            Copy.objects.filter(pk=self._pk).update(rows_done=self._rows)
            self._told = timezone.now()


def fail(number: str) -> None:
    """Nobody tries any more: the person sees it and may ask again."""
    with transaction.atomic():
        row = Copy.objects.select_for_update().filter(number=number, state__in=_OPEN).first()
        if row is not None:
            _step(row, "fail")
    _file(number).unlink(missing_ok=True)


def write_clear(subject: uuid.UUID, sink: Any, language: str = "en") -> Made:
    """Write a copy to an open file of the operator's; call it while ``serving(OWN)``."""
    audit.record("copy.written", subject=subject, note="cli")
    return write_copy(subject, sink, scratch=folder(), language=language)


def take(number: str, subject: uuid.UUID) -> tuple[CopyRow, Iterator[bytes]]:
    """Fetch a copy: its row and its bytes. It is spent at once and its key forgotten.

    Raises :class:`Refused` for one that is not theirs, not ready, fetched before or expired.
    Read it while ``serving(OWN)``.
    """
    with transaction.atomic():
        row = Copy.objects.select_for_update().filter(number=number, subject_id=subject).first()
        now = timezone.now()
        if row is None or row.state != "ready" or row.expires_at is None or row.expires_at <= now:
            raise Refused(_("This copy cannot be fetched any more. Please ask for a new one."))
        if row.key is None or isinstance(row.key, ErasedText):
            raise Refused(_("This copy cannot be fetched any more. Please ask for a new one."))
        key = base64.b64decode(row.key)
        _step(row, "take", key=None, taken_at=now)
    return _row(row), _spend(_file(number), key)


def _spend(path: Path, key: bytes) -> Iterator[bytes]:
    try:
        yield from sealed_stream.read_sealed(path, key)
    finally:
        path.unlink(missing_ok=True)


def expire(now: dt.datetime) -> int:
    """End copies that nobody fetched in time, and delete files that no open copy needs; how many ended."""
    ended = 0
    for number in Copy.objects.filter(state="ready", expires_at__lte=now).values_list("number", flat=True):
        with transaction.atomic():
            row = Copy.objects.select_for_update().filter(number=number, state="ready").first()
            if row is not None:
                _step(row, "expire", key=None)
                ended += 1
    needed = set(
        Copy.objects.filter(state__in=("queued", "building", "ready")).values_list("number", flat=True)
    )
    recent = now.timestamp() - 3600  # somebody may be fetching it, or it is a scratch file of a running job
    for path in folder().glob("*") if folder().is_dir() else ():
        if path.stem not in needed and path.stat().st_mtime < recent:
            path.unlink(missing_ok=True)
    return ended


def copies_of(subject: uuid.UUID) -> list[CopyRow]:
    """A person's copies, newest first."""
    return [_row(row) for row in Copy.objects.filter(subject_id=subject).order_by("-asked_at", "-pk")]


def find_copy(number: str, subject: uuid.UUID) -> CopyRow | None:
    """A copy of this person."""
    row = Copy.objects.filter(number=number, subject_id=subject).first()
    return None if row is None else _row(row)


def find_by_request(request: str) -> tuple[CopyRow, uuid.UUID] | None:
    """The newest copy that answers a request, and whose it is."""
    row = Copy.objects.filter(request=request).order_by("-pk").first()
    return None if row is None else (_row(row), row.subject_id)


def owner_of(number: str) -> uuid.UUID | None:
    """Whose copy it is; None once the person is erased."""
    return Copy.objects.filter(number=number).values_list("subject_id", flat=True).first()


def _row(row: Copy) -> CopyRow:
    return CopyRow(
        row.number,
        row.request,
        row.state,
        row.rows_total,
        row.rows_done,
        row.size,
        row.asked_at,
        row.expires_at,
    )
