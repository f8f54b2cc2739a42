"""A person asks that their data only be stored: calls and charges stop, the door closes, rights go on."""

from __future__ import annotations

import uuid

from django.db import transaction

from tollkeeper.accounts import queries as accounts
from tollkeeper.core.refusal import Refused
from tollkeeper.delivery import services as deliveries
from tollkeeper.flows import standstill
from tollkeeper.kit import egress, mail
from tollkeeper.kit.purposes import Closed, serving
from tollkeeper.privacy import restrictions

REASON = "processing_restricted"
"""What the gate answers to a key of theirs."""


class NotTold(Refused):
    """The person could not be told, so the restriction stands (Art. 18(3))."""


def restrict(subject: uuid.UUID, *, keep_service: bool = False) -> None:
    """Restrict a person's data; ``keep_service`` is their consent to go on serving calls and plans
    (Art. 18(2)). Asking again changes that wish."""
    with transaction.atomic():
        restrictions.restrict(subject, keep_service=keep_service)
        customer = accounts.customer_of(subject)
        if customer is None:
            return
        if keep_service:
            _go_on(subject, customer)
        else:
            deliveries.suspend_keys(customer, REASON)
            restrictions.note_stopped(subject, standstill.stop_plans(customer))


def lift(subject: uuid.UUID) -> None:
    """Lift a restriction; the person knows, because they do it themselves or were told."""
    with transaction.atomic():
        customer = accounts.customer_of(subject)
        if customer is not None:
            _go_on(subject, customer)
        restrictions.lift(subject)


def tell_and_lift(subject: uuid.UUID) -> None:
    """Tell the person that the restriction ends, then lift it. Raises :class:`NotTold`."""
    with serving("notice"):
        address = accounts.find_email(subject)
    if address is None or isinstance(address, Closed):
        raise NotTold("this person has no address; the restriction stands")
    try:
        with egress.about(subject=subject, purpose="notice"):
            mail.send("restriction_ends", address, language=accounts.language_of(subject))
    except (OSError, egress.Refused):  # what the mail library raises is an OSError
        raise NotTold("the letter could not be sent; the restriction stands") from None
    lift(subject)


def _go_on(subject: uuid.UUID, customer: int) -> None:
    deliveries.resume_keys(customer, REASON)
    standstill.resume_plans(customer, restrictions.stopped(subject))
    restrictions.forget_stopped(subject)
