"""``tollkeeper export``: one person's data, for whoever answers requests."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tollkeeper.cli.django import start
from tollkeeper.cli.person import Subject, find
from tollkeeper.core.refusal import Refused


def export(
    subject: Subject,
    out: Annotated[Path, typer.Option("--out", help="The file to write; it must not exist.")] = Path(
        "copy.zip"
    ),
    language: Annotated[
        str, typer.Option(help="Of the first page: en or zh-hans; else the person's own.")
    ] = "",
) -> None:
    """Write everything about a person into one signed zip, readable by you only.

    Example: tollkeeper export ada@example.org --out ada.zip
    """
    start()
    from tollkeeper.accounts import queries as accounts
    from tollkeeper.kit.purposes import OWN, serving
    from tollkeeper.privacy import copies

    person = find(subject)
    try:
        out.touch(mode=0o600, exist_ok=False)
    except OSError as error:
        raise Refused(f"{out} cannot be written: {error.strerror}") from None
    try:
        with serving(OWN), out.open("wb") as sink:
            made = copies.write_clear(person, sink, language or accounts.language_of(person))
    except BaseException:
        out.unlink(missing_ok=True)
        raise
    filled = sum(1 for rows in made.tables.values() if rows)
    typer.echo(f"{made.rows} rows of {filled} tables are in {out}.")
