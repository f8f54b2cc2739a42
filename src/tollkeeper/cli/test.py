"""``tollkeeper test``: every test, on SQLite and on PostgreSQL."""

from __future__ import annotations

import os
import subprocess
import sys

import typer

from tollkeeper.cli.errors import Refused
from tollkeeper.config import environment

COVERED = ("--cov=tollkeeper", "--cov-report=term:skip-covered")


def test(context: typer.Context) -> None:
    """Run the tests: all on SQLite, then those that use the book again on PostgreSQL.

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
        runs = [("sqlite", list(COVERED)), ("postgresql", ["-m", "django_db"])]
    codes = []
    for book, arguments in runs:
        typer.echo(f"— tests, book on {book} —")
        chosen = {**os.environ, "TOLLKEEPER_TEST_BOOK": book}
        command = [sys.executable, "-m", "pytest", *arguments]
        codes.append(subprocess.run(command, cwd=root, env=chosen, check=False).returncode)
    if any(codes):
        raise typer.Exit(1)
