"""Counts without identifiers: what is counted, and what is never published."""

from __future__ import annotations

from tollkeeper.proofs.context import Context
from tollkeeper.proofs.probe import Evidence, NotUsed, probe, require


@probe("G-14")
def page_visits(ctx: Context) -> Evidence:
    """Nothing records which page somebody visited: no table could hold it."""
    suspects = [
        f"{label}.{name}"
        for label, entry in ctx.inventory.models.items()
        for name in entry.columns
        if any(word in name.lower() for word in ("visit", "pageview", "page_view", "referrer", "clickstream"))
    ]
    require(not suspects, "a table could hold the pages that somebody visited", columns=suspects)
    raise NotUsed(
        "page visits are not recorded at all",
        tables=len(ctx.inventory.models),
        columns_of_visits=0,
    )


@probe("G-22")
def published(ctx: Context) -> Evidence:
    """The least number of people behind a figure, and that no figure is published."""
    k = ctx.policy.use.k
    require(k >= 20, "figures of fewer than twenty people could be published", k=k)
    pages = {path: ctx.get(path).status for path in ("/trends/", "/statistics/")}
    require(all(status == 404 for status in pages.values()), "figures are published", pages=pages)
    raise NotUsed("no trend is published", k=k, pages=pages)
