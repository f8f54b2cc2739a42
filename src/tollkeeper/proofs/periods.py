"""Periods of single kinds of data: the oldest row beside its end."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

from tollkeeper.privacy import periods
from tollkeeper.proofs import census
from tollkeeper.proofs.context import Context
from tollkeeper.proofs.probe import Evidence, probe, require

LOG_DAYS = 90
"""No log may be older, whatever a policy says."""


def _kept(ctx: Context, *categories: str) -> dict[str, Any]:
    """Each rule over tables of these categories: its days, the oldest row, what is due."""
    made: dict[str, Any] = {}
    for period in periods.periods(ctx.policy):
        if not set(categories) & set(period.categories):
            continue
        rows = periods.due(period, ctx.now)
        late = rows.count() if rows is not None else 0
        require(late == 0, f"{period.label} has rows past their period", rule=period.rule, due_now=late)
        made[f"{period.label} ({period.rule})"] = {
            "days": period.days,
            "oldest_days": census.age(periods.oldest(period), ctx.now),
            "from": period.since or "closing of the account",
        }
    require(bool(made), "no rule holds for this data", categories=list(categories))
    return made


@probe("G-59")
def orders(ctx: Context) -> Evidence:
    """Orders, payments and receipts."""
    return _kept(ctx, "order", "payment")


@probe("G-60")
def keys_and_quotas(ctx: Context) -> Evidence:
    """Keys, balances and what was used."""
    return _kept(ctx, "key", "usage.quota", "usage.calls")


@probe("G-62")
def support(ctx: Context) -> Evidence:
    """Tickets."""
    return _kept(ctx, "support")


def _files(ctx: Context) -> Iterator[tuple[str, int]]:
    """Log and journal files with their age in days."""
    for folder in ("logs", "journal"):
        for path in sorted((ctx.home / folder).rglob("*")):
            if path.is_file():
                changed = dt.datetime.fromtimestamp(path.stat().st_mtime, dt.UTC)
                yield str(path.relative_to(ctx.home)), (ctx.now - changed).days


@probe("G-61")
def logs(ctx: Context) -> Evidence:
    """Rows and files of logs, none beyond ninety days."""
    rules = {name: rule.days for name, rule in ctx.policy.keep.items() if rule.logs}
    long = {name: days for name, days in rules.items() if days > LOG_DAYS}
    require(not long, "a log is kept longer than ninety days", rules=long)
    files = dict(_files(ctx))
    old = {name: days for name, days in files.items() if days > LOG_DAYS}
    require(not old, "a file of a log is older than ninety days", files=old)
    rows = _kept(ctx, "technical.ip", "technical.agent")
    return {
        "rules": rules,
        "tables": rows,
        "files": len(files),
        "oldest_file_days": max(files.values(), default=0),
    }
