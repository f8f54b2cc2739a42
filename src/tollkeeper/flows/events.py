"""What providers tell us: an event is a hint to look, and nothing else."""

from __future__ import annotations

import datetime as dt

from django.db import transaction
from django.utils import timezone

from tollkeeper.flows import fraud
from tollkeeper.flows.reconcile import reconcile
from tollkeeper.flows.renewal import look_at_subscription
from tollkeeper.kit.jobs import Context, Retry, enqueue, job, schedule
from tollkeeper.payments import queries as payment_queries
from tollkeeper.payments import services as payments
from tollkeeper.payments.providers import Located
from tollkeeper.payments.registry import get_provider

UNKNOWN_FOR = dt.timedelta(minutes=10)
"""How long an event about nothing of ours is tried again: it may have overtaken our own commit."""

KEEP_EVENTS = dt.timedelta(days=40)
"""Providers list their events for 30 days."""


@job("take_event", purpose="order", attempts=20)
def take_event(context: Context, inbox_id: int) -> None:
    """Find out what an event is about and look at that."""
    event = payment_queries.get_event(inbox_id)
    if event.state == "done":
        return
    provider = get_provider(event.account)
    located = provider.locate(event.type, event.object_id)
    known = _look(event.account, located)
    if not known and located != Located() and timezone.now() - event.received_at < UNKNOWN_FOR:
        raise Retry(20)
    with transaction.atomic():
        payments.finish_event(inbox_id)


def _look(account: str, located: Located) -> bool:
    """Look at what an event is about; False if we know nothing of it."""
    known = False
    order_id = payment_queries.order_of(
        account, number=located.order, reference=located.reference, payment=located.payment
    )
    if order_id is not None:
        reconcile(order_id)
        if located.warning:
            fraud.warned(order_id, account, located.payment)
        known = True
    if located.payer:
        with transaction.atomic():
            known = payments.forget_payer(account, located.payer) or known
    if located.subscription:
        known = look_at_subscription(account, located.subscription, located.invoice) or known
    return known


@schedule("catch_up_events", every_s=3600, purpose="order")
def catch_up_events(context: Context) -> None:
    """Take in the events that the provider could not deliver, and try again those that failed."""
    now = timezone.now()
    for name in payment_queries.providers_in_use():
        provider = get_provider(name)
        if not provider.remote:
            continue
        for hint in provider.missed(now - dt.timedelta(days=3)):
            with transaction.atomic():
                inbox_id, fresh = payments.take_in(hint, now)
                if fresh:
                    enqueue("take_event", f"event:{inbox_id}", inbox_id=inbox_id)
    with transaction.atomic():
        for inbox_id in payment_queries.unfinished_events(now - dt.timedelta(hours=1)):
            enqueue("take_event", f"event:{inbox_id}:{now:%Y%m%d%H}", inbox_id=inbox_id)


@schedule("purge_inbox", every_s=6 * 3600, purpose="order")
def purge_inbox(context: Context) -> None:
    """Forget events that no provider lists any more."""
    with transaction.atomic():
        payments.purge_inbox(timezone.now() - KEEP_EVENTS)
