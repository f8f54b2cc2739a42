"""``tollkeeper backup``: a copy of the book, and of the keystore apart."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from tollkeeper.cli.django import reach_book, start


def backup(
    show: Annotated[bool, typer.Option("--list", help="Only show the backups that are there.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Back the book up while the shop runs; keys go to a folder of their own and live seven days.

    Old backups are thrown away, so that nobody's data outlives what the privacy policy says.

    Example: tollkeeper backup
    """
    reach_book(start())
    from django.utils import timezone

    from tollkeeper.flows import restoring
    from tollkeeper.kit import backups

    now = timezone.now()
    gone: list[str] = []
    if not show:
        made = backups.make(now)
        gone = restoring.prune(now)
        if not as_json:
            typer.echo(f"Backed up as {made.name}: {made.size:,} bytes in {made.path.parent}.")
    found = backups.list_backups()
    if as_json:
        rows = [
            {"name": one.name, "made_at": one.made_at.isoformat(), "size": one.size, "engine": one.engine}
            for one in found
        ]
        facts = {"backups": rows, "gone": gone, "window_days": backups.window_days(now)}
        typer.echo(json.dumps({"name": "backup", "ok": True, **facts}))
        return
    for one in found if show else ():
        typer.echo(f"{one.name}  {one.engine:<10} {one.size:>14,} bytes")
    typer.echo(f"{len(found)} backup(s); the oldest is {backups.window_days(now) or 0} day(s) old.")
