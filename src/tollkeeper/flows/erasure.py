"""A person is erased: frozen, noted, their rows gone or cut loose, their key destroyed, checked."""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass

from tollkeeper.accounts import queries as accounts
from tollkeeper.accounts import services as account_verbs
from tollkeeper.delivery import queries as deliveries
from tollkeeper.delivery import services as delivery_verbs
from tollkeeper.kit import audit, sealed
from tollkeeper.kit.job_context import Context, Retry
from tollkeeper.kit.jobs import job
from tollkeeper.privacy import discovery, erasing
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
def erase_person(context: Context, subject: str) -> None:
    """Erase a person as soon as their calls have ended."""
    try:
        erase(uuid.UUID(subject))
    except StillBusy:
        raise Retry(after_s=30) from None
