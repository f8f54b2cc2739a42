"""Erasing a person from the book, column by column, as the inventories say and nothing else does.

A row goes unless one of its columns has to stay (``KEEP``, ``VAULT``); of a row that stays
the other personal columns are emptied or replaced by a random pseudonym, and its links to
the person are cut. The key in the keystore is another step, taken after this one committed.
"""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Collection, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from django.contrib.auth import get_user_model
from django.db import models, transaction

from tollkeeper.core.personal import Model, OnErasure
from tollkeeper.kit import append_only
from tollkeeper.privacy.discovery import installed_models, inventory, rows_of

_STAYS = (OnErasure.KEEP, OnErasure.VAULT)
_BATCH = 5_000


class BadPlan(Exception):
    """An inventory asks for what its columns cannot do; the text names them all."""


@dataclass(frozen=True, slots=True)
class Step:
    """What happens to one table: rows that go, or stay with ``columns`` emptied or replaced."""

    label: str
    stays: bool
    columns: tuple[str, ...]
    rows: int = 0


def _depth(entry: Model) -> int:
    """How far a row is from its person: the farthest are taken first."""
    return {"custom": 99, "self": 0, "link": 1 + entry.path.count("."), "number": 50}[entry.kind]


def _concerned() -> Iterator[tuple[str, Model]]:
    found = [
        (label, entry)
        for label, entry in inventory().models.items()
        if entry.personal and entry.kind not in ("nobody", "detached") and not label.startswith("keystore.")
    ]
    yield from sorted(found, key=lambda pair: (-_depth(pair[1]), pair[0]))


def _links(model: type[models.Model]) -> list[models.ForeignKey[Any, Any]]:
    user = get_user_model()
    return [
        f for f in model._meta.concrete_fields if isinstance(f, models.ForeignKey) and f.related_model is user
    ]


def _empty(field: models.Field[Any, Any]) -> Any:
    """The value that says nothing, or ``BadPlan``."""
    if field.null:
        return None
    if getattr(field, "is_sealed", False):
        return ...  # stays as it is: without its key it says nothing
    if isinstance(field, models.CharField | models.TextField):
        return ""
    if isinstance(field, models.JSONField):
        return {}
    if isinstance(field, models.BooleanField):
        return False
    if isinstance(field, models.IntegerField | models.DecimalField):
        return 0
    raise BadPlan(f"{field.model._meta.label}.{field.name} can be neither emptied nor left")


def _pseudonym(field: models.Field[Any, Any], prefix: str = "x_") -> Any:
    if isinstance(field, models.UUIDField):
        return uuid.uuid4()
    if isinstance(field, models.CharField):
        return (prefix + secrets.token_hex(12))[: field.max_length]
    raise BadPlan(f"{field.model._meta.label}.{field.name} cannot hold a pseudonym")


def steps() -> list[Step]:
    """What an erasure does to every table, farthest from the person first; raises :class:`BadPlan`."""
    made, mistakes = [], []
    for label, entry in _concerned():
        model = installed_models()[label]
        stays = any(column.erase in _STAYS for column in entry.personal.values())
        if not stays:
            made.append(Step(label, False, ()))
            continue
        changed = [name for name, column in entry.personal.items() if column.erase not in _STAYS]
        for name in changed:
            field: Any = model._meta.get_field(name)
            try:
                _pseudonym(field) if entry.personal[name].erase is OnErasure.PSEUDONYM else _empty(field)
            except BadPlan as mistake:
                mistakes.append(str(mistake))
        mistakes += [
            f"{label}.{link.name} must be nullable to be cut" for link in _links(model) if not link.null
        ]
        made.append(Step(label, True, tuple(changed)))
    if mistakes:
        raise BadPlan("; ".join(mistakes))
    return made


def anchored(labels: Collection[str]) -> frozenset[str]:
    """Tables with those that their rows hang on: what has to stay if the rows of ``labels`` stay."""
    found, todo = set(labels), list(labels)
    known = installed_models()
    while todo:
        for field in known[todo.pop()]._meta.concrete_fields:
            if not isinstance(field, models.ForeignKey):
                continue
            above = field.related_model._meta.label
            if above not in found:
                found.add(above)
                todo.append(above)
    return frozenset(found)


def preview(subject: uuid.UUID, kept: Collection[str] = ()) -> list[Step]:
    """The steps with the number of this person's rows, tables without any left out."""
    spared = anchored(kept)
    counted = [
        Step(s.label, s.stays, s.columns, rows_of(s.label, subject).count())
        for s in steps()
        if s.label not in spared
    ]
    return [step for step in counted if step.rows]


def _guards(model: type[models.Model], stack: ExitStack) -> None:
    table = model._meta.db_table
    if any(one.table == table for one in append_only.guarded()):
        stack.enter_context(append_only.cleared(table, "erasure"))


def _delete(model: type[models.Model], rows: models.QuerySet[Any]) -> int:
    gone = 0
    while keys := list(rows.values_list("pk", flat=True)[:_BATCH]):
        found = model._base_manager.filter(pk__in=keys)
        # foreign keys are checked when the transaction ends: everything that points here goes with it
        gone += found._raw_delete(found.db)
    return gone


def _strip(model: type[models.Model], entry: Model, step: Step, rows: models.QuerySet[Any]) -> int:
    same: dict[str, Any] = {link.name: None for link in _links(model)}
    each: list[models.Field[Any, Any]] = []
    for name in step.columns:
        field: Any = model._meta.get_field(name)
        if entry.personal[name].erase is OnErasure.PSEUDONYM:
            if field.unique:
                each.append(field)
            else:
                same[name] = _pseudonym(field)
        elif (value := _empty(field)) is not ...:
            same[name] = value
    keys = list(rows.values_list("pk", flat=True))
    for start in range(0, len(keys), _BATCH):
        batch = model._base_manager.filter(pk__in=keys[start : start + _BATCH])
        if same:
            batch.update(**same)
        for key in keys[start : start + _BATCH] if each else ():
            model._base_manager.filter(pk=key).update(**{field.name: _pseudonym(field) for field in each})
    return len(keys)


def erase_rows(subject: uuid.UUID, kept: Collection[str] = ()) -> list[Step]:
    """Carry the steps out in one transaction; the steps with the rows they touched.

    Tables that a hold order names in ``kept`` are left, with those that their rows hang on.
    Raises :class:`BadPlan` before anything is changed. Doing it again does nothing.
    """
    spared = anchored(kept)
    todo = [step for step in steps() if step.label not in spared]
    done = []
    with transaction.atomic():
        for step in todo:
            model, entry = installed_models()[step.label], inventory().models[step.label]
            rows = rows_of(step.label, subject)
            with ExitStack() as stack:
                if not rows.exists():
                    continue
                _guards(model, stack)
                touched = _strip(model, entry, step, rows) if step.stays else _delete(model, rows)
            done.append(Step(step.label, step.stays, step.columns, touched))
    return done
