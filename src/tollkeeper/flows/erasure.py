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
from tollkeeper.kit import audit, erasure_journal, mail, sealed
from tollkeeper.kit.job_context import Context, Retry
from tollkeeper.kit.jobs import enqueue, job
from tollkeeper.kit.purposes import OWN, Closed, serving
from tollkeeper.payments import statutory
from tollkeeper.privacy import discovery, erasing, holds, policy_queries, requests
from tollkeeper.usage import queries as usage


class StillBusy(Exception):
    """Calls of this person are still on their way: try again when their leases have ended."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """What an erasure did. ``tables`` counts rows that went, ``kept`` rows that stay without a person."""

    tables: dict[str, int]
    kept: dict[str, int]
    seconds: float
    held: frozenset[str] = frozenset()
    """Tables that a hold order keeps; empty once everything is done."""


def freeze(subject: uuid.UUID) -> None:
    """Stop everything of a person at once: sessions, sign-in, keys. Can be done again."""
    account_verbs.freeze(subject)
    customer = accounts.customer_of(subject)
    if customer is not None:
        for key in deliveries.list_keys(customer, gone=False):
            delivery_verbs.revoke_key(key.id, customer)


def erase(subject: uuid.UUID, *, busy_too: bool = False) -> Receipt:
    """Erase a person now. Raises :class:`StillBusy` while a gate holds units of theirs.

    ``busy_too`` does not wait: nothing serves while a restored book is made good.

    The notes in the journal and in the trail are made before the first row goes, and the key
    is destroyed after the rows are gone, so that a crash in between leaves either a person who
    can be erased again or rows that nobody can read. What a hold order names stays, with its
    key, until the order is released; the receipt says so.
    """
    started = time.perf_counter()
    freeze(subject)
    customer = accounts.customer_of(subject)
    if not busy_too and customer is not None and usage.has_open_leases(customer):
        raise StillBusy("a gate still holds units of this person")
    held = holds.held_tables(subject)
    steps = erasing.preview(subject, held)
    if not steps and not held:
        sealed.destroy(subject)
        return Receipt({}, {}, time.perf_counter() - started)
    erasure_journal.note(subject, timezone.now(), kept=held)
    if customer is not None:
        with serving(OWN):
            statutory.complete(customer)
    with serving(OWN):
        address = accounts.find_email(subject)
    if address and not isinstance(address, Closed):
        mail.forget(address)
    audit.record("subject.erase", subject=subject, object="accounts.User", note=f"tables:{len(steps)}")
    done = erasing.erase_rows(subject, held)
    if not held:
        sealed.destroy(subject)
    left = [
        step.label for step in steps if not step.stays and discovery.rows_of(step.label, subject).exists()
    ]
    if left:
        raise RuntimeError(f"rows are left in {', '.join(left)}")
    verb = "subject.erased_but_held" if held else "subject.erased"
    audit.record(verb, object="accounts.User", note=f"tables:{len(done)}")
    return Receipt(
        {step.label: step.rows for step in done if not step.stays},
        {step.label: step.rows for step in done if step.stays},
        time.perf_counter() - started,
        held,
    )


@job("erase_person", purpose="legal", attempts=60)
def erase_person(context: Context, request: str) -> None:
    """Erase whoever made a request as soon as their calls have ended; the request stays as proof."""
    subject = requests.find_subject(request)
    if subject is not None:
        try:
            receipt = erase(subject)
        except StillBusy:
            raise Retry(after_s=30) from None
        if receipt.held:
            return  # the request stays open: releasing the hold order takes it up again
    requests.answer_request(request)


def release_hold(number: str, actor: uuid.UUID | None = None) -> None:
    """Release a hold order; an erasure that waited for it goes on. Raises ``holds.Refused``."""
    with transaction.atomic():
        subject = holds.release(number, actor)
        for waiting in requests.waiting_erasures(subject):
            enqueue("erase_person", f"erase:{waiting}:{number}", request=waiting)


def close_account(subject: uuid.UUID, *, at_once: bool = False) -> str:
    """Close a person's account on their own word: frozen now, erased after the time to think again.

    ``at_once`` skips that time. Answers the number of the request.
    """
    hours = 0 if at_once else policy_queries.get_current().policy.clocks.closure_cool_off_hours
    with transaction.atomic():
        number = requests.open_request("erase", channel="console", subject=subject)
        freeze(subject)
        run_at = timezone.now() + dt.timedelta(hours=hours)
        erasure_journal.note(subject, timezone.now(), "asked")
        enqueue("erase_person", f"erase:{number}", run_at=run_at, request=number)
    return number
