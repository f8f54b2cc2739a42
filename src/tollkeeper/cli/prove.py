"""``tollkeeper prove``: live evidence for every promise of the shop's policy."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tollkeeper.cli.django import start

_COLOURS = {"PROVEN": "green", "ATTESTED": "cyan", "NOT-USED": "dim", "BROKEN": "bold red"}


def prove(
    ids: Annotated[
        list[str] | None, typer.Argument(help="Promises to prove, such as T-04; all if none.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one signed JSON object.")] = False,
) -> None:
    """Show that each promise is kept: PROVEN, ATTESTED by a person, NOT-USED, or BROKEN.

    A whole run is kept and chained into the audit trail. Exit code 0 only if nothing is broken.

    Example: tollkeeper prove T-04 T-26
    """
    start()
    from tollkeeper.proofs import daily, report, running

    document = report.compose(running.run(ids)) if ids else daily.run_and_keep()
    if as_json:
        typer.echo(json.dumps(document, default=str))
    else:
        _table(document)
    if not document["ok"]:
        raise typer.Exit(1)


def _table(document: dict[str, Any]) -> None:
    console = Console()
    table = Table(box=None, pad_edge=False)
    for heading in ("promise", "status", "evidence", "ms"):
        table.add_column(heading, justify="right" if heading == "ms" else "left", overflow="fold")
    for row in document["rows"]:
        colour = _COLOURS[row["status"]]
        table.add_row(
            row["id"], f"[{colour}]{row['status']}[/]", escape(_short(row["evidence"])), str(row["ms"])
        )
    console.print(table)
    counts = document["counts"]
    console.print(
        f"\n{counts['proven']} proven, {counts['attested']} attested, {counts['not_used']} not used, "
        f"[{'bold red' if counts['broken'] else 'green'}]{counts['broken']} broken[/] · "
        f"{escape(document['shop'])} · policy {str(document['policy_hash'])[:12]} · {document['at']}"
    )


def _short(evidence: dict[str, Any]) -> str:
    parts = []
    for name, value in evidence.items():
        if isinstance(value, dict | list):
            value = f"{len(value)} listed" if len(str(value)) > 60 else str(value).translate({39: None})
        parts.append(f"{name.replace('_', ' ')}: {value}")
    return "; ".join(parts)[:320]
