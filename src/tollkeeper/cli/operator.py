"""``tollkeeper operator``: the people who may work at the desk."""

from __future__ import annotations

import os
import secrets
from typing import Annotated

import typer

from tollkeeper.cli.django import start

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def operator() -> None:
    """Who may work at the desk."""


@app.command()
def add(
    email: Annotated[str, typer.Argument(help="The operator's e-mail address.")],
    factor: Annotated[
        bool, typer.Option(help="Make a key for an authenticator app too, and print it once.")
    ] = True,
) -> None:
    """Give a person the desk: makes the account if there is none, and prints a new password once.

    The password is made here, or taken from TOLLKEEPER_OPERATOR_PASSWORD. The desk demands a second
    factor: its key is printed for an authenticator app; with --no-factor the first visit asks for one.

    Example: tollkeeper operator add ops@example.com
    """
    start()
    from tollkeeper.accounts import services

    given = os.environ.get("TOLLKEEPER_OPERATOR_PASSWORD", "")
    password = given or secrets.token_urlsafe(18)
    person = services.add_operator(email, password)
    typer.echo("This person may use the desk now.")
    if not given:
        typer.echo(f"Password, shown only here: {password}")
    if factor:
        key, address = services.enrol_totp(person)
        typer.echo(f"Key for an authenticator app, shown only here: {key}")
        typer.echo(f"The same as an address: {address}")
