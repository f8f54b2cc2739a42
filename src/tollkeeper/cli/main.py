"""The door of the command line: which commands there are, and how a failure is told."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any

import typer

from tollkeeper.cli.errors import keep_story, one_sentence
from tollkeeper.core.refusal import Refused

COMMANDS = (
    "up",
    "tour",
    "test",
    "lint",
    "web",
    "gate",
    "worker",
    "migrate",
    "doctor",
    "prove",
    "attest",
    "review",
    "stats",
    "export",
    "erase",
    "backup",
    "restore",
    "bench",
    "drill",
)
"""Commands: each is the function of its name in the module of its name."""
GROUPS = ("shop", "plan", "policy", "book", "operator", "rights", "breach", "copy", "logs", "keys")
"""Commands with commands of their own: each is the ``app`` in the module of its name."""
_PASS_ON: dict[str, dict[str, Any]] = {
    "test": {"context_settings": {"allow_extra_args": True, "ignore_unknown_options": True}}
}


def build(only: str = "") -> typer.Typer:
    """The command line, or just the part that ``only`` needs: a child process starts sooner for it."""
    app = typer.Typer(
        name="tollkeeper",
        help="Sell access to your API, and keep every promise you make to the people who buy.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )
    app.callback()(lambda: None)  # with one command alone, its name is asked for all the same
    every = only not in COMMANDS + GROUPS
    for name in COMMANDS:
        if every or name == only:
            app.command(name, **_PASS_ON.get(name, {}))(getattr(_module(name), name))
    for name in GROUPS:
        if every or name == only:
            app.add_typer(_module(name).app, name=name)
    return app


def _module(name: str) -> Any:
    return import_module(f"tollkeeper.cli.{name}")


def main() -> None:
    """Run one command. Exit code 0 only on success; a failure is one sentence on stderr."""
    try:
        build(sys.argv[1] if len(sys.argv) > 1 else "")(prog_name="tollkeeper")
    except Refused as error:
        sys.exit(_tell(str(error)))
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:
        path = keep_story(error)
        where = f"; the whole story is in {path}" if path else ""
        sys.exit(_tell(f"this should not have happened: {one_sentence(error)}{where}"))


def _tell(sentence: str) -> int:
    typer.echo(f"tollkeeper: {sentence}", err=True)
    return 1
