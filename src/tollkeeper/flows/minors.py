"""A report that an account is a child's: frozen at once, decided by a person, erased or undone."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from tollkeeper.accounts import queries as accounts
from tollkeeper.accounts import services as account_verbs
from tollkeeper.delivery import services as deliveries
from tollkeeper.flows import erasure
from tollkeeper.kit import mail
from tollkeeper.kit.jobs import Context, schedule
from tollkeeper.privacy import minors, requests

REASON = "minor_reported"
"""What the gate answers to a key of the account meanwhile."""


def report(*, contact: str, account: str, words: str) -> str:
    """Take a report in and ask its writer to confirm their address; its number.

    Raises ``requests.Refused``.
    """
    with transaction.atomic():
        number = requests.open_request("minor", channel="form", contact=contact)
        secret = minors.take(number, contact=contact, account=account, words=words)
    link = f"{settings.PUBLIC_URL}/privacy/minor/{number}/{secret}/"
    mail.send("minor_confirm", contact, {"number": number, "link": link})
    return number


def confirm(number: str, secret: str) -> None:
    """The writer opened the link: the account, if there is one, is frozen now. Raises ``minors.Refused``."""
    with transaction.atomic():
        address = minors.confirm(number, secret)
        found = accounts.find_user(address) if address else None
        if found is not None and not found.is_staff:
            minors.name_subject(number, found.pk, was_active=found.is_active)
            account_verbs.freeze(found.pk)
            customer = accounts.customer_of(found.pk)
            if customer is not None:
                deliveries.suspend_keys(customer, REASON)


def decide(number: str, *, agree: bool, actor: uuid.UUID | None = None) -> None:
    """Erase down to the statutory minimum, or undo everything. Raises ``minors.Refused``."""
    with transaction.atomic():
        row = minors.decide(number, agree=agree, actor=actor)
        requests.answer_request(number, note="agreed" if agree else "rejected")
        if row.subject is None:
            return
        if agree:
            erasure.close_account(row.subject, at_once=True)
            return
        customer = accounts.customer_of(row.subject)
        if customer is not None:
            deliveries.resume_keys(customer, REASON)
        if row.was_active:
            account_verbs.thaw(row.subject)


@schedule("forget_reporters", every_s=24 * 3600, purpose="legal")
def forget_reporters(context: Context) -> None:
    """What reporters wrote goes after 90 days."""
    minors.forget_reporters(timezone.now())
