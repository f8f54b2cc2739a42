"""What an order line gives, cut into portions: each one grant, with its own begin and end.

A yearly price may give its units month by month. The months are counted from the
subscription's anchor, so they tile the year; the first one is cut by seconds where a line
begins in the middle of it.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from tollkeeper.core import period as periods
from tollkeeper.core.terms import GrantTerms, LineTerms


@dataclass(frozen=True, slots=True)
class Portion:
    """Units given at once. ``mark`` is unique within the line; ``position`` that of the grant in it."""

    mark: str
    position: int
    unit: str
    amount: int
    """Micro-units."""
    priority: int
    begins: dt.datetime
    ends: dt.datetime | None
    renews: bool


def portions(
    terms: LineTerms,
    quantity: int,
    begins: dt.datetime,
    ends: dt.datetime | None = None,
    anchor: dt.datetime | None = None,
) -> tuple[Portion, ...]:
    """What a line gives. ``ends`` is that of the period it pays for, ``anchor`` where periods are counted
    from; both are made from ``begins`` if they are None.
    """
    return tuple(
        portion
        for position, grant in enumerate(terms.grants)
        for portion in _cut(terms, position, grant, quantity, begins, ends, anchor or begins)
    )


def _cut(
    terms: LineTerms,
    position: int,
    grant: GrantTerms,
    quantity: int,
    begins: dt.datetime,
    ends: dt.datetime | None,
    anchor: dt.datetime,
) -> list[Portion]:
    whole = grant.amount * quantity

    def one(mark: str, amount: int, since: dt.datetime, until: dt.datetime | None) -> Portion:
        renews = grant.per == "period"
        return Portion(mark, position, grant.unit, amount, grant.priority, since, until, renews)

    if grant.lasts_days is not None:
        return [one(str(position), whole, begins, begins + dt.timedelta(days=grant.lasts_days))]
    if grant.per != "period":
        return [one(str(position), whole, begins, None)]
    if ends is None and terms.period:
        ends = periods.nth(begins, terms.period, 0).ends_at
    if ends is None or terms.units_every is None or terms.trial is not None:
        return [one(str(position), whole, begins, ends)]
    made, since = [], begins
    while since < ends:
        month = periods.at(anchor, terms.units_every, since)
        until = min(month.ends_at, ends)
        _, left = periods.prorate(whole, month, since)
        if since == begins:
            left = max(0, left - grant.less * quantity)
        if left:
            made.append(one(f"{position}:{month.number}", left, since, until))
        since = until
    return made
