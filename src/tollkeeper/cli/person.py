"""Finding the person that a command is about."""

from __future__ import annotations

import uuid
from typing import Annotated

import typer

from tollkeeper.cli.errors import Refused

Subject = Annotated[str, typer.Argument(help="E-mail address, customer number or id of the person.")]


def find(subject: str) -> uuid.UUID:
    """The person; raises :class:`Refused`."""
    from tollkeeper.accounts import queries

    found = queries.find_person(subject)
    if found is None:
        raise Refused("there is no such person")
    return found
