"""Reads of support, as frozen rows."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from django.utils import timezone

from tollkeeper.kit.sealed import preload
from tollkeeper.support.models import Message, Ticket


@dataclass(frozen=True, slots=True)
class TicketRow:
    """A ticket as a list shows it."""

    number: str
    title: str
    state: str
    complaint: bool
    opened_at: dt.datetime
    due_at: dt.datetime
    answered_at: dt.datetime | None
    closed_at: dt.datetime | None


@dataclass(frozen=True, slots=True)
class MessageRow:
    """One message of a thread."""

    from_us: bool
    body: str
    written_at: dt.datetime


def _row(ticket: Ticket) -> TicketRow:
    return TicketRow(
        ticket.number,
        str(ticket.title),
        ticket.state,
        ticket.complaint,
        ticket.opened_at,
        ticket.due_at,
        ticket.answered_at,
        ticket.closed_at,
    )


def list_tickets(customer_id: int, limit: int = 50) -> list[TicketRow]:
    """A customer's tickets, newest first."""
    rows = Ticket.objects.filter(customer_id=customer_id).order_by("-opened_at")[:limit]
    return [_row(ticket) for ticket in rows]


def open_tickets(limit: int = 100) -> list[TicketRow]:
    """What waits for the shop, most urgent first; keys are fetched with one query."""
    rows = Ticket.objects.filter(state="open").order_by("due_at")[:limit]
    preload(Ticket.objects.filter(state="open").order_by("due_at").values_list("case", flat=True)[:limit])
    return [_row(ticket) for ticket in rows]


def find_thread(number: str, customer_id: int | None = None) -> tuple[TicketRow, list[MessageRow]] | None:
    """A ticket with its messages in order; with ``customer_id`` only if it is theirs."""
    found = Ticket.objects.filter(number=number)
    if customer_id is not None:
        found = found.filter(customer_id=customer_id)
    ticket = found.first()
    if ticket is None:
        return None
    messages = Message.objects.filter(ticket=ticket).order_by("written_at", "pk")
    return _row(ticket), [MessageRow(m.from_us, str(m.body), m.written_at) for m in messages]


def counts() -> dict[str, int]:
    """How many are open, overdue, and open complaints."""
    opened = Ticket.objects.filter(state="open")
    return {
        "open": opened.count(),
        "overdue": opened.filter(due_at__lt=timezone.now(), answered_at__isnull=True).count(),
        "complaints": opened.filter(complaint=True).count(),
    }
