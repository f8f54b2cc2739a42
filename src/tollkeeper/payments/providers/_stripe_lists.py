"""Stripe's own lists, read from a moment on."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

from stripe import StripeClient

from tollkeeper.payments.providers import Moved, Taken
from tollkeeper.payments.providers._stripe_facts import from_stripe, ident, instant, plain

EVENTS = (
    "checkout.session.completed",
    "checkout.session.async_payment_succeeded",
    "checkout.session.async_payment_failed",
    "checkout.session.expired",
    "payment_intent.succeeded",
    "payment_intent.payment_failed",
    "invoice.paid",
    "invoice.payment_failed",
    "customer.subscription.updated",
    "customer.subscription.deleted",
    "customer.deleted",
    "refund.created",
    "refund.updated",
    "refund.failed",
    "charge.dispute.created",
    "charge.dispute.updated",
    "charge.dispute.closed",
    "radar.early_fraud_warning.created",
)
"""What an endpoint has to hear of. What it misses is found by the sweepers, only later."""

_MOVES = {"ch": "payment", "py": "payment", "re": "refund", "pyr": "refund", "du": "dispute", "dp": "dispute"}
"""What a balance transaction is about, by the prefix of its source's id."""


def taken(client: StripeClient, ask: Callable[[Any], Any], since: dt.datetime) -> tuple[Taken, ...]:
    """Checkout Sessions made since then that were paid, as money taken for orders of ours."""
    wanted: Any = {"created": {"gte": int(since.timestamp())}, "limit": 100}
    page = ask(lambda: client.v1.checkout.sessions.list(wanted))
    rows = [plain(row) for row in ask(lambda: list(page.auto_paging_iter()))]
    return tuple(
        Taken(
            row["id"],
            row.get("client_reference_id") or "",
            from_stripe(row.get("amount_total") or 0, row["currency"].upper()),
            row["currency"].upper(),
            instant(row["created"]),
        )
        for row in rows
        if row.get("status") == "complete" and row.get("payment_status") == "paid"
    )


def moved(
    client: StripeClient, ask: Callable[[Any], Any], since: dt.datetime, until: dt.datetime
) -> tuple[Moved, ...]:
    """Balance transactions between two instants, with what they are about."""
    wanted: Any = {
        "created": {"gte": int(since.timestamp()), "lt": int(until.timestamp())},
        "expand": ["data.source"],
        "limit": 100,
    }
    page = ask(lambda: client.v1.balance_transactions.list(wanted))
    found = []
    for row in (plain(one) for one in ask(lambda: list(page.auto_paging_iter()))):
        source, currency = row.get("source"), row["currency"].upper()
        what = _MOVES.get(source["id"].partition("_")[0]) if isinstance(source, dict) else None
        out = row["amount"] < 0
        if what is None or out is (what == "payment"):  # fees, payouts, what came back from a lost refund
            continue
        payment = ident(source.get("payment_intent"))
        reference = payment if what == "payment" else source["id"]
        found.append(Moved(what, reference, payment, from_stripe(abs(row["amount"]), currency), currency))
    return tuple(found)


def deaf(client: StripeClient, ask: Callable[[Any], Any], url: str, version: str) -> tuple[str, ...]:
    """What is wrong with the endpoint at ``url``; a word for each thing."""
    page = ask(lambda: client.v1.webhook_endpoints.list({"limit": 100}))
    rows = [plain(row) for row in ask(lambda: list(page.auto_paging_iter()))]
    ours = [row for row in rows if row["url"] == url]
    if not ours:
        return ("no_endpoint",)
    live = [row for row in ours if row["status"] == "enabled"]
    if not live:
        return ("disabled",)
    heard = {kind for row in live for kind in row["enabled_events"]}
    found = ["api_version"] if any((row.get("api_version") or version) != version for row in live) else []
    if "*" not in heard:
        found += [f"event:{kind}" for kind in EVENTS if kind not in heard]
    return tuple(found)
