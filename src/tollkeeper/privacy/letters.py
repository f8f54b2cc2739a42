"""Mails about requests: each event of a request is written once, and when it went out is kept."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from django.utils import timezone

from tollkeeper.privacy.models import Letter, Request

EVENTS = ("receipt", "identity", "extension", "refusal", "done", "half", "most", "over")
"""The last three are reminders to ourselves: half, four fifths and all of the time is over."""


@dataclass(frozen=True, slots=True)
class LetterRow:
    """One letter of a request."""

    event: str
    due_at: dt.datetime
    sent_at: dt.datetime | None


def owe(number: str, event: str) -> bool:
    """Note that a letter is due; False if this event was written before. Raises ``Request.DoesNotExist``."""
    if event not in EVENTS:
        raise ValueError(f"no letter is called {event!r}")
    _, new = Letter.objects.get_or_create(request=Request.objects.get(number=number), event=event)
    return new


def sent(number: str, event: str) -> None:
    """Note that it went out."""
    Letter.objects.filter(request__number=number, event=event, sent_at__isnull=True).update(
        sent_at=timezone.now()
    )


def is_owed(number: str, event: str) -> bool:
    """Whether a letter is due and not out."""
    return Letter.objects.filter(request__number=number, event=event, sent_at__isnull=True).exists()


def letters_of(number: str) -> list[LetterRow]:
    """The letters of a request in the order of time."""
    rows = Letter.objects.filter(request__number=number).order_by("due_at", "pk")
    return [LetterRow(row.event, row.due_at, row.sent_at) for row in rows]


def owed_reminders(today: dt.date) -> list[tuple[str, str]]:
    """``(number, event)`` of reminders that are due and were not written yet."""
    found = []
    for row in Request.objects.filter(answered_at__isnull=True, due_on__isnull=False).prefetch_related(
        "letters"
    ):
        begun, due = row.received_at.date(), row.due_on
        assert due is not None
        gone, whole = (today - begun).days, max(1, (due - begun).days)
        event = (
            "over"
            if gone >= whole
            else "most"
            if gone >= 0.8 * whole
            else "half"
            if gone >= 0.5 * whole
            else ""
        )
        if event and event not in {one.event for one in row.letters.all()}:
            found.append((row.number, event))
    return found
