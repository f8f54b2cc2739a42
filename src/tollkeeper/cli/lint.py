"""``tollkeeper lint``: style, types and the direction of imports."""

from __future__ import annotations

import subprocess
import sys
import time

import typer

from tollkeeper.cli.errors import Refused
from tollkeeper.config import environment

CHECKS = {
    "ruff check": ("ruff", "check", "."),
    "ruff format": ("ruff", "format", "--check", "."),
    "mypy": ("mypy",),
    "import contracts": ("importlinter.cli", "lint"),
}


def lint() -> None:
    """Check style (ruff), types (mypy) and import contracts (import-linter).

    Example: tollkeeper lint
    """
    root = environment.repository()
    if not (root / "pyproject.toml").is_file():
        raise Refused("`lint` needs a checkout of the source; this is an installed package")
    failed = []
    for name, (module, *arguments) in CHECKS.items():
        began = time.monotonic()
        code = subprocess.run([sys.executable, "-m", module, *arguments], cwd=root, check=False).returncode  # noqa: S603
        typer.echo(f"{'ok  ' if code == 0 else 'FAIL'} {name} ({time.monotonic() - began:.1f} s)")
        failed += [name] if code else []
    if failed:
        raise typer.Exit(1)
