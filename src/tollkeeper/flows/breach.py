"""A breach of personal data, from the moment somebody notices: clock, list, authority, people, end.

The register and its rules are ``privacy.breaches``; here letters go out: reminders to our own
team while the authority's hours run, and one to each person concerned where the risk is high.
"""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from tollkeeper.accounts import queries as accounts
from tollkeeper.core.refusal import Refused
from tollkeeper.kit import audit, egress, mail
from tollkeeper.kit.jobs import Context, enqueue, job
from tollkeeper.kit.purposes import serving
from tollkeeper.kit.sealed import Closed, ErasedText
from tollkeeper.privacy import breaches, policy_queries

BATCH = 200
_SHARES = {"noticed": 0.0, "half": 0.5, "most": 0.8, "over": 1.0}
"""Reminders to ourselves, by the share of the authority's hours that is gone."""


def notice(
    kind: str,
    *,
    actor: uuid.UUID,
    facts: str = "",
    scope: tuple[str, ...] = (),
    rows_from: dt.datetime | None = None,
    rows_until: dt.datetime | None = None,
    noticed_at: dt.datetime | None = None,
) -> str:
    """Enter a breach, list who was concerned, and start its clock; its number. Raises ``Refused``."""
    with transaction.atomic():
        number = breaches.open_breach(
            kind, facts=facts, scope=scope, rows_from=rows_from, rows_until=rows_until,
            noticed_at=noticed_at, actor=actor,
        )  # fmt: skip
        if scope:
            breaches.list_people(number, actor)
        row = breaches.find_breach(number)
        assert row is not None
        hours = row.authority_due_at - row.noticed_at
        for event, share in _SHARES.items():
            run_at = max(timezone.now(), row.noticed_at + hours * share)
            key = f"breach:{number}:{event}"
            enqueue("mail_breach_reminder", key, run_at=run_at, number=number, event=event)
    return number


def who(
    scope: tuple[str, ...],
    rows_from: dt.datetime | None,
    rows_until: dt.datetime | None,
    *,
    actor: uuid.UUID,
) -> dict[str, Any]:
    """Who was concerned, by customer number; the question is entered into the trail. Raises ``Refused``."""
    audit.record("breach.asked", actor=audit.person(actor), note=",".join(scope))
    parts = breaches.concerned(scope, rows_from, rows_until)
    people = set().union(*(one.people for one in parts))
    return {
        "people": len(people),
        "customers": sorted(accounts.public_ids(people).values()),
        "record_sets": {
            one.record_set: {"people": len(one.people), "rows": one.rows, "kinds": list(one.categories)}
            for one in parts
        },
    }


def tell_people(number: str, actor: uuid.UUID) -> int:
    """Have everybody on the list told, in their language; how many wait. Raises ``Refused``."""
    row = breaches.find_breach(number)
    if row is None or not row.words:
        raise Refused(_("Write first what the people concerned are told."))
    with transaction.atomic():
        breaches.list_people(number, actor)
        waiting = breaches.telling(number)[0]
        if not waiting:
            raise Refused(_("Nobody on the list waits for a letter."))
        enqueue("tell_of_breach", f"breach:{number}:tell:{uuid.uuid4().hex[:12]}", number=number)
    return waiting


@job("tell_of_breach", purpose="notice")
def tell_of_breach(context: Context, number: str) -> None:
    """Write to the people concerned; each is noted as soon as their letter left."""
    row = breaches.find_breach(number)
    while row is not None and (some := breaches.to_be_told(number, BATCH)):
        for notice_id, subject in some:
            breaches.person_told(notice_id, reached=_tell(row, subject))
    if row is not None and row.people_told_at is None and row.closed_at is None:
        breaches.note_step(number, "people_told")


def _tell(row: breaches.BreachRow, subject: uuid.UUID) -> bool:
    with serving("notice"):
        address = accounts.find_email(subject)
    if address is None or isinstance(address, Closed | ErasedText):
        return False
    policy = policy_queries.get_current().policy
    values = {
        "number": row.number,
        "noticed_on": row.noticed_at.date(),
        "words": row.words,
        "contact": policy.contact.email,
        "dpo": policy.dpo.email,
        "authority": policy.authority.name,
        "authority_url": str(policy.authority.url),
    }
    with egress.about(subject=subject, purpose="notice"):
        mail.send("breach_notice", address, values, language=accounts.language_of(subject))
    return True


@job("mail_breach_reminder", purpose="legal")
def mail_breach_reminder(context: Context, number: str, event: str) -> None:
    """Remind the privacy team, as long as the authority waits."""
    row, version = breaches.find_breach(number), policy_queries.find_current()
    if row is None or version is None or not row.authority_waits:
        return
    link = f"{settings.PUBLIC_URL}/desk/privacy/breaches/{number}/"
    values = {"number": number, "event": event, "due_at": row.authority_due_at, "link": link}
    mail.send("breach_reminder", version.policy.contact.email, values)


def draft(number: str) -> str:
    """What Art. 33(3) wants an authority to be told, as Markdown, as far as it is known here.

    Raises ``Refused``.
    """
    row = breaches.find_breach(number)
    if row is None:
        raise Refused(_("There is no breach %s.") % number)
    policy, now = policy_queries.get_current().policy, timezone.now()
    parts = breaches.concerned(row.scope, row.rows_from, row.rows_until)
    people = set().union(*(one.people for one in parts))
    kinds = sorted({one for part in parts for one in part.categories})
    titles = [policy.categories[name].title.en for name in kinds if name in policy.categories]
    contact = (policy.dpo.name or policy.controller.legal_name, policy.dpo.email or policy.contact.email)
    late = now > row.authority_due_at and row.authority_told_at is None
    lines = [
        f"# Notification of a personal data breach, {row.number}",
        f"To: {policy.authority.name}, {', '.join(policy.authority.address)}",
        f"From: {policy.controller.legal_name}, {', '.join(policy.controller.address)}",
        f"Contact: {', '.join(contact)}",
        f"Became aware: {row.noticed_at:%Y-%m-%d %H:%M} UTC. Due: {row.authority_due_at:%Y-%m-%d %H:%M} UTC.",
        f"Nature: {row.kind}. Risk for people: {row.risk or 'not judged yet'}.",
        f"People concerned: {len(people)}. Records concerned: {sum(one.rows for one in parts)}.",
        f"Kinds of data: {', '.join(titles) or 'not known yet'}.",
        "## What happened, likely consequences, measures",
        row.facts or "(to be written)",
    ]
    if row.words:
        lines += ["## What the people concerned are told", row.words]
    if late:
        lines += ["## Reasons for the delay (Art. 33(1))", "(to be written)"]
    return "\n\n".join(lines) + "\n"
