"""Once a day our books are laid beside each provider's, over the last days: nothing is lost unseen.

Events and sweepers look at what we know of. This looks from the other side: at all money that
moved there. What belongs to an order of ours is brought in; what remains is for a person.
"""

from __future__ import annotations

import datetime as dt
import uuid

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from tollkeeper.flows.reconcile import reconcile
from tollkeeper.kit import audit
from tollkeeper.kit.jobs import Context, enqueue, job, schedule
from tollkeeper.payments import comparing
from tollkeeper.payments import queries as payment_queries
from tollkeeper.payments.registry import get_provider

BACK = dt.timedelta(days=3)
SETTLED = dt.timedelta(hours=2)
"""What is younger may still be on its way into either book."""


@schedule("compare_books", every_s=24 * 3600, purpose="order")
def compare_books(context: Context) -> None:
    """Compare with every provider that holds money of ours."""
    for name in payment_queries.providers_in_use():
        if get_provider(name).remote:
            enqueue("compare_with", f"compare:{name}:{timezone.now():%Y%m%d}", provider=name)


@job("compare_with", purpose="order", attempts=20)
def compare_with(context: Context, provider: str) -> None:
    """Compare with one provider."""
    compare(provider, timezone.now())


def compare(name: str, now: dt.datetime) -> int:
    """Bring in what is ours, keep what does not agree; how much of that is new.

    Raises ``ProviderError`` if the provider does not answer.
    """
    provider = get_provider(name)
    moves = provider.moved(now - BACK, now)
    deaf = provider.deaf(f"{settings.PUBLIC_URL}/hooks/{name}")
    strange = {move.payment for _, move in comparing.differing(name, moves) if move.payment}
    orders = {payment_queries.order_of(name, payment=payment) for payment in strange}
    for order_id in sorted(one for one in orders if one is not None):
        reconcile(order_id)
    found = [
        *comparing.differing(name, moves),
        *(
            (f"missing_{move.what}", move)
            for move in comparing.missing(name, moves, now - BACK + SETTLED, now - SETTLED)
        ),
    ]
    with transaction.atomic():
        return comparing.keep(
            name,
            [
                *((what, move.reference, move.amount_minor, move.currency) for what, move in found),
                *((f"deaf:{word}", "", 0, "") for word in deaf),
            ],
            now,
        )


def compare_now(mark: str) -> None:
    """An operator wants to see whether it agrees by now; ``mark`` names the wish, once."""
    for name in payment_queries.providers_in_use():
        if get_provider(name).remote:
            enqueue("compare_with", f"compare:{name}:{mark}", provider=name)


@transaction.atomic
def settle(finding_id: int, *, actor: uuid.UUID | None) -> bool:
    """An operator has settled a disagreement; False if it has ended already."""
    if not comparing.settle(finding_id, timezone.now()):
        return False
    audit.record(
        "finding.settled", actor=audit.person(actor) or "system", object=f"payments.Finding:{finding_id}"
    )
    return True
