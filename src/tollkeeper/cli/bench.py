"""``tollkeeper bench``: see ``tollkeeper.cli.rehearse``."""

from __future__ import annotations

from typing import Annotated

import typer

from tollkeeper.cli import rehearse


def bench(
    name: Annotated[str, typer.Argument(help="Its name, or all.")],
    size: Annotated[str, typer.Option(help="quick or full.")] = "full",
    seed: Annotated[int, typer.Option(help="Repeat a run; -1 takes a fresh one.")] = -1,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Measure, beside a peer in the same run where there is one.

    Example: tollkeeper bench gate --json
    """
    chosen = rehearse.a_seed() if seed < 0 else seed
    rehearse.play("bench", name, size=size, seed=chosen, as_json=as_json)
