"""The objects in the form in which the API shows them. Only what our own code or the SDK reads."""

from __future__ import annotations

import hashlib
from typing import Any

Row = dict[str, Any]

API_VERSION = "2026-10-28.endive"


def listing(url: str, rows: list[Row], more: bool = False) -> Row:
    """A page of a list."""
    return {"object": "list", "url": url, "has_more": more, "data": rows}


def session(name: str, now: int, fields: Row, total: int, url: str) -> Row:
    """An open Checkout Session."""
    return {
        "id": name,
        "object": "checkout.session",
        "amount_subtotal": total,
        "amount_total": total,
        "cancel_url": fields.get("cancel_url"),
        "client_reference_id": fields.get("client_reference_id"),
        "created": now,
        "currency": fields["line_items"][0]["price_data"]["currency"],
        "customer": fields.get("customer"),
        "customer_details": None,
        "expires_at": fields.get("expires_at", now + 86_400),
        "invoice": None,
        "line_items": listing(
            f"/v1/checkout/sessions/{name}/line_items", [line(x) for x in fields["line_items"]]
        ),
        "livemode": False,
        "locale": fields.get("locale"),
        "metadata": fields.get("metadata", {}),
        "mode": fields["mode"],
        "payment_intent": None,
        "payment_method_collection": fields.get("payment_method_collection", "always"),
        "payment_status": "unpaid",
        "status": "open",
        "subscription": None,
        "success_url": fields.get("success_url"),
        "total_details": {"amount_discount": 0, "amount_shipping": 0, "amount_tax": 0},
        "url": url,
    }


def line(item: Row) -> Row:
    """A line of a session."""
    price, quantity = item["price_data"], item.get("quantity", 1)
    return {
        "object": "item",
        "amount_total": price["unit_amount"] * quantity,
        "currency": price["currency"],
        "description": price["product_data"]["name"],
        "quantity": quantity,
        "price": {
            "object": "price",
            "product": "prod_" + hashlib.sha256(price["product_data"]["name"].encode()).hexdigest()[:14],
            "currency": price["currency"],
            "unit_amount": price["unit_amount"],
            "recurring": price.get("recurring"),
        },
    }


def payment_intent(
    name: str, now: int, amount: int, currency: str, customer: str | None, metadata: Row
) -> Row:
    """A payment that has not been confirmed."""
    return {
        "id": name,
        "object": "payment_intent",
        "amount": amount,
        "amount_received": 0,
        "created": now,
        "currency": currency,
        "customer": customer,
        "last_payment_error": None,
        "latest_charge": None,
        "livemode": False,
        "metadata": metadata,
        "status": "requires_payment_method",
    }


def charge(name: str, now: int, payment: Row, outcome: str = "") -> Row:
    """A charge of a payment, paid unless ``outcome`` names a decline."""
    return {
        "id": name,
        "object": "charge",
        "amount": payment["amount"],
        "amount_captured": 0 if outcome else payment["amount"],
        "amount_refunded": 0,
        "captured": not outcome,
        "created": now,
        "currency": payment["currency"],
        "customer": payment["customer"],
        "disputed": False,
        "failure_code": outcome or None,
        "livemode": False,
        "metadata": payment["metadata"],
        "paid": not outcome,
        "payment_intent": payment["id"],
        "refunded": False,
        "status": "failed" if outcome else "succeeded",
    }


def refund(name: str, now: int, payment: Row, amount: int, fields: Row) -> Row:
    """A refund that the bank has not settled."""
    return {
        "id": name,
        "object": "refund",
        "amount": amount,
        "charge": payment["latest_charge"],
        "created": now,
        "currency": payment["currency"],
        "metadata": fields.get("metadata", {}),
        "payment_intent": payment["id"],
        "reason": fields.get("reason"),
        "status": "pending",
    }


def dispute(name: str, now: int, paid: Row, reason: str, amount: int) -> Row:
    """A dispute that waits for an answer."""
    return {
        "id": name,
        "object": "dispute",
        "amount": amount,
        "charge": paid["id"],
        "created": now,
        "currency": paid["currency"],
        "evidence_details": {
            "due_by": now + 7 * 86_400,
            "has_evidence": False,
            "past_due": False,
            "submission_count": 0,
        },
        "is_charge_refundable": False,
        "livemode": False,
        "metadata": {},
        "payment_intent": paid["payment_intent"],
        "reason": reason,
        "status": "needs_response",
    }


def fraud_warning(name: str, now: int, paid: Row) -> Row:
    """What a card's bank says of a charge before anybody disputes it."""
    return {
        "id": name,
        "object": "radar.early_fraud_warning",
        "actionable": not paid["refunded"],
        "charge": paid["id"],
        "created": now,
        "fraud_type": "made_with_stolen_card",
        "livemode": False,
        "payment_intent": paid["payment_intent"],
    }


