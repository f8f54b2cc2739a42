"""Periods of single kinds of data: the oldest row beside its end."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

from tollkeeper.kit import daily, log_keys
from tollkeeper.privacy import periods
from tollkeeper.proofs import census
from tollkeeper.proofs.context import Context
from tollkeeper.proofs.probe import Evidence, probe, require
from tollkeeper.usage import queries as usage

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


def _days(ctx: Context) -> dict[str, Any]:
    """Of each log with sealed addresses: the ages of its oldest key and of its oldest partition."""
    made: dict[str, Any] = {}
    for log, rule in log_keys.RULES.items():
        first = log_keys.oldest_day(log)
        age = None if first is None else log_keys.day_number(ctx.today) - first
        limit = ctx.policy.keep[rule].days
        held = sorted(usage.days_of_calls(first + 1)) if first is not None and log == log_keys.CALLS else []
        require(
            age is None or age <= limit or bool(held), f"a key of the log {log} outlived its day", days=age
        )
        made[log] = {"oldest_key_days": age, "limit_days": limit}
    parts = daily.parts(daily.Daily("usage_call", "called_at"))
    made["partitions"] = len(parts)
    made["oldest_partition_days"] = log_keys.day_number(ctx.today) - parts[0] if parts else None
    return made


@probe("G-61")
def logs(ctx: Context) -> Evidence:
    """Rows and files of logs, none beyond ninety days."""
    rules = {name: rule.days for name, rule in ctx.policy.keep.items() if rule.logs}
    long = {name: days for name, days in rules.items() if days > LOG_DAYS}
    require(not long, "a log is kept longer than ninety days", rules=long)
    files = dict(_files(ctx))
    own = ctx.policy.keep[log_keys.RULES[log_keys.ACCESS]].days
    limits = {name: own if name.startswith("logs/") else LOG_DAYS for name in files}
    old = {name: days for name, days in files.items() if days > limits[name]}
    require(not old, "a file of a log is older than its period", files=old)
    rows = _kept(ctx, "technical.ip", "technical.agent")
    return {
        "days_of_logs": _days(ctx),
        "rules": rules,
        "tables": rows,
        "files": len(files),
        "oldest_file_days": max(files.values(), default=0),
        "limit_of_files_days": own,
    }
