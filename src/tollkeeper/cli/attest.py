"""``tollkeeper attest``: a person's signed word on what no probe can see, with its end."""

from __future__ import annotations

import datetime as dt
from typing import Annotated

import typer

from tollkeeper.cli.django import start
from tollkeeper.cli.person import find_operator
from tollkeeper.core.refusal import Refused


def attest(
    promise: Annotated[str, typer.Argument(help="A promise such as T-19; all with their ends if none.")] = "",
    by: Annotated[str, typer.Option("--by", help="Address or id of the operator who vouches.")] = "",
    role: Annotated[
        str, typer.Option("--as", help="owner, privacy, security, operations, finance or counsel.")
    ] = "owner",
    until: Annotated[str, typer.Option(help="The last day on which it holds, as in 2027-03-31.")] = "",
    withdraw: Annotated[bool, typer.Option(help="Take back what stands for this promise.")] = False,
) -> None:
    """Vouch for a promise that only a person can vouch for, such as a contract.

    The word is signed, chained into the audit trail, and covers what the policy says today: once
    it ran out, or the policy says something else, the promise counts as broken.

    Example: tollkeeper attest T-19 --by ada@example.org --as privacy --until 2027-03-31
    """
    start()
    from django.utils import timezone

    from tollkeeper.proofs import running, vouching

    running.load_probes()
    if not promise:
        _list()
        return
    person = find_operator(by)
    now = timezone.now()
    if withdraw:
        vouching.take_back(promise, by=person, role=role, now=now)
        typer.echo(f"Taken back: {promise} counts as broken from now on.")
        return
    number = vouching.vouch(promise, by=person, role=role, until=_day(until), now=now)
    typer.echo(f"Word {number}: {promise} holds until {until}, as long as the policy says the same.")


def _day(text: str) -> dt.date:
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        raise Refused(f"{text!r} is no day; give --until as in 2027-03-31") from None


def _list() -> None:
    from django.utils import timezone

    from tollkeeper.privacy.policy_queries import get_current
    from tollkeeper.proofs import vouching

    for one in vouching.standing(get_current().policy, timezone.now().date()).values():
        word = one.word
        stands = f"until {word.until}  {word.role:<10}" if word else "-" + " " * 26
        typer.echo(f"{one.promise}  {stands}  {one.why or 'holds'}")
