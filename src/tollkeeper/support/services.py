"""Verbs of support: open, answer, close. Card numbers are struck out before anything is stored."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction
from django.utils import timezone

from tollkeeper.core import states
from tollkeeper.core.cards import find_cards, strike_cards
from tollkeeper.core.refusal import Refused
from tollkeeper.kit import audit
from tollkeeper.support.files import MAX_BYTES, MAX_FILES, TYPES, BadFile, CleanFile, clean_file
from tollkeeper.support.models import Attachment, Message, Ticket

__all__ = [
    "MAX_BODY",
    "MAX_BYTES",
    "MAX_FILES",
    "MAX_TITLE",
    "NOTHING",
    "REASONS",
    "TYPES",
    "BadFile",
    "CleanFile",
    "Extra",
    "NeedsReason",
    "Refused",
    "acknowledge",
    "add_message",
    "clean_file",
    "close_ticket",
    "enter",
    "open_ticket",
]

ANSWER_WITHIN = dt.timedelta(days=3)
"""Where the policy names no other period."""
MAX_TITLE = 120
MAX_BODY = 20_000
REASONS = ("handover", "follow_up", "complaint", "rights_request", "abuse", "quality")
"""Why one of us may look into a ticket that is not theirs."""


class NeedsReason(Exception):
    """Somebody else's ticket, or a closed one, is opened by saying why: one of :data:`REASONS`."""


@dataclass(frozen=True, slots=True)
class Extra:
    """What else comes with a letter: its language, until when it must be answered, its files, and how many
    were ``left`` out."""

    language: str = "en"
    answer_within: dt.timedelta = ANSWER_WITHIN
    files: tuple[CleanFile, ...] = ()
    left: int = 0


NOTHING = Extra()
"""A letter in English without files, under the usual clock."""


def _clean(text: str, limit: int, what: str) -> str:
    clean = strike_cards(text.strip())
    if not clean:
        raise Refused(f"Please write a {what}.")
    if len(clean) > limit:
        raise Refused(f"The {what} is longer than {limit} characters.")
    return clean


def _add(
    ticket: Ticket, raw: str, now: dt.datetime, files: Sequence[CleanFile], author: uuid.UUID | None = None
) -> Message:
    """Store a message with its files. ``author`` is who of us wrote it."""
    if len(files) > MAX_FILES:
        raise Refused(f"At most {MAX_FILES} files can be sent with a message.")
    message = Message.objects.create(
        ticket=ticket,
        body=_clean(raw, MAX_BODY, "message"),
        struck_count=sum(1 for _ in find_cards(raw)),
        from_us=author is not None,
        author_id=author,
        written_at=now,
    )
    for file in files:
        Attachment.objects.create(
            message=message,
            name=file.name,
            media_type=file.media_type,
            size=len(file.content),
            content=cast("str", file.content),  # bytes: the field packs them
        )
    return message


def open_ticket(
    title: str,
    body: str,
    *,
    customer_id: int | None = None,
    owner: uuid.UUID | None = None,
    contact: str | None = None,
    complaint: bool = False,
    extra: Extra = NOTHING,
) -> str:
    """Open a ticket and return its number.

    A customer's is sealed under their own key: give ``customer_id`` and ``owner`` (the
    person). A stranger gives ``contact``, an address for the answer. Raises :class:`Refused`.
    """
    title = _clean(title, MAX_TITLE, "title")
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
            language=extra.language,
            complaint=complaint,
            opened_at=now,
            due_at=now + extra.answer_within,
        )
        _add(ticket, body, now, extra.files)
    return ticket.number


def add_message(
    number: str,
    body: str,
    *,
    from_us: bool,
    author: uuid.UUID | None = None,
    extra: Extra = NOTHING,
) -> int:
    """Add a message; its id. An answer of ours makes the ticket ``answered`` and its author the agent;
    the writer's own message opens it again with a new clock, and a closing that is undone this way
    is counted and recorded, since it lengthens how long the conversation is kept.

    Raises :class:`Refused`, or ``Ticket.DoesNotExist``.
    """
    _clean(body, MAX_BODY, "message")
    with transaction.atomic():
        ticket = Ticket.objects.select_for_update().get(number=number)
        now = timezone.now()
        if from_us:
            message = _add(ticket, body, now, extra.files, author)
            if author is None:
                message.from_us = True
                message.save(update_fields=["from_us"])
            ticket.state = states.step(states.TICKET, _awake(ticket), "answer")
            ticket.answered_at = ticket.answered_at or now
            ticket.agent_id = author or ticket.agent_id
        else:
            message = _add(ticket, body, now, extra.files)
            if ticket.state == "closed":
                ticket.reopened_count += 1
                ticket.closed_at = None
                audit.record("ticket.reopen", object=f"support.Ticket:{ticket.pk}")
            if ticket.state != "open":
                ticket.state = states.step(states.TICKET, ticket.state, "ask")
                ticket.due_at = now + extra.answer_within
        ticket.save(update_fields=["answered_at", "state", "closed_at", "due_at", "agent", "reopened_count"])
    return message.pk


def _awake(ticket: Ticket) -> str:
    """The state an answer starts from; answering a closed ticket is asking oneself first."""
    if ticket.state != "closed":
        return ticket.state
    ticket.closed_at = None
    return states.step(states.TICKET, ticket.state, "ask")


def close_ticket(number: str) -> None:
    """Close a ticket; its keep period starts. A complaint needs an answer first: raises :class:`Refused`."""
    with transaction.atomic():
        ticket = Ticket.objects.select_for_update().get(number=number)
        if ticket.state == "closed":
            return
        if ticket.complaint and ticket.answered_at is None:
            raise Refused("A complaint is closed by answering it.")
        ticket.state, ticket.closed_at = states.step(states.TICKET, ticket.state, "close"), timezone.now()
        ticket.save(update_fields=["state", "closed_at"])


def acknowledge(number: str) -> None:
    """Note that the receipt of a ticket was confirmed to its writer."""
    Ticket.objects.filter(number=number, acknowledged_at=None).update(acknowledged_at=timezone.now())


def enter(number: str, staff: uuid.UUID, reason: str = "") -> None:
    """One of us opens a ticket: recorded in the trail with who and why.

    A ticket that waits, or is one's own, needs no reason; raises :class:`NeedsReason` for any
    other without one of :data:`REASONS`, or ``Ticket.DoesNotExist``.
    """
    ticket = Ticket.objects.only("state", "agent_id", "case", "customer_id").get(number=number)
    theirs = ticket.agent_id not in (None, staff)
    if (theirs or ticket.state == "closed") and reason not in REASONS:
        raise NeedsReason(number)
    audit.record(
        "ticket.read",
        actor=audit.person(staff),
        object=f"support.Ticket:{ticket.pk}",
        subject=ticket.case if ticket.customer_id is not None else None,
        fields=("title", "body"),
        note=reason,
    )
