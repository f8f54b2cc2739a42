"""``tollkeeper logs``: what logs hold, and the one way to an address in them."""

from __future__ import annotations

from typing import Annotated

import typer

from tollkeeper.cli.django import start
from tollkeeper.cli.person import find

app = typer.Typer(help="Look at logs, and open an address for an incident.", no_args_is_help=True)


@app.command("list")
def show() -> None:
    """Days that are kept, per log: how old the oldest is, and when it goes.

    Example: tollkeeper logs list
    """
    start()
    from django.utils import timezone

    from tollkeeper.kit import daily, log_keys, log_lines
    from tollkeeper.privacy import policy_queries

    today = timezone.now().date()
    keep = policy_queries.get_current().policy.keep
    for log, rule in log_keys.RULES.items():
        first = log_keys.oldest_day(log)
        age = "no key yet" if first is None else f"oldest key {log_keys.day_number(today) - first} days"
        typer.echo(f"{log:<8} {age}; a day goes after {keep[rule].days} days, with its key")
    days = daily.parts(daily.Daily("usage_call", "called_at"))
    if days:
        typer.echo(f"calls    {len(days)} partitions, the oldest {log_keys.day_number(today) - days[0]} days")
    for path, _, day in log_lines.files():
        typer.echo(f"{path.name}  {path.stat().st_size:,} bytes, {(today - day).days} days")


@app.command()
def caller(
    request_id: Annotated[str, typer.Argument(help="The X-Request-Id of a call, as in req_1a2b….")],
    by: Annotated[str, typer.Option("--by", help="Address or id of the operator who looks.")],
    reason: Annotated[str, typer.Option(help="abuse, attack, breach, leaked_key or authority.")],
) -> None:
    """Open the address from which one call came. It is entered into the audit trail.

    Example: tollkeeper logs caller req_0f3a21bc0005f1a2b3c4d5e6 --reason attack --by me@example.org
    """
    start()
    from tollkeeper.flows import incident

    typer.echo(incident.open_caller(request_id, operator=find(by), reason=reason))
