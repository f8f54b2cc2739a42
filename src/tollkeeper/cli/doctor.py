"""``tollkeeper doctor``: is this installation sound? One line each, and what to do."""

from __future__ import annotations

import stat
import subprocess
import sys
from collections.abc import Callable

import typer

from tollkeeper.cli import home
from tollkeeper.cli.django import reach_book, start
from tollkeeper.cli.errors import one_sentence
from tollkeeper.cli.supervisor import python
from tollkeeper.config import environment
from tollkeeper.config.environment import SECRETS, Environment
from tollkeeper.core.refusal import Refused


class Note(Exception):
    """Something works less well than it could; the installation is sound."""


def doctor() -> None:
    """Look over this installation: Python, folder, secrets, tables, shop, checks.

    Example: TOLLKEEPER_HOME=/srv/shop tollkeeper doctor
    """
    env = environment.read()
    checks: tuple[Callable[[Environment], str], ...] = (
        _python,
        _folder,
        _secrets,
        _tables,
        _system,
        _shop,
        _gate,
        _running,
        _paper,
    )
    failed = 0
    for check in checks:
        name = check.__name__.lstrip("_")
        try:
            typer.echo(f"ok    {name:<8} {check(env)}")
        except Note as note:
            typer.echo(f"note  {name:<8} {note}")
        except Exception as error:
            failed += 1
            said = (
                str(error) if isinstance(error, Refused | environment.BadEnvironment) else one_sentence(error)
            )
            typer.echo(f"FAIL  {name:<8} {said}")
    if failed:
        raise typer.Exit(1)


_BUILDS = {
    "compiled": "compiled",
    "parser": "plain Python with a compiled parser",
    "pure": "plain Python",
}


def _gate(env: Environment) -> str:
    """Which build of the gate would run: it is another program, so it is asked."""
    asked = subprocess.run(
        python("-m", "tollkeeper.gate.build", "--look"), capture_output=True, text=True, check=True
    )
    kind, _, why = asked.stdout.strip().partition(" ")
    if kind == "compiled":
        return _BUILDS[kind]
    later = "`up` compiles the rest a while after it is ready, or `python -m tollkeeper.gate.build` now"
    return f"{_BUILDS[kind]}, which is slower: {why or later}"


def _python(env: Environment) -> str:
    return f"{sys.version_info.major}.{sys.version_info.minor}.{sys.version_info.micro}"


def _folder(env: Environment) -> str:
    home.prepare(env.home)
    return f"{env.home} can be written"


def _secrets(env: Environment) -> str:
    for name in SECRETS:
        env.secret(name)
        mode = stat.S_IMODE((env.home / "secrets" / name).stat().st_mode)
        if mode & 0o077:
            raise Refused(f"secrets/{name} can be read by others (mode {mode:o}); run `chmod 600` on it")
    return f"{len(SECRETS)} there, readable by their owner only"


def _tables(env: Environment) -> str:
    start()
    reach_book(env)
    from django.db import connections
    from django.db.migrations.executor import MigrationExecutor

    for name in ("default", "keystore"):
        executor = MigrationExecutor(connections[name])
        plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
        if any(connections[name].settings_dict and _concerns(name, step.app_label) for step, _ in plan):
            raise Refused(f"the {name} database is behind; run `tollkeeper migrate`")
    return "book and keystore are up to date"


def _concerns(database: str, app_label: str) -> bool:
    return (database == "keystore") == (app_label == "keystore")


def _system(env: Environment) -> str:
    start()
    from django.core.checks import run_checks

    serious = [message for message in run_checks(include_deployment_checks=False) if message.is_serious()]
    if serious:
        raise Refused(f"{len(serious)} system check(s) fail, first: {serious[0].msg}")
    return "Django's and the inventory's checks pass"


def _shop(env: Environment) -> str:
    start()
    from tollkeeper.catalog.queries import current_shop

    return f"the book knows the shop {current_shop().brand}"


def _paper(env: Environment) -> str:
    start()
    from tollkeeper.catalog.queries import current_shop
    from tollkeeper.payments import paper

    missing = paper.unwritable(current_shop().languages)
    if missing:
        raise Note(
            f"no font for {', '.join(missing)}: letters in it go out without a PDF; install one "
            f"(`apt-get install fonts-noto-cjk`) or put its files into {env.home / 'fonts'}"
        )
    return "documents can be written in every language of the shop"


def _running(env: Environment) -> str:
    run = home.read_run_file(env.home)
    return f"`up` runs as process {run['pid']}" if run else "nothing runs on this folder"


CHECKS: tuple[Callable[[Environment], str], ...] = (
    _python,
    _folder,
    _secrets,
    _tables,
    _system,
    _shop,
    _running,
)
