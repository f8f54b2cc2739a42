"""Demands of authorities: checked, agreed by two people, no wider than asked, told and counted."""

from __future__ import annotations

import datetime as dt
import uuid
from dataclasses import dataclass

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from tollkeeper.core import states
from tollkeeper.core.refusal import Refused
from tollkeeper.kit import audit
from tollkeeper.privacy import holds
from tollkeeper.privacy.copying import Part, copy_of
from tollkeeper.privacy.discovery import inventory
from tollkeeper.privacy.models import AuthorityCase, AuthorityYear

KINDS = ("data", "preserve", "books")
"""Data of a person; a person's data to be kept; the books of a fiscal year."""
OPEN_DAYS = 30
"""How long a fiscal year may be read after an audit was released."""
PUBLISH_FROM = 10
"""Counts below are published as a bound: one case could be recognised. None is published as none."""


@dataclass(frozen=True, slots=True)
class CaseRow:
    """A case as the desk shows it."""

    number: str
    authority: str
    country: str
    ground: str
    kind: str
    state: str
    tables: tuple[str, ...]
    opened_by: str
    due_on: dt.date | None
    gag_until: dt.date | None
    told_at: dt.datetime | None
    year: int | None = None
    decided_at: dt.datetime | None = None


def open_case(  # noqa: PLR0913 - the facts of a demand
    subject: uuid.UUID | None,
    *,
    authority: str,
    country: str,
    ground: str,
    kind: str,
    record_sets: tuple[str, ...],
    opened_by: uuid.UUID,
    due_on: dt.date | None = None,
    gag_until: dt.date | None = None,
    year: int | None = None,
) -> str:
    """Enter a demand; its number. A demand to preserve makes a hold, and so does an audit of a fiscal
    ``year`` (kind ``books``), which is about nobody in particular. Raises :class:`Refused`."""
    if kind not in KINDS or len(country) != 2 or not authority.strip() or not ground.strip():
        raise Refused("a case needs authority, country (two letters), legal ground and kind")
    if (kind == "books") != (year is not None) or (kind == "books" and subject is not None):
        raise Refused("an audit of the books is about a fiscal year, every other case about a person")
    if gag_until is not None and gag_until <= timezone.now().date():
        raise Refused("a gag ends on a day that lies ahead")
    record_sets = ("orders",) if kind == "books" else record_sets
    if not record_sets:
        raise Refused("a case needs its scope: one record set at least")
    tables = sorted({label for one in record_sets for label in holds.tables_of(one)})
    with transaction.atomic():
        row = AuthorityCase.objects.create(
            subject_id=subject,
            authority=authority.strip()[:120],
            country=country.upper(),
            ground=ground.strip()[:200],
            kind=kind,
            tables=",".join(tables),
            year=year,
            opened_by=audit.person(opened_by),
            due_on=due_on,
            gag_until=gag_until,
        )
        if kind == "books" or (kind == "preserve" and subject is not None):
            day = timezone.now().date() + dt.timedelta(days=90)
            for one in record_sets:
                holds.hold(
                    subject, one, ground="tax_audit" if year else "preservation", reviewer=opened_by,
                    review_on=day, authority=authority, year=year,
                )  # fmt: skip
        _count(row, "received", *(["preserved"] if kind == "preserve" else []))
        audit.record(
            "authority.opened",
            actor=audit.person(opened_by),
            object=f"privacy.AuthorityCase:{row.number}",
        )
    return row.number


def _count(row: AuthorityCase, *names: str) -> None:
    """Add to the public counts of the year in which a case was opened."""
    AuthorityYear.objects.get_or_create(year=row.opened_at.year)
    AuthorityYear.objects.filter(year=row.opened_at.year).update(**{name: F(name) + 1 for name in names})


def _step(number: str, event: str, actor: uuid.UUID) -> AuthorityCase:
    row = AuthorityCase.objects.select_for_update().filter(number=number).first()
    if row is None:
        raise Refused(f"there is no case {number}")
    try:
        row.state = states.step(states.AUTHORITY, row.state, event)
    except states.IllegalStep:
        raise Refused(f"{number} is {row.state}: it cannot be {event}ed now") from None
    audit.record(f"authority.{event}", actor=audit.person(actor), object=f"privacy.AuthorityCase:{number}")
    return row


def check(
    number: str, actor: uuid.UUID, *, form: bool, jurisdiction: bool, treaty: bool, alone: bool = False
) -> None:
    """The second person's look: form, jurisdiction, and for foreign orders a treaty (Art. 48).

    ``alone`` says that the shop has one operator only, which the trail then notes. Raises
    :class:`Refused` for the person who opened the case, and where a check fails.
    """
    with transaction.atomic():
        row = _step(number, "check", actor)
        if row.opened_by == audit.person(actor):
            if not alone:
                raise Refused("the second person must be another one")
            audit.record("authority.alone", actor=row.opened_by, object=f"privacy.AuthorityCase:{number}")
        if not (form and jurisdiction and treaty):
            raise Refused("a demand that fails a check is refused, not released")
        row.form_ok = row.jurisdiction_ok = row.treaty_ok = True
        row.checked_by = audit.person(actor)
        row.save()


