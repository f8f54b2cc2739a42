"""Ways from a person to their rows in the trail, for the inventory."""

from __future__ import annotations

import uuid

from django.db import models

from tollkeeper.kit.trail.models import Disclosure, Entry, Pseudonym


def pseudonyms(subject: uuid.UUID) -> models.QuerySet[Pseudonym]:
    """The row that ties a person to their pseudonym."""
    return Pseudonym.objects.filter(subject=subject)


def entries(subject: uuid.UUID) -> models.QuerySet[Entry]:
    """What was done with a person's data, and what they did as an actor."""
    names = pseudonyms(subject).values("name")
    return Entry.objects.filter(models.Q(subject__in=names) | models.Q(actor__in=names))


def disclosures(subject: uuid.UUID) -> models.QuerySet[Disclosure]:
    """Who received what about a person."""
    return Disclosure.objects.filter(subject=subject)
