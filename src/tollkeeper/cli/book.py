"""``tollkeeper book``: looks after the book."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from tollkeeper.cli import home
from tollkeeper.cli.django import reach_book, refuse_if_locked, start
from tollkeeper.config import databases, environment
from tollkeeper.core.refusal import Refused

app = typer.Typer(help="Look after the book.", no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def book() -> None:
    """Look after the book."""


@app.command()
def check(as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False) -> None:
    """Check the book against itself: every entry, grant, lease and balance of units, and the money of
    every order: payments, refunds, documents and their numbers, periods.

    Prints each fault, and changes nothing. May run beside a running shop.

    Example: tollkeeper book check --json
    """
    reach_book(start())
    from tollkeeper.flows.checking import check_money
    from tollkeeper.usage.services import check_book

    faults: list[Any] = [*check_book(), *check_money()]
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


@app.command()
def move(
    to: Annotated[
        str,
        typer.Argument(
            envvar="TOLLKEEPER_MOVE_TO",
            help="An empty database: postgresql://user:password@host:5432/name.",
            show_envvar=True,
        ),
    ],
) -> None:
    """Move the book from SQLite to PostgreSQL: every row, compared one by one, or none.

    Stop web, gate and worker first. The keystore stays where it is. The old book is kept
    beside the new one under another name, so that nothing can start on it by mistake.

    Example: TOLLKEEPER_MOVE_TO=postgresql://shop:secret@127.0.0.1:5432/shop tollkeeper book move
    """
    env = environment.read()
    if env.database_url:
        raise Refused("the book of this installation is PostgreSQL already (DATABASE_URL is set)")
    if not env.book.exists():
        raise Refused(f"there is no book at {env.book}; check TOLLKEEPER_HOME")
    entry = databases.postgresql(to, "the new place")
    entry["OPTIONS"] = {}  # one connection does
    descriptor = home.hold(env.home)  # no `up` may run meanwhile
    try:
        start()
        refuse_if_locked()
        reach_book(replace(env, database_url=to))
        rows = _move_rows(entry)
    finally:
        os.close(descriptor)
    old = env.book.with_name("book.moved.sqlite3")
    env.book.replace(old)
    typer.echo(
        f"Moved {rows:,} rows, each compared with what was sent. From now on start with DATABASE_URL set to"
        f" the new place. The old book is {old}; remove it when the new one has been seen to work."
    )


def _move_rows(entry: dict[str, Any]) -> int:
    from django.core.management import call_command
    from django.db import DatabaseError, connections, transaction

    from tollkeeper.flows import metering
    from tollkeeper.kit import append_only, moving

    if running := metering.running_gates():
        raise Refused(f"the gate {running[0]} is running; stop it first")
    call_command("migrate", interactive=False, verbosity=0)
    connections.settings["new"] = {**connections.settings["default"], **entry}
    screen = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn())
    with Progress(*columns, console=screen, disable=not screen.is_terminal) as progress:
        task = progress.add_task("moving")

        def say(done: int, of: int, what: str) -> None:
            progress.update(task, completed=done, total=of, description=what or "moved")

        try:
            if not moving.is_empty("new"):
                raise Refused("the new database is not empty; name one that has no tables")
            call_command("migrate", database="new", interactive=False, verbosity=0)
            with transaction.atomic():  # whoever still writes to the old book waits, and then fails
                rows = moving.move("default", "new", say)
            append_only.install("new")
        except (moving.CannotMove, DatabaseError) as error:
            raise Refused(f"{str(error).splitlines()[0]}; the old book is as it was") from None
        finally:
            connections["new"].close()
    connections.close_all()
    return rows
