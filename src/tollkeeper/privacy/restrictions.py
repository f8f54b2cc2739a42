"""Restriction of processing: a switch that the parts of the shop ask before they use a person's data."""

from __future__ import annotations

import datetime as dt
import uuid

from django.db import transaction

from tollkeeper.kit import audit
from tollkeeper.privacy.models import Restriction

STILL = frozenset({"legal", "notice"})
"""Purposes that go on: rights, claims, and telling the person what the law makes us tell."""
WORD = "restricted"


def restrict(subject: uuid.UUID, *, keep_service: bool = False) -> bool:
    """Restrict a person's data to storage; False if it was already."""
    with transaction.atomic():
        row, made = Restriction.objects.get_or_create(
            subject_id=subject, defaults={"keep_service": keep_service}
        )
        if not made and row.keep_service != keep_service:
            row.keep_service = keep_service
            row.save(update_fields=["keep_service"])
        if made:
            audit.record("subject.restrict", subject=subject, object="privacy.Restriction")
    return made


def lift(subject: uuid.UUID) -> bool:
    """End a restriction; False if there was none. The person was told before (Art. 18(3))."""
    with transaction.atomic():
        gone, _ = Restriction.objects.filter(subject_id=subject).delete()
        if gone:
            audit.record("subject.lift", subject=subject, object="privacy.Restriction")
    return bool(gone)


def note_stopped(subject: uuid.UUID, code: str) -> None:
    """Remember which plans stand still for a restriction; what is remembered already is added to."""
    row = Restriction.objects.filter(subject_id=subject).first()
    if row is not None:
        row.stopped = ":".join(filter(None, (row.stopped, code)))
        row.save(update_fields=["stopped"])


def forget_stopped(subject: uuid.UUID) -> None:
    """The plans go on: nothing is remembered of them."""
    Restriction.objects.filter(subject_id=subject).update(stopped="")


def stopped(subject: uuid.UUID) -> str:
    """The code of the plans that stand still for a restriction."""
    return Restriction.objects.filter(subject_id=subject).values_list("stopped", flat=True).first() or ""


def limited(subject: uuid.UUID | None) -> bool:
    """Whether a person asked for storage alone, without going on with their service."""
    return subject is not None and Restriction.objects.filter(subject_id=subject, keep_service=False).exists()


def find(subject: uuid.UUID) -> tuple[dt.datetime, bool] | None:
    """Since when a person is restricted, and whether their service goes on."""
    return Restriction.objects.filter(subject_id=subject).values_list("since", "keep_service").first()


def restricted(subject: uuid.UUID | None) -> bool:
    """Whether a person's data may for now only be stored."""
    return subject is not None and Restriction.objects.filter(subject_id=subject).exists()


def restricted_people() -> list[uuid.UUID]:
    """Everybody whose data may for now only be stored."""
    return list(Restriction.objects.values_list("subject_id", flat=True))


def limited_people() -> list[uuid.UUID]:
    """Everybody who asked for storage alone, without going on with their service."""
    return list(Restriction.objects.filter(keep_service=False).values_list("subject_id", flat=True))


def processable(subject: uuid.UUID | None, purpose: str) -> bool:
    """Whether a person's data may be used for a purpose, as far as restriction goes."""
    return purpose in STILL or not restricted(subject)


def stop(processor: str, purpose: str, subject: uuid.UUID | None) -> str:
    """The egress door's question: a word that refuses, or an empty text."""
    return "" if processable(subject, purpose) else WORD
