"""What we tell programs of customers: where, what, and whether it arrived.

Events hold ids, states and amounts; no name, no address, nothing that was called.
"""

from __future__ import annotations

import secrets
import uuid

from django.db import models
from django.db.models import Q
from django.utils import timezone

from tollkeeper.kit.sealed import SealedTextField


def endpoint_number() -> str:
    """An opaque number of an endpoint."""
    return "ep_" + secrets.token_hex(10)


def event_number() -> str:
    """An opaque number of an event: its ``webhook-id``."""
    return "msg_" + secrets.token_hex(12)


class Endpoint(models.Model):
    """An address that is told. ``customer`` is None for the operator's own, which hears of everybody.

    ``case`` is the key under which address and secret are sealed: the customer's own. ``state`` is
    ``active``, ``paused`` (by its owner) or ``failing`` (given up after days of tries); what
    happens meanwhile waits. ``lease_until`` keeps two workers from posting at once. A secret that
    was replaced signs beside the new one until ``old_until``, so that nothing is refused meanwhile.
    """

    number = models.CharField(max_length=28, unique=True, default=endpoint_number, editable=False)
    customer = models.ForeignKey("accounts.Customer", models.PROTECT, null=True, related_name="endpoints")
    case = models.UUIDField(editable=False, default=uuid.uuid4)
    url = SealedTextField(subject="case")
    secret = SealedTextField(subject="case")
    old_secret = SealedTextField(subject="case", null=True)
    old_until = models.DateTimeField(null=True)
    kinds = models.CharField(max_length=60)
    state = models.CharField(max_length=8, default="active")
    created_at = models.DateTimeField(default=timezone.now)
    lease_until = models.DateTimeField(null=True)

    class Meta:
        indexes = [models.Index(fields=["customer"], name="endpoint_of_customer")]

    def __str__(self) -> str:
        return self.number


class Event(models.Model):
    """Something that happened, once per ``key``. ``body`` is the JSON that is posted.

    A try-out of the operator's own endpoint is about no customer.
    """

    number = models.CharField(max_length=40, unique=True, default=event_number, editable=False)
    customer = models.ForeignKey("accounts.Customer", models.PROTECT, null=True, related_name="events")
    key = models.CharField(max_length=160, unique=True)
    kind = models.CharField(max_length=40)
    body = models.TextField()
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        indexes = [models.Index(fields=["created_at"], name="event_age")]

    def __str__(self) -> str:
        return self.number


class Post(models.Model):
    """One event for one endpoint. The oldest that waits goes first; nothing overtakes it.

    ``state``: ``waiting``, ``sent`` or ``failed``; ``answer`` is the status code of the last try,
    ``error`` our own word for it.
    """

    endpoint = models.ForeignKey(Endpoint, models.CASCADE, related_name="posts")
    event = models.ForeignKey(Event, models.CASCADE, related_name="posts")
    state = models.CharField(max_length=8, default="waiting")
    tries = models.PositiveSmallIntegerField(default=0)
    answer = models.PositiveSmallIntegerField(default=0)
    error = models.CharField(max_length=40, blank=True)
    next_at = models.DateTimeField(default=timezone.now)
    sent_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["endpoint", "event"], name="post_once")]
        indexes = [
            models.Index(fields=["endpoint", "event"], condition=Q(state="waiting"), name="post_waiting")
        ]

    def __str__(self) -> str:
        return f"{self.event_id} to {self.endpoint_id}"


class Cursor(models.Model):
    """How far something was read that is numbered in the order of its commits."""

    name = models.CharField(max_length=20, primary_key=True)
    position = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return self.name
