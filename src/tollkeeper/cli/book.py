"""``tollkeeper book``: looks after the book."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from tollkeeper.cli.django import reach_book, start

app = typer.Typer(help="Look after the book.", no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def book() -> None:
    """Look after the book."""


@app.command()
def check(as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False) -> None:
    """Check the units in the book against themselves: every entry, grant, lease and balance.

    Prints each fault, and changes nothing. May run beside a running shop.

    Example: tollkeeper book check --json
    """
    reach_book(start())
    from tollkeeper.usage.services import check_book

    faults = check_book()
    if as_json:
        rows = [
            {"code": fault.code, "where": fault.where, "expected": fault.expected, "found": fault.found}
            for fault in faults
        ]
        typer.echo(json.dumps({"ok": not faults, "faults": rows}))
    else:
        for fault in faults:
            typer.echo(str(fault))
        typer.echo(f"{len(faults)} fault(s) in the book." if faults else "The book is sound.")
    if faults:
        raise typer.Exit(1)
