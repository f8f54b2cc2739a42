"""``tollkeeper review``: the audit plan with its days, and noting that a review was done."""

from __future__ import annotations

from typing import Annotated

import typer

from tollkeeper.cli.django import start
from tollkeeper.cli.person import find_operator


def review(
    item: Annotated[str, typer.Argument(help="A review of the plan such as access; the plan if none.")] = "",
    by: Annotated[str, typer.Option("--by", help="Address or id of the operator who did it.")] = "",
    findings: Annotated[int, typer.Option(min=0, help="How many things were found to mend.")] = 0,
) -> None:
    """Show what has to be looked at until when, or note that it was done today.

    Example: tollkeeper review access --by ada@example.org --findings 2
    """
    start()
    from django.utils import timezone

    from tollkeeper.privacy import reviews
    from tollkeeper.privacy.policy_queries import get_current

    now = timezone.now()
    if not item:
        for one in reviews.plan(get_current().policy, reviews.begun(now)):
            mark = "OVERDUE" if one.overdue(now.date()) else "soon" if one.soon(now.date()) else ""
            typer.echo(f"{one.due_on}  {one.kind:<12} {one.name:<12} {one.title.en}  {mark}".rstrip())
        return
    person = find_operator(by)
    reviews.done(item, by=person, on=now.date(), findings=findings)
    typer.echo(f"Noted: {item} was reviewed on {now.date()}.")
