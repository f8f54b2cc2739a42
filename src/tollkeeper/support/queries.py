"""Reads of support, as frozen rows."""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import uuid
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db.models import Q, QuerySet
from django.utils import timezone

from tollkeeper.kit.sealed import ErasedText, preload
from tollkeeper.support.models import Attachment, Message, Ticket


@dataclass(frozen=True, slots=True)
class TicketRow:
    """A ticket as a list shows it. ``agent`` is the person of ours who answers it."""

    number: str
    title: str
    state: str
    complaint: bool
    opened_at: dt.datetime
    due_at: dt.datetime
    answered_at: dt.datetime | None
    closed_at: dt.datetime | None
    acknowledged_at: dt.datetime | None = None
    customer_id: int | None = None
    agent: uuid.UUID | None = None
    language: str = "en"
    reopened_count: int = 0
    overdue: bool = False


@dataclass(frozen=True, slots=True)
class FileRow:
    """An attachment without its content."""

    file_id: int
    name: str
    media_type: str
    size: int


@dataclass(frozen=True, slots=True)
class MessageRow:
    """One message of a thread."""

    from_us: bool
    body: str
    written_at: dt.datetime
    struck_count: int = 0
    files: tuple[FileRow, ...] = ()


def _row(ticket: Ticket) -> TicketRow:
    return TicketRow(
        number=ticket.number,
        title=str(ticket.title),
        state=ticket.state,
        complaint=ticket.complaint,
        opened_at=ticket.opened_at,
        due_at=ticket.due_at,
        answered_at=ticket.answered_at,
        closed_at=ticket.closed_at,
        acknowledged_at=ticket.acknowledged_at,
        customer_id=ticket.customer_id,
        agent=ticket.agent_id,
        language=ticket.language,
        reopened_count=ticket.reopened_count,
        overdue=ticket.state == "open" and ticket.due_at < timezone.now(),
    )


def list_tickets(customer_id: int, limit: int = 50) -> list[TicketRow]:
    """A customer's tickets, newest first."""
    rows = Ticket.objects.filter(customer_id=customer_id).order_by("-opened_at")[:limit]
    return [_row(ticket) for ticket in rows]


_VIEWS = {
    "waiting": Q(state="open"),
    "answered": Q(state="answered"),
    "complaints": Q(complaint=True) & ~Q(state="closed"),
    "closed": Q(state="closed"),
}
"""What the desk can list."""
VIEWS = tuple(_VIEWS)


def desk_tickets(view: str = "waiting", limit: int = 100) -> list[TicketRow]:
    """Tickets for the desk, most urgent first; keys are fetched with one query.

    ``view`` is one of :data:`VIEWS`; raises ``KeyError`` for another.
    """
    order = ("-closed_at",) if view == "closed" else ("due_at",)
    chosen: QuerySet[Ticket] = Ticket.objects.filter(_VIEWS[view]).order_by(*order)[:limit]
    preload(
        Ticket.objects.filter(pk__in=[row.pk for row in chosen.only("pk")]).values_list("case", flat=True)
    )
    return [_row(ticket) for ticket in chosen.all()]


def open_tickets(limit: int = 100) -> list[TicketRow]:
    """What waits for the shop, most urgent first."""
    return desk_tickets("waiting", limit)


def find_ticket(number: str) -> TicketRow | None:
    """A ticket by its number."""
    ticket = Ticket.objects.filter(number=number).first()
    return None if ticket is None else _row(ticket)


def find_thread(number: str, customer_id: int | None = None) -> tuple[TicketRow, list[MessageRow]] | None:
    """A ticket with its messages in order; with ``customer_id`` only if it is theirs."""
    found = Ticket.objects.filter(number=number)
    if customer_id is not None:
        found = found.filter(customer_id=customer_id)
    ticket = found.first()
    if ticket is None:
        return None
    messages = Message.objects.filter(ticket=ticket).select_related("ticket").order_by("written_at", "pk")
    files = _files(ticket)
    return _row(ticket), [
        MessageRow(m.from_us, str(m.body), m.written_at, m.struck_count, tuple(files.get(m.pk, ())))
        for m in messages
    ]


def _files(ticket: Ticket) -> dict[int, list[FileRow]]:
    """The attachments of a ticket by message; contents stay where they are."""
    found: dict[int, list[FileRow]] = {}
    rows = Attachment.objects.filter(message__ticket=ticket).defer("content").order_by("pk")
    for row in rows.select_related("message__ticket"):
        found.setdefault(row.message_id, []).append(FileRow(row.pk, str(row.name), row.media_type, row.size))
    return found


def find_file(number: str, file_id: int, customer_id: int | None = None) -> tuple[FileRow, bytes] | None:
    """An attachment with its content; with ``customer_id`` only if the ticket is theirs."""
    found = Attachment.objects.filter(pk=file_id, message__ticket__number=number)
    if customer_id is not None:
        found = found.filter(message__ticket__customer_id=customer_id)
    row = found.select_related("message__ticket").first()
    if row is None or isinstance(row.content, ErasedText):
        return None
    content: Any = row.content
    return FileRow(row.pk, str(row.name), row.media_type, row.size), content


def guest_secret(number: str) -> str:
    """The secret end of the link with which a stranger reads their ticket; made, never stored."""
    case = Ticket.objects.values_list("case", flat=True).get(number=number)
    code = hmac.new(settings.KEY_PEPPER, f"ticket|{number}|{case.hex}".encode(), hashlib.sha256)
    return code.hexdigest()[:40]


def check_guest(number: str, secret: str) -> bool:
    """Whether a link leads to a stranger's ticket; a customer's opens in the console only."""
    if not Ticket.objects.filter(number=number, customer__isnull=True).exists():
        return False
    return hmac.compare_digest(guest_secret(number).encode(), secret.encode())


def find_contact(number: str) -> str | None:
    """Where to answer a stranger; None for a customer's ticket or one that was erased."""
    contact = Ticket.objects.get(number=number).contact
    return None if contact is None or isinstance(contact, ErasedText) else str(contact)


def due_complaints(now: dt.datetime) -> list[TicketRow]:
    """Complaints that were not answered in time."""
    rows = Ticket.objects.filter(complaint=True, state="open", due_at__lt=now).order_by("due_at")
    return [_row(ticket) for ticket in rows]


def counts() -> dict[str, int]:
    """How many are open, overdue, and open complaints."""
    opened = Ticket.objects.filter(state="open")
    return {
        "open": opened.count(),
        "overdue": opened.filter(due_at__lt=timezone.now()).count(),
        "complaints": opened.filter(complaint=True).count(),
    }
