"""Requests about personal data: taken in by any way, each with its clock, sealed under a key of its own."""

from __future__ import annotations

import datetime as dt
import uuid
from dataclasses import dataclass, replace

from django.core.exceptions import ValidationError
from django.core.signing import Signer
from django.core.validators import validate_email
from django.db import transaction
from django.utils import timezone
from django.utils.crypto import constant_time_compare
from django.utils.translation import gettext as _

from tollkeeper.core import clocks, identity
from tollkeeper.core.cards import strike_cards
from tollkeeper.core.identity import Risk
from tollkeeper.core.refusal import Refused
from tollkeeper.kit import audit, sealed
from tollkeeper.kit.sealed import Closed, ErasedText
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
    "lift",
    "opt_out",
    "limit",
    "complaint",
    "other",
)
"""What a stranger or a customer may ask; ``minor`` and ``authority`` have ways of their own."""
REGIMES = ("gdpr", "ccpa")
MAX_WORDS = 10_000


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
    needs: int = 0
    level: int = 0
    shown_by: str = ""
    ground: str = ""
    language: str = "en"
    subject: uuid.UUID | None = None

    @property
    def known(self) -> bool:
        """Whether its writer has shown enough of who they are."""
        return self.level >= self.needs


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


def open_request(  # noqa: PLR0913 - the facts of a request
    kind: str,
    *,
    regime: str = "gdpr",
    channel: str,
    subject: uuid.UUID | None = None,
    contact: str = "",
    words: str = "",
    needs: int | None = None,
    language: str = "en",
) -> str:
    """Take a request in; its number. Noted in the trail at once, acknowledged by the caller.

    A stranger gives ``contact``, an address for the answer, and ``needs`` says how surely they
    must show who they are (``core.identity``). Whoever asks for ``subject`` has signed in.
    Raises :class:`Refused`.
    """
    if kind not in (*KINDS, "minor") or regime not in REGIMES:
        raise Refused(_("Please choose what you ask for."))
    if subject is None:
        try:
            validate_email(contact)
        except ValidationError:
            raise Refused(_("Please give an e-mail address for the answer.")) from None
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
            due_on=None if kind == "minor" else clock.answer_on,  # its clock begins with its confirmation
            acknowledge_by=clock.acknowledge_on,
            needs=identity.needed(kind, Risk(account=subject is not None)) if needs is None else needs,
            level=identity.SIGNED_IN if subject else identity.OPEN,
            shown_by="sign_in" if subject else "",
            language=language,
        )
        audit.record("request.received", object=f"privacy.Request:{row.number}", subject=subject, note=kind)
    return row.number


def start_clock(number: str, due_on: dt.date) -> None:
    """A report about a child was confirmed: from now on it can be late."""
    Request.objects.filter(number=number, answered_at__isnull=True).update(due_on=due_on)


def forget_writer(number: str) -> None:
    """Where a stranger could be answered, and what they wrote, goes before the request does."""
    row = Request.objects.get(number=number)
    Request.objects.filter(pk=row.pk).update(contact=None, words=None, reply=None)
    if row.case != row.subject_id:
        sealed.destroy(row.case)


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


def find_request(number: str) -> RequestRow | None:
    """The request with this number."""
    row = Request.objects.filter(number=number).first()
    return None if row is None else _row(row)


def get_words(number: str) -> Words:
    """What was written, and where to answer; each None once it is erased or was never given."""
    row = Request.objects.get(number=number)
    return Words(_clear(row.contact), _clear(row.words), _clear(row.reply))


def add_words(number: str, words: str) -> None:
    """The writer says more about a request, open or closed. Raises ``DoesNotExist``."""
    with transaction.atomic():
        row = Request.objects.select_for_update().get(number=number)
        old = _clear(row.words) or ""
        told = f"{old}\n\n{timezone.now():%Y-%m-%d}:\n{strike_cards(words.strip())}".strip()
        row.words = told[-2 * MAX_WORDS :]
        row.save(update_fields=["words"])
        audit.record("request.words", subject=row.subject_id, object=f"privacy.Request:{number}")


def _clear(text: str | None) -> str | None:
    return None if text is None or isinstance(text, ErasedText | Closed) else str(text)


@dataclass(frozen=True, slots=True)
class Words:
    """The sealed part of a request."""

    contact: str | None
    words: str | None
    reply: str | None


def case_secret(number: str) -> str:
    """The secret end of the link to a request: made of its case, never stored; raises ``DoesNotExist``."""
    case = Request.objects.values_list("case", flat=True).get(number=number)
    return Signer(salt="privacy.request").signature(f"{number}:{case.hex}")


def check_case(number: str, secret: str) -> bool:
    """Whether a link leads to this request."""
    if not Request.objects.filter(number=number).exists():
        return False
    return constant_time_compare(case_secret(number), secret)


def unshown(today: dt.date) -> list[str]:
    """Requests whose time is over while we still do not know who asks, the clock not standing."""
    rows = Request.objects.filter(state="verifying", paused_at__isnull=True, due_on__lt=today)
    return list(rows.values_list("number", flat=True))


def _row(row: Request) -> RequestRow:
    return RequestRow(
        row.number,
        row.kind,
        row.regime,
        row.channel,
        row.state,
        row.received_at,
        row.due_on,
        row.answered_at,
        row.needs,
        row.level,
        row.shown_by,
        row.ground,
        row.language,
        row.subject_id,
    )
