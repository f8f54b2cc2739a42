"""Keys of the people whose data is sealed. This database is never part of a dump of the book."""

from __future__ import annotations

from django.db import models


class SubjectKey(models.Model):
    """One person's data key, wrapped by the installation's key (AES key wrap, RFC 3394).

    ``wrapped`` is null once the key is destroyed: the row stays as a tombstone, so that no
    new key is ever made for this subject and a restored backup knows who was erased.
    """

    subject = models.UUIDField(primary_key=True, editable=False)
    kek_id = models.CharField(max_length=16)
    wrapped = models.BinaryField(null=True)
    destroyed_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"key of subject-{self.subject.hex[:12]}"


class Generation(models.Model):
    """One row, counted up by every destruction: what tells other processes to forget."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    value = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return f"generation {self.value}"


class LogSecret(models.Model):
    """The private key that opens the addresses in one log of one day, wrapped as a subject's is.

    Destroyed with the day's rows or file; the row stays as a tombstone, so that a day never
    gets a second key.
    """

    log = models.CharField(max_length=12)
    day = models.IntegerField()
    kek_id = models.CharField(max_length=16)
    wrapped = models.BinaryField(null=True)
    destroyed_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["log", "day"], name="keystore_logsecret_once")]

    def __str__(self) -> str:
        return f"secret of log {self.log}, day {self.day}"
