"""Tables around a request: who acts for its person, what was written about it, what came in by mail."""

from __future__ import annotations

from django.db import models
from django.utils import timezone


class Mandate(models.Model):
    """That an agent acts for the person of a request (CCPA §1798.135(e), 11 CCR §7063; DRP 1.0).

    ``agent`` is a name of the shop's register, ``scope`` the kinds of requests with commas.
    The person confirms it to us (``confirmed_at``) before anything is revealed to them; the
    answer itself goes to the person, never to the agent. ``reference`` is a keyed
    hash of the agent's message, ``callback`` an address of its program, ``own_id`` the agent's name for
    the request.
    """

    request = models.OneToOneField("privacy.Request", models.CASCADE, related_name="mandate")
    agent = models.CharField(max_length=60)
    scope = models.CharField(max_length=120)
    given_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField()
    confirmed_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)
    reference = models.CharField(max_length=64, default="", db_index=True)
    callback = models.CharField(max_length=500, default="")
    own_id = models.CharField(max_length=64, default="", db_default="")
    told_state = models.CharField(max_length=40, default="")
    """The last status that the agent's callback was told."""

    def __str__(self) -> str:
        return f"mandate of request {self.request_id}"


class Letter(models.Model):
    """A mail about a request: one for each event, written when it was due and sent."""

    request = models.ForeignKey("privacy.Request", models.CASCADE, related_name="letters")
    event = models.CharField(max_length=20)
    due_at = models.DateTimeField(default=timezone.now)
    sent_at = models.DateTimeField(null=True)

    class Meta:
        constraints = (models.UniqueConstraint(fields=["request", "event"], name="privacy_one_letter_each"),)

    def __str__(self) -> str:
        return f"{self.event} of request {self.request_id}"


class Arrival(models.Model):
    """A mail that was taken from the mailbox, so that it is never taken twice.

    ``digest`` is a keyed hash of its Message-ID; ``became`` a number of ours, or why nothing did.
    """

    digest = models.CharField(max_length=64, unique=True)
    became = models.CharField(max_length=20)
    arrived_at = models.DateTimeField(default=timezone.now)

    class Meta:
        indexes = (models.Index(fields=["arrived_at"], name="privacy_arrival_time"),)

    def __str__(self) -> str:
        return f"arrival {self.pk}"
