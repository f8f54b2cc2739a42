"""The way of a request from receipt to answer: each step one function, guarded, noted, with its clock."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable
from dataclasses import dataclass

from django.db import transaction
from django.utils import timezone

from tollkeeper.core import identity, states
from tollkeeper.core.cards import strike_cards
from tollkeeper.core.refusal import Refused
from tollkeeper.kit import audit
from tollkeeper.privacy import policy_queries, requests
from tollkeeper.privacy.models import Request

REFUSALS = (
    "not_identified",
    "unfounded",
    "excessive",
    "others_rights",
    "legal_duty",
    "legal_claims",
    "not_our_data",
)
"""Grounds that a law knows (Art. 12(2), 12(5), 15(4), 17(3)(b), (e); 11 CCR §7024, §7022(f))."""
LEVELS = (
    "nothing",
    "control of the address",
    "to sign in, or a fact of the account",
    "a fact of the account, or a call back",
)
"""What each level of ``core.identity`` asks for, in a sentence of ours."""
EXTENSIONS = ("complex", "many_requests")
"""Art. 12(3): complexity or number, nothing else."""


@dataclass(frozen=True, slots=True)
class Remedy:
    """What every refusal and extension tells: who may be asked to look at it again."""

    ground: str
    authority: str
    url: str
    courts: str


def _take(
    number: str, event: str, actor: uuid.UUID | None, change: Callable[[Request], None], note: str = ""
) -> None:
    with transaction.atomic():
        row = Request.objects.select_for_update().filter(number=number).first()
        if row is None:
            raise Refused(f"there is no request {number}")
        try:
            row.state = states.step(states.REQUEST, row.state, event)
        except states.IllegalStep:
            raise Refused(f"{number} is {row.state}: it cannot {event.replace('_', ' ')} now") from None
        change(row)
        row.save()
        who = audit.person(actor) or "system"
        audit.record(f"request.{event}", actor=who, object=f"privacy.Request:{number}", note=note)


def acknowledge(number: str, actor: uuid.UUID | None = None) -> None:
    """Note that receipt was confirmed. Raises ``Refused``."""
    _take(number, "acknowledge", actor, lambda row: setattr(row, "acknowledged_at", timezone.now()))


def ask_who(number: str, actor: uuid.UUID | None = None, *, doubt: bool = True) -> None:
    """Wait until the person shows who they are, without any document.

    With reasonable ``doubt`` the GDPR's clock stands meanwhile; the step that everybody takes
    stops no clock.
    """

    def change(row: Request) -> None:
        row.paused_at = timezone.now() if doubt else None

    _take(number, "ask", actor, change)


def show(number: str, way: str, *, subject: uuid.UUID | None = None, actor: uuid.UUID | None = None) -> bool:
    """The person showed who they are in one of ``identity.WAYS``; whether that is enough.

    ``subject`` is who they turned out to be. With enough shown the clock goes on; the day never
    comes earlier by it. Raises ``Refused``.
    """
    if way not in identity.WAYS:
        raise Refused(f"who somebody is can be shown by {', '.join(filter(None, identity.WAYS))}")
    with transaction.atomic():
        row = _locked(number)
        if states.REQUEST.table.get(row.state) in (None, {}):
            raise Refused(f"{number} is {row.state}: it is over")
        row.level, row.shown_by = identity.reached(row.level, way), way
        if subject is not None:
            row.subject_id = subject
        row.save()
        who = audit.person(actor) or "system"
        audit.record("request.shown", actor=who, object=f"privacy.Request:{number}", note=way)
        enough = row.level >= row.needs
        if enough and row.state == "verifying":
            _go_on(number, actor)
    return enough


def wrong_fact(number: str) -> int:
    """Count a fact that was wrong; how many tries are left. Then only a person of ours goes on."""
    with transaction.atomic():
        row = _locked(number)
        row.tries += 1
        if row.tries >= identity.TRIES:
            row.needs = max(row.needs, identity.EVIDENCE)
        row.save()
        audit.record("request.wrong_fact", object=f"privacy.Request:{number}", note=str(row.tries))
    return max(0, identity.TRIES - row.tries)


def tries_left(number: str) -> int:
    """How many facts may still be given."""
    return max(0, identity.TRIES - _found(number).tries)


def _found(number: str) -> Request:
    row = Request.objects.filter(number=number).first()
    if row is None:
        raise Refused(f"there is no request {number}")
    return row


def _locked(number: str) -> Request:
    row = Request.objects.select_for_update().filter(number=number).first()
    if row is None:
        raise Refused(f"there is no request {number}")
    return row


def _go_on(number: str, actor: uuid.UUID | None) -> None:
    """Enough was shown: the clock goes on. The day never comes earlier by it."""

    def change(row: Request) -> None:
        if row.paused_at is not None:
            row.paused_days += (timezone.now() - row.paused_at).days
        row.paused_at = None
        row.due_on = requests.clock_of(
            row.kind, row.regime, row.received_at.date(), row.paused_days
        ).answer_on

    _take(number, "show", actor, change)


def extend(number: str, ground: str, actor: uuid.UUID | None = None) -> Remedy:
    """Take the longer time, before the first is over; what the person must be told."""
    if ground not in EXTENSIONS:
        raise Refused(f"an extension needs one of these grounds: {', '.join(EXTENSIONS)}")

    def change(row: Request) -> None:
        clock = requests.clock_of(row.kind, row.regime, row.received_at.date(), row.paused_days)
        if clock.extended_on is None:
            raise Refused("no law extends the time for this kind of request")
        if row.due_on is not None and row.due_on < timezone.now().date():
            raise Refused("the time is over: it cannot be extended any more")
        row.ground, row.extended_on, row.due_on = ground, clock.extended_on, clock.extended_on

    _take(number, "extend", actor, change, ground)
    return remedy(ground)


def refuse(number: str, ground: str, actor: uuid.UUID | None = None) -> Remedy:
    """Refuse with a ground that a law knows; what the person must be told. Raises ``Refused``."""
    if ground not in REFUSALS:
        raise Refused(f"a refusal needs one of these grounds: {', '.join(REFUSALS)}")

    def change(row: Request) -> None:
        row.ground, row.answered_at = ground, timezone.now()

    _take(number, "refuse", actor, change, ground)
    return remedy(ground)


def finish(number: str, *, partly: bool = False, actor: uuid.UUID | None = None, reply: str = "") -> None:
    """The answer goes out; ``reply`` is what is written in it. Raises ``Refused``, also while
    the writer has not shown enough of who they are."""

    def change(row: Request) -> None:
        if row.level < row.needs:
            raise Refused(f"{number} cannot be answered yet; it needs {LEVELS[row.needs]}")
        row.answered_at, row.reply = timezone.now(), strike_cards(reply.strip()) or row.reply

    _take(number, "fulfil_partly" if partly else "fulfil", actor, change)


def withdraw(number: str, actor: uuid.UUID | None = None) -> None:
    """Its writer, or their agent, takes it back. Raises ``Refused``."""
    _take(number, "withdraw", actor, lambda row: setattr(row, "answered_at", timezone.now()))


def lapse(now: dt.datetime, days: int = 90) -> int:
    """End requests whose writers never showed who they are; how many."""
    late = Request.objects.filter(state="verifying", paused_at__lt=now - dt.timedelta(days=days))
    numbers = list(late.values_list("number", flat=True))
    for number in numbers:
        _take(number, "lapse", None, lambda row: setattr(row, "answered_at", now))
    return len(numbers)


def remedy(ground: str) -> Remedy:
    """The authority and the courts, from the policy."""
    authority = policy_queries.get_current().policy.authority
    return Remedy(ground, authority.name, str(authority.url), authority.others.en)
