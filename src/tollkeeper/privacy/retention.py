"""What has run out goes: every rule of the policy over every table of the inventory, every night.

Farthest tables first, in batches that each commit, so that a run that was killed has simply
done less and the next one goes on. A table that is kept by the day goes by whole days, the
day in which the period began with them, so that nothing comes due before the next night. Left
alone is what a hold order names, and a row that another table still needs: an order whose
invoice the tax law keeps.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from django.db import models, transaction

from tollkeeper.core.addresses import day_of
from tollkeeper.core.personal import OnErasure
from tollkeeper.core.policy_schema import Policy
from tollkeeper.kit import append_only, daily, retiring
from tollkeeper.kit.fields import to_micros
from tollkeeper.privacy import periods, policy_queries
from tollkeeper.privacy.discovery import follow, installed_models, inventory, split_number

BATCH = 5_000
BY_SEGMENT = frozenset({"trail.Entry"})
"""The audit trail goes in whole months under a closing head: see ``flows.trail``."""
_STAYS = (OnErasure.KEEP, OnErasure.VAULT)


@dataclass(frozen=True, slots=True)
class Due:
    """Rows of one table whose period is over."""

    label: str
    rule: str
    days: int
    rows: int


def _depth(label: str, seen: frozenset[str] = frozenset()) -> int:
    """How many tables stand above: rows at the end of the chain go first."""
    above = {
        field.related_model._meta.label
        for field in installed_models()[label]._meta.concrete_fields
        if isinstance(field, models.ForeignKey)
    }
    return 1 + max((_depth(one, seen | {label}) for one in above - seen - {label}), default=0)


def _ordered(policy: Policy) -> Iterator[periods.Period]:
    known = installed_models()
    found = [p for p in periods.periods(policy) if p.label in known and p.label not in BY_SEGMENT and p.since]
    yield from sorted(found, key=lambda one: (-_depth(one.label), one.label))


def due_rows(period: periods.Period, now: dt.datetime) -> models.QuerySet[Any]:
    """Rows that a run would take now; ``period.since`` is not empty."""
    rows = periods.due(period, now)
    assert rows is not None
    return rows


def due_now(now: dt.datetime) -> list[Due]:
    """What a run would take now, table by table; empty after each run."""
    policy = policy_queries.get_current().policy
    counted = [Due(p.label, p.rule, p.days, due_rows(p, now).count()) for p in _ordered(policy)]
    return [one for one in counted if one.rows]


def run(now: dt.datetime, batch: int = BATCH) -> dict[str, int]:
    """Take everything whose period is over; rows gone by table. Doing it again takes nothing."""
    found = list(_ordered(policy_queries.get_current().policy))
    gone: dict[str, int] = {}
    for period in found:
        if link := _owner_link(period):
            _add(gone, period.label, _detach(period, link, now, batch))
    for period in found:
        if not _owner_link(period) and not retiring.way_of(period.label):
            _add(gone, period.label, _purge(period, now, batch))
    return gone | _retire(found, now)


def _retire(found: list[periods.Period], now: dt.datetime) -> dict[str, int]:
    """Tables with a way of their own; all that goes in one run belongs to the same nobody."""
    gone: dict[str, int] = {}
    nobody = 0
    for period in found:
        way = retiring.way_of(period.label)
        if way is None or not (rows := due_rows(period, now)).exists():
            continue
        nobody = nobody or _nobody(period.label)
        _add(gone, period.label, way.take(rows, now - dt.timedelta(days=period.days), nobody))
    return gone


def _nobody(label: str) -> int:
    _, other, _ = split_number(inventory().models[label].path)
    return int(other._base_manager.create().pk)


def _add(gone: dict[str, int], label: str, number: int) -> None:
    if number:
        gone[label] = gone.get(label, 0) + number


def _owner_link(period: periods.Period) -> str:
    """The column that ties a row to its customer, where the rule makes it anonymous and it then stays."""
    entry = inventory().models[period.label]
    stays = any(column.erase in _STAYS for column in entry.personal.values())
    column, _, onward = entry.path.partition(".")
    direct = entry.kind == "link" and onward == "owner"
    return column if period.then == "anonymise" and stays and direct else ""


def _detach(period: periods.Period, link: str, now: dt.datetime, batch: int) -> int:
    """Rows keep their sums and lose their person: their customer becomes one that nobody is."""
    model = installed_models()[period.label]
    field: Any = model._meta.get_field(link)
    loose = {
        other.name: None
        for other in model._meta.concrete_fields
        if isinstance(other, models.ForeignKey) and other.null
    }
    gone = 0
    while found := list(due_rows(period, now).order_by().values_list("pk", f"{link}_id")[:batch]):
        with transaction.atomic():
            for customer in {customer for _, customer in found}:
                nobody = field.related_model._base_manager.create()
                keys = [key for key, whose in found if whose == customer]
                for start in range(0, len(keys), 500):
                    some = keys[start : start + 500]
                    for label, path in _leave_with(period.label):
                        below = installed_models()[label]._base_manager.filter(**{f"{path}__in": some})
                        _delete(below.model, list(below.values_list("pk", flat=True)))
                    part = model._base_manager.filter(pk__in=some)
                    gone += part.update(**{link: nobody, **loose})
    return gone


def _leave_with(label: str) -> Iterator[tuple[str, str]]:
    """Tables whose rows lead to a person through rows of ``label`` and would go with an erasure, with the
    way there: once that row leads to nobody, no erasure finds them any more."""
    known = installed_models()
    for other, entry in inventory().models.items():
        stays = any(column.erase in _STAYS for column in entry.personal.values())
        if other not in known or entry.kind != "link" or stays or not entry.personal:
            continue
        steps = entry.path.split(".")
        for end in range(1, len(steps)):
            above: Any = follow(known[other], ".".join(steps[:end])).related_model
            if above._meta.label == label:
                yield other, "__".join(steps[:end])


def _purge(period: periods.Period, now: dt.datetime, batch: int) -> int:
    model = installed_models()[period.label]
    if daily.find(model._meta.db_table):
        return _drop_days(model, period, now, batch)
    rows = due_rows(period, now)
    gone = 0
    while keys := list(rows.order_by().values_list("pk", flat=True)[:batch]):
        with transaction.atomic(), ExitStack() as stack:
            if any(one.table == model._meta.db_table for one in append_only.guarded()):
                stack.enter_context(append_only.cleared(model._meta.db_table, "retention"))
            gone += _delete(model, keys)
    return gone


def _drop_days(model: type[models.Model], period: periods.Period, now: dt.datetime, batch: int) -> int:
    """Rows and partitions that went; of a partition nobody counts the rows."""
    free: daily.Free | None = (
        (lambda rows: periods.free(rows, period)) if periods.is_held(period.label) else None
    )
    before = day_of(to_micros(now - dt.timedelta(days=period.days))) + 1
    return sum(daily.drop_before(model, before, free, batch))


def _delete(model: type[models.Model], keys: list[Any]) -> int:
    """Delete rows by key, with the rows that are parts of them, after cutting links that may be empty."""
    gone = 0
    for start in range(0, len(keys), 500):
        part = keys[start : start + 500]
        for relation in periods.relations(model):
            field: Any = relation.field
            below = relation.related_model._base_manager.filter(**{f"{field.name}__in": part})
            if field.null:
                below.update(**{field.name: None})
            elif relation.on_delete is models.CASCADE:
                _delete(relation.related_model, list(below.values_list("pk", flat=True)))
        found = model._base_manager.filter(pk__in=part)
        gone += found._raw_delete(found.db)
    return gone
