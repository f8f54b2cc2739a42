"""A person's own copy: every row that is about them, read by the inventory and by nothing else.

What the inventory declares is in the copy, so that it is complete by construction; secrets
and links are left out by name, and the copy says which.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from django.contrib.auth import get_user_model
from django.db import models

from tollkeeper.core.personal import Export, Model
from tollkeeper.kit import audit
from tollkeeper.kit.fields import EpochField
from tollkeeper.kit.sealed import preload
from tollkeeper.privacy.discovery import follow, installed_models, inventory, rows_of

CHUNK = 2_000
STAFF = "staff"
_PSEUDONYMS = {
    "trail.Entry": ("actor", "subject"),
    "privacy.Hold": ("reviewer",),
    "privacy.AuthorityCase": ("opened_by", "checked_by"),
}
"""Columns that hold a pseudonym of the audit trail, which may be another person's."""
_ALWAYS = (int, float, str, bool, type(None))


@dataclass(frozen=True, slots=True)
class Span:
    """Rows of which days a copy holds; tables without a time of their own come whole."""

    since: dt.date | None = None
    until: dt.date | None = None
    """The last day itself is in the copy."""


WHOLE = Span()


@dataclass(frozen=True, slots=True)
class Part:
    """The rows of one model. ``values`` is read lazily: a person may have millions of calls."""

    label: str
    columns: tuple[str, ...]
    provided: tuple[str, ...]
    """Columns whose values the person gave: the portable part."""
    withheld: tuple[str, ...]
    """Personal columns left out because they are secrets."""
    subject: uuid.UUID
    found: models.QuerySet[Any]

    @property
    def values(self) -> Iterator[tuple[Any, ...]]:
        """Rows as tuples in the order of ``columns``, each value as JSON has it."""
        fields = [self.found.model._meta.get_field(name) for name in self.columns]
        rows = self.found.order_by("pk").values_list(*(f.attname for f in fields)).iterator(chunk_size=CHUNK)
        made = (tuple(v if type(v) in _ALWAYS else _plain(v) for v in row) for row in rows)
        others = [place for place, field in enumerate(fields) if _names_people(field)]
        return self._without_others(made, others) if others else made

    def _without_others(
        self, rows: Iterable[tuple[Any, ...]], places: list[int]
    ) -> Iterator[tuple[Any, ...]]:
        """Another person in a row (who of us answered) is only ever called :data:`STAFF`."""
        own = {str(self.subject), audit.find_pseudonym(self.subject), "system", "", None}
        for row in rows:
            cells = list(row)
            for place in places:
                if cells[place] not in own and not str(cells[place]).startswith("job:"):
                    cells[place] = STAFF
            yield tuple(cells)

    @property
    def rows(self) -> Iterator[dict[str, Any]]:
        """Rows by column."""
        return (dict(zip(self.columns, row, strict=True)) for row in self.values)


def _names_people(field: Any) -> bool:
    if isinstance(field, models.ForeignKey):
        return field.related_model is get_user_model()
    return field.name in _PSEUDONYMS.get(field.model._meta.label, ())


def _plain(value: Any) -> Any:
    """A value as JSON has it."""
    if isinstance(value, dt.datetime | dt.date):
        return value.isoformat()
    if isinstance(value, uuid.UUID | Decimal):
        return str(value)
    if isinstance(value, bytes | memoryview):
        return bytes(value).hex()
    return value


def _columns(entry: Model) -> tuple[str, ...]:
    """What of a row a person receives: what is personal, and the plain columns that explain it."""
    return tuple(
        name
        for name in entry.columns
        if name not in entry.personal or entry.personal[name].export is not Export.WITHHELD
    )


def _within(found: models.QuerySet[Any], entry: Model, span: Span) -> models.QuerySet[Any]:
    since = entry.keep.since if entry.keep else ""
    if not since or span == WHOLE:
        return found
    field = follow(found.model, since)
    exact = isinstance(field, models.DateTimeField | EpochField)
    path = since.replace(".", "__")
    wanted = models.Q()
    if span.since:
        first = dt.datetime.combine(span.since, dt.time(), dt.UTC) if exact else span.since
        wanted &= models.Q(**{f"{path}__gte": first})
    if span.until:
        end = span.until + dt.timedelta(days=1)
        wanted &= models.Q(**{f"{path}__lt": dt.datetime.combine(end, dt.time(), dt.UTC) if exact else end})
    return found.filter(wanted | models.Q(**{f"{path}__isnull": True}))


def parts_of(subject: uuid.UUID, span: Span = WHOLE) -> Iterator[Part]:
    """Every part of a person's copy, in the order of their labels, without reading a row yet."""
    known = installed_models()
    for label, entry in sorted(inventory().models.items()):
        if entry.kind in ("nobody", "detached") or not entry.personal or label not in known:
            continue
        columns, personal = _columns(entry), entry.personal
        yield Part(
            label,
            columns,
            tuple(name for name in columns if name in personal and personal[name].export is Export.PROVIDED),
            tuple(name for name, column in personal.items() if column.export is Export.WITHHELD),
            subject,
            _within(rows_of(label, subject), entry, span),
        )


def copy_of(subject: uuid.UUID, span: Span = WHOLE) -> Iterator[Part]:
    """Every part of a person's copy, models without any of their rows included."""
    preload([subject])
    yield from parts_of(subject, span)


def provided_only(part: Part) -> Part:
    """What of a part its person gave: the portable part of Art. 20."""
    return replace(part, columns=part.provided, provided=part.provided)
