"""How long what is kept: the rules of the policy over the columns of the inventory."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.db import models

from tollkeeper.core.personal import OnErasure
from tollkeeper.core.policy_schema import Policy
from tollkeeper.privacy.discovery import follow, installed_models, inventory

_STAYS = (OnErasure.KEEP, OnErasure.PSEUDONYM, OnErasure.VAULT)


@dataclass(frozen=True, slots=True)
class Period:
    """One rule over one table. ``since`` is empty where the closing of the account starts it."""

    label: str
    rule: str
    since: str
    days: int
    categories: tuple[str, ...]


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


def periods(policy: Policy) -> Iterator[Period]:
    """Every rule over every table, longest rule of a table last."""
    for label, entry in sorted(inventory().models.items()):
        rules: dict[tuple[str, str], set[str]] = {}
        for name, column in entry.personal.items():
            keep = entry.keep_of(name)
            if keep is not None:
                rules.setdefault((keep.rule, keep.since), set()).add(column.category)
        for (rule, since), categories in sorted(rules.items(), key=lambda pair: policy.keep[pair[0][0]].days):
            yield Period(label, rule, since, policy.keep[rule].days, tuple(sorted(categories)))


def _before(period: Period, now: dt.datetime) -> tuple[str, Any]:
    last = follow(installed_models()[period.label], period.since)
    limit = now - dt.timedelta(days=period.days)
    exact = isinstance(last, models.DateTimeField | models.BigIntegerField)
    return f"{period.since.replace('.', '__')}__lt", limit if exact else limit.date()


def due(period: Period, now: dt.datetime) -> models.QuerySet[Any] | None:
    """Rows whose period is over; None where the closing of an account starts it."""
    if not period.since:
        return None
    lookup, limit = _before(period, now)
    return installed_models()[period.label]._base_manager.filter(**{lookup: limit})


def oldest(period: Period) -> Any:
    """The earliest start of a period in the table, or None."""
    if not period.since:
        return None
    rows = installed_models()[period.label]._base_manager.all()
    return rows.aggregate(first=models.Min(period.since.replace(".", "__")))["first"]


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
