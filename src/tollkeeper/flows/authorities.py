"""Demands of authorities: the second look, what is given out, and the person told when they may be."""

from __future__ import annotations

import json
import uuid
from pathlib import Path

from django.db import transaction
from django.utils import timezone

from tollkeeper.accounts import queries as accounts
from tollkeeper.accounts import services as account_verbs
from tollkeeper.core.refusal import Refused
from tollkeeper.flows import statutory
from tollkeeper.kit import egress
from tollkeeper.kit.jobs import Context, enqueue, job, schedule
from tollkeeper.kit.purposes import OWN, serving
from tollkeeper.privacy import authorities

RECIPIENT = "authorities"
"""The recipient of the policy under which a person sees that an authority got data."""


def check(number: str, actor: uuid.UUID, *, form: bool, jurisdiction: bool, treaty: bool) -> None:
    """The second person's look; in a shop of one operator the first may do it, and the trail says so.

    Raises ``Refused``.
    """
    alone = accounts.is_only_operator(actor)
    authorities.check(number, actor, form=form, jurisdiction=jurisdiction, treaty=treaty, alone=alone)


def give(number: str, actor: uuid.UUID, target: Path) -> int:
    """Write what a checked case may have into a new file, and have the person told; how many rows.

    Data of a person goes as JSON, a fiscal year as a zip (again within thirty days). Raises
    ``Refused``, ``OSError``.
    """
    case = authorities.find_case(number)
    if case is None:
        raise Refused(f"there is no case {number}")
    target.touch(mode=0o600, exist_ok=False)
    try:
        if case.kind == "books":
            if case.state != "released":
                authorities.release(number, actor)
            return statutory.write_books(number, actor, target)
        with serving(OWN), transaction.atomic():
            parts = authorities.release(number, actor)
            made = {part.label: list(part.rows) for part in parts}
            target.write_text(json.dumps(made, indent=1, default=str) + "\n")
            enqueue("tell_of_authority", f"authority:{number}", number=number)
        return sum(map(len, made.values()))
    except BaseException:
        target.unlink()
        raise


@job("tell_of_authority", purpose="notice")
def tell_of_authority(context: Context, number: str) -> None:
    """Write to the person at once, unless a gag forbids it for now."""
    for waiting, subject in authorities.to_be_told(timezone.now().date()):
        if waiting == number:
            context.call(number, _tell, number, subject)


@schedule("tell_of_authorities", every_s=6 * 3600, purpose="notice")
def tell_of_authorities(context: Context) -> None:
    """Write to everybody whose data was given out and who may know: a gag has ended."""
    authorities.end_of_the_erased(timezone.now())
    for number, subject in authorities.to_be_told(timezone.now().date()):
        context.call(number, _tell, number, subject)


def _tell(number: str, subject: uuid.UUID) -> str:
    customer = accounts.customer_of(subject)
    sent = customer is not None and account_verbs.write_to(customer, "authority_notice", {"number": number})
    case = authorities.find_case(number)
    with transaction.atomic():
        if case is not None and case.decided_at is not None:  # now they may know, their own list says it too
            tables, kinds = authorities.scope_of(number)
            egress.note_disclosure(
                RECIPIENT, "legal", subject, at=case.decided_at, fields=tables, categories=kinds
            )
        authorities.note_told(number, reached=bool(sent))
    return "sent" if sent else "nobody"
