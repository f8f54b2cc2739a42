"""Invoices that we write at Stripe ourselves: what was used beyond a plan, charged without its payer.

Draft, line, finalize, pay: four requests, each under a key of its own, so that a crash in the
middle repeats what is there already. A declined card is no failure of the bill: it stays open,
Stripe tries again on its own days, and the payer may pay on the invoice's own page.
Facts: https://docs.stripe.com/api/invoices/create
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from tollkeeper.payments.providers import Intent, Missing, Refused, Started
from tollkeeper.payments.providers._stripe_facts import ident, plain, to_stripe

Ask = Callable[[Callable[[], Any]], Any]


def draw(client: Any, ask: Ask, intent: Intent) -> Started:
    """Write the invoice of an intent (again) and try to collect it. Raises as :meth:`Provider.start`."""
    v1, key = client.v1, intent.key
    source = plain(ask(lambda: v1.subscriptions.retrieve(intent.draws_on)))
    payer = ident(source.get("customer"))
    params: dict[str, Any] = {
        "customer": payer,
        "auto_advance": False,
        "collection_method": "charge_automatically",
        "currency": intent.currency.lower(),
        "pending_invoice_items_behavior": "exclude",
        "metadata": {"order": intent.order, "attempt": intent.attempt},
    }
    if means := ident(source.get("default_payment_method")):
        params["default_payment_method"] = means
    bill = plain(ask(lambda: v1.invoices.create(params, {"idempotency_key": key})))
    for number, item in enumerate(intent.items):
        line: Any = {
            "customer": payer,
            "invoice": bill["id"],
            "amount": to_stripe(item.unit_minor * item.quantity, intent.currency),
            "currency": intent.currency.lower(),
            "description": item.title,
        }
        option: Any = {"idempotency_key": f"{key}:line{number}"}
        ask(partial(v1.invoice_items.create, line, option))
    final: Any = {"auto_advance": True}
    ask(lambda: v1.invoices.finalize_invoice(bill["id"], final, {"idempotency_key": f"{key}:final"}))
    try:
        ask(lambda: v1.invoices.pay(bill["id"], {"off_session": True}, {"idempotency_key": f"{key}:pay"}))
    except Missing:
        raise
    except Refused:
        pass  # declined, or to be confirmed by the payer: the invoice stays open
    return _started(plain(ask(lambda: v1.invoices.retrieve(bill["id"]))))


def find(client: Any, ask: Ask, intent: Intent) -> Started | None:
    """Look an invoice up by our attempt's id; a draft is none yet and is written on by :func:`draw`."""
    source = plain(ask(lambda: client.v1.subscriptions.retrieve(intent.draws_on)))
    since: Any = {"gte": int(intent.created_at.timestamp()) - 60}
    params: Any = {"customer": ident(source.get("customer")), "created": since, "limit": 100}
    pages = ask(lambda: client.v1.invoices.list(params))
    for row in ask(lambda: list(pages.auto_paging_iter())):
        bill = plain(row)
        if (bill.get("metadata") or {}).get("attempt") == intent.attempt and bill["status"] != "draft":
            return _started(bill)
    return None


def _started(bill: dict[str, Any]) -> Started:
    return Started(bill["id"], bill.get("hosted_invoice_url") or "")
