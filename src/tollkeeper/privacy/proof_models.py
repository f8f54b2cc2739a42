"""Tables of what stands behind the promises: runs of the proofs, people's words, reviews, signals."""

from __future__ import annotations

from django.db import models

from tollkeeper.kit import append_only

ROLES = ("owner", "privacy", "security", "operations", "finance", "counsel", "stand_in")
"""In which role a person vouches; ``stand_in`` is the demo's, and counts nowhere that is live."""


class ProofRun(models.Model):
    """A run of the proofs that was kept: its counts and the hash of what it said.

    ``document`` is what everybody may read of it, as signed JSON text; ``entry`` is the entry of
    the audit trail that holds the hash of the whole.
    """

    ran_at = models.DateTimeField()
    proven = models.IntegerField()
    attested = models.IntegerField()
    broken = models.IntegerField()
    not_used = models.IntegerField()
    broken_ids = models.CharField(max_length=1000, default="")
    policy_hash = models.CharField(max_length=64)
    digest = models.CharField(max_length=64)
    document = models.TextField(default="")
    entry = models.BigIntegerField(null=True)

    class Meta:
        indexes = (models.Index(fields=["ran_at"], name="privacy_proofrun_time"),)

    def __str__(self) -> str:
        return f"proofs of {self.ran_at:%Y-%m-%d}: {self.broken} broken"


class Attestation(models.Model):
    """A person's word that a promise is kept, or that they take it back; never changed.

    ``by`` is a pseudonym of the audit trail, ``covers`` the hash of the facts they vouch for,
    ``entry`` the audit entry that holds the hash of the signed statement.
    """

    promise = models.CharField(max_length=8)
    action = models.CharField(max_length=10, choices=[(word, word) for word in ("given", "withdrawn")])
    by = models.CharField(max_length=32)
    role = models.CharField(max_length=12, choices=[(word, word) for word in ROLES])
    since = models.DateField()
    until = models.DateField()
    covers = models.CharField(max_length=64)
    signature = models.CharField(max_length=128)
    entry = models.BigIntegerField()
    at = models.DateTimeField()

    class Meta:
        indexes = (models.Index(fields=["promise", "at"], name="privacy_attestation_promise"),)

    def __str__(self) -> str:
        return f"{self.promise} {self.action} until {self.until}"


class Review(models.Model):
    """One review of the audit plan that was done: which, when, by whom (a pseudonym of the trail)."""

    item = models.CharField(max_length=60)
    done_on = models.DateField()
    by = models.CharField(max_length=32)
    findings = models.IntegerField(default=0)
    """How many things were found that somebody has to mend."""
    entry = models.BigIntegerField()
    at = models.DateTimeField()

    class Meta:
        indexes = (models.Index(fields=["item", "done_on"], name="privacy_review_item"),)

    def __str__(self) -> str:
        return f"{self.item} on {self.done_on}"


class SignalDay(models.Model):
    """How many requests of a day carried ``Sec-GPC`` and had no account: a count, and nobody behind it."""

    day = models.DateField(primary_key=True)
    requests = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return f"signals of {self.day}"


append_only.guard("privacy_proofrun")
append_only.guard("privacy_attestation")
append_only.guard("privacy_review")
