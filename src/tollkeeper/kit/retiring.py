"""Ways of their own in which tables let go of rows that are past their period.

The inventory says when a row is due, and deleting or anonymising it is what happens to most. A
capability whose rows hang together in other ways (a ledger that has to stay balanced) names a
way here, beside its models: ``declare("usage.Entry", "tollkeeper.usage.carrying.Entries")``.
"""

from __future__ import annotations

import datetime as dt
from typing import Any, Protocol

from django.db import models
from django.utils.module_loading import import_string


class Way(Protocol):
    """How the due rows of one table go."""

    @staticmethod
    def narrow(rows: models.QuerySet[Any], before: dt.datetime) -> models.QuerySet[Any]:
        """Without rows that are old and still in use; ``before`` is where the period begins."""

    @staticmethod
    def take(rows: models.QuerySet[Any], before: dt.datetime, nobody: int) -> int:
        """Let go of the rows, which then belong to the customer number ``nobody``; how many."""


_WAYS: dict[str, str] = {}


def declare(label: str, place: str) -> None:
    """Name the way of a model (``app.Model``) as a dotted place."""
    _WAYS[label] = place


def way_of(label: str) -> Way | None:
    """The way of a model; None where it goes as all others do."""
    found: Way | None = import_string(_WAYS[label]) if label in _WAYS else None
    return found
