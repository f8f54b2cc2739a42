"""Tickets: what people write to the shop, and what the shop answers. Words are sealed."""

from __future__ import annotations

import secrets
import uuid

from django.db import models
from django.utils import timezone

from tollkeeper.kit.sealed import SealedTextField


def _number() -> str:
    return "T-" + secrets.token_hex(5).upper()


class Ticket(models.Model):
    """A conversation. ``case`` is the key under which all its words are sealed.

    A customer's case is the customer's own subject, so that erasing them shreds it; a
    stranger's is a key made for this ticket.
    """

    number = models.CharField(max_length=16, unique=True, default=_number, editable=False)
    customer = models.ForeignKey("accounts.Customer", models.SET_NULL, null=True, related_name="+")
    case = models.UUIDField(editable=False, default=uuid.uuid4)
    contact = SealedTextField(subject="case", null=True)
    """Where to answer a stranger; a customer's address stays where it is."""
    title = SealedTextField(subject="case")
    complaint = models.BooleanField(default=False)
    state = models.CharField(max_length=8, default="open")
    opened_at = models.DateTimeField(default=timezone.now)
    due_at = models.DateTimeField()
    answered_at = models.DateTimeField(null=True)
    closed_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [models.Index(fields=["state", "due_at"], name="support_ticket_due")]

    def __str__(self) -> str:
        return f"{self.number} ({self.state})"


class Message(models.Model):
    """One message of a ticket."""

    ticket = models.ForeignKey(Ticket, models.CASCADE, related_name="messages")
    from_us = models.BooleanField(default=False)
    body = SealedTextField(subject="ticket.case")
    written_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"message {self.pk} of ticket {self.ticket_id}"
