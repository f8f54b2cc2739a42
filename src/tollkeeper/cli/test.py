"""``tollkeeper test``: every test, on SQLite and on PostgreSQL."""

from __future__ import annotations

import os
import subprocess
import sys

import typer

from tollkeeper.cli.errors import Refused
from tollkeeper.config import environment

COVERED = ("--cov=tollkeeper", "--cov-report=term:skip-covered")
MOST_AT_ONCE = 4
ORDER = "--randomly-seed=4711"
"""Shuffled, but the same in every whole run, so that a failure can be repeated; add your own for another."""


def test(context: typer.Context) -> None:
    """Run the tests: all on SQLite, then those that use the book again on PostgreSQL.

    Every core runs the tests of another file, up to four at once.
    Whatever you add goes to pytest, and then runs on SQLite alone;
    TOLLKEEPER_TEST_BOOK=postgresql chooses the other engine.

    Example: tollkeeper test tests/core -k money
    """
    root = environment.repository()
    if not (root / "tests").is_dir():
        raise Refused("`test` needs a checkout of the source; this is an installed package")
    if context.args:
        runs = [(os.environ.get("TOLLKEEPER_TEST_BOOK", "sqlite"), context.args)]
    else:
        at_once = str(min(os.cpu_count() or 1, MOST_AT_ONCE))
        side_by_side = ["--numprocesses", at_once, "--dist", "loadfile"]
        runs = [
            ("sqlite", [ORDER, *COVERED, *side_by_side]),
            ("postgresql", [ORDER, "-m", "django_db", *side_by_side]),
        ]
    codes = []
    for book, arguments in runs:
        typer.echo(f"— tests, book on {book} —")
        chosen = {**os.environ, "TOLLKEEPER_TEST_BOOK": book}
        command = [sys.executable, "-m", "pytest", *arguments]
        codes.append(subprocess.run(command, cwd=root, env=chosen, check=False).returncode)
    if any(codes):
        raise typer.Exit(1)
