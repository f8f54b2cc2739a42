"""``tollkeeper breach``: the register of breaches, its clock, and who was concerned."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Annotated

import typer

from tollkeeper.cli.django import start
from tollkeeper.cli.person import find_operator
from tollkeeper.core.refusal import Refused

app = typer.Typer(help="Breaches of personal data.", no_args_is_help=True, rich_markup_mode=None)
By = Annotated[str, typer.Option("--by", help="Address or id of the operator who decides.")]
Number = Annotated[str, typer.Argument(help="The number of the breach, as in B-12AB34CD.")]
Sets = Annotated[list[str] | None, typer.Argument(help="orders, calls, support, account or requests.")]
When = Annotated[str, typer.Option(help="A moment in UTC, as in 2026-11-23T08:00, or a day.")]


def _moment(text: str) -> dt.datetime | None:
    try:
        at = dt.datetime.fromisoformat(text) if text else None
    except ValueError:
        raise Refused(f"{text!r} is no moment; write it as in 2026-11-23T08:00") from None
    return at.replace(tzinfo=dt.UTC) if at is not None and at.tzinfo is None else at


@app.command("list")
def show() -> None:
    """The register, newest first, with the clock of each entry.

    Example: tollkeeper breach list
    """
    start()
    from django.utils import timezone

    from tollkeeper.privacy import breaches

    now = timezone.now()
    for row in breaches.list_breaches():
        if row.closed_at:
            state = "closed"
        elif row.authority_waits:
            left = (row.authority_due_at - now).total_seconds() / 3600
            state = f"authority in {left:.0f} h" if left > 0 else f"authority OVERDUE by {-left:.0f} h"
        else:
            state = "open"
        noticed = f"{row.noticed_at:%Y-%m-%d %H:%M}"
        typer.echo(
            f"{row.number}  {noticed}  {row.kind:<12} {row.risk or '-':<9} {row.affected} people  {state}"
        )


@app.command("open")
def open_(
    kind: Annotated[str, typer.Argument(help="seen, gone, changed, unavailable or drill.")],
    by: By,
    record_sets: Sets = None,
    facts: Annotated[str, typer.Option(help="What happened, without names or addresses.")] = "",
    noticed: When = "",
    rows_from: When = "",
    rows_until: When = "",
) -> None:
    """Enter a breach: its 72 hours run, and whoever was concerned is listed.

    Example: tollkeeper breach open seen calls --facts "A log was public." --by me@example.org
    """
    start()
    from tollkeeper.flows import breach
    from tollkeeper.privacy import breaches

    number = breach.notice(
        kind, actor=find_operator(by), facts=facts, scope=tuple(record_sets or ()),
        rows_from=_moment(rows_from), rows_until=_moment(rows_until), noticed_at=_moment(noticed),
    )  # fmt: skip
    row = breaches.find_breach(number)
    assert row is not None
    typer.echo(f"Breach {number}: {row.affected} people concerned; tell the authority by")
    typer.echo(f"{row.authority_due_at:%Y-%m-%d %H:%M} UTC. Next: `tollkeeper breach judge {number}`.")


@app.command()
def who(
    record_sets: Annotated[list[str], typer.Argument(help="orders, calls, support, account or requests.")],
    by: By,
    rows_from: When = "",
    rows_until: When = "",
    as_json: Annotated[bool, typer.Option("--json", help="One object, with customer numbers.")] = False,
) -> None:
    """Who was concerned, asked of the tables now: how many people, and their customer numbers.

    Example: tollkeeper breach who calls --rows-from 2026-11-22 --rows-until 2026-11-23 --by me@example.org
    """
    start()
    from tollkeeper.flows import breach

    found = breach.who(tuple(record_sets), _moment(rows_from), _moment(rows_until), actor=find_operator(by))
    if as_json:
        typer.echo(json.dumps(found))
        return
    for name, part in found["record_sets"].items():
        typer.echo(f"{name:<10} {part['people']} people, {part['rows']} rows: {', '.join(part['kinds'])}")
    typer.echo(f"{found['people']} people together; --json names their customer numbers")


@app.command()
def judge(
    number: Number,
    risk: Annotated[str, typer.Argument(help="unlikely, risk or high.")],
    by: By,
    facts: Annotated[str, typer.Option(help="What is known now; added to what was.")] = "",
    words: Annotated[str, typer.Option(help="What the people concerned are written.")] = "",
) -> None:
    """Say how grave it is: unlikely to harm anybody, a risk (the authority), or high (people too).

    Example: tollkeeper breach judge B-12AB34CD high --words "…" --by me@example.org
    """
    start()
    from tollkeeper.privacy import breaches

    breaches.judge(number, risk, facts=facts, words=words, actor=find_operator(by))
    typer.echo("Noted.")


@app.command()
def draft(
    number: Number, out: Annotated[str, typer.Option(help="The file to write; else it is printed.")] = ""
) -> None:
    """What the authority wants to know (Art. 33(3) GDPR), as far as it is known here.

    Example: tollkeeper breach draft B-12AB34CD --out notification.md
    """
    start()
    from tollkeeper.flows import breach

    text = breach.draft(number)
    if out:
        Path(out).write_text(text)
    typer.echo(f"Written to {out}." if out else text)


@app.command()
def told(number: Number, by: By) -> None:
    """Note that the authority was told.

    Example: tollkeeper breach told B-12AB34CD --by me@example.org
    """
    start()
    from tollkeeper.privacy import breaches

    breaches.note_step(number, "authority_told", find_operator(by))
    typer.echo("Noted: the clock stands.")


@app.command("tell-people")
def tell_people(number: Number, by: By) -> None:
    """Write to everybody concerned (Art. 34 GDPR); the worker sends the letters.

    Example: tollkeeper breach tell-people B-12AB34CD --by me@example.org
    """
    start()
    from tollkeeper.flows import breach

    typer.echo(f"{breach.tell_people(number, find_operator(by))} people are written to.")


@app.command()
def close(number: Number, by: By) -> None:
    """Close an entry, once everybody who must be told was told.

    Example: tollkeeper breach close B-12AB34CD --by me@example.org
    """
    start()
    from tollkeeper.privacy import breaches

    breaches.note_step(number, "closed", find_operator(by))
    typer.echo("Closed; it stays in the register.")
