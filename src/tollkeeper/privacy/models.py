"""What people chose about their data, and what they asked for."""

from __future__ import annotations

import secrets
import uuid

from django.conf import settings
from django.db import models
from django.utils import timezone

from tollkeeper.core import states
from tollkeeper.kit import append_only
from tollkeeper.kit.sealed import SealedTextField
from tollkeeper.privacy.case_models import AuthorityCase, AuthorityYear, Hold, MinorReport
from tollkeeper.privacy.copy_models import Copy
from tollkeeper.privacy.correction_models import Correction
from tollkeeper.privacy.inactivity_models import InactivityNotice
from tollkeeper.privacy.proof_models import Attestation, ProofRun, Review, SignalDay
from tollkeeper.privacy.request_models import Arrival, Letter, Mandate

__all__ = [
    "Arrival",
    "Attestation",
    "AuthorityCase",
    "AuthorityYear",
    "Breach",
    "BreachNotice",
    "Choice",
    "Copy",
    "Correction",
    "Hold",
    "InactivityNotice",
    "Letter",
    "Mandate",
    "MinorReport",
    "PolicyNotice",
    "PolicyVersion",
    "ProofRun",
    "Request",
    "Restriction",
    "Review",
    "SignalDay",
]


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
        return f"choice {self.pk}"


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
    acknowledge_by = models.DateField(null=True)
    acknowledged_at = models.DateTimeField(null=True)
    extended_on = models.DateField(null=True)
    """The last day for the answer once extended; the person is told before ``due_on``."""
    paused_at = models.DateTimeField(null=True)
    paused_days = models.IntegerField(default=0)
    ground = models.CharField(max_length=40, default="")
    """Why it is extended or refused: a code of ours."""
    needs = models.PositiveSmallIntegerField(default=0)
    """How surely its writer must have shown who they are, and how surely they have: ``core.identity``."""
    level = models.PositiveSmallIntegerField(default=0)
    shown_by = models.CharField(max_length=12, default="")
    tries = models.PositiveSmallIntegerField(default=0)
    """Wrong facts that were given."""
    language = models.CharField(max_length=10, default="en")
    reply = SealedTextField(subject="case", null=True)
    """What we wrote in answer."""

    class Meta:
        indexes = [models.Index(fields=["state", "due_on"], name="privacy_request_due")]
        constraints = [
            models.CheckConstraint(
                condition=~models.Q(state__in=("refused", "extended")) | ~models.Q(ground=""),
                name="privacy_refusal_has_a_ground",
            ),
            models.CheckConstraint(
                condition=~models.Q(state__in=("fulfilled", "partly_fulfilled"))
                | models.Q(level__gte=models.F("needs")),
                name="privacy_answered_to_the_right_person",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.number} ({self.state})"


# ---- the policy and its versions


class PolicyVersion(models.Model):
    """One version of the policy: its tree and its rendered documents, never changed afterwards.

    ``state`` moves through ``core.states.POLICY``. ``effective_on`` is set when a material
    change is announced; ``activated_at`` is the date that the page shows.
    """

    number = models.IntegerField(primary_key=True)
    body = models.TextField()
    body_hash = models.CharField(max_length=64)
    documents = models.TextField()
    documents_hash = models.CharField(max_length=64)
    material = models.BooleanField()
    reasons = models.CharField(max_length=200, default="")
    """Why it is material: words of ``core.policy_diff.REASONS`` with commas."""
    state = models.CharField(max_length=12, default=states.POLICY.initial)
    created_at = models.DateTimeField(default=timezone.now)
    announced_at = models.DateTimeField(null=True)
    effective_on = models.DateField(null=True)
    activated_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=["state"], condition=models.Q(state="active"), name="privacy_one_active_policy"
            ),
        )

    def __str__(self) -> str:
        return f"policy {self.number} ({self.state})"


class PolicyNotice(models.Model):
    """That a person is told of a material change ahead: by mail, and in the console until seen."""

    version = models.ForeignKey(PolicyVersion, models.CASCADE, related_name="notices")
    subject = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    sent_at = models.DateTimeField(null=True)
    bounced_at = models.DateTimeField(null=True)
    seen_at = models.DateTimeField(null=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=["version", "subject"], name="privacy_one_notice_each"),
        )

    def __str__(self) -> str:
        return f"notice {self.pk} of policy {self.version_id}"


append_only.guard(
    "privacy_policyversion",
    columns=("number", "body", "body_hash", "documents", "documents_hash", "created_at"),
)
append_only.guard("privacy_choice")


class Restriction(models.Model):
    """That a person's data may for now only be stored (Art. 18). ``keep_service`` is their own wish.

    ``stopped`` is a code of the plans that stand still for it.
    """

    subject = models.OneToOneField(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    keep_service = models.BooleanField(default=False)
    since = models.DateTimeField(default=timezone.now)
    stopped = models.CharField(max_length=400, default="")

    def __str__(self) -> str:
        return f"restriction {self.pk}"


def _breach_number() -> str:
    return "B-" + secrets.token_hex(4).upper()


class Breach(models.Model):
    """An entry of the breach register (Art. 33(5)). ``kind``, ``note`` and ``risk`` are codes of ours.

    ``facts`` is what happened and what was done, for the authority; ``words`` what the people
    concerned are written. Neither names anybody. ``scope`` are record sets, with commas, of whose
    rows those between ``rows_from`` and ``rows_until`` were concerned.
    """

    number = models.CharField(max_length=12, unique=True, default=_breach_number, editable=False)
    kind = models.CharField(max_length=40)
    note = models.CharField(max_length=200, default="")
    noticed_at = models.DateTimeField(default=timezone.now)
    authority_due_at = models.DateTimeField()
    authority_told_at = models.DateTimeField(null=True)
    people_told_at = models.DateTimeField(null=True)
    closed_at = models.DateTimeField(null=True)
    affected = models.IntegerField(default=0)
    risk = models.CharField(max_length=12, default="")
    facts = models.TextField(default="")
    words = models.TextField(default="")
    scope = models.CharField(max_length=120, default="")
    rows_from = models.DateTimeField(null=True)
    rows_until = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"{self.number} ({self.kind})"


class BreachNotice(models.Model):
    """Somebody who was concerned by a breach, and when they were told; ``reached`` says by what the mail
    was: an address that is gone cannot be written to."""

    breach = models.ForeignKey(Breach, models.CASCADE, related_name="notices")
    subject = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    told_at = models.DateTimeField(null=True)
    reached = models.BooleanField(default=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=["breach", "subject"], name="privacy_breach_notice_once"),
        )

    def __str__(self) -> str:
        return f"breach notice {self.pk}"
