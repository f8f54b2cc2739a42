"""A person's own copy: every row that is about them, read by the inventory and by nothing else.

What the inventory declares is in the copy, so that it is complete by construction; secrets
and links are left out by name, and the copy says which.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.db import models

from tollkeeper.core.personal import Export, Model
from tollkeeper.kit.sealed import preload
from tollkeeper.privacy.discovery import installed_models, inventory, rows_of

CHUNK = 500


@dataclass(frozen=True, slots=True)
class Part:
    """The rows of one model. ``rows`` is read lazily: a person may have millions of calls."""

    label: str
    columns: tuple[str, ...]
    provided: tuple[str, ...]
    """Columns whose values the person gave: the portable part."""
    withheld: tuple[str, ...]
    """Personal columns left out because they are secrets."""
    rows: Iterator[dict[str, Any]]


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


def _rows(found: models.QuerySet[Any], columns: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    model = found.model
    names = {name: model._meta.get_field(name).attname for name in columns}
    for row in found.order_by("pk").iterator(chunk_size=CHUNK):
        yield {name: _plain(getattr(row, attribute)) for name, attribute in names.items()}


def copy_of(subject: uuid.UUID) -> Iterator[Part]:
    """Every part of a person's copy, models without any of their rows included."""
    preload([subject])
    known = installed_models()
    for label, entry in sorted(inventory().models.items()):
        if entry.kind in ("nobody", "detached") or not entry.personal or label not in known:
            continue
        columns = _columns(entry)
        personal = entry.personal
        yield Part(
            label,
            columns,
            tuple(name for name in columns if name in personal and personal[name].export is Export.PROVIDED),
            tuple(name for name, column in personal.items() if column.export is Export.WITHHELD),
            _rows(rows_of(label, subject), columns),
        )
