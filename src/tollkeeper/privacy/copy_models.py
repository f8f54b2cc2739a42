"""The table of copies that people asked for: how far each is, until when it may be fetched, once."""

from __future__ import annotations

import secrets

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from tollkeeper.core import states
from tollkeeper.kit.sealed import SealedTextField


def _number() -> str:
    return "C-" + secrets.token_hex(5).upper()


class Copy(models.Model):
    """A copy of everything about a person. The file lies sealed below ``<home>/copies``.

    ``key`` opens the file and is itself sealed under the person's key; it goes when the copy
    is fetched or has expired, and with it the file. ``request`` is the number of the request
    that it answers. ``since`` and ``until`` narrow it to rows of those days.
    """

    number = models.CharField(max_length=16, unique=True, default=_number, editable=False)
    subject = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    request = models.CharField(max_length=16)
    state = models.CharField(max_length=10, default=states.COPY.initial)
    language = models.CharField(max_length=10, default="en")
    since = models.DateField(null=True)
    until = models.DateField(null=True)
    rows_total = models.BigIntegerField(default=0)
    rows_done = models.BigIntegerField(default=0)
    size = models.BigIntegerField(default=0)
    """Bytes of the clear file."""
    key = SealedTextField(subject="subject_id", null=True)
    asked_at = models.DateTimeField(default=timezone.now)
    ready_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField(null=True)
    taken_at = models.DateTimeField(null=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=["subject"],
                condition=Q(state__in=("queued", "building")),
                name="privacy_one_copy_at_a_time",
            ),
        )
        indexes = (models.Index(fields=["state", "expires_at"], name="privacy_copy_state"),)

    def __str__(self) -> str:
        return f"{self.number} ({self.state})"
