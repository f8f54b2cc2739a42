"""What the shop offers, as rows that never change: a change is a new version."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from tollkeeper.kit.fields import EpochField


class PlanVersion(models.Model):
    """One version of a plan. ``terms`` is JSON of ``core.terms.PlanTerms``."""

    slug = models.CharField(max_length=40)
    version = models.PositiveIntegerField()
    content_hash = models.CharField(max_length=64)
    terms = models.TextField()
    created_at = EpochField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["slug", "version"], name="catalog_plan_version"),
            models.UniqueConstraint(fields=["slug", "content_hash"], name="catalog_plan_content"),
        ]

    def __str__(self) -> str:
        return f"{self.slug} v{self.version}"


class Withheld(models.Model):
    """A plan that is on offer and must not be bought for now, because an operator says so."""

    slug = models.CharField(max_length=40, primary_key=True)
    since = EpochField()

    def __str__(self) -> str:
        return self.slug


class ShopSnapshot(models.Model):
    """The shop as offered from ``created_at`` on; the newest row holds. JSON of ``facts.ShopFacts``."""

    version = models.BigIntegerField(primary_key=True)
    content_hash = models.CharField(max_length=64)
    body = models.TextField()
    created_at = EpochField()

    def __str__(self) -> str:
        return f"shop v{self.version}"


class GateSnapshot(models.Model):
    """What the gates obey; the newest row holds. JSON of ``core.terms.GateTerms``.

    The gates read this table without Django: names and types are part of their contract.
    """

    version = models.BigIntegerField(primary_key=True)
    content_hash = models.CharField(max_length=64)
    body = models.TextField()
    created_at = EpochField()

    class Meta:
        db_table = "catalog_gatesnapshot"

    def __str__(self) -> str:
        return f"gate v{self.version}"
