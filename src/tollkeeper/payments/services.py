"""Verbs that write attempts, refunds, disputes and the inbox. Each assumes the caller's transaction."""

from __future__ import annotations

import datetime as dt
import uuid
from collections import defaultdict
from dataclasses import dataclass

from django.db import IntegrityError, transaction
from django.db.models import F, Q

from tollkeeper.core.settlement import (
    Charge,
    Collected,
    DisputeFact,
    RefundFact,
    absorb,
    absorb_dispute,
    absorb_refund,
    towards,
)
from tollkeeper.core.states import ATTEMPT, INBOX, step
from tollkeeper.payments.models import Attempt, Dispute, InboxEvent, Payer, Refund, Transfer
from tollkeeper.payments.providers import Asked, Hint, Started

OPEN = ("created", "redirected", "processing")
"""States of an attempt from which money may still come without anybody's doing."""


@dataclass(frozen=True, slots=True)
class Facts:
    """The rows of an order as :func:`core.settlement.derive` reads them."""

    charges: tuple[Charge, ...]
    refunds: tuple[tuple[str, int], ...]
    disputes: tuple[tuple[str, int], ...]


def open_attempt(
    order_id: int,
    provider: str,
    *,
    asked_minor: int,
    currency: str,
    live: bool,
    expires_at: dt.datetime,
    now: dt.datetime,
) -> Attempt:
    """The order's open attempt, made if there is none. Commit it before asking the provider."""
    known = Attempt.objects.filter(order_id=order_id, state__in=OPEN)
    if found := known.first():
        return found
    try:
        with transaction.atomic():
            return Attempt.objects.create(
                order_id=order_id,
                provider=provider,
                asked_minor=asked_minor,
                currency=currency,
                live=live,
                expires_at=expires_at,
                created_at=now,
            )
    except IntegrityError:
        return known.get()


def note_started(attempt_id: uuid.UUID, started: Started) -> None:
    """The provider answered: keep its id and where the payer goes."""
    row = Attempt.objects.select_for_update().get(pk=attempt_id)
    row.state = towards(ATTEMPT, row.state, "redirected")
    row.reference, row.url, row.error = started.reference, started.url, ""
    row.save(update_fields=["state", "reference", "url", "error"])


def note_no_answer(attempt_id: uuid.UUID, word: str, *, next_key: bool = False) -> None:
    """The provider did not answer, or refused the key; the attempt stays open."""
    row = Attempt.objects.select_for_update().get(pk=attempt_id)
    row.error = word[:64]
    row.generation += int(next_key)
    row.save(update_fields=["error", "generation"])


def note_refused(attempt_id: uuid.UUID, word: str) -> None:
    """The provider said a clear no: this attempt is over."""
    row = Attempt.objects.select_for_update().get(pk=attempt_id)
    row.state, row.error = towards(ATTEMPT, row.state, "failed"), word[:64]
    row.save(update_fields=["state", "error"])


def give_up(attempt_id: uuid.UUID) -> None:
    """An attempt that never reached the provider is cancelled."""
    row = Attempt.objects.select_for_update().get(pk=attempt_id)
    row.state = towards(ATTEMPT, row.state, "cancelled")
    row.save(update_fields=["state"])


def end_local(order_id: int, provider: str) -> None:
    """Nobody waits any longer at a provider without a far side; money that comes after all is late money."""
    for row in Attempt.objects.select_for_update().filter(
        order_id=order_id, provider=provider, state__in=OPEN
    ):
        row.state = towards(ATTEMPT, row.state, "expired")
        row.save(update_fields=["state"])


def adopt(
    order_id: int,
    provider: str,
    facts: Collected,
    *,
    asked_minor: int,
    currency: str,
    live: bool,
    now: dt.datetime,
) -> Attempt:
    """The attempt for money that a provider collected on its own, such as a renewal; once per reference."""
    row, _ = Attempt.objects.get_or_create(
        provider=provider,
        reference=facts.reference,
        defaults={
            "order_id": order_id,
            "state": "redirected" if facts.state == "open" else "processing",
            "asked_minor": asked_minor,
            "currency": currency,
            "live": live,
            "created_at": now,
        },
    )
    return row


def record(attempt_id: uuid.UUID, facts: Collected, *, order: str, now: dt.datetime) -> None:
    """Bring an attempt, its refunds and its disputes up to the provider's truth.

    ``order`` is our own number, to be compared with the one the provider stored.
    """
    row = Attempt.objects.select_for_update().get(pk=attempt_id)
    before = row.state
    known = Charge(row.state, row.asked_minor, row.amount_minor, row.currency, row.live, row.order_matches)
    now_is = absorb(known, facts, order)
    row.state, row.amount_minor, row.currency = now_is.state, now_is.amount_minor, now_is.currency
    row.live, row.order_matches = now_is.live, now_is.order_matches
    row.reference = row.reference or facts.reference
    row.url, row.decline, row.checked_at, row.error = facts.url, facts.decline[:64], now, ""
    row.payment = facts.payment or row.payment
    if row.state == "succeeded":
        row.succeeded_at = row.succeeded_at or now
    row.save()
    if facts.payer and before != row.state:
        Payer.objects.get_or_create(
            provider=row.provider,
            reference=facts.payer,
            defaults={"customer_id": row.order.customer_id, "live": facts.live, "created_at": now},
        )
    for refund in facts.refunds:
        _record_refund(row, refund, now)
    for dispute in facts.disputes:
        _record_dispute(row, dispute, now)


