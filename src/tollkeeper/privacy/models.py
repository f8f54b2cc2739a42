"""What people chose about their data, and what they asked for."""

from __future__ import annotations

import secrets
import uuid

from django.conf import settings
from django.db import models
from django.utils import timezone

from tollkeeper.kit.sealed import SealedTextField


class Choice(models.Model):
    """One line of the consent ledger; lines are added, never changed.

    ``purpose`` is a name of the policy (or ``sale``, for a ``Sec-GPC`` signal). ``text_hash``
    is the hash of the words that were shown. Without an account, ``browser`` is a random id.
    """

    subject = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, null=True, related_name="+")
    browser = models.CharField(max_length=32, default="")
    purpose = models.CharField(max_length=60)
    action = models.CharField(
        max_length=12, choices=[(word, word) for word in ("give", "withdraw", "object", "allow", "opt_out")]
    )
    policy_version = models.IntegerField(default=0)
    text_hash = models.CharField(max_length=64, default="")
    source = models.CharField(
        max_length=12, choices=[(word, word) for word in ("form", "console", "gpc", "api", "desk")]
    )
    chosen_at = models.DateTimeField(default=timezone.now)

    class Meta:
        indexes = [models.Index(fields=["subject", "purpose", "chosen_at"], name="privacy_choice_subject")]

    def __str__(self) -> str:
        return f"choice {self.pk}: {self.action} {self.purpose}"


def _number() -> str:
    return "R-" + secrets.token_hex(5).upper()


class Request(models.Model):
    """A request about personal data, with its clock. Without an account it has a key of its own.

    ``case`` is the subject under which contact and words are sealed: destroyed with the case.
    """

    number = models.CharField(max_length=16, unique=True, default=_number, editable=False)
    case = models.UUIDField(default=uuid.uuid4, editable=False)
    subject = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    kind = models.CharField(max_length=16)
    regime = models.CharField(max_length=8, default="gdpr")
    channel = models.CharField(max_length=12, default="console")
    state = models.CharField(max_length=20, default="received")
    contact = SealedTextField(subject="case", null=True)
    words = SealedTextField(subject="case", null=True)
    received_at = models.DateTimeField(default=timezone.now)
    due_on = models.DateField(null=True)
    answered_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [models.Index(fields=["state", "due_on"], name="privacy_request_due")]

    def __str__(self) -> str:
        return f"{self.number} ({self.kind}, {self.state})"
