"""Hold orders: what of a person may for now neither be erased nor run out, why, and when to look again."""

from __future__ import annotations

import datetime as dt
import uuid
from dataclasses import dataclass

from django.db import transaction
from django.utils import timezone

from tollkeeper.core.refusal import Refused
from tollkeeper.kit import audit
from tollkeeper.privacy.discovery import installed_models, inventory
from tollkeeper.privacy.models import Hold

GROUNDS = ("claim", "preservation", "tax_audit", "request", "crime")
"""A legal claim of ours or theirs, an authority's order to preserve, an audit, the person's own
wish (Art. 18(1)(b), (c)), a crime under investigation."""
RECORD_SETS = {
    "orders": ("sales.", "payments.", "delivery.Delivery"),
    "calls": ("usage.", "delivery.Key"),
    "support": ("support.",),
    "account": ("accounts.", "account.", "usersessions."),
    "requests": ("privacy.Request", "privacy.Choice", "trail.Disclosure"),
}
"""Name of a record set → beginnings of the labels of its tables."""
_OWN = frozenset({"privacy.Hold", "privacy.Request"})
MAX_DAYS = 366
"""A hold is looked at again within a year."""


@dataclass(frozen=True, slots=True)
class HoldRow:
    """A hold order as a list shows it. ``subject`` is None once the person is gone."""

    number: str
    subject: uuid.UUID | None
    record_set: str
    ground: str
    authority: str
    review_on: dt.date
    made_at: dt.datetime
    released_at: dt.datetime | None
    year: int | None = None


def tables_of(record_set: str) -> tuple[str, ...]:
    """The tables of a record set that hold people; raises :class:`Refused`."""
    if record_set not in RECORD_SETS:
        raise Refused(f"there is no record set {record_set!r}; there are: {', '.join(RECORD_SETS)}")
    known = installed_models()
    return tuple(
        sorted(
            label
            for label, entry in inventory().models.items()
            if entry.personal and label in known and label.startswith(RECORD_SETS[record_set])
        )
    )


def hold(
    subject: uuid.UUID | None,
    record_set: str,
    *,
    ground: str,
    reviewer: uuid.UUID,
    review_on: dt.date,
    authority: str = "",
    year: int | None = None,
) -> str:
    """Hold a person's record set, or what of everybody's began in a fiscal ``year``; the number of
    the order. Raises :class:`Refused`."""
    today = timezone.now().date()
    if (subject is None) == (year is None):
        raise Refused("a hold order is about one person or about one fiscal year")
    if year is not None and not 2000 <= year <= today.year:
        raise Refused(f"{year} is no fiscal year of this shop")
    if ground not in GROUNDS:
        raise Refused(f"the ground must be one of {', '.join(GROUNDS)}")
    if ground in ("preservation", "tax_audit", "crime") and not authority.strip():
        raise Refused("this ground needs the authority that asked for it")
    if not today < review_on <= today + dt.timedelta(days=MAX_DAYS):
        raise Refused("the day of review must lie ahead, within a year")
    tables = tables_of(record_set)
    with transaction.atomic():
        row = Hold.objects.create(
            subject_id=subject,
            record_set=record_set,
            tables=",".join(tables),
            year=year,
            ground=ground,
            authority=authority.strip()[:120],
            reviewer=audit.person(reviewer),
            review_on=review_on,
        )
        audit.record(
            "hold.made",
            actor=audit.person(reviewer),
            object=f"privacy.Hold:{row.number}",
            subject=subject,
            note=f"{record_set},{ground}",
        )
    return row.number


def review(number: str, review_on: dt.date, actor: uuid.UUID | None = None) -> None:
    """Look at a hold again and keep it until another day; raises :class:`Refused`."""
    today = timezone.now().date()
    if not today < review_on <= today + dt.timedelta(days=MAX_DAYS):
        raise Refused("the day of review must lie ahead, within a year")
    with transaction.atomic():
        row = _open(number)
        row.review_on = review_on
        row.save(update_fields=["review_on"])
        audit.record("hold.reviewed", actor=audit.person(actor) or "system", object=f"privacy.Hold:{number}")


def _open(number: str) -> Hold:
    row = Hold.objects.select_for_update().filter(number=number, released_at__isnull=True).first()
    if row is None:
        raise Refused(f"there is no open hold order {number}")
    return row


def release(number: str, actor: uuid.UUID | None = None) -> uuid.UUID | None:
    """Release a hold; whose it was. Erasure is taken up again by the flow. Raises :class:`Refused`."""
    with transaction.atomic():
        row = _open(number)
        row.released_at = timezone.now()
        row.save(update_fields=["released_at"])
        audit.record("hold.released", actor=audit.person(actor) or "system", object=f"privacy.Hold:{number}")
    return row.subject_id


def release_all(subject: uuid.UUID) -> int:
    """Release every hold of a person whose holds were all released when they were erased: a restored book
    knows only the orders."""
    rows = Hold.objects.filter(subject_id=subject, released_at__isnull=True)
    return rows.update(released_at=timezone.now())


def held_tables(subject: uuid.UUID) -> frozenset[str]:
    """Every table of a person that is held now, with those that lead back to the order and the request."""
    rows = Hold.objects.filter(subject_id=subject, released_at__isnull=True).values_list("tables", flat=True)
    found = frozenset(label for tables in rows for label in tables.split(",") if label)
    return found | _OWN if found else found


def held_subjects() -> dict[str, list[uuid.UUID]]:
    """Table → the people whose rows of it are held."""
    found: dict[str, list[uuid.UUID]] = {}
    rows = Hold.objects.filter(released_at__isnull=True, subject__isnull=False)
    for subject, tables in rows.values_list("subject_id", "tables"):
        for label in tables.split(","):
            found.setdefault(label, []).append(subject)
    return found


def held_years() -> dict[str, set[int]]:
    """Table → the fiscal years whose rows of it do not run out."""
    found: dict[str, set[int]] = {}
    rows = Hold.objects.filter(released_at__isnull=True, year__isnull=False)
    for year, tables in rows.values_list("year", "tables"):
        for label in tables.split(","):
            found.setdefault(label, set()).add(int(year or 0))
    return found


def list_holds(*, released: bool = False) -> list[HoldRow]:
    """Hold orders, the next to be reviewed first."""
    rows = Hold.objects.filter(released_at__isnull=not released).order_by("review_on")
    return [
        HoldRow(
            row.number,
            row.subject_id,
            row.record_set,
            row.ground,
            row.authority,
            row.review_on,
            row.made_at,
            row.released_at,
            row.year,
        )
        for row in rows
    ]


def overdue(today: dt.date) -> int:
    """Open holds whose day of review is over."""
    return Hold.objects.filter(released_at__isnull=True, review_on__lt=today).count()
