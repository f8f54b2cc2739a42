"""Verbs of support: open, answer, close. Card numbers are struck out before anything is stored."""

from __future__ import annotations

import datetime as dt
import uuid

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction
from django.utils import timezone

from tollkeeper.core.cards import strike_cards
from tollkeeper.support.models import Message, Ticket

ANSWER_WITHIN = dt.timedelta(days=3)
MAX_TITLE = 120
MAX_BODY = 20_000


class Refused(Exception):
    """A message that cannot be taken; the text is one sentence for its writer."""


def _clean(text: str, limit: int, what: str) -> str:
    clean = strike_cards(text.strip())
    if not clean:
        raise Refused(f"Please write a {what}.")
    if len(clean) > limit:
        raise Refused(f"The {what} is longer than {limit} characters.")
    return clean


def open_ticket(
    title: str,
    body: str,
    *,
    customer_id: int | None = None,
    owner: uuid.UUID | None = None,
    contact: str | None = None,
    complaint: bool = False,
) -> str:
    """Open a ticket and return its number.

    A customer's is sealed under their own key: give ``customer_id`` and ``owner`` (the
    person). A stranger gives ``contact``, an address for the answer. Raises :class:`Refused`.
    """
    title, body = _clean(title, MAX_TITLE, "title"), _clean(body, MAX_BODY, "message")
    if customer_id is None:
        try:
            validate_email(contact or "")
        except ValidationError:
            raise Refused("Please give an e-mail address for the answer.") from None
    elif owner is None:
        raise ValueError("a customer's ticket needs its owner")
    now = timezone.now()
    with transaction.atomic():
        ticket = Ticket.objects.create(
            customer_id=customer_id,
            case=owner if owner is not None else uuid.uuid4(),
            contact=contact if customer_id is None else None,
            title=title,
            complaint=complaint,
            opened_at=now,
            due_at=now + ANSWER_WITHIN,
        )
        Message.objects.create(ticket=ticket, body=body, written_at=now)
    return ticket.number


def add_message(number: str, body: str, *, from_us: bool) -> None:
    """Add a message; the writer's own message opens a closed ticket again.

    Raises :class:`Refused`, or ``Ticket.DoesNotExist``.
    """
    body = _clean(body, MAX_BODY, "message")
    with transaction.atomic():
        ticket = Ticket.objects.select_for_update().get(number=number)
        now = timezone.now()
        Message.objects.create(ticket=ticket, body=body, from_us=from_us, written_at=now)
        if from_us:
            ticket.answered_at = ticket.answered_at or now
        elif ticket.state == "closed":
            ticket.state, ticket.closed_at, ticket.due_at = "open", None, now + ANSWER_WITHIN
        ticket.save(update_fields=["answered_at", "state", "closed_at", "due_at"])


def close_ticket(number: str) -> None:
    """Close a ticket. A complaint needs an answer first: raises :class:`Refused`."""
    with transaction.atomic():
        ticket = Ticket.objects.select_for_update().get(number=number)
        if ticket.complaint and ticket.answered_at is None:
            raise Refused("A complaint is closed by answering it.")
        ticket.state, ticket.closed_at = "closed", timezone.now()
        ticket.save(update_fields=["state", "closed_at"])
