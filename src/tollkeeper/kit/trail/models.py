"""Tables that are only ever added to."""

from __future__ import annotations

from django.db import models

from tollkeeper.kit.fields import EpochField


class Pseudonym(models.Model):
    """Which random name stands for a person in the trail. Erasing a person deletes this row only."""

    subject = models.UUIDField(primary_key=True)
    name = models.CharField(max_length=32, unique=True)
    created_at = EpochField()

    def __str__(self) -> str:
        return "pseudonym"


class Tip(models.Model):
    """The end of the chain: one row, locked by whoever adds an entry."""

    id = models.SmallIntegerField(primary_key=True, default=1)
    seq = models.BigIntegerField(default=0)
    mac = models.CharField(max_length=64, default="")

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(id=1), name="trail_one_tip")]

    def __str__(self) -> str:
        return f"entry {self.seq}"


class Entry(models.Model):
    """One act: ``actor`` did ``verb`` to ``object``, concerning ``subject``.

    Actor and subject are pseudonyms or names of our own (``system``, ``job:…``). ``fields``
    names columns, ``note`` holds a code of ours: never a value that somebody entered.
    """

    seq = models.BigIntegerField(primary_key=True)
    at = EpochField(db_index=True)
    actor = models.CharField(max_length=80)
    verb = models.CharField(max_length=60)
    object = models.CharField(max_length=120, blank=True)
    subject = models.CharField(max_length=32, blank=True, db_index=True)
    fields = models.CharField(max_length=600, blank=True)
    note = models.CharField(max_length=200, blank=True)
    mac = models.CharField(max_length=64)

    def __str__(self) -> str:
        return f"{self.seq} {self.verb}"


class AuditHead(models.Model):
    """The signed end of the chain: ``kind`` is ``daily``, or ``closing`` for the end of a segment."""

    on = models.DateField()
    kind = models.CharField(max_length=8, default="daily")
    seq = models.BigIntegerField()
    mac = models.CharField(max_length=64)
    signature = models.CharField(max_length=128)
    created_at = EpochField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["on", "kind"], name="trail_one_head_a_day")]

    def __str__(self) -> str:
        return f"head of {self.on} at {self.seq}"


class Disclosure(models.Model):
    """What left through the egress door: who received which fields, and about whom; never a value."""

    at = EpochField(db_index=True)
    processor = models.CharField(max_length=60)
    purpose = models.CharField(max_length=40)
    subject = models.UUIDField(null=True, db_index=True)
    fields = models.CharField(max_length=1000, blank=True)
    categories = models.CharField(max_length=600, blank=True)
    size = models.IntegerField()
    outcome = models.CharField(max_length=20)
    """``sent``, or the reason of the refusal."""

    class Meta:
        indexes = [models.Index(fields=["processor", "at"], name="trail_disclosure_processor")]

    def __str__(self) -> str:
        return f"disclosure {self.pk}"


class Clearance(models.Model):
    """Opened and closed inside one transaction: lets it change a guarded table, and nobody else."""

    table = models.CharField(max_length=80, primary_key=True)
    reason = models.CharField(max_length=120)

    def __str__(self) -> str:
        return self.table
