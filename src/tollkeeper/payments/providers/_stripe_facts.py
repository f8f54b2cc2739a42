"""Stripe's objects, as plain dicts, turned into our own facts. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from tollkeeper.core.settlement import Collected, DisputeFact, RefundFact, RenewalFact, SubscriptionFact
from tollkeeper.payments.providers import Unsure

STRIPE_HUNDREDFOLD = frozenset({"ISK", "UGX"})
"""Without decimals in ISO 4217, with two at Stripe (docs.stripe.com/currencies)."""

_DISPUTES = {
    "warning_needs_response": "inquiry",
    "warning_under_review": "inquiry",
    "warning_closed": "prevented",
    "needs_response": "needs_response",
    "under_review": "under_review",
    "won": "won",
    "lost": "lost",
    "prevented": "prevented",
}
_REFUNDS = {
    "pending": "pending",
    "requires_action": "pending",
    "succeeded": "succeeded",
    "failed": "failed",
    "canceled": "cancelled",
}
_SUBSCRIPTIONS = {
    "incomplete": "incomplete",
    "incomplete_expired": "cancelled",
    "trialing": "trialing",
    "active": "active",
    "past_due": "past_due",
    "unpaid": "suspended",
    "canceled": "cancelled",
    "paused": "paused",
}
_INVOICES = {"paid": "succeeded", "void": "cancelled", "uncollectible": "failed"}


def to_stripe(minor: int, currency: str) -> int:
    """Our minor units as Stripe counts them."""
    return minor * 100 if currency in STRIPE_HUNDREDFOLD else minor


def from_stripe(amount: int, currency: str) -> int:
    """Stripe's units as ISO 4217 counts them; raises :class:`Unsure` for a fraction."""
    if currency not in STRIPE_HUNDREDFOLD:
        return amount
    if amount % 100:
        raise Unsure("an amount with a fraction that its currency does not have")
    return amount // 100


def plain(value: Any) -> Any:
    """A Stripe object as plain dicts: its own objects are no mappings since SDK 15."""
    return value.to_dict() if hasattr(value, "to_dict") else value


def ident(value: Any) -> str:
    """The id of a field that is an id, an expanded object or nothing."""
    if isinstance(value, Mapping):
        return str(value.get("id", ""))
    return value or ""


def instant(seconds: int) -> dt.datetime:
    """A Unix time as an aware datetime."""
    return dt.datetime.fromtimestamp(seconds, dt.UTC)


def session_facts(session: Mapping[str, Any]) -> Collected:
    """A Checkout Session with its payment, subscription and invoice expanded."""
    currency = session["currency"].upper()
    state, decline = _session_state(session)
    return Collected(
        reference=session["id"],
        state=state,
        amount_minor=from_stripe(session["amount_total"] or 0, currency),
        currency=currency,
        live=bool(session["livemode"]),
        order=session.get("client_reference_id") or "",
        payment=ident(session.get("payment_intent")) or paid_by(session.get("invoice")),
        payer=ident(session.get("customer")),
        url=session.get("url") or "",
        decline=decline,
        renewal=_renewal(session.get("subscription"), ident(session.get("invoice"))),
    )


def _session_state(session: Mapping[str, Any]) -> tuple[str, str]:
    if session["payment_status"] in ("paid", "no_payment_required"):
        return "succeeded", ""
    if session["status"] in ("expired", "open"):
        return session["status"], ""
    payment = session.get("payment_intent")
    if isinstance(payment, Mapping) and payment["status"] in ("requires_payment_method", "canceled"):
        error = payment.get("last_payment_error") or {}
        return "failed", error.get("decline_code") or error.get("code") or ""
    return "processing", ""


def invoice_facts(invoice: Mapping[str, Any], order: str) -> Collected:
    """An invoice of a subscription with its payments and subscription expanded."""
    currency = invoice["currency"].upper()
    details = (invoice.get("parent") or {}).get("subscription_details") or {}
    return Collected(
        reference=invoice["id"],
        state=_INVOICES.get(invoice["status"], "open"),
        amount_minor=from_stripe(invoice["amount_paid"], currency),
        currency=currency,
        live=bool(invoice["livemode"]),
        order=(invoice.get("metadata") or {}).get("order", order),
        payment=paid_by(invoice),
        payer=ident(invoice.get("customer")),
        url=invoice.get("hosted_invoice_url") or "" if invoice["status"] == "open" else "",
        renewal=_renewal(details.get("subscription"), invoice["id"], _period_start(invoice)),
    )


def _period_start(invoice: Mapping[str, Any]) -> dt.datetime | None:
    """The lines say what is paid for; the invoice's own period is that of metered usage."""
    starts = [line["period"]["start"] for line in invoice["lines"]["data"] if line.get("period")]
    return instant(max(starts)) if starts else None


def _renewal(subscription: Any, invoice: str, starts_at: dt.datetime | None = None) -> RenewalFact | None:
    if not isinstance(subscription, Mapping):
        return None
    tried = subscription.get("trial_start")
    return RenewalFact(
        subscription["id"],
        invoice,
        instant(subscription["billing_cycle_anchor"]),
        starts_at,
        instant(tried) if tried else None,
    )


def subscription_facts(row: Mapping[str, Any]) -> SubscriptionFact:
    """A subscription; ``unpaid`` is what follows when Stripe has tried often enough."""
    item = row["items"]["data"][0]
    currency = row["currency"].upper()
    state = "paused" if row.get("pause_collection") else _SUBSCRIPTIONS.get(row["status"], "active")
    ended, bill = row.get("ended_at"), row.get("latest_invoice")
    page = bill.get("hosted_invoice_url") if isinstance(bill, Mapping) and bill["status"] == "open" else ""
    return SubscriptionFact(
        reference=row["id"],
        state=state,
        order=(row.get("metadata") or {}).get("order", ""),
        ends_with_period=bool(row["cancel_at_period_end"]),
        invoice=ident(row.get("latest_invoice")),
        amount_minor=from_stripe(item["price"]["unit_amount"] * item.get("quantity", 1), currency),
        currency=currency,
        ended_at=instant(ended) if ended else None,
        pay_url=page or "",
    )


def paid_by(invoice: Any) -> str:
    """The payment of a paid invoice whose payments are expanded."""
    if not isinstance(invoice, Mapping):
        return ""
    for row in (invoice.get("payments") or {}).get("data", ()):
        if row["status"] == "paid":
            return ident(row["payment"].get("payment_intent"))
    return ""


def refund_facts(row: Mapping[str, Any], currency: str) -> RefundFact:
    """A refund; ``ours`` comes from the metadata we gave it."""
    return RefundFact(
        row["id"],
        _REFUNDS.get(row["status"], "pending"),
        from_stripe(row["amount"], currency),
        (row.get("metadata") or {}).get("refund", ""),
    )


def dispute_facts(row: Mapping[str, Any], currency: str) -> DisputeFact:
    """A dispute; an inquiry moves no money and is told apart."""
    due = (row.get("evidence_details") or {}).get("due_by")
    return DisputeFact(
        row["id"],
        _DISPUTES.get(row["status"], "inquiry"),
        from_stripe(row["amount"], currency),
        row.get("reason") or "",
        instant(due) if due else None,
    )
