"""Reports that an account is a child's: confirmed by their writer, decided by a person within hours."""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import secrets
import uuid
from dataclasses import dataclass

from django.db import transaction
from django.utils import timezone

from tollkeeper.core import states
from tollkeeper.core.cards import strike_cards
from tollkeeper.core.refusal import Refused
from tollkeeper.kit import audit, sealed
from tollkeeper.privacy import policy_queries
from tollkeeper.privacy.models import MinorReport

REPORTER_DAYS = 90
"""How long a reporter's address and words are kept."""


@dataclass(frozen=True, slots=True)
class ReportRow:
    """A report as the desk shows it; ``account`` and ``words`` are the reporter's, None once they went."""

    number: str
    state: str
    subject: uuid.UUID | None
    was_active: bool
    account: str | None
    words: str | None
    received_at: dt.datetime
    decide_by: dt.datetime | None


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def take(number: str, *, contact: str, account: str, words: str) -> str:
    """Keep a report under the number of its request; the secret of the link that confirms it."""
    secret = secrets.token_urlsafe(24)
    MinorReport.objects.create(
        number=number,
        contact=contact,
        account=account or None,
        words=strike_cards(words) or None,
        secret=_hash(secret),
    )
    return secret


def confirm(number: str, secret: str) -> str | None:
    """The reporter's address is theirs: the clock of the decision begins. The account's address, if given.

    Raises :class:`Refused` for a wrong or used link.
    """
    row = MinorReport.objects.select_for_update().filter(number=number).first()
    if row is None or not row.secret or not hmac.compare_digest(row.secret, _hash(secret)):
        raise Refused("This link is not valid any more.")
    now = timezone.now()
    hours = policy_queries.get_current().policy.children.decide_hours
    row.state, row.secret = states.step(states.MINOR, row.state, "confirm"), ""
    row.confirmed_at, row.decide_by = now, now + dt.timedelta(hours=hours)
    row.save()
    audit.record("minor.confirmed", object=f"privacy.MinorReport:{number}")
    return row.account


def name_subject(number: str, subject: uuid.UUID, *, was_active: bool) -> None:
    """Note whose account is meant, and whether it was open before it was frozen."""
    MinorReport.objects.filter(number=number).update(subject_id=subject, was_active=was_active)


def decide(number: str, *, agree: bool, actor: uuid.UUID | None) -> ReportRow:
    """A person decided; the report as it was. Raises :class:`Refused`."""
    row = MinorReport.objects.select_for_update().filter(number=number).first()
    if row is None:
        raise Refused(f"there is no report {number}")
    before = _row(row)
    try:
        row.state = states.step(states.MINOR, row.state, "agree" if agree else "reject")
    except states.IllegalStep:
        raise Refused(f"{number} is {row.state} and cannot be decided") from None
    row.decided_at = timezone.now()
    row.save()
    who = audit.person(actor) or "system"
    audit.record(
        "minor.agreed" if agree else "minor.rejected", actor=who, object=f"privacy.MinorReport:{number}"
    )
    return before


def decide_by(number: str) -> dt.datetime:
    """Until when a person has to decide; raises :class:`Refused` for a report that nobody confirmed."""
    found = MinorReport.objects.filter(number=number).values_list("decide_by", flat=True).first()
    if found is None:
        raise Refused(f"there is no report {number} to be decided")
    return found


def waiting() -> list[ReportRow]:
    """Reports to be decided, the most urgent first."""
    return [_row(row) for row in MinorReport.objects.filter(state="frozen").order_by("decide_by")]


def forget_reporters(now: dt.datetime) -> list[tuple[str, bool]]:
    """Drop what reporters wrote, 90 days after; each number, with True for one that nobody ever
    confirmed and that lapses with it."""
    limit = now - dt.timedelta(days=REPORTER_DAYS)
    rows = MinorReport.objects.filter(received_at__lt=limit, contact__isnull=False)
    gone = []
    for key, case, number, state in list(rows.values_list("pk", "case", "number", "state")):
        with transaction.atomic():
            MinorReport.objects.filter(pk=key).update(contact=None, account=None, words=None, secret="")
            lapsed = state == states.MINOR.initial
            if lapsed:
                MinorReport.objects.filter(pk=key).update(state=states.step(states.MINOR, state, "lapse"))
        sealed.destroy(case)
        gone.append((number, lapsed))
    return gone


def _row(row: MinorReport) -> ReportRow:
    return ReportRow(
        row.number,
        row.state,
        row.subject_id,
        row.was_active,
        row.account,
        row.words,
        row.received_at,
        row.decide_by,
    )
