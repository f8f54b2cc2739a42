"""``tollkeeper test``: every test, on SQLite and on PostgreSQL, with the gate compiled and plain."""

from __future__ import annotations

import os
import subprocess
import sys

import typer

from tollkeeper.config import environment
from tollkeeper.core.refusal import Refused

MOST_AT_ONCE = 6
ORDER = "--randomly-seed=4711"
"""Shuffled, but the same in every whole run, so that a failure can be repeated; add your own for another."""


BOOK_ALONE = ("-m", "django_db", "--ignore=tests/web")
"""What may depend on the engine."""
PLAIN_GATE = tuple(
    f"tests/gate/test_{name}.py" for name in ("wire", "wire_tunnel", "serve_calls", "serve_models")
)
"""What shows that the plain build does as the compiled one."""


def test(context: typer.Context) -> None:
    """Run the tests: all on SQLite with the gate as it is compiled here, then those that use the book
    again on PostgreSQL (pages excepted, they know no engine), and those that talk to the gate again with
    nothing of it compiled.

    Three files at once for two cores, as many tests wait for processes they started; six at most.
    Whatever you add goes to pytest, and then runs on SQLite alone;
    TOLLKEEPER_TEST_BOOK=postgresql chooses the other engine; --cov shows what was reached.

    Example: tollkeeper test tests/core -k money --cov=tollkeeper
    """
    root = environment.repository()
    if not (root / "tests").is_dir():
        raise Refused("`test` needs a checkout of the source; this is an installed package")
    runs: list[tuple[str, dict[str, str], list[str]]]
    if context.args:
        runs = [("yours", {}, context.args)]
    else:
        cores = os.cpu_count() or 1
        at_once = str(min(cores + (cores + 1) // 2, MOST_AT_ONCE))
        side_by_side = ["--numprocesses", at_once, "--dist", "loadfile", "--no-loadscope-reorder"]
        subprocess.run([sys.executable, "-m", "tollkeeper.gate.build"], check=False)
        sqlite, postgresql = {"TOLLKEEPER_TEST_BOOK": "sqlite"}, {"TOLLKEEPER_TEST_BOOK": "postgresql"}
        runs = [
            ("book on sqlite", sqlite, [ORDER, "--durations=20", *side_by_side]),
            (
                "book on postgresql",
                postgresql,
                [ORDER, *BOOK_ALONE, *side_by_side],
            ),
            ("plain gate", {**sqlite, "TOLLKEEPER_PURE": "1"}, [ORDER, *PLAIN_GATE, *side_by_side]),
        ]
    codes = []
    for name, settings, arguments in runs:
        typer.echo(f"— tests, {name} —")
        chosen = {**os.environ, **settings}
        command = [sys.executable, "-m", "pytest", *arguments]
        codes.append(subprocess.run(command, cwd=root, env=chosen, check=False).returncode)
    if any(codes):
        raise typer.Exit(1)
