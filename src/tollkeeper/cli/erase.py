"""``tollkeeper erase``: a person's data goes."""

from __future__ import annotations

from typing import Annotated

import typer

from tollkeeper.cli.django import start
from tollkeeper.cli.person import Subject, find
from tollkeeper.core.refusal import Refused


def erase(
    subject: Subject,
    yes: Annotated[
        bool, typer.Option("--yes", help="Do it; without this only the preview is shown.")
    ] = False,
) -> None:
    """Erase a person: show what goes and what stays without them, and with --yes do it now.

    Example: tollkeeper erase ada@example.org --yes
    """
    start()
    from tollkeeper.flows import erasure
    from tollkeeper.privacy import erasing

    person = find(subject)
    for step in erasing.preview(person):
        what = "stays without the person" if step.stays else "goes"
        typer.echo(f"{step.rows:>8}  {step.label:<32} {what}")
    if not yes:
        typer.echo("Nothing was changed. Say --yes to erase; it cannot be undone.")
        return
    try:
        receipt = erasure.erase(person)
    except erasure.StillBusy:
        raise Refused("calls of this person are still on their way; try again in half a minute") from None
    typer.echo(f"Erased: {sum(receipt.tables.values())} rows are gone and the key is destroyed.")
