"""``tollkeeper stats``: figures for improving the shop; nobody stands out of them."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from tollkeeper.cli.django import start
from tollkeeper.core.aggregates import TOTAL


def stats(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Calls of last month by route and outcome, and yesterday's pages; what few people did is hidden.

    Example: tollkeeper stats --json
    """
    start()
    import datetime as dt

    from django.utils import timezone

    from tollkeeper.flows import trends

    today = timezone.now().date()
    month = trends.of_month(*trends.last_month(today))
    pages = trends.pages(today - dt.timedelta(days=1))
    table = month.table
    if as_json:
        cells = [
            {"route": route, "outcome": outcome, "customers": cell.people, "calls": cell.amount}
            for (route, outcome), cell in table.cells.items()
        ]
        made = {"from": str(month.first), "to": str(month.last), "k": table.k, "cells": cells}
        typer.echo(
            json.dumps(
                {
                    **made,
                    "hidden": len(table.hidden),
                    "top_coded": table.coded,
                    "objected": month.left_out,
                    "pages": pages,
                }
            )
        )
        return
    typer.echo(
        f"Calls from {month.first} to {month.last}; nothing of fewer than {table.k} customers is shown."
    )
    for (route, outcome), cell in table.cells.items():
        names = ["all" if name == TOTAL else name for name in (route, outcome)]
        typer.echo(f"  {names[0]:<24} {names[1]:<14} {cell.people:>8,} customers {cell.amount:>14,} calls")
    typer.echo(
        f"  {len(table.hidden)} cells are hidden; {month.left_out} customers objected and are not counted."
    )
    typer.echo(f"  {table.coded} amounts that stood out count as much as those below them.")
    typer.echo(f"Pages of {today - dt.timedelta(days=1)}, asked for {table.k} times or more:")
    for page, number in pages.items():
        typer.echo(f"  /{page:<50} {number:>10,}")
