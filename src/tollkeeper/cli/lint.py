"""``tollkeeper lint``: style, types and the direction of imports."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import typer

from tollkeeper.config import environment
from tollkeeper.core.refusal import Refused

CHECKS = {
    "ruff check": ("ruff", "check", "."),
    "ruff format": ("ruff", "format", "--check", "."),
    "mypy": ("mypy",),
    "import contracts": ("lint-imports",),
}


def lint() -> None:
    """Check style (ruff), types (mypy) and import contracts (import-linter).

    Example: tollkeeper lint
    """
    root = environment.repository()
    if not (root / "pyproject.toml").is_file():
        raise Refused("`lint` needs a checkout of the source; this is an installed package")
    failed = []
    scratch = Path(tempfile.mkdtemp(prefix="tollkeeper-lint-"))
    environment.create_secrets(scratch)  # mypy's plugin loads Django's settings, and those need secrets
    chosen = {**os.environ, "TOLLKEEPER_HOME": str(scratch)}
    programs = Path(sys.executable).parent
    for name, (program, *arguments) in CHECKS.items():
        began = time.monotonic()
        code = subprocess.run([programs / program, *arguments], cwd=root, env=chosen, check=False).returncode
        typer.echo(f"{'ok  ' if code == 0 else 'FAIL'} {name} ({time.monotonic() - began:.1f} s)")
        failed += [name] if code else []
    shutil.rmtree(scratch)
    if failed:
        raise typer.Exit(1)
