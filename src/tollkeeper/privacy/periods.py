"""How long what is kept: the rules of the policy over the columns of the inventory."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from django.db import models
from django.db.models.fields.reverse_related import ForeignObjectRel

from tollkeeper.core.personal import OnErasure
from tollkeeper.core.policy_schema import Policy
from tollkeeper.kit import retiring
from tollkeeper.privacy import holds
from tollkeeper.privacy.discovery import follow, installed_models, inventory, rows_of, split_number

_STAYS = (OnErasure.KEEP, OnErasure.PSEUDONYM, OnErasure.VAULT)


@dataclass(frozen=True, slots=True)
class Need:
    """Rows of another table that cannot be without theirs: ``period`` None means as long as they exist."""

    label: str
    column: str
    period: Period | None


@dataclass(frozen=True, slots=True)
class Period:
    """One rule over one table. ``since`` is empty where the closing of the account starts it.

    ``then`` is the rule's word; where it is ``anonymise``, rows that lead to nobody are done.
    """

    label: str
    rule: str
    since: str
    days: int
    categories: tuple[str, ...]
    then: str = "delete"
    needed_by: tuple[Need, ...] = field(default=(), repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Stays:
    """A column that outlives its subject's account: how it stays, why, and for how long."""

    column: str
    how: str
    category: str
    rule: str
    days: int
    ground: str
    law: str


def relations(model: type[models.Model]) -> list[Any]:
    """Foreign keys of other tables to this one."""
    found = model._meta.get_fields(include_hidden=True)
    return [one for one in found if isinstance(one, ForeignObjectRel) and one.one_to_many | one.one_to_one]


def periods(policy: Policy) -> Iterator[Period]:
    """Every rule over every table, longest rule of a table last."""
    made: dict[str, Period] = {}
    for label, entry in sorted(inventory().models.items()):
        rules: dict[tuple[str, str], set[str]] = {}
        for name, column in entry.personal.items():
            keep = entry.keep_of(name)
            if keep is not None:
                rules.setdefault((keep.rule, keep.since), set()).add(column.category)
        for rule, since in sorted(rules, key=lambda pair: policy.keep[pair[0]].days):
            yield _period(policy, label, rule, since, tuple(sorted(rules[rule, since])), made)


def _period(
    policy: Policy, label: str, rule: str, since: str, categories: tuple[str, ...], made: dict[str, Period]
) -> Period:
    needs = []
    for relation in relations(installed_models()[label]) if since else ():
        child: Any = relation.related_model
        key: Any = relation.field
        cut = key.null or relation.on_delete is models.CASCADE
        entry = inventory().models.get(child._meta.label)
        if cut or entry is None or child._meta.label == label:
            continue
        keep = entry.keep if entry.personal else None
        below = None
        if keep is not None and keep.since:
            below = made.get(child._meta.label) or _period(
                policy, child._meta.label, keep.rule, keep.since, (), made
            )
        needs.append(Need(child._meta.label, key.name, below))
    one = policy.keep[rule]
    made[label] = Period(label, rule, since, one.days, categories, one.then, tuple(needs))
    return made[label]


def held() -> dict[str, list[uuid.UUID]]:
    """Table → the people whose rows of it a hold order keeps."""
    return holds.held_subjects()


def is_held(label: str) -> bool:
    """Whether a hold order keeps any row of a table."""
    return label in held() or label in holds.held_years()


def free(rows: models.QuerySet[Any], period: Period) -> models.QuerySet[Any]:
    """Without the rows that a hold order keeps."""
    for subject in held().get(period.label, ()):
        rows = rows.exclude(pk__in=rows_of(period.label, subject).values("pk"))
    since = period.since.replace(".", "__")
    for year in holds.held_years().get(period.label, ()):
        first, after = (_moment(period, dt.datetime(one, 1, 1, tzinfo=dt.UTC)) for one in (year, year + 1))
        rows = rows.exclude(**{f"{since}__gte": first, f"{since}__lt": after})
    return rows


def _not_needed(rows: models.QuerySet[Any], period: Period, now: dt.datetime) -> models.QuerySet[Any]:
    for need in period.needed_by:
        below = installed_models()[need.label]._base_manager.filter(**{need.column: models.OuterRef("pk")})
        if need.period is not None:
            ready = due(need.period, now)
            if ready is not None:
                below = below.exclude(pk__in=ready.order_by().values("pk"))
        rows = rows.exclude(models.Exists(below))
    return rows


def _somebodys(rows: models.QuerySet[Any], label: str) -> models.QuerySet[Any]:
    """Rows that lead to a person, by a link or by the number of a customer."""
    entry = inventory().models[label]
    if entry.kind == "number":
        column, other, onward = split_number(entry.path)
        owned = other._base_manager.filter(**{f"{onward.replace('.', '__')}__isnull": False})
        return rows.filter(**{f"{column}__in": owned.values("pk")})
    path = leads(label)
    return rows.filter(**{f"{path}__isnull": False}) if path else rows


def leads(label: str) -> str:
    """The lookup that ends at the person a row of this table leads to; empty where none does by a link."""
    entry = inventory().models[label]
    return entry.path.replace(".", "__") if entry.kind == "link" else ""


def _moment(period: Period, at: dt.datetime) -> Any:
    return moment_for(period.label, period.since, at)


def moment_for(label: str, column: str, at: dt.datetime) -> Any:
    """A moment as a column of a table, or one at the end of a dotted path, compares with it."""
    last = follow(installed_models()[label], column)
    return at if isinstance(last, models.DateTimeField | models.BigIntegerField) else at.date()


def _before(period: Period, now: dt.datetime) -> tuple[str, Any]:
    limit = _moment(period, now - dt.timedelta(days=period.days))
    return f"{period.since.replace('.', '__')}__lt", limit


def due(period: Period, now: dt.datetime) -> models.QuerySet[Any] | None:
    """Rows whose period is over; None where the closing of an account starts it.

    Not what a hold order keeps, nor what a row within its own period cannot be without (the
    order of an invoice that tax law keeps), nor what leads to nobody any more.
    """
    if not period.since:
        return None
    lookup, limit = _before(period, now)
    rows = installed_models()[period.label]._base_manager.filter(**{lookup: limit})
    if period.then == "anonymise":
        rows = free(_somebodys(rows, period.label), period)
        way = retiring.way_of(period.label)
        return way.narrow(rows, now - dt.timedelta(days=period.days)) if way else rows
    return _not_needed(free(rows, period), period, now)


def oldest(period: Period) -> Any:
    """The earliest start of a period in the table, or None."""
    if not period.since:
        return None
    rows = installed_models()[period.label]._base_manager.all()
    return rows.aggregate(first=models.Min(period.since.replace(".", "__")))["first"]


def first_start(label: str, rows: models.QuerySet[Any]) -> Any:
    """The earliest start of the model's own period among ``rows``; None where a closure starts it."""
    keep = inventory().models[label].keep
    if keep is None or not keep.since:
        return None
    return rows.order_by().aggregate(first=models.Min(keep.since.replace(".", "__")))["first"]


def stays(policy: Policy) -> list[Stays]:
    """What outlives an account, column by column, with its ground: what an erasure leaves."""
    found = []
    for label, entry in sorted(inventory().models.items()):
        for name, column in entry.personal.items():
            keep = entry.keep_of(name)
            if column.erase not in _STAYS or keep is None:
                continue
            rule = policy.keep[keep.rule]
            found.append(
                Stays(
                    f"{label}.{name}",
                    str(column.erase),
                    column.category,
                    keep.rule,
                    rule.days,
                    rule.ground.en,
                    rule.law or "",
                )
            )
    return found
