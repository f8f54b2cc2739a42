"""Tickets: what people write to the shop, and what the shop answers. Words and files are sealed."""

from __future__ import annotations

import base64
import secrets
import uuid
from typing import Any

from django.conf import settings
from django.db import models
from django.utils import timezone

from tollkeeper.core import states
from tollkeeper.kit.sealed import SealedTextField


def _number() -> str:
    return "T-" + secrets.token_hex(5).upper()


class SealedFileField(SealedTextField):
    """Bytes sealed like a text; reads as bytes, and as empty bytes after destruction."""

    def pack(self, value: Any) -> str:
        """Bytes to text."""
        return base64.b64encode(value).decode()

    def unpack(self, text: str) -> Any:
        """Text to bytes."""
        return base64.b64decode(text)


class Ticket(models.Model):
    """A conversation. ``case`` is the key under which all its words are sealed.

    A customer's case is the customer's own subject, so that erasing them shreds it; a
    stranger's is a key made for this ticket. ``state`` moves through ``core.states.TICKET``.
    """

    number = models.CharField(max_length=16, unique=True, default=_number, editable=False)
    customer = models.ForeignKey("accounts.Customer", models.SET_NULL, null=True, related_name="+")
    case = models.UUIDField(editable=False, default=uuid.uuid4)
    contact = SealedTextField(subject="case", null=True)
    """Where to answer a stranger; a customer's address stays where it is."""
    title = SealedTextField(subject="case")
    language = models.CharField(max_length=8, default="en")
    complaint = models.BooleanField(default=False)
    state = models.CharField(max_length=8, default=states.TICKET.initial)
    agent = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    """Who of us answers it."""
    opened_at = models.DateTimeField(default=timezone.now)
    acknowledged_at = models.DateTimeField(null=True)
    due_at = models.DateTimeField()
    answered_at = models.DateTimeField(null=True)
    closed_at = models.DateTimeField(null=True)
    reopened_count = models.SmallIntegerField(default=0)

    class Meta:
        indexes = (
            models.Index(fields=["state", "due_at"], name="support_ticket_due"),
            models.Index(fields=["customer", "opened_at"], name="support_ticket_customer"),
        )

    def __str__(self) -> str:
        return f"ticket {self.pk} ({self.state})"


class Message(models.Model):
    """One message of a ticket. ``struck_count`` says how many card numbers were struck out of it."""

    ticket = models.ForeignKey(Ticket, models.CASCADE, related_name="messages")
    from_us = models.BooleanField(default=False)
    author = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    body = SealedTextField(subject="ticket.case")
    struck_count = models.SmallIntegerField(default=0)
    written_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"message {self.pk} of ticket {self.ticket_id}"


class Attachment(models.Model):
    """A file sent with a message, sealed; kept for a shorter time than the words."""

    message = models.ForeignKey(Message, models.CASCADE, related_name="attachments")
    name = SealedTextField(subject="message.ticket.case")
    media_type = models.CharField(max_length=40)
    size = models.IntegerField()
    content = SealedFileField(subject="message.ticket.case")

    def __str__(self) -> str:
        return f"attachment {self.pk} of message {self.message_id}"
