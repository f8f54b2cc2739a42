"""Agents who act for a person: their permission, what it covers and until when, and the person's own yes."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from tollkeeper.core.refusal import Refused
from tollkeeper.kit import audit
from tollkeeper.privacy.models import Mandate, Request

MAX_DAYS = 366


@dataclass(frozen=True, slots=True)
class MandateRow:
    """An agent's mandate."""

    number: str
    agent: str
    scope: tuple[str, ...]
    expires_at: dt.datetime
    confirmed_at: dt.datetime | None
    revoked_at: dt.datetime | None
    callback: str
    told_state: str
    own_id: str


def give(
    number: str,
    *,
    agent: str,
    scope: tuple[str, ...],
    expires_at: dt.datetime,
    reference: str = "",
    callback: str = "",
    own_id: str = "",
) -> None:
    """Note that an agent made a request under a permission. Raises ``Refused``.

    The permission must cover the kind of the request and not be over; the person still confirms it.
    """
    now = timezone.now()
    row = Request.objects.get(number=number)
    if row.kind not in scope:
        raise Refused(f"the permission covers {', '.join(scope) or 'nothing'}, not {row.kind}")
    if expires_at <= now:
        raise Refused("the permission is over")
    Mandate.objects.create(
        request=row,
        agent=agent,
        scope=",".join(scope)[:120],
        expires_at=min(expires_at, now + dt.timedelta(days=MAX_DAYS)),
        reference=reference,
        callback=callback,
        own_id=own_id,
    )
    audit.record("mandate.given", object=f"privacy.Request:{number}", note=f"agent:{agent}")


def confirm(number: str) -> None:
    """The person says that the agent acts for them. Raises ``Refused`` once it is over."""
    with transaction.atomic():
        row = Mandate.objects.select_for_update().filter(request__number=number).first()
        if row is None or row.revoked_at is not None or row.expires_at <= timezone.now():
            raise Refused(_("There is no permission any more that could be confirmed."))
        if row.confirmed_at is None:
            row.confirmed_at = timezone.now()
            row.save(update_fields=["confirmed_at"])
            audit.record("mandate.confirmed", object=f"privacy.Request:{number}")


def revoke(number: str) -> bool:
    """The person, or the agent, takes the permission back; False if there was none."""
    done = Mandate.objects.filter(request__number=number, revoked_at__isnull=True).update(
        revoked_at=timezone.now()
    )
    if done:
        audit.record("mandate.revoked", object=f"privacy.Request:{number}")
    return bool(done)


def settled(number: str) -> bool:
    """Whether a request may go on as far as agents go: none, or one whose person said yes in time."""
    row = Mandate.objects.filter(request__number=number).first()
    return row is None or (row.confirmed_at is not None and row.revoked_at is None)


def agent_of(number: str) -> str:
    """The agent who made a request, or an empty text."""
    return Mandate.objects.filter(request__number=number).values_list("agent", flat=True).first() or ""


def find_mandate(number: str) -> MandateRow | None:
    """The mandate under which a request was made."""
    row = Mandate.objects.select_related("request").filter(request__number=number).first()
    return None if row is None else _row(row)


def find_by_reference(agent: str, reference: str) -> str | None:
    """The number of the request that a message of an agent already became."""
    found = Mandate.objects.filter(agent=agent, reference=reference)
    return found.values_list("request__number", flat=True).first()


def to_be_told(now: dt.datetime) -> list[MandateRow]:
    """Mandates whose agent wants to be told of changes, as long as they last and a month longer."""
    last = now - dt.timedelta(days=30)
    rows = Mandate.objects.select_related("request").filter(expires_at__gt=last).exclude(callback="")
    return [_row(row) for row in rows]


def note_told(number: str, state: str) -> None:
    """The agent's program was told this status."""
    Mandate.objects.filter(request__number=number).update(told_state=state)


def _row(row: Mandate) -> MandateRow:
    return MandateRow(
        row.request.number,
        row.agent,
        tuple(row.scope.split(",")),
        row.expires_at,
        row.confirmed_at,
        row.revoked_at,
        row.callback,
        row.told_state,
        row.own_id,
    )
