"""That a recipient is told of a correction (Art. 19): who, of which kinds of data, when; never a value."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils import timezone


class Correction(models.Model):
    """One recipient and one correction. ``categories`` are names of the policy with commas.

    ``state``: ``waiting`` and ``unknown`` are told by a job, ``by_hand`` by a person of ours,
    ``told`` is done, ``contract`` needs nothing: it keeps no copy, and the next message is right.
    """

    subject = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    processor = models.CharField(max_length=64)
    categories = models.CharField(max_length=200)
    state = models.CharField(max_length=10, default="waiting")
    tries = models.PositiveSmallIntegerField(default=0)
    corrected_at = models.DateTimeField(default=timezone.now)
    due_on = models.DateField()
    told_at = models.DateTimeField(null=True)

    class Meta:
        indexes = (models.Index(fields=["state", "due_on"], name="privacy_correction_due"),)

    def __str__(self) -> str:
        return f"correction {self.pk}"
