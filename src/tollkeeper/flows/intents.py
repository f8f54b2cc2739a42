"""What a provider is told about an order: made of committed rows only, so that asking again asks the same."""

from __future__ import annotations

from typing import Any

from django.conf import settings

from tollkeeper.payments import queries as payment_queries
from tollkeeper.payments.providers import Intent, Item
from tollkeeper.payments.registry import get_provider
from tollkeeper.sales import queries as sales_queries
from tollkeeper.sales.queries import LineView, OrderView


def return_url(number: str) -> str:
    """Where the payer comes back to."""
    return f"{settings.PUBLIC_URL}/checkout/{number}/return"


def _item(line: LineView) -> Item:
    """A line as the payer sees it; one sum where it does not divide by the pieces.

    What renews costs what every period costs, also if the first one is cheaper or is tried.
    """
    if line.terms.renews_minor is not None:
        return Item(line.title, line.terms.renews_minor)
    if line.amount_minor % line.quantity:
        return Item(f"{line.quantity} × {line.title}", line.amount_minor)
    return Item(line.title, line.amount_minor // line.quantity, line.quantity)


def _source(order: OrderView) -> str:
    """The subscription that a bill for use beyond it is drawn on, as its provider calls it."""
    held = sales_queries.plan_of_order(order.order_id)
    return held.reference if held else ""


def intent_of(order: OrderView, attempt: Any) -> Intent:
    """The intent of an attempt (a row of ``payments``) at an order."""
    remote = get_provider(attempt.provider).remote
    back = return_url(order.number)
    terms = order.lines[0].terms
    renews = order.kind == "purchase" and terms.kind == "subscription"
    return Intent(
        attempt=str(attempt.pk),
        generation=attempt.generation,
        order=order.number,
        customer=order.customer,
        payer=payment_queries.payer_reference(
            order.customer_id, attempt.provider, order.live, attempt.created_at
        ),
        items=tuple(_item(line) for line in order.lines),
        currency=order.currency,
        period=terms.period if renews else None,
        success_url=f"{back}?session_id={{CHECKOUT_SESSION_ID}}" if remote else back,
        cancel_url=f"{settings.PUBLIC_URL}/checkout/{order.number}/cancelled",
        created_at=attempt.created_at,
        expires_at=attempt.expires_at,
        language=order.language,
        trial_days=terms.trial.days if terms.trial else 0,
        card=terms.trial is None or terms.trial.card,
        off=terms.off,
        draws_on=_source(order) if order.kind == "overage" else "",
    )
