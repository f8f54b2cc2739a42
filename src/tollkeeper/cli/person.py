"""Finding the person that a command is about."""

from __future__ import annotations

import uuid
from typing import Annotated

import typer

from tollkeeper.core.refusal import Refused

Subject = Annotated[str, typer.Argument(help="E-mail address, customer number or id of the person.")]


def find(subject: str) -> uuid.UUID:
    """The person; raises :class:`Refused`."""
    from tollkeeper.accounts import queries

    found = queries.find_person(subject)
    if found is None:
        raise Refused("there is no such person")
    return found


def find_operator(by: str) -> uuid.UUID:
    """Who signs for a step, of ``--by``; raises :class:`Refused` if they do not work at the desk."""
    from tollkeeper.accounts import queries

    person = find(by) if by else None
    if person is None or not queries.is_operator(person):
        raise Refused("name an operator with --by; `tollkeeper operator add` makes one")
    return person
