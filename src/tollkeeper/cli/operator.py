"""``tollkeeper operator``: the people who may work at the desk."""

from __future__ import annotations

import os
import secrets
from typing import Annotated

import typer

from tollkeeper.cli.django import start
from tollkeeper.cli.errors import Refused

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def operator() -> None:
    """Who may work at the desk."""


@app.command()
def add(email: Annotated[str, typer.Argument(help="The operator's e-mail address.")]) -> None:
    """Give a person the desk: makes the account if there is none, and prints a new password once.

    The password is made here, or taken from TOLLKEEPER_OPERATOR_PASSWORD.

    Example: tollkeeper operator add ops@example.com
    """
    start()
    from tollkeeper.accounts import services

    given = os.environ.get("TOLLKEEPER_OPERATOR_PASSWORD", "")
    password = given or secrets.token_urlsafe(18)
    try:
        services.add_operator(email, password)
    except services.Refused as refusal:
        raise Refused(str(refusal)) from None
    typer.echo("This person may use the desk now.")
    if not given:
        typer.echo(f"Password, shown only here: {password}")
