"""``tollkeeper operator``: the people who may work at the desk."""

from __future__ import annotations

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
    """Give a person the desk: makes the account if there is none, and prints how to sign in.

    Example: tollkeeper operator add ops@example.com
    """
    start()
    from django.core.exceptions import ValidationError
    from django.core.validators import validate_email

    from tollkeeper.accounts.services import make_operator

    try:
        validate_email(email)
    except ValidationError:
        raise Refused("that is not an e-mail address") from None
    made = make_operator(email)
    typer.echo("The account was made." if made else "The account was there; it may use the desk now.")
    typer.echo("Sign in on the storefront with a code sent to that address.")
