"""Notices to people who have not used their account for long: who was told, and when their account closes."""

from __future__ import annotations

import datetime as dt
import uuid
from dataclasses import dataclass

from django.utils import timezone

from tollkeeper.core import clocks
from tollkeeper.kit import audit
from tollkeeper.privacy import holds, policy_queries, restrictions
from tollkeeper.privacy.models import InactivityNotice

NOTICE_DAYS = 30
"""From the notice to the closing, as the policy's page says."""


@dataclass(frozen=True, slots=True)
class NoticeRow:
    """One notice."""

    id: int
    subject: uuid.UUID
    noticed_at: dt.datetime
    close_on: dt.date
    told_at: dt.datetime | None


def silent_before(now: dt.datetime) -> dt.datetime:
    """Who was last there before this is told: the policy's months ago."""
    months = policy_queries.get_current().policy.retention.inactive_months
    return dt.datetime.combine(clocks.add_months(now.date(), -months), dt.time(), dt.UTC)


def spared(subject: uuid.UUID) -> bool:
    """Whether an account must stay as it is: its data may only be stored, or a hold order keeps some."""
    return restrictions.restricted(subject) or bool(holds.held_tables(subject))


def notice(subject: uuid.UUID, now: dt.datetime) -> int | None:
    """Note that somebody is to be told; its id, or None if they were."""
    row, new = InactivityNotice.objects.get_or_create(
        subject_id=subject,
        defaults={"noticed_at": now, "close_on": now.date() + dt.timedelta(days=NOTICE_DAYS)},
    )
    if new:
        audit.record("inactivity.noticed", subject=subject, object=f"privacy.InactivityNotice:{row.pk}")
    return row.pk if new else None


def told(notice_id: int) -> None:
    """The mail went out: the days count from now on, never fewer than were promised."""
    now = timezone.now()
    InactivityNotice.objects.filter(pk=notice_id, told_at__isnull=True).update(
        told_at=now, close_on=now.date() + dt.timedelta(days=NOTICE_DAYS)
    )


def cancel(subject: uuid.UUID) -> bool:
    """They came back; False if nothing was pending."""
    gone, _ = InactivityNotice.objects.filter(subject_id=subject).delete()
    if gone:
        audit.record("inactivity.cancelled", subject=subject, object="privacy.InactivityNotice")
    return bool(gone)


def noticed() -> set[uuid.UUID]:
    """Everybody to whom a notice is pending."""
    return set(InactivityNotice.objects.values_list("subject_id", flat=True))


def find_notice(notice_id: int) -> NoticeRow | None:
    """A notice, until its account is used again or closed."""
    row = InactivityNotice.objects.filter(pk=notice_id).first()
    return None if row is None else _row(row)


def of_person(subject: uuid.UUID) -> NoticeRow | None:
    """The notice that is pending to a person."""
    row = InactivityNotice.objects.filter(subject_id=subject).first()
    return None if row is None else _row(row)


def over(today: dt.date) -> list[NoticeRow]:
    """Notices whose time is over, oldest first."""
    rows = InactivityNotice.objects.filter(close_on__lte=today, told_at__isnull=False).order_by(
        "close_on", "pk"
    )
    return [_row(row) for row in rows]


def _row(row: InactivityNotice) -> NoticeRow:
    return NoticeRow(row.pk, row.subject_id, row.noticed_at, row.close_on, row.told_at)
