"""Counts without identifiers: what is counted, and what is never published."""

from __future__ import annotations

import secrets

from tollkeeper.core import aggregates
from tollkeeper.core.aggregates import Table
from tollkeeper.flows import trends
from tollkeeper.kit import access_log, log_lines
from tollkeeper.proofs.context import Context
from tollkeeper.proofs.probe import Evidence, probe, require

LEAST = 20
_LINE = {"method", "page", "status", "ms", "from"}
_ATTACKS = 20


@probe("G-14")
def page_visits(ctx: Context) -> Evidence:
    """Pages are counted by their pattern; no table and no line of a log says who was there."""
    suspects = [
        f"{label}.{name}"
        for label, entry in ctx.inventory.models.items()
        for name in entry.columns
        if any(word in name.lower() for word in ("visit", "pageview", "page_view", "referrer", "clickstream"))
    ]
    require(not suspects, "a table could hold the pages that somebody visited", columns=suspects)
    facts = {"method": "GET", "page": "plans/", "status": 200, "ms": 1.0}
    one, two = (access_log.line("192.0.2.1", facts, ctx.now) for _ in range(2))
    require(set(one) == _LINE, "a line of the access log holds more than it should", line=sorted(one))
    require(one["from"] != two["from"], "two visits of one address can be told to be of one")
    files = [path for path, name, _ in log_lines.files() if name == log_lines.ACCESS_FILE]
    return {
        "tables": len(ctx.inventory.models),
        "columns_of_visits": 0,
        "line": sorted(one),
        "two_visits_of_one_address": [one["from"][-12:], two["from"][-12:]],
        "days_counted": len(files),
        "pages_today": len(trends.pages(ctx.today)),
    }


@probe("G-22")
def published(ctx: Context) -> Evidence:
    """Last month's figures as an operator sees them: nobody few, nothing that follows by subtraction."""
    k = ctx.policy.use.k
    require(k >= LEAST, "figures of fewer than twenty people could be published", k=k)
    pages = {path: ctx.get(path).status for path in ("/trends/", "/statistics/")}
    require(all(status == 404 for status in pages.values()), "figures are published", pages=pages)
    first, last = trends.last_month(ctx.today)
    month = trends.of_month(first, last)
    _judge(month.table, k)
    hidden = _attack(k)
    return {
        "k": k,
        "month": str(first),
        "figures": len(month.table.cells),
        "hidden": len(month.table.hidden),
        "smallest_shown": month.table.smallest,
        "amounts_top_coded": month.table.coded,
        "largest_customer_shows": _largest_shows(k),
        "customers_who_objected": month.left_out,
        "tables_attacked": 2 * _ATTACKS,
        "cells_they_hid": hidden,
        "cells_that_followed": 0,
    }


def _judge(table: Table, k: int) -> None:
    require(table.smallest is None or table.smallest >= k, "a figure of too few people is shown")
    people = {**dict.fromkeys(table.hidden, 0), **{key: cell.people for key, cell in table.cells.items()}}
    found = aggregates.follows(people, table.cells)
    require(not found, "a hidden figure follows from those that are shown", cells=len(found))


def _largest_shows(k: int) -> bool:
    """Whether a table tells how much the largest customer used: the same people, with one amount changed."""
    chance = secrets.SystemRandom()
    facts = [("r", "c", person, chance.randrange(1, 100)) for person in range(2 * k)]
    tables = [aggregates.tabulate([*facts, ("r", "c", 2 * k, amount)], k) for amount in (1_000, 9_000_000)]
    shows = tables[0] != tables[1]
    require(not shows, "a table tells how much the largest customer used")
    return shows


def _attack(k: int) -> int:
    """Two tables one person apart, again and again with people made up by chance; cells that were hidden."""
    chance, hidden = secrets.SystemRandom(), 0
    for _ in range(_ATTACKS):
        facts = [
            (f"r{row}", f"c{column}", person, 1)
            for row in range(3)
            for column in range(3)
            for person in chance.sample(range(4 * k), chance.choice((1, k // 2, 2 * k, 2 * k, 3 * k)))
        ]
        for some in (facts, [fact for fact in facts if fact[2]]):
            table = aggregates.tabulate(some, k)
            _judge(table, k)
            hidden += len(table.hidden)
    return hidden
