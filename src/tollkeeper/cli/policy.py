"""``tollkeeper policy``: versions of the privacy policy, their announcement and start, their texts."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from tollkeeper.cli.django import start
from tollkeeper.core.refusal import Refused

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)

Number = Annotated[int, typer.Argument(help="The number of a version.")]


@app.callback()
def policy() -> None:
    """Versions of the privacy policy."""


@app.command()
def status(as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False) -> None:
    """List the versions: state, dates, why they are material, and what stands against their start.

    Example: tollkeeper policy status
    """
    start()
    from django.utils import timezone

    from tollkeeper.privacy import policy_queries, policy_store

    rows = []
    for version in policy_queries.list_all():
        counts = policy_queries.notice_counts(version.number)
        waits = version.state in ("draft", "announced")
        rows.append(
            {
                "number": version.number,
                "state": version.state,
                "material": version.material,
                "reasons": list(version.reasons),
                "effective_on": str(version.effective_on or ""),
                "activated_at": str(version.activated_at or ""),
                "notices": {"due": counts.due, "sent": counts.sent, "bounced": counts.bounced},
                "blockers": list(policy_store.blockers(version.number, timezone.now())) if waits else [],
                "sha256": version.body_hash,
            }
        )
    if as_json:
        typer.echo(json.dumps({"ok": bool(rows), "versions": rows}))
        return
    for row in rows:
        reasons = ", ".join(map(str, row["reasons"])) if isinstance(row["reasons"], list) else ""
        typer.echo(f"{row['number']:>4}  {row['state']:<11} {str(row['activated_at'])[:10]:<11} {reasons}")
        for blocker in row["blockers"] if isinstance(row["blockers"], list) else ():
            typer.echo(f"      {blocker}")


@app.command()
def announce(number: Number) -> None:
    """Announce a version with a material change: mails and notes in the console go out, its day is set.

    Example: tollkeeper policy announce 2
    """
    start()
    from tollkeeper.core.states import IllegalStep
    from tollkeeper.flows import policy_change
    from tollkeeper.privacy import policy_queries

    try:
        policy_change.announce(_known(number))
    except IllegalStep as refusal:
        raise Refused(f"version {number} cannot be announced: {refusal}") from None
    version = policy_queries.get_version(number)
    counts = policy_queries.notice_counts(number)
    typer.echo(f"Version {number} starts on {version.effective_on}; {counts.due} people are told.")


@app.command()
def activate(number: Number) -> None:
    """Start a version now, if nothing stands against it; announced ones start by themselves on their day.

    Example: tollkeeper policy activate 2
    """
    start()
    from django.utils import timezone

    from tollkeeper.core.states import IllegalStep
    from tollkeeper.privacy import policy_store

    try:
        policy_store.activate(_known(number), timezone.now())
    except policy_store.Blocked as refusal:
        raise Refused(f"version {number} cannot start: {refusal}") from None
    except IllegalStep as refusal:
        raise Refused(f"version {number} cannot start: {refusal}") from None
    typer.echo(f"Version {number} is in force.")


@app.command()
def show(
    what: Annotated[str, typer.Argument(help="page, record or california")] = "page",
    language: Annotated[str, typer.Option(help="en or zh")] = "en",
) -> None:
    """Print a text of the version in force as Markdown: the page, or the record of Art. 30 GDPR.

    Example: tollkeeper policy show record
    """
    start()
    from django.utils import timezone

    from tollkeeper.privacy import policy_queries
    from tollkeeper.privacy.rendering import markdown
    from tollkeeper.privacy.rendering.california import render_california
    from tollkeeper.privacy.rendering.record import render_record

    version = policy_queries.find_current()
    if version is None:
        raise Refused("no version of the policy is in force; run `tollkeeper migrate`")
    if language not in version.policy.policy.languages:
        raise Refused(f"the policy has no language {language!r}")
    if what == "page":
        made = version.page(language)
    elif what == "record":
        made = render_record(version.policy, language, timezone.now().date())
    elif what == "california":
        made = render_california(version.policy, language)
    else:
        raise Refused(f"there is no text {what!r}; there are page, record and california")
    typer.echo(markdown.render(made), nl=False)


def _known(number: int) -> int:
    from tollkeeper.privacy import policy_queries

    if number not in {version.number for version in policy_queries.list_all()}:
        raise Refused(f"there is no version {number} of the policy; see `tollkeeper policy status`")
    return number
