"""The door of the command line: which commands there are, and how a failure is told."""

from __future__ import annotations

import sys

import typer

from tollkeeper.catalog.mistakes import BadShop
from tollkeeper.cli.bench import bench
from tollkeeper.cli.doctor import doctor
from tollkeeper.cli.drill import drill
from tollkeeper.cli.errors import Refused, keep_story, one_sentence
from tollkeeper.cli.gate import gate
from tollkeeper.cli.lint import lint
from tollkeeper.cli.migrate import migrate
from tollkeeper.cli.operator import app as operator
from tollkeeper.cli.prove import prove
from tollkeeper.cli.shop import app as shop
from tollkeeper.cli.test import test
from tollkeeper.cli.tour import tour
from tollkeeper.cli.up import up
from tollkeeper.cli.web import web
from tollkeeper.cli.worker import worker
from tollkeeper.config.environment import BadEnvironment
from tollkeeper.core.policy import BadPolicy

_PASS_ON = {"allow_extra_args": True, "ignore_unknown_options": True}

app = typer.Typer(
    name="tollkeeper",
    help="Sell access to your API, and keep every promise you make to the people who buy.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for command in (up, tour, web, gate, worker, migrate, prove, doctor):
    app.command()(command)
app.command()(lint)
for rehearsal in (drill, bench):
    app.command()(rehearsal)
app.command(context_settings=_PASS_ON)(test)
app.add_typer(shop, name="shop", help="A shop's files.")
app.add_typer(operator, name="operator", help="Who may work at the desk.")


def main() -> None:
    """Run one command. Exit code 0 only on success; a failure is one sentence on stderr."""
    try:
        app(prog_name="tollkeeper")
    except (Refused, BadEnvironment, BadShop, BadPolicy) as error:
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
