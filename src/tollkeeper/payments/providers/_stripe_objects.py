"""What an object that an event names belongs to: asked of Stripe, never read out of the event."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tollkeeper.payments.providers import Located, Missing
from tollkeeper.payments.providers._stripe_facts import ident, plain

Ask = Callable[[Callable[[], Any]], Any]


def locate(client: Any, ask: Ask, kind: str, object_id: str) -> Located:
    """Which order, session, payment, subscription or payer an object belongs to."""
    family = "refund" if kind.startswith("charge.refund.") else kind.rpartition(".")[0]
    v1 = client.v1
    if family == "checkout.session":
        row = plain(ask(lambda: v1.checkout.sessions.retrieve(object_id)))
        return Located(order=row.get("client_reference_id") or "", reference=object_id)
    if family == "payment_intent":
        row = plain(ask(lambda: v1.payment_intents.retrieve(object_id)))
        return Located(order=(row.get("metadata") or {}).get("order", ""), payment=object_id)
    holders: dict[str, Any] = {"charge.dispute": v1.disputes, "refund": v1.refunds, "charge": v1.charges}
    if family in holders:
        row = plain(ask(lambda: holders[family].retrieve(object_id)))
        links = row.get("metadata") or {}  # Stripe copies a payment's metadata to its charges
        return Located(order=links.get("order", ""), payment=ident(row.get("payment_intent")))
    if family == "invoice":
        row = plain(ask(lambda: v1.invoices.retrieve(object_id)))
        details = (row.get("parent") or {}).get("subscription_details") or {}
        links = row.get("metadata") or {}  # of a bill that we wrote ourselves
        return Located(
            order=links.get("order", ""),
            invoice=object_id,
            subscription=ident(details.get("subscription")),
        )
    if family == "customer.subscription":
        return Located(subscription=object_id)
    if family == "radar.early_fraud_warning":
        row = plain(ask(lambda: v1.radar.early_fraud_warnings.retrieve(object_id)))
        return Located(payment=ident(row.get("payment_intent")), warning=True)
    return (
        Located(payer=object_id)
        if kind == "customer.deleted" and _gone(client, ask, object_id)
        else Located()
    )


def _gone(client: Any, ask: Ask, payer: str) -> bool:
    try:
        return bool(plain(ask(lambda: client.v1.customers.retrieve(payer))).get("deleted"))
    except Missing:
        return True
