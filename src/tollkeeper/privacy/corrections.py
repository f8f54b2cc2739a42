"""Who has to be told that a person's data was corrected, and who was."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Collection
from dataclasses import dataclass

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from tollkeeper.core import states
from tollkeeper.kit import audit
from tollkeeper.privacy.models import Correction

DAYS = 30
"""Within which the last recipient is told."""


@dataclass(frozen=True, slots=True)
class CorrectionRow:
    """One recipient to be told of one correction."""

    id: int
    subject: uuid.UUID
    processor: str
    categories: tuple[str, ...]
    state: str
    tries: int
    corrected_at: dt.datetime
    due_on: dt.date
    told_at: dt.datetime | None


def owe(subject: uuid.UUID, processor: str, categories: Collection[str], state: str) -> int:
    """Note that somebody has to be told; its id."""
    row = Correction.objects.create(
        subject_id=subject,
        processor=processor,
        categories=",".join(sorted(categories))[:200],
        state=state,
        due_on=timezone.now().date() + dt.timedelta(days=DAYS),
    )
    audit.record("correction.owed", subject=subject, object=f"privacy.Correction:{row.pk}", note=processor)
    return row.pk


def step(correction_id: int, event: str) -> None:
    """``tell``, ``lose`` (no answer) or ``give_up``; told once, nothing changes any more."""
    with transaction.atomic():
        row = Correction.objects.select_for_update().filter(pk=correction_id).first()
        if row is None or row.state == "told":
            return
        row.state = states.step(states.FORGETTING, row.state, event)
        row.told_at = timezone.now() if row.state == "told" else None
        row.tries = F("tries") + 1
        row.save()
        audit.record(f"correction.{event}", subject=row.subject_id, object=f"privacy.Correction:{row.pk}")


def find_correction(correction_id: int) -> CorrectionRow | None:
    """One of them; None once its person is erased."""
    row = Correction.objects.filter(pk=correction_id).first()
    return None if row is None else _row(row)


def of_person(subject: uuid.UUID) -> list[CorrectionRow]:
    """Who was told of a person's corrections, newest first."""
    return [
        _row(row) for row in Correction.objects.filter(subject_id=subject).order_by("-corrected_at", "-pk")
    ]


def by_hand() -> list[CorrectionRow]:
    """What a person of ours has to tell somebody, the most urgent first."""
    return [_row(row) for row in Correction.objects.filter(state="by_hand").order_by("due_on", "pk")]


def _row(row: Correction) -> CorrectionRow:
    return CorrectionRow(
        row.pk, row.subject_id, row.processor, tuple(filter(None, row.categories.split(","))), row.state,
        row.tries, row.corrected_at, row.due_on, row.told_at,
    )  # fmt: skip
