"""``tollkeeper shop check``: reads a shop's files and names every mistake at once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from tollkeeper.catalog import publish
from tollkeeper.catalog.mistakes import BadShop, Mistake
from tollkeeper.catalog.schema import ShopFile
from tollkeeper.catalog.shopfile import read_shop
from tollkeeper.config.environment import repository
from tollkeeper.core import money
from tollkeeper.core.policy import BadPolicy, read_policy

app = typer.Typer(help="Look after the shop's files.", no_args_is_help=True)


@app.command()
def check(
    shop: Annotated[str, typer.Argument(help="A shop's folder, or the name of one under shops/.")] = "twtapi",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Check a shop's files: prints what is sold, or every mistake with its line.

    Example: tollkeeper shop check shops/twtapi
    """
    folder = Path(shop)
    if "/" not in shop and not folder.is_dir():
        folder = repository() / "shops" / shop
    policy = _policy_mistakes(folder)
    try:
        file = read_shop(folder)
        if policy:
            raise BadShop(policy)
    except BadShop as bad:
        _print_mistakes(BadShop([*bad.mistakes, *(m for m in policy if m not in bad.mistakes)]), as_json)
        raise typer.Exit(1) from None
    if as_json:
        typer.echo(json.dumps({"ok": True, "shop": file.name, "plans": list(file.plans), "mistakes": []}))
    else:
        _print_shop(file)


def _policy_mistakes(folder: Path) -> list[Mistake]:
    """What is wrong in the shop's ``policy.toml``."""
    path = folder / "policy.toml"
    if not path.is_file():
        return [Mistake("policy.toml", "", None, "is missing", "copy the one of a shop that works")]
    try:
        read_policy(path.read_text(encoding="utf-8"))
    except BadPolicy as bad:
        return [Mistake("policy.toml", one.path, one.line, one.text, "") for one in bad.mistakes]
    return []


def _print_mistakes(bad: BadShop, as_json: bool) -> None:
    if as_json:
        rows = [{name: getattr(m, name) for name in Mistake.__slots__} for m in bad.mistakes]
        typer.echo(json.dumps({"ok": False, "mistakes": rows}, ensure_ascii=False))
        return
    for mistake in bad.mistakes:
        typer.echo(str(mistake))
    typer.echo(f"\n{len(bad.mistakes)} to correct; nothing was changed.")


def _print_shop(file: ShopFile) -> None:
    console = Console(highlight=False)
    console.print(f"[bold]{file.brand.name}[/bold] ({file.name}), sold by {file.seller.legal_name}\n")
    plans = Table("plan", "kind", "price", "units", "limits")
    for slug, plan in file.plans.items():
        terms = publish.plan_terms(slug, plan)
        plans.add_row(
            slug,
            terms.kind,
            "\n".join(
                money.show(p.amount_minor, p.currency) + (f" / {p.period}" if p.period else "")
                for p in terms.prices
            ),
            "\n".join(
                f"{g.amount:,} {g.unit}{f' / {plan.period}' if g.per == 'period' else ''}"
                for g in plan.grants
            ),
            "\n".join(f"{limit.amount:,} {limit.unit} / {limit.window} s" for limit in plan.limits),
        )
    routes = Table("route", "call", "cost", "upstream")
    for route in file.routes:
        routes.add_row(route.name, f"{' '.join(route.methods)} {route.path}", str(route.cost), route.upstream)
    console.print(plans, routes)
    console.print("no mistakes")
