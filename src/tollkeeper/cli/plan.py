"""``tollkeeper plan``: the switch of each product."""

from __future__ import annotations

from typing import Annotated

import typer

from tollkeeper.cli.django import start
from tollkeeper.cli.person import find_operator

app = typer.Typer(help="Stop a plan with all its keys, and let it go on.", no_args_is_help=True)
Plan = Annotated[str, typer.Argument(help="The plan's name in shop.toml.")]
By = Annotated[str, typer.Option("--by", help="Address or id of the operator who decides.")]


@app.command("list")
def show() -> None:
    """Every plan, how many customers have something of it, and why it is not sold, if it is not.

    Example: tollkeeper plan list
    """
    start()
    from tollkeeper.delivery import queries as delivery
    from tollkeeper.flows import plan_stop, selling

    counts, unsold, stops = delivery.customers_by_plan(), selling.unsold(), delivery.stops()
    for slug in plan_stop.known():
        found = stops.get(slug)
        state = f"STOPPED since {found.since:%Y-%m-%d %H:%M} UTC: {found.reason}" if found else ""
        typer.echo(f"{slug:<24} {counts.get(slug, 0):>8} customers  {state or unsold.get(slug, 'for sale')}")


@app.command()
def stop(
    plan: Plan,
    reason: Annotated[str, typer.Option(help="Why, in words that its customers read.")],
    by: By,
) -> None:
    """Sell nothing more of a plan, and stop every key as far as it stands on it.

    Gates refuse within two seconds; relays and letters to the customers follow through the worker.

    Example: tollkeeper plan stop pro --reason "Its models are being repaired." --by me@example.org
    """
    start()
    from tollkeeper.flows import plan_stop

    count = plan_stop.stop(plan, reason, actor=find_operator(by))
    typer.echo(f"Stopped, for {count} customers. `tollkeeper plan resume {plan}` lets it go on.")


@app.command()
def resume(plan: Plan, by: By) -> None:
    """Let a plan go on: what this switch stopped, and nothing that stands still for another reason.

    Example: tollkeeper plan resume pro --by me@example.org
    """
    start()
    from tollkeeper.flows import plan_stop

    typer.echo(f"It goes on, for {plan_stop.resume(plan, actor=find_operator(by))} customers.")
