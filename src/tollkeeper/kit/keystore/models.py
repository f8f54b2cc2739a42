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
