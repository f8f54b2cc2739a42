"""That somebody who has not used their account for long was told that it closes."""

from __future__ import annotations

from django.conf import settings
from django.db import models


class InactivityNotice(models.Model):
    """One notice for each silence: it goes when the person comes back, or with the account."""

    subject = models.OneToOneField(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    noticed_at = models.DateTimeField()
    close_on = models.DateField()
    told_at = models.DateTimeField(null=True)
    """When the mail went out; nothing is closed before."""

    class Meta:
        indexes = (models.Index(fields=["close_on"], name="privacy_inactivity_day"),)

    def __str__(self) -> str:
        return f"inactivity notice {self.pk}"
