"""``tollkeeper export``: one person's data, for whoever answers requests."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from tollkeeper.cli.django import start
from tollkeeper.cli.errors import Refused
from tollkeeper.cli.person import Subject, find


def export(
    subject: Subject,
    out: Annotated[Path, typer.Option("--out", help="The file to write; it must not exist.")] = Path(
        "copy.json"
    ),
) -> None:
    """Write everything about a person into one JSON file, readable by you only.

    Example: tollkeeper export ada@example.org --out ada.json
    """
    start()
    from tollkeeper.kit import audit
    from tollkeeper.kit.purposes import OWN, serving
    from tollkeeper.privacy.copying import copy_of

    person = find(subject)
    made: dict[str, Any] = {}
    with serving(OWN):
        for part in copy_of(person):
            made[part.label] = {"withheld": part.withheld, "rows": list(part.rows)}
    try:
        out.touch(mode=0o600, exist_ok=False)
    except OSError as error:
        raise Refused(f"{out} cannot be written: {error.strerror}") from None
    out.write_text(json.dumps(made, indent=1, default=str) + "\n")
    audit.record("subject.copy", subject=person, note="cli")
    rows = sum(len(table["rows"]) for table in made.values())
    typer.echo(f"{rows} rows of {len(made)} tables are in {out}.")