def balance_transaction(name: str, now: int, source: str, amount: int, currency: str) -> Row:
    """Money that moved. ``source`` is the charge, refund or dispute that moved it."""
    kind = {"ch": "charge", "re": "refund"}.get(source.partition("_")[0], "adjustment")
    return {
        "id": name,
        "object": "balance_transaction",
        "amount": amount,
        "created": now,
        "currency": currency,
        "fee": 0,
        "net": amount,
        "source": source,
        "status": "available",
        "type": kind,
    }


def webhook_endpoint(name: str, now: int, url: str) -> Row:
    """Where events are posted."""
    return {
        "id": name,
        "object": "webhook_endpoint",
        "api_version": API_VERSION,
        "created": now,
        "enabled_events": ["*"],
        "livemode": False,
        "status": "enabled",
        "url": url,
    }


def customer(name: str, now: int) -> Row:
    """A customer of whom nothing is known."""
    return {
        "id": name,
        "object": "customer",
        "created": now,
        "email": None,
        "livemode": False,
        "metadata": {},
        "name": None,
    }


def subscription(
    name: str, item: str, now: int, source: Row, ends: int, metadata: Row, trial: bool = False
) -> Row:
    """A running subscription, billed from ``now`` on, or from ``ends`` on if it begins with a trial."""
    price = source["line_items"]["data"][0]["price"]
    return {
        "id": name,
        "object": "subscription",
        "billing_cycle_anchor": ends if trial else now,
        "cancel_at": None,
        "cancel_at_period_end": False,
        "canceled_at": None,
        "created": now,
        "currency": source["currency"],
        "customer": source["customer"],
        "default_payment_method": f"pm_{name[4:]}",
        "discounts": [],
        "ended_at": None,
        "items": listing(
            f"/v1/subscription_items?subscription={name}",
            [
                {
                    "id": item,
                    "object": "subscription_item",
                    "current_period_start": now,
                    "current_period_end": ends,
                    "price": price,
                    "quantity": source["line_items"]["data"][0]["quantity"],
                }
            ],
        ),
        "latest_invoice": None,
        "livemode": False,
        "metadata": metadata,
        "pause_collection": None,
        "start_date": now,
        "status": "trialing" if trial else "active",
        "trial_end": ends if trial else None,
        "trial_start": now if trial else None,
    }


def invoice(name: str, now: int, sub: Row, amount: int, reason: str, lines: list[Row]) -> Row:
    """An open invoice of a subscription."""
    return {
        "id": name,
        "object": "invoice",
        "amount_due": amount,
        "amount_paid": 0,
        "amount_remaining": amount,
        "attempt_count": 0,
        "billing_reason": reason,
        "created": now,
        "currency": sub["currency"],
        "customer": sub["customer"],
        "hosted_invoice_url": None,
        "lines": listing(f"/v1/invoices/{name}/lines", lines),
        "livemode": False,
        "metadata": {},
        "next_payment_attempt": None,
        "parent": {
            "type": "subscription_details",
            "subscription_details": {"subscription": sub["id"], "metadata": sub["metadata"]},
        },
        "period_start": sub["items"]["data"][0]["current_period_start"],
        "period_end": sub["items"]["data"][0]["current_period_end"],
        "status": "open",
        "total": amount,
    }


def coupon(name: str, now: int, fields: Row) -> Row:
    """Something that takes an amount off."""
    return {
        "id": name,
        "object": "coupon",
        "amount_off": fields.get("amount_off"),
        "created": now,
        "currency": fields.get("currency"),
        "duration": fields.get("duration", "once"),
        "duration_in_months": fields.get("duration_in_months"),
        "livemode": False,
        "percent_off": fields.get("percent_off"),
        "valid": True,
    }


def bill(name: str, now: int, fields: Row) -> Row:
    """A draft of an invoice that no subscription made."""
    return {
        "id": name,
        "object": "invoice",
        "amount_due": 0,
        "amount_paid": 0,
        "amount_remaining": 0,
        "attempt_count": 0,
        "billing_reason": "manual",
        "created": now,
        "currency": fields["currency"],
        "customer": fields["customer"],
        "hosted_invoice_url": None,
        "lines": listing(f"/v1/invoices/{name}/lines", []),
        "livemode": False,
        "metadata": fields.get("metadata", {}),
        "next_payment_attempt": None,
        "parent": None,
        "period_start": now,
        "period_end": now,
        "status": "draft",
        "total": 0,
    }


def bill_line(name: str, now: int, fields: Row) -> Row:
    """A line of such an invoice."""
    return {
        "id": name,
        "object": "line_item",
        "amount": fields["amount"],
        "currency": fields["currency"],
        "description": fields.get("description"),
        "invoice": fields["invoice"],
        "period": {"start": now, "end": now},
    }


def event(name: str, now: int, kind: str, row: Row) -> Row:
    """An event with the object as it is now."""
    return {
        "id": name,
        "object": "event",
        "api_version": API_VERSION,
        "created": now,
        "data": {"object": row},
        "livemode": bool(row.get("livemode", False)),
        "pending_webhooks": 1,
        "request": {"id": None, "idempotency_key": None},
        "type": kind,
    }
