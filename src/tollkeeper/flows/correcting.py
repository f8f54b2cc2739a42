"""A correction goes on to whoever received the wrong value (Art. 16, 19; 11 CCR §7023).

Who that is stands in the log of disclosures; what they do with it in the policy. Programs that
the customer named are told by an event that is posted until somebody answers. Whoever decides for
itself is written to by a person of ours, with a day on it. A processor that keeps no copy
needs no word: its next message carries the right value.
"""

from __future__ import annotations

import uuid

from allauth.account.signals import email_changed
from django.db import transaction
from django.utils import timezone

from tollkeeper.accounts import queries as accounts
from tollkeeper.accounts import services as account_verbs
from tollkeeper.kit import egress, egress_pinned
from tollkeeper.kit.jobs import Context, enqueue, job
from tollkeeper.outbox import services as outbox
from tollkeeper.privacy import corrections, policy_queries

EMAIL, NICKNAME, BUYER = "account.email", "account.nickname", "order"


def corrected(subject: uuid.UUID, *categories: str) -> list[int]:
    """Note who has to be told that data of these categories changed, and have them told."""
    changed, made = set(categories), list[int]()
    version = policy_queries.find_current()
    recipients = version.policy.recipients if version else {}
    with transaction.atomic():
        for received in egress.received_about(subject):
            known = recipients.get(received.processor)
            concerned = set(known.categories) & changed if known else changed
            own = received.processor == egress_pinned.NAME
            if not concerned and not own:
                continue
            made.append(
                _owe(subject, received.processor, concerned or changed, known.role if known else "", own)
            )
    return made


def _owe(subject: uuid.UUID, processor: str, categories: set[str], role: str, own: bool) -> int:
    state = "waiting" if own else "contract" if role == "processor" else "by_hand"
    correction = corrections.owe(subject, processor, categories, state)
    if state == "waiting":
        enqueue("tell_correction", f"correction:{correction}", correction=correction)
    return correction


@job(
    "tell_correction",
    purpose="legal",
    attempts=12,
    on_dead=lambda correction: corrections.step(correction, "give_up"),
)
def tell_correction(context: Context, correction: int) -> None:
    """Tell the customer's own programs which kinds of data changed; what they are now, they ask us."""
    row = corrections.find_correction(correction)
    if row is None or row.state == "told":
        return
    customer = accounts.customer_of(row.subject)
    if customer is not None and outbox.listening(customer, "customer"):
        public_id = accounts.get_customer(customer).public_id
        data = {"customer": public_id, "categories": list(row.categories)}
        try:
            outbox.announce(
                customer, "customer.corrected", f"customer.corrected:{correction}", data, timezone.now()
            )
        except Exception:
            corrections.step(correction, "lose")
            raise
    corrections.step(correction, "tell")


def correct(subject: uuid.UUID, *, email: str = "", nickname: str | None = None) -> list[int]:
    """An operator corrects what the person cannot reach. Raises ``Refused``.

    A new address counts as confirmed: the operator made sure whose it is.
    """
    categories = []
    with transaction.atomic():
        if email:
            account_verbs.correct_email(subject, email)
            categories.append(EMAIL)
        if nickname is not None:
            account_verbs.set_nickname(subject, nickname)
            categories.append(NICKNAME)
        return corrected(subject, *categories) if categories else []


def _email_changed(sender: object, user: object, **_: object) -> None:
    subject = getattr(user, "pk", None)
    if isinstance(subject, uuid.UUID):
        corrected(subject, EMAIL)


email_changed.connect(_email_changed, dispatch_uid="correction-email")
