"""The units of an order line on our own ledger: given portion by portion, taken back, given again.

A line's portions are worked out from its frozen terms (:mod:`core.handout`), and each is a
grant under a key of its own, so giving and taking may be repeated.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict

from django.utils import timezone

from tollkeeper.core.handout import Portion, portions
from tollkeeper.kit.jobs import enqueue
from tollkeeper.sales.queries import LineView
from tollkeeper.usage import queries as usage_queries
from tollkeeper.usage import services as usage
from tollkeeper.usage.queries import GrantRow

CARRIED_AFTER = dt.timedelta(seconds=30)
"""Gates give back what they borrowed of a round some seconds after its end."""


def portions_of(line: LineView, begins: dt.datetime | None = None) -> tuple[Portion, ...]:
    """What a line gives; ``begins`` is needed for what has no period of its own."""
    since = line.starts_at or begins or timezone.now()
    return portions(line.terms, line.quantity, since, line.ends_at, line.anchor_at)


def last_end(line: LineView, begins: dt.datetime) -> dt.datetime | None:
    """When the last of a line's units runs out; None: never, or it has none."""
    ends = [portion.ends for portion in portions_of(line, begins)]
    return None if None in ends else max((end for end in ends if end is not None), default=None)


def give(line: LineView, begins: dt.datetime) -> list[int]:
    """Issue a line's units; a portion that is over before it can be delivered is not made."""
    now = timezone.now()
    for portion in portions_of(line, begins):
        first = line.anchor_at is None or portion.begins <= line.anchor_at  # nothing of a trial is carried
        if line.terms.carry_over and portion.renews and not first:
            _carry_into(line, portion)
    if line.terms.overage is not None and line.subscription_id is not None:
        enqueue("open_allowance", f"allowance:line:{line.line_id}", subscription_id=line.subscription_id)
    return [
        usage.issue_grant(
            key=_key(line, portion),
            customer_id=line.customer_id,
            unit=portion.unit,
            amount=portion.amount,
            priority=portion.priority,
            effective_at=portion.begins,
            expires_at=portion.ends,
            source=f"line:{line.line_id}",
            scope=line.plan,
            renews=portion.renews,
        )
        for portion in portions_of(line, begins)
        if portion.ends is None or portion.ends > now
    ]


def _carry_into(line: LineView, portion: Portion) -> None:
    """When a round begins, what the one before left is looked for."""
    enqueue(
        "carry_over",
        f"carry:{line.line_id}:{portion.mark}",
        run_at=portion.begins + CARRIED_AFTER,
        line_id=line.line_id,
        grant=_key(line, portion),
    )


def _key(line: LineView, portion: Portion) -> str:
    return f"line:{line.line_id}:{portion.mark}"


def given(line: LineView) -> list[tuple[Portion, GrantRow]]:
    """The portions of a line that were issued, in the order in which they begin."""
    made = portions_of(line)
    rows = usage_queries.find_grants(_key(line, portion) for portion in made)
    return [(portion, rows[key]) for portion in made if (key := _key(line, portion)) in rows]


def take(line: LineView, *, claim: str, share: tuple[int, int] | None, rest: str = "") -> int:
    """Take ``share`` (part, whole) of what a line gave, or all of it; answers the micro-units.

    What begins last is taken first: of a year's units those of months to come. Again under the
    same ``claim`` takes nothing; with ``rest`` it takes, under that name, what could not be taken
    before because somebody else had it.
    """
    taken = 0
    issued: defaultdict[int, list[GrantRow]] = defaultdict(list)
    for portion, row in given(line):
        issued[portion.position].append(row)
    sums: defaultdict[int, int] = defaultdict(int)
    for portion in portions_of(line):
        sums[portion.position] += portion.amount
    for position, rows in issued.items():
        if share is None:
            taken += sum(usage.claw_back(key=f"{claim}:{row.id}", grant_id=row.id) for row in rows)
            continue
        before = {row.id: usage_queries.clawed_under(f"{claim}:{row.id}") for row in rows}
        if any(before.values()) and not rest:
            continue
        missing = sums[position] * share[0] // share[1] - sum(before.values())
        if rest:
            missing -= sum(usage_queries.clawed_under(f"{rest}:{row.id}") for row in rows)
        for row in reversed(rows):
            part = min(missing, row.amount - row.clawed)
            if part > 0:
                name = rest if before[row.id] else claim
                part = usage.claw_back(key=f"{name}:{row.id}", grant_id=row.id, amount=part)
                taken, missing = taken + part, missing - part
    return taken


def give_again(line: LineView, *, claim: str) -> int:
    """Undo :func:`take` of the same ``claim``; answers the micro-units given again."""
    return sum(usage.restore_claw(key=f"{claim}:{row.id}") for _, row in given(line))
