"""Plays drills and benchmarks, each in a process and a scratch home of its own."""

from __future__ import annotations

import importlib
import json
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import typer
from rich.console import Console
from rich.table import Table

from tollkeeper.cli.errors import keep_story, one_sentence
from tollkeeper.config import environment
from tollkeeper.core.refusal import Refused
from tollkeeper.core.rehearsal import Scene
from tollkeeper.kit import plugins

_PACKAGES = {"drill": "tollkeeper.drills", "bench": "bench"}


def play(kind: str, name: str, *, size: str, seed: int, as_json: bool) -> None:
    """Play one rehearsal, or ``all``, and tell the outcome; exit code 0 only if all held.

    Raises :class:`Refused` for a name that is none.
    """
    if size not in ("quick", "full"):
        raise Refused(f"--size is quick or full, not {size!r}")
    name = name.replace("-", "_")  # as people write a name
    known = plugins.names(_PACKAGES[kind])
    if name != "all" and name not in known:
        raise Refused(f"there is no {kind} {name!r}; there are: {', '.join(known)}")
    chosen = known if name == "all" else (name,)
    screen = Console(stderr=True, quiet=as_json)
    outcomes = []
    for one in chosen:
        screen.print(f"[bold]{kind} {one}[/bold] (seed {seed}, {size})")
        outcomes.append(_in_child(kind, one, size, seed))
        if not as_json:
            _show(outcomes[-1])
    ok = all(outcome["ok"] for outcome in outcomes)
    if as_json:
        whole = {"name": "all", "ok": ok, "outcomes": outcomes, "seed": seed}
        typer.echo(json.dumps(whole if name == "all" else outcomes[0]))
    if not ok:
        raise typer.Exit(1)


def a_seed() -> int:
    """A fresh seed, small enough to be read out."""
    return secrets.randbelow(1_000_000)


def _in_child(kind: str, name: str, size: str, seed: int) -> dict[str, Any]:
    scratch = Path(tempfile.mkdtemp(prefix=f"tollkeeper-{kind}-{name}-"))
    environment.create_secrets(scratch)
    root = environment.repository()
    given = {
        **os.environ,
        "TOLLKEEPER_HOME": str(scratch),
        "TOLLKEEPER_KEYSTORE": str(scratch / "keystore.sqlite3"),
        "TOLLKEEPER_LIVE": "",
        "DJANGO_SETTINGS_MODULE": "tollkeeper.config.settings",
        "PYTHONPATH": os.pathsep.join(filter(None, (str(root), os.environ.get("PYTHONPATH", "")))),
    }
    given.pop("DATABASE_URL", None)  # never the operator's own book
    if book := given.get("TOLLKEEPER_REHEARSAL_BOOK"):  # an empty PostgreSQL database, named on purpose
        given["DATABASE_URL"] = book
    command = [sys.executable, "-m", "tollkeeper.cli.rehearse", kind, name, size, str(seed), str(scratch)]
    try:
        subprocess.run(command, env=given, check=False)
        answer = scratch / "outcome.json"
        if answer.exists():
            return dict(json.loads(answer.read_text()))
        return {"name": name, "ok": False, "figures": {}, "seed": seed, "error": "it ended without an answer"}
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _show(outcome: dict[str, Any]) -> None:
    table = Table(
        title=f"{outcome['name']}: {'held' if outcome['ok'] else 'DID NOT HOLD'}", title_justify="left"
    )
    table.add_column("figure")
    table.add_column("value", justify="right")
    for figure, value in outcome["figures"].items():
        table.add_row(
            figure, f"{value:,.3f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)
        )
    if outcome.get("error"):
        table.add_row("error", outcome["error"])
    table.add_row("wall_s", str(outcome.get("wall_s", "")))
    Console().print(table)


def _child(kind: str, name: str, size: str, seed: int, home: Path) -> None:
    """The child's side: load Django on the scratch home, play, write down the outcome."""
    screen = Console(stderr=True)
    shown = sys.stderr.isatty()

    def say(done: int, of: int, what: str) -> None:
        if shown:
            screen.print(f"  {what} {done:,}/{of:,}", end="\r" if done < of else "\n")

    began = time.monotonic()
    answer: dict[str, Any] = {"name": name, "ok": False, "figures": {}, "seed": seed}
    try:
        importlib.import_module("django").setup()
        module = importlib.import_module(f"{_PACKAGES[kind]}.{name}")
        outcome = module.run(Scene(home, seed, size, say))
        answer.update(ok=outcome.ok, figures=dict(outcome.figures))
    except Exception as error:
        keep_story(error)
        answer["error"] = one_sentence(error)
        screen.print_exception()
    answer["wall_s"] = round(time.monotonic() - began, 2)
    part = home / "outcome.part"
    part.write_text(json.dumps(answer))
    part.rename(home / "outcome.json")


if __name__ == "__main__":
    _child(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]), Path(sys.argv[5]))
