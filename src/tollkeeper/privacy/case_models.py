"""Tables of what an operator decides about people: hold orders, reports of minors, authorities."""

from __future__ import annotations

import secrets
import uuid

from django.conf import settings
from django.db import models
from django.utils import timezone

from tollkeeper.kit.sealed import SealedTextField


def _hold() -> str:
    return "H-" + secrets.token_hex(4).upper()


def _minor() -> str:
    return "M-" + secrets.token_hex(5).upper()


def _authority() -> str:
    return "A-" + secrets.token_hex(4).upper()


class Hold(models.Model):
    """A hold order: tables of one person that neither erasure nor retention may touch for now.

    ``tables`` names them with commas. ``reviewer`` is a pseudonym of the audit trail. An order
    about a fiscal ``year`` has no person: what began in it does not run out.
    """

    number = models.CharField(max_length=12, unique=True, default=_hold, editable=False)
    subject = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    record_set = models.CharField(max_length=20)
    tables = models.CharField(max_length=2000)
    year = models.PositiveSmallIntegerField(null=True)
    ground = models.CharField(max_length=20)
    authority = models.CharField(max_length=120, default="")
    reviewer = models.CharField(max_length=32)
    review_on = models.DateField()
    made_at = models.DateTimeField(default=timezone.now)
    released_at = models.DateTimeField(null=True)

    class Meta:
        indexes = (models.Index(fields=["subject", "released_at"], name="privacy_hold_subject"),)

    def __str__(self) -> str:
        return self.number


class MinorReport(models.Model):
    """A report that an account is a child's. The reporter's words and address go after 90 days.

    ``case`` is the reporter's own sealing subject. ``secret`` is a hash of what the
    confirmation link holds. ``was_active`` lets a wrong report be undone.
    """

    number = models.CharField(max_length=16, unique=True, default=_minor, editable=False)
    case = models.UUIDField(default=uuid.uuid4, editable=False)
    subject = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    contact = SealedTextField(subject="case", null=True)
    account = SealedTextField(subject="case", null=True)
    words = SealedTextField(subject="case", null=True)
    secret = models.CharField(max_length=64, default="")
    state = models.CharField(max_length=12, default="received")
    was_active = models.BooleanField(default=True)
    received_at = models.DateTimeField(default=timezone.now)
    confirmed_at = models.DateTimeField(null=True)
    decide_by = models.DateTimeField(null=True)
    decided_at = models.DateTimeField(null=True)

    class Meta:
        indexes = (models.Index(fields=["state", "decide_by"], name="privacy_minor_due"),)

    def __str__(self) -> str:
        return f"{self.number} ({self.state})"


class AuthorityCase(models.Model):
    """A demand of an authority for data. Nothing leaves before two people have agreed.

    ``opened_by``, ``checked_by`` are pseudonyms of the audit trail. ``gag_until`` is empty
    where the person may be told at once. ``tables`` is the whole scope of the export. An audit
    of the books is about a fiscal ``year`` and about nobody in particular.
    """

    number = models.CharField(max_length=12, unique=True, default=_authority, editable=False)
    subject = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    authority = models.CharField(max_length=120)
    country = models.CharField(max_length=2)
    ground = models.CharField(max_length=200)
    kind = models.CharField(max_length=16)
    tables = models.CharField(max_length=2000, default="")
    year = models.PositiveSmallIntegerField(null=True)
    state = models.CharField(max_length=12, default="open")
    form_ok = models.BooleanField(default=False)
    jurisdiction_ok = models.BooleanField(default=False)
    treaty_ok = models.BooleanField(default=False)
    opened_by = models.CharField(max_length=32)
    checked_by = models.CharField(max_length=32, default="")
    opened_at = models.DateTimeField(default=timezone.now)
    due_on = models.DateField(null=True)
    decided_at = models.DateTimeField(null=True)
    gag_until = models.DateField(null=True)
    told_at = models.DateTimeField(null=True)
    over_at = models.DateTimeField(null=True)
    """When nothing was left to be done: refused, or given out and the person told."""

    def __str__(self) -> str:
        return f"{self.number} ({self.state})"


class AuthorityYear(models.Model):
    """How many demands of one year there were and what came of them: counts, which outlive the cases."""

    year = models.PositiveSmallIntegerField(primary_key=True)
    received = models.PositiveIntegerField(default=0)
    released = models.PositiveIntegerField(default=0)
    refused = models.PositiveIntegerField(default=0)
    preserved = models.PositiveIntegerField(default=0)

    def __str__(self) -> str:
        return f"demands of {self.year}"


class ErasureReceipt(models.Model):
    """What an erasure did: rows gone and rows kept, by table. Nothing of the person."""

    number = models.CharField(max_length=16, unique=True)
    begun_at = models.DateTimeField(default=timezone.now)
    erased_at = models.DateTimeField(null=True)
    gone = models.JSONField(default=dict)
    kept = models.JSONField(default=dict)

    def __str__(self) -> str:
        return self.number


class Forgetting(models.Model):
    """That a processor has to forget an erased person. ``mark`` is a keyed hash: one row per thing.

    ``reference`` is what the processor calls the person; emptied as soon as it has forgotten.
    """

    receipt = models.CharField(max_length=16, db_index=True)
    mark = models.CharField(max_length=24, unique=True)
    kind = models.CharField(max_length=10)
    processor = models.CharField(max_length=64)
    reference = models.CharField(max_length=255, default="")
    state = models.CharField(max_length=10, default="waiting")
    tries = models.PositiveSmallIntegerField(default=0)
    code = models.CharField(max_length=40, default="")
    made_at = models.DateTimeField(default=timezone.now)
    due_on = models.DateField()
    told_at = models.DateTimeField(null=True)

    class Meta:
        indexes = (models.Index(fields=["state", "due_on"], name="privacy_forgetting_due"),)

    def __str__(self) -> str:
        return f"forgetting {self.pk} ({self.state})"
