"""``tollkeeper tour``: a stranger's whole story, played against what is running."""

from __future__ import annotations

import json
import os
import secrets
import time
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tollkeeper.cli import home
from tollkeeper.cli.errors import one_sentence
from tollkeeper.cli.touring import caller, library
from tollkeeper.cli.touring.browser import Broken, Stuck
from tollkeeper.cli.touring.models import MODEL
from tollkeeper.cli.touring.story import Story
from tollkeeper.cli.touring.tokens import TokenStory
from tollkeeper.core.refusal import Refused


def tour(
    shop: Annotated[str, typer.Option(help="The shop that must be running.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object, nothing else.")] = False,
    home_path: Annotated[
        str, typer.Option("--home", metavar="PATH", help="Where `up` keeps its state.")
    ] = "",
) -> None:
    """Play a customer's story against a running `up`: register, buy, call, hit the limit, get the receipt.

    It acts as a stranger would: only over HTTP and the mail folder. Exit code 0 only if all really happened.

    Example: tollkeeper tour --json
    """
    folder = Path(home_path or os.environ.get("TOLLKEEPER_HOME", "var")).resolve()
    run = home.read_run_file(folder)
    if run is None or not run.get("ready"):
        raise Refused(f"nothing runs on {folder}; start `./tollkeeper up` in another terminal first")
    if shop and shop != run["shop"]:
        raise Refused(f"the running shop is {run['shop']!r}, not {shop!r}; start `./tollkeeper up {shop}`")
    if "checkout" not in run["addresses"]:
        raise Refused("this shop is live: a tour would buy for real money")
    told = _play(run, folder, Console(stderr=True, quiet=as_json, highlight=False))
    if as_json:
        typer.echo(json.dumps(told))
    if not told["ok"]:
        raise typer.Exit(1)


def _play(run: dict[str, Any], folder: Path, console: Console) -> dict[str, Any]:
    addresses = {name: address.rstrip("/") for name, address in run["addresses"].items()}
    try:
        book = caller.price_book(addresses["storefront"])
    except Stuck as stuck:
        raise Refused(str(stuck)) from None

    chats = any(model["model"] == MODEL for model in book["models"])
    kind = partial(TokenStory, book=book, library=library.openai()) if chats else Story
    story = kind(
        site=addresses["storefront"],
        gate=addresses["gate"],
        checkout=addresses["checkout"],
        mail_folder=folder / "mail",
        seed=secrets.randbits(32),
    )
    console.print(f"\n[bold]A customer's story[/bold] at {story.site}\n")
    steps: list[dict[str, Any]] = []
    for name, deed in story.steps:
        began = time.perf_counter()
        with console.status(f"{name} …"):
            ok, detail = _attempt(deed)
        ms = round(1000 * (time.perf_counter() - began), 1)
        steps.append({"step": name, "ok": ok, "ms": ms, "detail": detail})
        mark = "[green]✓[/green]" if ok else "[red]✗[/red]"
        console.print(f"  {mark} {name}: [dim]{escape(detail)}[/dim]", soft_wrap=True)
        if not ok:
            break
    ok = all(step["ok"] for step in steps)
    wall_s = round(time.monotonic() - story.began, 2)
    _table(console, steps, ok, wall_s)
    figures = {name: story.figures.get(name) for name in (_TOKEN_FIGURES if chats else _FIGURES)}
    return {
        "name": "tour",
        "ok": ok,
        "steps": steps,
        "figures": figures,
        "seed": story.seed,
        "wall_s": wall_s,
    }


_FIGURES = ("email", "first_key_s", "first_call_ms", "calls", "charged_units")
_TOKEN_FIGURES = (
    "email",
    "client",
    "first_key_s",
    "calls",
    "tokens",
    "due_units",
    "charged_units",
    "relay_key_s",
    "relay_used_units",
    "relay_left_units",
    "blocked_before_refund",
    "refund_due_minor",
    "refunded_minor",
)


def _attempt(deed: Any) -> tuple[bool, str]:
    try:
        return True, deed()
    except (Stuck, Broken) as error:
        return False, str(error)
    except Exception as error:
        return False, one_sentence(error)


def _table(console: Console, steps: list[dict[str, Any]], ok: bool, wall_s: float) -> None:
    table = Table(box=None, padding=(0, 2), show_header=True, header_style="bold")
    table.add_column("step")
    table.add_column("ms", justify="right")
    table.add_column("")
    for step in steps:
        table.add_row(step["step"], f"{step['ms']:,.0f}", "ok" if step["ok"] else "[red]failed[/red]")
    console.print()
    console.print(table)
    end = "[green]The whole story happened[/green]" if ok else "[red]The story broke off[/red]"
    console.print(f"\n  {end} in {wall_s:.1f} s.\n")