def refuse(number: str, actor: uuid.UUID) -> None:
    """Give nothing. Raises :class:`Refused`."""
    with transaction.atomic():
        row = _step(number, "refuse", actor)
        row.decided_at = row.over_at = timezone.now()
        row.save()
        if row.kind != "preserve":
            _count(row, "refused")


def release(number: str, actor: uuid.UUID) -> list[Part]:
    """The data within the scope and no table more; noted before a row is read. Raises :class:`Refused`."""
    with transaction.atomic():
        row = _step(number, "release", actor)
        if row.kind == "preserve":
            raise Refused("a demand to preserve keeps data and gives none out")
        row.decided_at = timezone.now()
        row.over_at = None if row.subject_id else row.decided_at
        row.save()
        _count(row, "released")
    scope = set(row.tables.split(","))
    return [part for part in copy_of(row.subject_id) if part.label in scope] if row.subject_id else []


def to_be_told(today: dt.date) -> list[tuple[str, uuid.UUID]]:
    """Released cases whose person may be told now: no gag, or it is over."""
    rows = AuthorityCase.objects.filter(state="released", told_at__isnull=True)
    return [
        (row.number, row.subject_id)
        for row in rows
        if row.subject_id is not None and (row.gag_until is None or row.gag_until < today)
    ]


def note_told(number: str, *, reached: bool = True) -> None:
    """The person was told, or there was no address to write to (``reached``)."""
    now = timezone.now()
    AuthorityCase.objects.filter(number=number).update(told_at=now, over_at=now)
    note = "" if reached else "no_address"
    audit.record("authority.told", object=f"privacy.AuthorityCase:{number}", note=note)


def end_of_the_erased(now: dt.datetime) -> int:
    """Released cases whose person is gone before they could be told are over; how many."""
    rows = AuthorityCase.objects.filter(state="released", subject__isnull=True, over_at__isnull=True)
    return rows.update(over_at=now)


def scope_of(number: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The tables of a case and the kinds of data in them; raises ``AuthorityCase.DoesNotExist``."""
    tables = tuple(filter(None, AuthorityCase.objects.get(number=number).tables.split(",")))
    known = inventory().models
    kinds = {one.category for label in tables if label in known for one in known[label].personal.values()}
    return tables, tuple(sorted(kinds))


def waiting() -> list[CaseRow]:
    """Cases to be checked or released, the most urgent first."""
    rows = AuthorityCase.objects.filter(state__in=("open", "checked")).order_by("due_on", "opened_at")
    return [_row(row) for row in rows]


def recent(limit: int = 50) -> list[CaseRow]:
    """Cases that were decided, the newest first."""
    rows = AuthorityCase.objects.filter(state__in=("released", "refused")).order_by("-decided_at")
    return [_row(row) for row in rows[:limit]]


def find_case(number: str) -> CaseRow | None:
    """A case by its number."""
    row = AuthorityCase.objects.filter(number=number).first()
    return _row(row) if row else None


def opened_by(number: str, person: uuid.UUID) -> bool:
    """Whether this person entered the case: then somebody else has to check it."""
    return AuthorityCase.objects.filter(number=number, opened_by=audit.person(person)).exists()


def books_open(number: str, now: dt.datetime) -> int:
    """The fiscal year that a released audit may read now. Raises :class:`Refused`."""
    row = find_case(number)
    if row is None or row.kind != "books" or row.year is None:
        raise Refused(f"there is no audit of the books {number}")
    if row.state != "released" or row.decided_at is None:
        raise Refused(f"{number} is {row.state}: two people have to agree before the vault opens")
    if now > row.decided_at + dt.timedelta(days=OPEN_DAYS):
        raise Refused(f"{number} was released more than {OPEN_DAYS} days ago; open another case")
    return row.year


def _row(row: AuthorityCase) -> CaseRow:
    return CaseRow(
        row.number,
        row.authority,
        row.country,
        row.ground,
        row.kind,
        row.state,
        tuple(filter(None, row.tables.split(","))),
        row.opened_by,
        row.due_on,
        row.gag_until,
        row.told_at,
        row.year,
        row.decided_at,
    )


@dataclass(frozen=True, slots=True)
class YearCount:
    """Demands of one year, as published: exact from ten on, below only as a bound, none as ``0``."""

    year: int
    received: str
    released: str
    refused: str
    preserved: str


def yearly_counts(since: int, until: int) -> list[YearCount]:
    """For the public: every year from ``since`` to ``until``, the newest first, quiet ones too."""
    rows = {row.year: row for row in AuthorityYear.objects.filter(year__range=(since, until))}

    def said(year: int, name: str) -> str:
        n = getattr(rows[year], name) if year in rows else 0
        return str(n) if n == 0 or n >= PUBLISH_FROM else f"1–{PUBLISH_FROM - 1}"

    names = ("received", "released", "refused", "preserved")
    return [YearCount(year, *(said(year, name) for name in names)) for year in range(until, since - 1, -1)]
