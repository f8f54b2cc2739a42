"""The breach register: the clock of 72 hours, how grave it is, and who was concerned, asked of the tables.

    noticed → judged (unlikely | risk | high) → authority told → people told → closed

Where harm to people is unlikely nobody need be told (Art. 33(1)), and the entry stays all the
same; where the risk is high the people concerned are told too (Art. 34).
"""

from __future__ import annotations

import datetime as dt
import re
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.db import models, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from tollkeeper.core.cards import strike_cards
from tollkeeper.core.refusal import Refused
from tollkeeper.kit import audit
from tollkeeper.privacy import holds, policy_queries
from tollkeeper.privacy.discovery import installed_models, inventory, split_number
from tollkeeper.privacy.models import Breach, BreachNotice
from tollkeeper.privacy.periods import moment_for

KINDS = ("seen", "gone", "changed", "unavailable", "drill")
"""Somebody saw what they should not; it is gone; it was altered; nobody can get at it; a rehearsal."""
RISKS = ("unlikely", "risk", "high")
STEPS = ("authority_told", "people_told", "closed")
MAX_WORDS = 10_000
_ADDRESS = re.compile(r"[^\s@]+@[^\s@]+\.[^\s@]+")


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
    risk: str = ""
    facts: str = ""
    words: str = ""
    scope: tuple[str, ...] = ()
    rows_from: dt.datetime | None = None
    rows_until: dt.datetime | None = None

    @property
    def authority_waits(self) -> bool:
        """Whether the authority's clock still runs."""
        return self.authority_told_at is None and self.closed_at is None and self.risk != "unlikely"


@dataclass(frozen=True, slots=True)
class Concerned:
    """Of one record set: whose rows, how many rows, and of which kinds of data."""

    record_set: str
    people: frozenset[uuid.UUID]
    rows: int
    categories: tuple[str, ...]


def open_breach(  # noqa: PLR0913 - the facts of a breach
    kind: str,
    *,
    affected: int = 0,
    note: str = "",
    facts: str = "",
    scope: tuple[str, ...] = (),
    rows_from: dt.datetime | None = None,
    rows_until: dt.datetime | None = None,
    noticed_at: dt.datetime | None = None,
    actor: uuid.UUID | None = None,
) -> str:
    """Enter a breach; its number. The authority's clock runs from ``noticed_at``, else from now, as the
    policy promises. Raises :class:`Refused`."""
    now = timezone.now()
    since = noticed_at or now
    if kind not in KINDS:
        raise Refused(f"what happened must be one of {', '.join(KINDS)}")
    if since > now:
        raise Refused(_("A breach is noticed now or before."))
    if rows_from and rows_until and rows_from >= rows_until:
        raise Refused(_("The rows must begin before they end."))
    for one in scope:
        holds.tables_of(one)
    hours = policy_queries.get_current().policy.breach.authority_hours
    with transaction.atomic():
        row = Breach.objects.create(
            kind=kind,
            note=note,
            noticed_at=since,
            authority_due_at=since + dt.timedelta(hours=hours),
            affected=affected,
            facts=_checked(facts),
            scope=",".join(dict.fromkeys(scope)),
            rows_from=rows_from,
            rows_until=rows_until,
        )
        _note("noticed", row.number, actor, kind)
    return row.number


def _checked(text: str) -> str:
    """Prose without anybody in it; raises :class:`Refused`."""
    text = strike_cards(text.strip())
    if len(text) > MAX_WORDS:
        raise Refused(_("Please use at most %(n)d characters.") % {"n": MAX_WORDS})
    if _ADDRESS.search(text):
        raise Refused(_("Name nobody here, and no address: who was concerned is listed by itself."))
    return text


def _note(step: str, number: str, actor: uuid.UUID | None, note: str = "") -> None:
    who = audit.person(actor) or "system"
    audit.record(f"breach.{step}", actor=who, object=f"privacy.Breach:{number}", note=note)


def _open(number: str) -> Breach:
    row = Breach.objects.select_for_update().filter(number=number).first()
    if row is None:
        raise Refused(_("There is no breach %s.") % number)
    if row.closed_at is not None:
        raise Refused(_("%s is closed.") % number)
    return row


def judge(
    number: str, risk: str, *, facts: str = "", words: str = "", actor: uuid.UUID | None = None
) -> None:
    """Say how grave it is; ``facts`` are added to what was known, ``words`` are for the people concerned.

    Raises :class:`Refused`.
    """
    if risk not in RISKS:
        raise Refused(f"the risk must be one of {', '.join(RISKS)}")
    with transaction.atomic():
        row = _open(number)
        row.risk = risk
        if facts.strip():
            told = f"{row.facts}\n\n{timezone.now():%Y-%m-%d %H:%M} UTC:\n{_checked(facts)}".strip()
            row.facts = told[-4 * MAX_WORDS :]
        row.words = _checked(words) or row.words
        row.save()
        _note("judged", number, actor, risk)


def note_step(number: str, step: str, actor: uuid.UUID | None = None) -> None:
    """Note that the authority or the people were told, or close the entry.

    Raises :class:`Refused`, ``ValueError`` for a step there is not.
    """
    if step not in STEPS:
        raise ValueError(f"there is no step {step!r}")
    with transaction.atomic():
        row = _open(number)
        if step == "closed":
            _may_close(row)
        setattr(row, f"{step}_at", timezone.now())
        row.save(update_fields=[f"{step}_at"])
        _note(step, number, actor)


