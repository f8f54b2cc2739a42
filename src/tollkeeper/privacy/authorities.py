"""Demands of authorities: checked, agreed by two people, no wider than asked, told and counted."""

from __future__ import annotations

import datetime as dt
import uuid
from dataclasses import dataclass

from django.db import transaction
from django.db.models import Count
from django.utils import timezone

from tollkeeper.core import states
from tollkeeper.kit import audit
from tollkeeper.privacy import holds
from tollkeeper.privacy.copying import Part, copy_of
from tollkeeper.privacy.models import AuthorityCase

KINDS = ("data", "preserve")
PUBLISH_FROM = 10
"""Counts below are published as "fewer than 10": one case could be recognised."""


class Refused(Exception):
    """A step that a case cannot take; one sentence."""


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
) -> str:
    """Enter a demand; its number. A demand to preserve makes a hold. Raises :class:`Refused`."""
    if kind not in KINDS or len(country) != 2 or not authority.strip() or not ground.strip():
        raise Refused("a case needs authority, country (two letters), legal ground and kind")
    if not record_sets:
        raise Refused("a case needs its scope: one record set at least")
    try:
        tables = sorted({label for one in record_sets for label in holds.tables_of(one)})
        with transaction.atomic():
            row = AuthorityCase.objects.create(
                subject_id=subject,
                authority=authority.strip()[:120],
                country=country.upper(),
                ground=ground.strip()[:200],
                kind=kind,
                tables=",".join(tables),
                opened_by=audit.person(opened_by),
                due_on=due_on,
                gag_until=gag_until,
            )
            if kind == "preserve" and subject is not None:
                day = timezone.now().date() + dt.timedelta(days=90)
                for one in record_sets:
                    holds.hold(
                        subject, one, ground="preservation", reviewer=opened_by, review_on=day,
                        authority=authority,
                    )  # fmt: skip
            audit.record(
                "authority.opened",
                actor=audit.person(opened_by),
                object=f"privacy.AuthorityCase:{row.number}",
            )
    except holds.Refused as no:
        raise Refused(str(no)) from None
    return row.number


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


def check(number: str, actor: uuid.UUID, *, form: bool, jurisdiction: bool, treaty: bool) -> None:
    """The second person's look: form, jurisdiction, and for foreign orders a treaty (Art. 48).

    Raises :class:`Refused` for the person who opened the case, and where a check fails.
    """
    with transaction.atomic():
        row = _step(number, "check", actor)
        if row.opened_by == audit.person(actor):
            raise Refused("the second person must be another one")
        if not (form and jurisdiction and treaty):
            raise Refused("a demand that fails a check is refused, not released")
        row.form_ok = row.jurisdiction_ok = row.treaty_ok = True
        row.checked_by = audit.person(actor)
        row.save()


def refuse(number: str, actor: uuid.UUID) -> None:
    """Give nothing. Raises :class:`Refused`."""
    with transaction.atomic():
        row = _step(number, "refuse", actor)
        row.decided_at = timezone.now()
        row.save()


def release(number: str, actor: uuid.UUID) -> list[Part]:
    """The data within the scope and no table more; noted before a row is read. Raises :class:`Refused`."""
    with transaction.atomic():
        row = _step(number, "release", actor)
        row.decided_at = timezone.now()
        row.save()
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


def note_told(number: str) -> None:
    """The person was told."""
    AuthorityCase.objects.filter(number=number).update(told_at=timezone.now())
    audit.record("authority.told", object=f"privacy.AuthorityCase:{number}")


def waiting() -> list[CaseRow]:
    """Cases to be checked or released, the most urgent first."""
    rows = AuthorityCase.objects.filter(state__in=("open", "checked")).order_by("due_on", "opened_at")
    return [
        CaseRow(
            row.number,
            row.authority,
            row.country,
            row.ground,
            row.kind,
            row.state,
            tuple(row.tables.split(",")),
            row.opened_by,
            row.due_on,
            row.gag_until,
            row.told_at,
        )
        for row in rows
    ]


def yearly_counts() -> list[tuple[int, str, str]]:
    """For the public: year, outcome, how many; small numbers only as a bound."""
    rows = AuthorityCase.objects.values_list("opened_at__year", "state").annotate(n=Count("pk"))
    return [
        (year, state, str(n) if n >= PUBLISH_FROM else f"fewer than {PUBLISH_FROM}")
        for year, state, n in sorted(rows)
    ]
