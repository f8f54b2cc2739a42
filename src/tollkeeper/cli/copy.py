"""``tollkeeper copy``: look after files that `export` or the privacy centre made."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tollkeeper.cli.django import start

app = typer.Typer(help="Check a person's copy, or take it in.", no_args_is_help=True, rich_markup_mode=None)
File = Annotated[Path, typer.Argument(help="The zip.")]
Key = Annotated[str, typer.Option(help="The shop's published key in hex: /privacy/copy-key/.")]


@app.command()
def check(file: File, key: Key = "") -> None:
    """Compare every file of a copy with its signed manifest.

    Example: tollkeeper copy check ada.zip
    """
    start()
    from tollkeeper.privacy.bundle import reading

    found = reading.check_copy(file, key)
    typer.echo(
        f"{found.files} files of {found.shop}, made {found.made_at}: unchanged, signed by {found.public_key}"
    )
    if not key:
        typer.echo("Compare that key with the one that the shop publishes at /privacy/copy-key/.")


@app.command("take-in")
def take_in(file: File, key: Key = "") -> None:
    """Take the rows of a copy into this house, which must not hold the same person yet.

    Example: tollkeeper copy take-in ada.zip
    """
    start()
    from tollkeeper.kit.purposes import OWN, serving
    from tollkeeper.privacy.bundle import reading

    with serving(OWN):
        done = reading.take_in(file, key)
    for label, why in sorted(done.left.items()):
        typer.echo(f"left behind: {label}: {why}")
    typer.echo(f"{sum(done.rows.values())} rows of {len(done.rows)} tables were taken in.")
