"""``tollkeeper drill``: see ``tollkeeper.cli.rehearse``."""

from __future__ import annotations

from typing import Annotated

import typer

from tollkeeper.cli import rehearse


def drill(
    name: Annotated[str, typer.Argument(help="Its name, or all.")],
    size: Annotated[str, typer.Option(help="quick or full.")] = "full",
    seed: Annotated[int, typer.Option(help="Repeat a run; -1 takes a fresh one.")] = -1,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Break something on purpose, and count what went wrong; exit code 0 only if nothing did.

    Example: tollkeeper drill kill --json
    """
    chosen = rehearse.a_seed() if seed < 0 else seed
    rehearse.play("drill", name, size=size, seed=chosen, as_json=as_json)
