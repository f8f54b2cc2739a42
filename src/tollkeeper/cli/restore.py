"""``tollkeeper restore``: a backup becomes the book again, without those who were erased since."""

from __future__ import annotations

from typing import Annotated

import typer

from tollkeeper.cli import home
from tollkeeper.cli.django import reach_book, start
from tollkeeper.config import environment
from tollkeeper.core.refusal import Refused


def restore(
    name: Annotated[str, typer.Argument(help="Name of a backup; empty takes the newest.")] = "",
    only_replay: Annotated[
        bool, typer.Option("--replay", help="Only carry out the erasures of a restored book, then open.")
    ] = False,
    stay_locked: Annotated[
        bool, typer.Option("--stay-locked", help="Lay the backup back, and leave the rest for later.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Replace the book without being asked.")] = False,
) -> None:
    """Replace the book by a backup. The shop stays locked until erasures made since are done again.

    Stop web, gate and worker first. What happened after the backup is lost, erasures excepted.

    Example: tollkeeper restore 20270105T030000Z --yes
    """
    env = environment.read()
    home.prepare(env.home)
    descriptor = home.hold(env.home)  # no `up` may run meanwhile
    try:
        reach_book(start())
        if not only_replay:
            _lay_back(name, yes)
        if not stay_locked:
            _replay()
        else:
            typer.echo("The shop is locked; `tollkeeper restore --replay` opens it.")
    finally:
        import os

        os.close(descriptor)


def _lay_back(name: str, yes: bool) -> None:
    from tollkeeper.flows import metering
    from tollkeeper.kit import backups, lockdown

    found = {one.name: one for one in backups.list_backups()}
    if not found:
        raise Refused(f"there is no backup in {backups.folder()}")
    chosen = found.get(name or next(reversed(found)))
    if chosen is None:
        raise Refused(f"there is no backup {name!r}; see `tollkeeper backup --list`")
    running = metering.running_gates()
    if running:
        raise Refused(f"the gate {running[0]} is running; stop it first")
    if not yes and not typer.confirm(
        f"Replace the book by the backup of {chosen.made_at:%Y-%m-%d %H:%M} UTC?"
    ):
        raise Refused("nothing was changed")
    backups.check(chosen)
    lockdown.lock(chosen.name)
    backups.lay_back(chosen)


def _replay() -> None:
    from django.core.management import call_command

    from tollkeeper.flows import lost_payments, restoring
    from tollkeeper.kit import append_only, backups, lockdown

    name = lockdown.reason()
    call_command("migrate", interactive=False, verbosity=0)
    append_only.install()
    done = restoring.replay()
    typer.echo(
        f"Restored: {done.erased} erased people are gone again, {done.due} rows were past their period."
        " The shop is open."
    )
    made = {one.name: one.made_at for one in backups.list_backups()}.get(name)
    if made is not None:
        lost_payments.ask_for(made)
        typer.echo(
            f"What was paid since {made:%Y-%m-%d %H:%M} UTC is asked of the providers as soon as a worker"
            " runs; Desk → Backups shows what was found."
        )
