"""A person is erased: frozen, noted, their rows gone or cut loose, their key destroyed, checked."""

from __future__ import annotations

import datetime as dt
import time
import uuid
from dataclasses import dataclass

from django.db import transaction
from django.utils import timezone

from tollkeeper.accounts import queries as accounts
from tollkeeper.accounts import services as account_verbs
from tollkeeper.delivery import queries as deliveries
from tollkeeper.delivery import services as delivery_verbs
from tollkeeper.kit import audit, sealed
from tollkeeper.kit.job_context import Context, Retry
from tollkeeper.kit.jobs import enqueue, job
from tollkeeper.privacy import discovery, erasing, policy_queries, requests
from tollkeeper.usage import queries as usage


class StillBusy(Exception):
    """Calls of this person are still on their way: try again when their leases have ended."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """What an erasure did. ``tables`` counts rows that went, ``kept`` rows that stay without a person."""

    tables: dict[str, int]
    kept: dict[str, int]
    seconds: float


def freeze(subject: uuid.UUID) -> None:
    """Stop everything of a person at once: sessions, sign-in, keys. Can be done again."""
    account_verbs.freeze(subject)
    customer = accounts.customer_of(subject)
    if customer is not None:
        for key in deliveries.list_keys(customer, gone=False):
            delivery_verbs.revoke_key(key.id, customer)


def erase(subject: uuid.UUID) -> Receipt:
    """Erase a person now. Raises :class:`StillBusy` while a gate holds units of theirs.

    The note in the trail is made before the first row goes, and the key is destroyed after
    the rows are gone, so that a crash in between leaves either a person who can be erased
    again or rows that nobody can read.
    """
    started = time.perf_counter()
    freeze(subject)
    customer = accounts.customer_of(subject)
    if customer is not None and usage.has_open_leases(customer):
        raise StillBusy("a gate still holds units of this person")
    steps = erasing.preview(subject)
    if not steps:
        sealed.destroy(subject)
        return Receipt({}, {}, time.perf_counter() - started)
    audit.record("subject.erase", subject=subject, object="accounts.User", note=f"tables:{len(steps)}")
    done = erasing.erase_rows(subject)
    sealed.destroy(subject)
    left = [
        step.label for step in steps if not step.stays and discovery.rows_of(step.label, subject).exists()
    ]
    if left:
        raise RuntimeError(f"rows are left in {', '.join(left)}")
    audit.record("subject.erased", object="accounts.User", note=f"tables:{len(done)}")
    return Receipt(
        {step.label: step.rows for step in done if not step.stays},
        {step.label: step.rows for step in done if step.stays},
        time.perf_counter() - started,
    )


@job("erase_person", purpose="legal", attempts=60)
def erase_person(context: Context, request: str) -> None:
    """Erase whoever made a request as soon as their calls have ended; the request stays as proof."""
    subject = requests.find_subject(request)
    if subject is not None:
        try:
            erase(subject)
        except StillBusy:
            raise Retry(after_s=30) from None
    requests.answer_request(request)


def close_account(subject: uuid.UUID, *, at_once: bool = False) -> str:
    """Close a person's account on their own word: frozen now, erased after the time to think again.

    ``at_once`` skips that time. Answers the number of the request.
    """
    hours = 0 if at_once else policy_queries.get_current().policy.clocks.closure_cool_off_hours
    with transaction.atomic():
        number = requests.open_request("erase", channel="console", subject=subject)
        freeze(subject)
        run_at = timezone.now() + dt.timedelta(hours=hours)
        enqueue("erase_person", f"erase:{number}", run_at=run_at, request=number)
    return number
