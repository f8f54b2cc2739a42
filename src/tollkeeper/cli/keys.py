"""``tollkeeper keys``: rotate the installation's own keys while the shop runs."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from tollkeeper.cli.django import start
from tollkeeper.core.refusal import Refused

app = typer.Typer(help="Rotate the installation's own keys.", no_args_is_help=True)


@app.command()
def status() -> None:
    """What is being rotated, and what it waits for.

    Example: tollkeeper keys status
    """
    start()
    from tollkeeper.kit import rotation

    words = {
        "rest": "one key, nothing going on",
        "begun": "the next key is made and read, the present one writes",
        "used": "the next key writes, the old one is still read",
    }
    for name in rotation.NAMES:
        found = rotation.state(name)
        until = rotation.needed_until(name)
        waits = f"; copies of the keystore need the old one until {until}" if until else ""
        typer.echo(f"{name:<6} {words[found.step]}{waits}")


@app.command()
def rotate(
    name: Annotated[
        str, typer.Argument(help="index (blind marks of addresses) or kek (wraps people's keys).")
    ],
    settle: Annotated[
        float,
        typer.Option(
            help="Seconds until every process sees a changed file; more where `secrets` is copied about."
        ),
    ] = 3.0,
) -> None:
    """Put a new key in the place of the present one, rewrite what it made, and destroy it.

    The shop goes on. If this is interrupted, run it again, or leave it to the worker. Rotating
    the index key signs everybody out.

    Example: tollkeeper keys rotate index
    """
    start()
    from tollkeeper.kit import rotation

    if name not in rotation.NAMES:
        raise Refused(f"there is no key {name!r} to rotate; there are: {', '.join(rotation.NAMES)}")
    rotation.begin(name)
    if rotation.state(name).step == "begun":
        time.sleep(settle)
        rotation.use(name)
        time.sleep(settle)
    done = rotation.rewrite(name)
    typer.echo(
        f"{done.changed} rows are under the new key; {done.blinded} marks of erased people were emptied."
    )
    if done.failed:
        raise Refused(
            f"{done.failed} rows of {name!r} could not be rewritten: damaged, or one value twice;"
            " the old key stays until they are mended"
        )
    if rotation.finish(name):
        typer.echo("The old key is destroyed.")
        return
    until = rotation.needed_until(name)
    if until is None:
        raise Refused("something was written under the old key meanwhile; run this again")
    typer.echo(
        f"Copies of the keystore need the old key; the worker destroys it when they are gone, on {until}."
    )


@app.command()
def rewrite() -> None:
    """Bring every blind mark under the present key: after a backup older than a rotation was restored.

    Example: tollkeeper keys rewrite
    """
    start()
    from tollkeeper.kit import rotation

    done = rotation.rewrite("index")
    typer.echo(f"{done.changed} rows are under the present key.")
    if done.failed:
        raise Refused(f"{done.failed} rows could not be rewritten: damaged, or one value twice")
