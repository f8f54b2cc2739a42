"""``tollkeeper rights``: restrictions, hold orders and cases of authorities, for operators."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Annotated

import typer

from tollkeeper.cli.django import start
from tollkeeper.cli.person import Subject, find, find_operator
from tollkeeper.core.refusal import Refused

app = typer.Typer(help="Look after people's rights.", no_args_is_help=True, rich_markup_mode=None)
By = Annotated[str, typer.Option("--by", help="Address or id of the operator who decides.")]
Day = Annotated[str, typer.Option(help="A day, as in 2027-03-31.")]


def _day(text: str) -> dt.date | None:
    try:
        return dt.date.fromisoformat(text) if text else None
    except ValueError:
        raise Refused(f"{text!r} is no day; write it as in 2027-03-31") from None


@app.command("list")
def show() -> None:
    """What waits: breaches, requests, reports of children, cases, holds.

    Example: tollkeeper rights list
    """
    start()
    from tollkeeper.privacy import authorities, breaches, holds, minors, requests

    for row in breaches.unfinished():
        due = f"due {row.authority_due_at:%Y-%m-%d %H:%M}" if row.authority_waits else "to be closed"
        typer.echo(f"{row.number}  breach       {row.risk or 'not judged':<12} {due}")
    for asked in requests.open_requests():
        typer.echo(f"{asked.number}  {asked.kind:<12} {asked.state:<12} due {asked.due_on or '-'}")
    for report in minors.waiting():
        typer.echo(f"{report.number}  child        {report.state:<12} due {report.decide_by:%Y-%m-%d %H:%M}")
    for case in authorities.waiting():
        typer.echo(f"{case.number}  authority    {case.state:<12} due {case.due_on or '-'}")
    for order in holds.list_holds():
        typer.echo(f"{order.number}  hold         {order.record_set:<12} look again {order.review_on}")


@app.command()
def restrict(
    subject: Subject,
    keep_service: Annotated[bool, typer.Option(help="The person wants their keys to go on working.")] = False,
) -> None:
    """Only store a person's data from now on.

    Example: tollkeeper rights restrict ada@example.org
    """
    start()
    from tollkeeper.flows import restriction

    restriction.restrict(find(subject), keep_service=keep_service)
    typer.echo("Restricted; `tollkeeper rights lift` tells the person, then ends it.")


@app.command()
def lift(subject: Subject) -> None:
    """Tell the person that their restriction ends, then end it (Art. 18(3) GDPR).

    Example: tollkeeper rights lift ada@example.org
    """
    start()
    from tollkeeper.flows import restriction

    restriction.tell_and_lift(find(subject))
    typer.echo("The person was told, and the restriction is lifted.")


@app.command()
def hold(
    subject: Subject,
    record_set: Annotated[str, typer.Argument(help="orders, calls, support, account or requests.")],
    by: By,
    ground: Annotated[str, typer.Option(help="claim, preservation, tax_audit, request or crime.")],
    review_on: Day,
    authority: Annotated[str, typer.Option(help="Who asked for it, where the ground needs one.")] = "",
) -> None:
    """Keep a record set of a person from erasure and from running out.

    Example: tollkeeper rights hold ada@example.org orders --ground claim --review-on 2027-03-31 --by me
    """
    start()
    from tollkeeper.privacy import holds

    day = _day(review_on)
    number = holds.hold(
        find(subject), record_set, ground=ground, reviewer=find_operator(by), authority=authority,
        review_on=day or dt.date.min,
    )  # fmt: skip
    typer.echo(f"Hold order {number}.")


@app.command()
def release(number: Annotated[str, typer.Argument(help="The number of the order.")], by: By) -> None:
    """Release a hold; an erasure that waited for it goes on.

    Example: tollkeeper rights release H-12AB34CD --by me@example.org
    """
    start()
    from tollkeeper.flows import erasure

    erasure.release_hold(number, find_operator(by))
    typer.echo("Released.")


@app.command()
def demand(  # noqa: PLR0913 - the facts of a demand
    subject: Subject,
    record_sets: Annotated[list[str], typer.Argument(help="The scope: orders, calls, support, …")],
    by: By,
    authority: Annotated[str, typer.Option(help="Its name.")],
    country: Annotated[str, typer.Option(help="Two letters.")],
    ground: Annotated[str, typer.Option(help="The law it relies on.")],
    preserve: Annotated[bool, typer.Option(help="Only keep the data; nothing is given out.")] = False,
    due_on: Day = "",
    gag_until: Day = "",
) -> None:
    """Enter an authority's demand. A second person must check it before anything is given out.

    Example: tollkeeper rights demand cus_1 orders --authority "A court" --country DE --ground "§ 1" --by me
    """
    start()
    from tollkeeper.privacy import authorities

    number = authorities.open_case(
        find(subject), authority=authority, country=country, ground=ground,
        kind="preserve" if preserve else "data", record_sets=tuple(record_sets), opened_by=find_operator(by),
        due_on=_day(due_on), gag_until=_day(gag_until),
    )  # fmt: skip
    typer.echo(f"Case {number}; another operator checks it with `tollkeeper rights check {number}`.")


@app.command()
def audit(
    year: Annotated[int, typer.Argument(help="The fiscal year that is asked for.")],
    by: By,
    authority: Annotated[str, typer.Option(help="The tax office.")],
    country: Annotated[str, typer.Option(help="Two letters.")],
    ground: Annotated[str, typer.Option(help="The law or order it relies on.")],
    due_on: Day = "",
) -> None:
    """Enter a tax audit of a fiscal year: its invoices do not run out, and may be read once checked.

    Example: tollkeeper rights audit 2025 --authority Revenue --country IE --ground "TCA s. 886" --by me
    """
    start()
    from tollkeeper.privacy import authorities

    number = authorities.open_case(
        None, authority=authority, country=country, ground=ground, kind="books", record_sets=(),
        opened_by=find_operator(by), due_on=_day(due_on), year=year,
    )  # fmt: skip
    typer.echo(f"Case {number}; another operator checks it with `tollkeeper rights check {number}`.")


@app.command()
def check(
    number: Annotated[str, typer.Argument(help="The number of the case.")],
    by: By,
    form: Annotated[bool, typer.Option(help="It is signed, dated and addressed to us.")] = False,
    jurisdiction: Annotated[bool, typer.Option(help="This authority may demand it from us.")] = False,
    treaty: Annotated[bool, typer.Option(help="It is of our country, or a treaty covers it.")] = False,
) -> None:
    """The second person's look at a demand.

    Example: tollkeeper rights check A-12AB34CD --form --jurisdiction --treaty --by you@example.org
    """
    start()
    from tollkeeper.flows import authorities as flow

    flow.check(number, find_operator(by), form=form, jurisdiction=jurisdiction, treaty=treaty)
    typer.echo(f"Checked; `tollkeeper rights give {number}` writes the data.")


@app.command()
def refuse(number: Annotated[str, typer.Argument(help="The number of the case.")], by: By) -> None:
    """Give an authority nothing.

    Example: tollkeeper rights refuse A-12AB34CD --by me@example.org
    """
    start()
    from tollkeeper.privacy import authorities

    authorities.refuse(number, find_operator(by))
    typer.echo("Refused.")


@app.command()
def give(
    number: Annotated[str, typer.Argument(help="The number of the case.")],
    by: By,
    out: Annotated[str, typer.Option(help="The file to write; it must not exist.")] = "",
) -> None:
    """Write the data of a checked case, no table beyond its scope; the person is told by mail.

    An audit of the books gives a zip of the fiscal year's documents, for thirty days.

    Example: tollkeeper rights give A-12AB34CD --out case.json --by me@example.org
    """
    start()
    from tollkeeper.flows import authorities as flow
    from tollkeeper.privacy import authorities

    case = authorities.find_case(number)
    suffix = "zip" if case is not None and case.kind == "books" else "json"
    target = Path(out or f"{number}.{suffix}")
    try:
        given = flow.give(number, find_operator(by), target)
    except OSError as error:
        raise Refused(f"{target} cannot be written: {error.strerror}") from None
    typer.echo(f"{given} rows are in {target}. Delete it once the authority has it.")


@app.command("read-mail")
def read_mail(
    mailbox: Annotated[str, typer.Option(help="imaps://… or maildir:/path; else TOLLKEEPER_MAILBOX.")] = "",
) -> None:
    """Take in what people wrote to the shop's mailbox; the worker does so every minute.

    Example: tollkeeper rights read-mail --mailbox maildir:/var/mail/privacy
    """
    start()
    from django.conf import settings

    from tollkeeper.flows import mail_intake
    from tollkeeper.kit import egress, egress_mailbox

    url = mailbox or settings.ENV.mailbox_url
    if not url:
        raise Refused("there is no mailbox; name one with --mailbox or in TOLLKEEPER_MAILBOX")
    try:
        done = mail_intake.read(url)
    except (egress_mailbox.CannotRead, egress.Refused) as no:
        raise Refused(str(no)) from None
    typer.echo(", ".join(f"{word}: {count}" for word, count in sorted(done.items())) or "nothing new")


@app.command()
def correct(
    subject: Subject,
    email: Annotated[str, typer.Option(help="The right address; make sure whose it is.")] = "",
    nickname: Annotated[str, typer.Option(help="The right nickname.")] = "",
) -> None:
    """Correct what a person cannot reach themselves, and tell those who received it.

    Example: tollkeeper rights correct cus_1 --email ada@example.org
    """
    start()
    from tollkeeper.flows import correcting

    if not email and not nickname:
        raise Refused("say what is right: --email, --nickname")
    told = correcting.correct(find(subject), email=email, nickname=nickname or None)
    typer.echo(f"Corrected; {len(told)} recipients are to be told.")
