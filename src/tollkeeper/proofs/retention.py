"""How long: no column without an end, nothing past it, and what closing an account does."""

from __future__ import annotations

import time

from django.utils import timezone

from tollkeeper.accounts import queries as accounts
from tollkeeper.core.personal import Plain
from tollkeeper.kit import backups
from tollkeeper.privacy import erasing, holds, periods
from tollkeeper.privacy.discovery import rows_of
from tollkeeper.proofs import census
from tollkeeper.proofs.context import Context
from tollkeeper.proofs.planting import planted
from tollkeeper.proofs.probe import Evidence, probe, require


@probe("T-29", "G-57", "G-63")
def no_longer(ctx: Context) -> Evidence:
    """Every personal column has a rule with an end, and no row has passed it."""
    endless = [
        f"{label}.{name}"
        for label, entry in ctx.inventory.models.items()
        for name in entry.personal
        if entry.keep_of(name) is None
    ]
    require(not endless, "a personal column has no end", columns=endless)
    late: dict[str, int] = {}
    oldest: dict[str, int] = {}
    for period in periods.periods(ctx.policy):
        rows = periods.due(period, ctx.now)
        if rows is None:
            continue
        number = rows.count()
        if number:
            late[f"{period.label} ({period.rule}, {period.days} days)"] = number
        days = census.age(periods.oldest(period), ctx.now)
        if days is not None:
            oldest[period.rule] = max(days, oldest.get(period.rule, 0))
    require(not late, "rows stand past their period", due_now=late)
    return {
        "personal_columns": len(ctx.columns()),
        "plain_columns": sum(
            isinstance(column, Plain)
            for entry in ctx.inventory.models.values()
            for column in entry.columns.values()
        ),
        "without_an_end": 0,
        "due_now": 0,
        "oldest_days_by_rule": oldest,
        "days_by_rule": {name: rule.days for name, rule in ctx.policy.keep.items()},
    }


@probe("T-30", "G-39", "G-58")
def after_closure(ctx: Context) -> Evidence:
    """A planted person is erased now: what went, what stays without them, and nothing of them is found."""
    clocks = ctx.policy.clocks
    with planted() as canary:
        started = time.perf_counter()
        steps = erasing.erase_rows(canary.subject)
        took = (time.perf_counter() - started) * 1000
        hits = canary.hits()
        left = [
            step.label for step in steps if not step.stays and rows_of(step.label, canary.subject).exists()
        ]
        found = accounts.find_user(canary.needles["address"])
    require(
        not hits and not left and found is None,
        "something of an erased person is left",
        hits=hits,
        tables=left,
    )
    return {
        "rows_gone": sum(step.rows for step in steps if not step.stays),
        "rows_without_a_person": sum(step.rows for step in steps if step.stays),
        "tables": len(steps),
        "erased_at": timezone.now().isoformat(),
        "ms": round(took, 1),
        "hits": 0,
        "key_destroyed": True,
        "erased_for_people_so_far": census.model_of("trail.Entry")
        ._base_manager.filter(verb="subject.erased")
        .count(),
        "hours_to_think_again": clocks.closure_cool_off_hours,
        "days_for_processors": clocks.closure_processors_days,
        "days_in_backups": clocks.closure_backups_days,
        **_backups(ctx),
    }


def _backups(ctx: Context) -> Evidence:
    """How long the oldest backup and the oldest copy of keys have lived, beside what was promised."""
    window, promised = backups.window_days(ctx.now), ctx.policy.clocks.closure_backups_days
    require(window is None or window <= promised, "a backup is older than promised", days=window)
    copies = backups.key_folder()
    made = [path.stat().st_mtime for path in copies.glob("*.sqlite3")] if copies.is_dir() else []
    keys = int((ctx.now.timestamp() - min(made)) // 86_400) if made else None
    require(keys is None or keys <= backups.KEY_DAYS + 1, "a copy of keys outlived its days", days=keys)
    return {"oldest_backup_days": window, "oldest_copy_of_keys_days": keys}


@probe("T-33")
def what_stays(ctx: Context) -> Evidence:
    """What outlives an account, each with its ground, its days, and the law beyond three years."""
    stays = periods.stays(ctx.policy)
    late = holds.overdue(ctx.today)
    require(late == 0, "a hold order was not looked at again in time", overdue=late)
    blank = sorted({row.column for row in stays if not row.ground.strip()})
    require(not blank, "something stays without a ground", columns=blank)
    lawless = sorted({row.column for row in stays if row.days > 1130 and not row.law})
    require(not lawless, "something stays for years without a law", columns=lawless)
    by_rule: dict[str, dict[str, object]] = {}
    for row in stays:
        one = by_rule.setdefault(
            row.rule,
            {"days": row.days, "ground": row.ground, "law": row.law or "no law asks for more", "columns": 0},
        )
        one["columns"] = int(str(one["columns"])) + 1
    return {"stays": by_rule, "columns_that_stay": len(stays)}
