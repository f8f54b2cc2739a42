"""The breach register: the clock of 72 hours, and who was affected, asked of the tables themselves."""

from __future__ import annotations

import datetime as dt
import uuid
from dataclasses import dataclass

from django.db import transaction
from django.utils import timezone

from tollkeeper.kit import audit
from tollkeeper.privacy import policy_queries
from tollkeeper.privacy.discovery import installed_models, inventory, split_number
from tollkeeper.privacy.models import Breach


class NotAsked(ValueError):
    """A table whose rows cannot be led back to people by a link."""


@dataclass(frozen=True, slots=True)
class BreachRow:
    """One entry of the register."""

    number: str
    kind: str
    noticed_at: dt.datetime
    authority_due_at: dt.datetime
    authority_told_at: dt.datetime | None
    people_told_at: dt.datetime | None
    closed_at: dt.datetime | None
    affected: int


def open_breach(kind: str, *, affected: int = 0, note: str = "") -> str:
    """Enter a breach; its number. The authority's clock runs from now, as the policy promises."""
    now = timezone.now()
    hours = policy_queries.get_current().policy.breach.authority_hours
    with transaction.atomic():
        row = Breach.objects.create(
            kind=kind,
            note=note,
            noticed_at=now,
            authority_due_at=now + dt.timedelta(hours=hours),
            affected=affected,
        )
        audit.record("breach.noticed", object=f"privacy.Breach:{row.number}", note=kind)
    return row.number


def note_step(number: str, step: str) -> None:
    """Note ``authority_told``, ``people_told`` or ``closed``; raises ``ValueError`` or ``DoesNotExist``."""
    if step not in ("authority_told", "people_told", "closed"):
        raise ValueError(f"there is no step {step!r}")
    with transaction.atomic():
        row = Breach.objects.select_for_update().get(number=number)
        setattr(row, f"{step}_at", timezone.now())
        row.save(update_fields=[f"{step}_at"])
        audit.record(f"breach.{step}", object=f"privacy.Breach:{number}")


def list_breaches() -> list[BreachRow]:
    """The register, newest first."""
    return [
        BreachRow(
            row.number,
            row.kind,
            row.noticed_at,
            row.authority_due_at,
            row.authority_told_at,
            row.people_told_at,
            row.closed_at,
            row.affected,
        )
        for row in Breach.objects.order_by("-noticed_at")
    ]


def overdue(now: dt.datetime) -> int:
    """Breaches whose authority was not told in time."""
    return Breach.objects.filter(authority_told_at__isnull=True, authority_due_at__lt=now).count()


def affected(label: str, column: str, since: dt.datetime, until: dt.datetime) -> set[uuid.UUID]:
    """The people of the rows of one table whose instant in ``column`` lies in a period.

    Raises :class:`NotAsked` for tables that lead to nobody, ``KeyError`` for unknown ones.
    """
    entry = inventory().models[label]
    rows = installed_models()[label]._base_manager.filter(
        **{f"{column.replace('.', '__')}__gte": since, f"{column.replace('.', '__')}__lt": until}
    )
    if entry.kind == "self":
        return set(rows.values_list("pk", flat=True))
    if entry.kind == "link":
        path = entry.path.replace(".", "__")
        return set(rows.exclude(**{path: None}).values_list(path, flat=True).distinct())
    if entry.kind == "number":
        name, other, onward = split_number(entry.path)
        owners = other._base_manager.filter(pk__in=rows.values(name)).exclude(**{onward: None})
        return set(owners.values_list(onward, flat=True))
    raise NotAsked(f"{label} cannot be asked: {entry.path}")