def _may_close(row: Breach) -> None:
    if not row.risk:
        raise Refused(_("Say first how grave it is."))
    if row.risk != "unlikely" and row.authority_told_at is None:
        raise Refused(_("The authority was not told yet."))
    if row.risk == "high" and row.people_told_at is None:
        raise Refused(_("The people concerned were not told yet."))


def list_breaches() -> list[BreachRow]:
    """The register, newest first."""
    return [_row(row) for row in Breach.objects.order_by("-noticed_at")]


def unfinished() -> list[BreachRow]:
    """Entries that are not closed, the most urgent first."""
    return [_row(row) for row in Breach.objects.filter(closed_at__isnull=True).order_by("authority_due_at")]


def find_breach(number: str) -> BreachRow | None:
    """An entry by its number."""
    row = Breach.objects.filter(number=number).first()
    return None if row is None else _row(row)


def _row(row: Breach) -> BreachRow:
    return BreachRow(
        row.number,
        row.kind,
        row.noticed_at,
        row.authority_due_at,
        row.authority_told_at,
        row.people_told_at,
        row.closed_at,
        row.affected,
        row.risk,
        row.facts,
        row.words,
        tuple(filter(None, row.scope.split(","))),
        row.rows_from,
        row.rows_until,
    )


def overdue(now: dt.datetime) -> int:
    """Breaches whose authority was not told in time."""
    rows = Breach.objects.filter(authority_told_at__isnull=True, authority_due_at__lt=now)
    return rows.exclude(risk="unlikely").count()


# ---- who was concerned


def affected(label: str, column: str, since: dt.datetime, until: dt.datetime) -> set[uuid.UUID]:
    """The people of the rows of one table whose instant in ``column`` lies in a period.

    Raises :class:`NotAsked` for tables that lead to nobody, ``KeyError`` for unknown ones.
    """
    return _people(label, _between(label, column, since, until))


def _between(
    label: str, column: str, since: dt.datetime | None, until: dt.datetime | None
) -> models.QuerySet[Any]:
    rows = installed_models()[label]._base_manager.all()
    name = column.replace(".", "__")
    if since is not None:
        rows = rows.filter(**{f"{name}__gte": moment_for(label, column, since)})
    if until is not None:
        rows = rows.filter(**{f"{name}__lt": moment_for(label, column, until)})
    return rows


def _people(label: str, rows: models.QuerySet[Any]) -> set[uuid.UUID]:
    entry = inventory().models[label]
    if entry.kind == "self":
        return set(rows.values_list("pk", flat=True))
    if entry.kind == "link":
        path = entry.path.replace(".", "__")
        return set(rows.exclude(**{path: None}).values_list(path, flat=True).distinct())
    if entry.kind == "number":
        name, other, onward = split_number(entry.path)
        onward = onward.replace(".", "__")
        owners = other._base_manager.filter(pk__in=rows.values(name)).exclude(**{onward: None})
        return set(owners.values_list(onward, flat=True))
    raise NotAsked(f"{label} cannot be asked: {entry.path}")


def concerned(
    scope: Iterable[str], since: dt.datetime | None = None, until: dt.datetime | None = None
) -> list[Concerned]:
    """Who was concerned, by record set. A row's time is that from which its period counts; with a time
    given, tables that have none are not asked. Raises :class:`Refused` for an unknown record set."""
    found = []
    for name in scope:
        people: set[uuid.UUID] = set()
        number, categories = 0, set[str]()
        for label in holds.tables_of(name):
            entry = inventory().models[label]
            column = entry.keep.since if entry.keep is not None else ""
            if not column and (since or until):
                continue
            rows = _between(label, column, since, until)
            try:
                some = _people(label, rows)
            except NotAsked:
                continue
            if some:
                people |= some
                number += rows.count()
                categories |= {one.category for one in entry.personal.values()}
        found.append(Concerned(name, frozenset(people), number, tuple(sorted(categories))))
    return found


def list_people(number: str, actor: uuid.UUID | None = None) -> list[Concerned]:
    """Who was concerned by a breach, asked now; whoever is new on the list is to be told. Raises
    :class:`Refused`, also where the entry has no scope."""
    with transaction.atomic():
        row = _open(number)
        scope = tuple(filter(None, row.scope.split(",")))
        if not scope:
            raise Refused(_("Say which record sets were concerned."))
        found = concerned(scope, row.rows_from, row.rows_until)
        everybody = set().union(*(one.people for one in found))
        BreachNotice.objects.bulk_create(
            [BreachNotice(breach=row, subject_id=one) for one in everybody],
            ignore_conflicts=True,
            batch_size=1000,
        )
        row.affected = BreachNotice.objects.filter(breach=row).count()
        row.save(update_fields=["affected"])
        _note("listed", number, actor, f"people:{row.affected}")
    return found


def to_be_told(number: str, limit: int) -> list[tuple[int, uuid.UUID]]:
    """People on the list of a breach who were not told yet, as (id of the notice, person)."""
    rows = BreachNotice.objects.filter(breach__number=number, told_at__isnull=True).order_by("pk")
    return list(rows.values_list("pk", "subject_id")[:limit])


def person_told(notice_id: int, *, reached: bool) -> None:
    """The letter is out, or there was no address to write to."""
    BreachNotice.objects.filter(pk=notice_id).update(told_at=timezone.now(), reached=reached)


def telling(number: str) -> tuple[int, int, int]:
    """Of the people on the list: how many wait, were told, could not be reached."""
    rows = BreachNotice.objects.filter(breach__number=number)
    told = rows.filter(told_at__isnull=False)
    reached = told.filter(reached=True).count()
    return rows.count() - told.count(), reached, told.count() - reached
