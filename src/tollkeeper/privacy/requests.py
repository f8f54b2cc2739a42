"""Requests about personal data: taken in by any way, each with its clock, sealed under a key of its own."""

from __future__ import annotations

import datetime as dt
import uuid
from dataclasses import dataclass, replace

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction
from django.utils import timezone

from tollkeeper.core import clocks
from tollkeeper.core.cards import strike_cards
from tollkeeper.kit import audit
from tollkeeper.privacy import policy_queries
from tollkeeper.privacy.models import Request

KINDS = (
    "access",
    "portability",
    "rectify",
    "erase",
    "restrict",
    "object",
    "withdraw",
    "know",
    "opt_out",
    "limit",
    "complaint",
    "other",
)
"""What a stranger or a customer may ask; ``minor`` and ``authority`` have ways of their own."""
REGIMES = ("gdpr", "ccpa")
MAX_WORDS = 10_000


class Refused(Exception):
    """A request that cannot be taken; the text is one sentence for its writer."""


@dataclass(frozen=True, slots=True)
class RequestRow:
    """A request as a list shows it."""

    number: str
    kind: str
    regime: str
    channel: str
    state: str
    received_at: dt.datetime
    due_on: dt.date | None
    answered_at: dt.datetime | None


def clock_of(kind: str, regime: str, today: dt.date, paused_days: int = 0) -> clocks.Deadlines:
    """The clock by law and by the policy's own word; the earlier day wins."""
    policy = policy_queries.get_current().policy
    if kind == "minor":
        return clocks.Deadlines(None, today + dt.timedelta(hours=policy.children.decide_hours), None)
    laws = ("gdpr", "ccpa") if regime == "ccpa" else ("gdpr",)
    by_law = clocks.deadlines(kind, laws, today, country=policy.authority.country, paused_days=paused_days)
    if kind == "complaint":
        ours = today + dt.timedelta(days=policy.clocks.complaint_answer_days)
    elif regime == "ccpa":
        ours = clocks.ccpa_answer(today, policy.clocks.ccpa_answer_days)
    else:
        return by_law
    return replace(by_law, answer_on=clocks.earlier(by_law.answer_on, ours))


def open_request(
    kind: str,
    *,
    regime: str = "gdpr",
    channel: str,
    subject: uuid.UUID | None = None,
    contact: str = "",
    words: str = "",
) -> str:
    """Take a request in; its number. Noted in the trail at once, acknowledged by the caller.

    A stranger gives ``contact``, an address for the answer. Raises :class:`Refused`.
    """
    if kind not in (*KINDS, "minor") or regime not in REGIMES:
        raise Refused("Please choose what you ask for.")
    if subject is None:
        try:
            validate_email(contact)
        except ValidationError:
            raise Refused("Please give an e-mail address for the answer.") from None
    if len(words) > MAX_WORDS:
        raise Refused(f"Please use at most {MAX_WORDS} characters.")
    now = timezone.now()
    clock = clock_of(kind, regime, now.date())
    with transaction.atomic():
        row = Request.objects.create(
            kind=kind,
            regime=regime,
            channel=channel,
            subject_id=subject,
            case=subject or uuid.uuid4(),
            contact=contact or None,
            words=strike_cards(words.strip()) or None,
            received_at=now,
            due_on=clock.answer_on,
            acknowledge_by=clock.acknowledge_on,
        )
        audit.record("request.received", object=f"privacy.Request:{row.number}", subject=subject, note=kind)
    return row.number


def answer_request(number: str, state: str = "fulfilled", note: str = "") -> None:
    """Close a request; ``note`` is a code of ours. Raises ``Request.DoesNotExist``."""
    with transaction.atomic():
        row = Request.objects.select_for_update().get(number=number)
        row.state, row.answered_at = state, timezone.now()
        row.save(update_fields=["state", "answered_at"])
        audit.record("request.answered", object=f"privacy.Request:{number}", note=note or state)


def is_open(number: str) -> bool:
    """Whether a request still waits for its answer."""
    return Request.objects.filter(number=number, answered_at__isnull=True).exists()


def find_subject(number: str) -> uuid.UUID | None:
    """Whose request it is; None for a stranger's, and once the person is erased."""
    return Request.objects.filter(number=number).values_list("subject_id", flat=True).first()


def find_state(number: str, kind: str) -> str | None:
    """The state of a request of this kind; None if there is none."""
    return Request.objects.filter(number=number, kind=kind).values_list("state", flat=True).first()


def waiting_erasures(subject: uuid.UUID | None) -> list[str]:
    """Numbers of a person's erasures that were not carried out to the end."""
    if subject is None:
        return []
    rows = Request.objects.filter(subject_id=subject, kind="erase", answered_at__isnull=True)
    return list(rows.values_list("number", flat=True))


def requests_of(subject: uuid.UUID) -> list[RequestRow]:
    """A person's own requests, newest first."""
    return [_row(row) for row in Request.objects.filter(subject_id=subject).order_by("-received_at")]


def open_requests(limit: int = 100) -> list[RequestRow]:
    """What waits, most urgent first."""
    rows = Request.objects.filter(answered_at__isnull=True).order_by("due_on", "received_at")[:limit]
    return [_row(row) for row in rows]


def counts() -> dict[str, int]:
    """How many wait, and how many are late."""
    waiting = Request.objects.filter(answered_at__isnull=True)
    return {"open": waiting.count(), "overdue": waiting.filter(due_on__lt=timezone.now().date()).count()}


def _row(row: Request) -> RequestRow:
    return RequestRow(
        row.number, row.kind, row.regime, row.channel, row.state, row.received_at, row.due_on, row.answered_at
    )