def _record_refund(attempt: Attempt, fact: RefundFact, now: dt.datetime) -> None:
    row = Refund.objects.select_for_update().filter(reference=fact.reference).first()
    if row is None and (ours := _uuid(fact.ours)):
        row = Refund.objects.select_for_update().filter(pk=ours, attempt=attempt, reference="").first()
    if row is None:
        row = Refund(
            order_id=attempt.order_id,
            attempt=attempt,
            state="submitted",
            origin="external",
            reason="external",
            amount_minor=fact.amount_minor,
            currency=attempt.currency,
            created_at=now,
        )
    row.reference, row.error = fact.reference, ""
    row.state = absorb_refund(row.state, fact)
    if row.state in ("succeeded", "failed", "cancelled") and row.settled_at is None:
        row.settled_at = now
    row.save()


def _record_dispute(attempt: Attempt, fact: DisputeFact, now: dt.datetime) -> None:
    row = Dispute.objects.select_for_update().filter(reference=fact.reference).first()
    if row is None:
        row = Dispute(
            order_id=attempt.order_id,
            attempt=attempt,
            reference=fact.reference,
            currency=attempt.currency,
            created_at=now,
        )
    row.state = absorb_dispute(row.state, fact)
    row.amount_minor, row.reason, row.respond_by = fact.amount_minor, fact.reason[:40], fact.respond_by
    if row.state in ("won", "lost", "prevented") and row.closed_at is None:
        row.closed_at = now
    row.save()


def _uuid(text: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(text)
    except ValueError:
        return None


def facts_of(order_id: int) -> Facts:
    """All rows of an order's money; refunds and disputes only of money in its own currency and mode."""
    own = Q(attempt__currency=F("order__currency"), attempt__live=F("order__live"))
    back = list(Refund.objects.filter(order_id=order_id).values_list("attempt_id", "state", "amount_minor"))
    gone: defaultdict[uuid.UUID, int] = defaultdict(int)
    for attempt_id, state, amount in back:
        gone[attempt_id] += amount if state == "succeeded" else 0
    return Facts(
        tuple(
            Charge(
                a.state,
                a.asked_minor,
                a.amount_minor,
                a.currency,
                a.live,
                a.order_matches,
                a.pk in gone and gone[a.pk] >= a.amount_minor > 0,
            )
            for a in Attempt.objects.filter(order_id=order_id)
        ),
        tuple(Refund.objects.filter(own, order_id=order_id).values_list("state", "amount_minor")),
        tuple(Dispute.objects.filter(own, order_id=order_id).values_list("state", "amount_minor")),
    )


def asked(order_id: int, number: str) -> tuple[tuple[uuid.UUID, str, Asked], ...]:
    """(attempt id, provider, what to ask) of every attempt whose provider knows it."""
    rows = Attempt.objects.filter(order_id=order_id).exclude(reference="").select_related("order")
    made = []
    for row in rows.order_by("created_at"):
        came = Transfer.objects.filter(order_id=order_id, currency=row.currency, returned_on=None)
        received = tuple(came.values_list("amount_minor", flat=True)) if row.provider == "invoice" else ()
        ask = Asked(
            attempt=str(row.pk),
            order=number,
            reference=row.reference,
            asked_minor=row.asked_minor,
            currency=row.currency,
            live=row.live,
            state=row.state,
            received=received,
            accepted=row.order.cleared == "amount",
        )
        made.append((row.pk, row.provider, ask))
    return tuple(made)


def unanswered(order_id: int, before: dt.datetime) -> tuple[Attempt, ...]:
    """Attempts made before ``before`` of which we do not know whether the provider has them."""
    rows = Attempt.objects.filter(order_id=order_id, reference="", state="created", created_at__lt=before)
    return tuple(rows)


def forget_payer(provider: str, reference: str) -> bool:
    """The provider does not know a payer any more; False if we did not either."""
    return bool(Payer.objects.filter(provider=provider, reference=reference).delete()[0])


def note_warning(provider: str, payment: str) -> bool:
    """The card's bank takes a payment for fraud; False if that is known, or the payment is not ours."""
    rows = Attempt.objects.filter(provider=provider, payment=payment, warning="")
    return bool(payment) and bool(rows.update(warning="open"))


def trust(order_id: int) -> bool:
    """An operator does not take an order's payments for fraud; False if nobody did."""
    return bool(Attempt.objects.filter(order_id=order_id, warning="open").update(warning="trusted"))


def take_in(hint: Hint, now: dt.datetime) -> tuple[int, bool]:
    """Keep that an event came; answers (inbox id, True if it was not known)."""
    row, fresh = InboxEvent.objects.get_or_create(
        account=hint.account,
        livemode=hint.livemode,
        event_id=hint.event_id,
        defaults={
            "type": hint.type,
            "object_id": hint.object_id,
            "api_version": hint.api_version,
            "created_at": hint.created_at,
            "sha256": hint.sha256,
            "received_at": now,
        },
    )
    return row.pk, fresh


def finish_event(inbox_id: int, error: str = "") -> None:
    """An event was worked off, or could not be (``error`` is a word, never a text from outside)."""
    row = InboxEvent.objects.select_for_update().get(pk=inbox_id)
    if row.state == "done":
        return
    row.state, row.error = step(INBOX, row.state, "fail" if error else "finish"), error[:80]
    row.save(update_fields=["state", "error"])


def purge_inbox(before: dt.datetime, limit: int = 5000) -> int:
    """Delete events that came before ``before``; answers how many."""
    ids = list(InboxEvent.objects.filter(received_at__lt=before).values_list("pk", flat=True)[:limit])
    return InboxEvent.objects.filter(pk__in=ids).delete()[0]
