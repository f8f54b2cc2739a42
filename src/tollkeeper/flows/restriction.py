"""A person asks that their data only be stored: calls stop, the door closes, rights go on."""

from __future__ import annotations

import uuid

from django.db import transaction

from tollkeeper.accounts import queries as accounts
from tollkeeper.delivery import services as deliveries
from tollkeeper.privacy import restrictions

REASON = "processing_restricted"
"""What the gate answers to a key of theirs."""


def restrict(subject: uuid.UUID, *, keep_service: bool = False) -> None:
    """Restrict a person's data; ``keep_service`` is their consent to go on serving calls (Art. 18(2))."""
    with transaction.atomic():
        restrictions.restrict(subject, keep_service=keep_service)
        customer = accounts.customer_of(subject)
        if customer is not None:
            if keep_service:
                deliveries.resume_keys(customer, REASON)
            else:
                deliveries.suspend_keys(customer, REASON)


def lift(subject: uuid.UUID) -> None:
    """Lift a restriction; tell the person first."""
    with transaction.atomic():
        restrictions.lift(subject)
        customer = accounts.customer_of(subject)
        if customer is not None:
            deliveries.resume_keys(customer, REASON)
